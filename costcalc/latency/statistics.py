"""What is said of samples, and of the medians of rounds: pure functions of numbers.

Samples of one process follow each other and are no independent draws: intervals are of the medians of
rounds or of processes, never of samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import exp, lgamma, log
from statistics import fmean, median, quantiles, stdev

from costcalc.latency.student import Difference, half_width, welch

FEWEST_ROUNDS = 6
CONFIDENCE = 0.99  # of percentiles, as in MLPerf's rule for stopping early
SPIKE = 14.826  # MADs from the median: ten standard deviations of a normal distribution, as in hyperfine
RESOLUTION = 5e-7  # seconds: what CUDA events resolve, so that no spread is taken for smaller
APART, GAPS = 0.03, 5  # two speeds: this far apart, and by so many times the usual gap
DRIFT_ALPHA = 0.01


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The 25th and the 75th percentile, interpolated: descriptions, not bounds."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high


def variation(values: Sequence[float]) -> float:
    """The coefficient of variation: standard deviation over mean."""
    return stdev(values) / fmean(values) if len(values) > 1 else 0.0


def deviation(values: Sequence[float]) -> float:
    """The median absolute deviation from the median (MAD)."""
    middle = median(values)
    return median(abs(value - middle) for value in values)


def outliers(values: Sequence[float]) -> int:
    """How many lie more than ten standard deviations from the median, estimated by the MAD."""
    middle, limit = median(values), _limit(values)
    return sum(abs(value - middle) > limit for value in values)


def _limit(values: Sequence[float]) -> float:
    return SPIKE * max(deviation(values), RESOLUTION)


def percentile(values: Sequence[float], share: float) -> float | None:
    """A sample that the percentile does not exceed, with 99 % confidence; None if there are too few.

    MLPerf's rule (loadgen, early stopping): the t-th largest sample, for the largest t such that t or
    fewer of so many samples exceed the true percentile in at most 1 % of cases.
    """
    rank = _rank(len(values), share)
    return sorted(values)[-rank] if rank > 0 else None


@lru_cache(maxsize=256)
def samples_needed(share: float) -> int:
    """How many samples a percentile takes: 64 for ``0.9``, 662 for ``0.99``."""
    count = 1
    while _rank(count, share) < 1:
        count += 1
    return count


@lru_cache(maxsize=1024)
def _rank(count: int, share: float) -> int:
    """The largest t with ``P(t or fewer of count above) <= 1 - confidence``, that count being binomial."""
    total, above = 0.0, 0
    while above <= count:
        ways = lgamma(count + 1) - lgamma(above + 1) - lgamma(count - above + 1)
        total += exp(ways + above * log(1 - share) + (count - above) * log(share))
        if total > 1 - CONFIDENCE:
            break
        above += 1
    return above - 1


def reached(medians: Sequence[float]) -> float | None:
    """The precision of rounds: half of their t-interval relative to their median."""
    return half_width(medians) / median(medians) if len(medians) > 1 else None


def precise(medians: Sequence[float], precision: float) -> bool:
    """Whether rounds suffice: there are enough, their interval is narrow, and their halves agree."""
    if len(medians) < FEWEST_ROUNDS:
        return False
    first, second = halves(medians)
    allowed = precision * median(medians)
    return half_width(medians) <= allowed and abs(median(first) - median(second)) <= allowed


def agree(medians: Sequence[float], tolerance: float) -> bool:
    """Whether all of them lie within a relative tolerance."""
    return max(medians) - min(medians) <= tolerance * median(medians)


def halves(medians: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """The earlier half and the later half."""
    middle = len(medians) // 2
    return medians[:middle], medians[middle:]


def two_speeds(medians: Sequence[float]) -> tuple[float, float] | None:
    """The two speeds between which rounds change, if they do.

    Sorted, there is one gap far larger than the others. On either side of it lie a tenth of the rounds and
    two at least: one slow round is no speed.
    """
    ordered = sorted(medians)
    fewest = max(2, len(ordered) // 10)
    places = range(fewest, len(ordered) - fewest + 1)
    if not places:
        return None
    gaps = [high - low for low, high in pairwise(ordered)]
    place = max(places, key=lambda index: gaps[index - 1])
    if gaps[place - 1] <= max(GAPS * median(gaps), APART * median(ordered)):
        return None
    return median(ordered[:place]), median(ordered[place:])


def drift(medians: Sequence[float], precision: float) -> float | None:
    """By how much the later half of rounds differs from the earlier, relative to it, beyond the precision
    asked for and beyond chance.
    """
    if len(medians) < FEWEST_ROUNDS:
        return None
    first, second = halves(medians)
    change: Difference = welch(first, second)
    if abs(change.value) <= precision * fmean(first) or change.p() > DRIFT_ALPHA:
        return None
    return change.value / fmean(first)


def slow_first(medians: Sequence[float]) -> float | None:
    """How many times slower the first round is than the others, if it is no chance."""
    if len(medians) < FEWEST_ROUNDS:
        return None
    first, others = medians[0], medians[1:]
    return first / median(others) if first > median(others) + _limit(others) else None
