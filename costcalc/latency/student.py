"""Student's t distribution for any degrees of freedom: what a few processes allow one to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, lgamma, log, log1p, pi, sqrt
from statistics import NormalDist, fmean, variance

ALPHA = 0.05  # of every interval, unless several claims share it


def tail(t: float, df: float) -> float:
    """The probability of ``|T| >= |t|``."""
    import mpmath  # slow to import, and most commands need none

    return float(mpmath.betainc(df / 2, 0.5, 0, df / (df + t * t), regularized=True))


@lru_cache(maxsize=4096)
def critical(alpha: float, df: float) -> float:
    """What ``|T|`` exceeds with probability ``alpha``.

    Newton's method: right of zero the tail is convex, and the normal distribution's critical value lies
    below, so that every step goes up and none too far.
    """
    t, step = NormalDist().inv_cdf(1 - alpha / 2), inf
    while step > 1e-10 * t:
        step = (tail(t, df) - alpha) / (2 * _density(t, df))
        t += step
    return t


def _density(t: float, df: float) -> float:
    logarithm = lgamma((df + 1) / 2) - lgamma(df / 2) - log(df * pi) / 2
    return exp(logarithm - (df + 1) / 2 * log1p(t * t / df))


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two means, its standard error, and how many degrees of freedom that rests on."""

    value: float
    error: float
    df: float

    def p(self) -> float:
        """How often chance alone gives such a difference or a larger one."""
        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return tail(self.value / self.error, self.df)

    def interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        """Where the difference lies, but for a share ``alpha`` of cases."""
        half = self.half_width(alpha)
        return self.value - half, self.value + half

    def half_width(self, alpha: float) -> float:
        """Half the length of the interval."""
        return 0.0 if self.error == 0 else critical(alpha, self.df) * self.error


def welch(old: Sequence[float], new: Sequence[float]) -> Difference:
    """The mean of ``new`` less that of ``old``, their variances unknown and maybe unequal (Welch 1947)."""
    return expected(fmean(new) - fmean(old), (variance(old), len(old)), (variance(new), len(new)))


def expected(value: float, old: tuple[float, int], new: tuple[float, int]) -> Difference:
    """The same from a difference, and the variance and the size of each sample."""
    parts = [(spread / size, size) for spread, size in (old, new)]
    square = sum(part for part, _ in parts)
    shares = sum(part**2 / (size - 1) for part, size in parts)
    return Difference(value, sqrt(square), square**2 / shares if shares else inf)


def half_width(values: Sequence[float], alpha: float = ALPHA) -> float:
    """Of the t-interval of a mean; at least two values."""
    error = sqrt(variance(values) / len(values))
    return Difference(0.0, error, len(values) - 1).half_width(alpha)
