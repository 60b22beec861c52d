"""How well predictions fit: errors, rank correlation, and how often pairs are in the right order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf, sqrt
from statistics import fmean, median

from costcalc.roofline.model import CLAIMED, LIKELY

# the ratios of two predictions between which an order is claimed, likely, or too close to call
ORDERS = {"1.5 and more": (CLAIMED, inf), "1.25 to 1.5": (LIKELY, CLAIMED), "below 1.25": (1.0, LIKELY)}


@dataclass(frozen=True, slots=True)
class Order:
    """Pairs whose predictions differ by such a ratio, and how many of them are in the right order."""

    ratios: str
    pairs: int
    right: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How well ``n`` predictions fit: errors relative to what was measured.

    ``bias`` is the median of measured/predicted, ``rho`` Spearman's rank correlation (None below three).
    """

    n: int
    mape: float
    median_ape: float
    bias: float
    rho: float | None
    within_10: float
    within_20: float
    orders: tuple[Order, ...]


def accuracy(found: Sequence[float], predictions: Sequence[float]) -> Accuracy:
    """How well predictions fit what was found, both in seconds; at least one of each."""
    errors = [abs(guess - real) / real for real, guess in zip(found, predictions, strict=True)]
    return Accuracy(
        n=len(errors),
        mape=fmean(errors),
        median_ape=median(errors),
        bias=median(real / guess for real, guess in zip(found, predictions, strict=True)),
        rho=spearman(found, predictions),
        within_10=sum(error <= 0.1 for error in errors) / len(errors),
        within_20=sum(error <= 0.2 for error in errors) / len(errors),
        orders=_orders(found, predictions),
    )


def _orders(found: Sequence[float], predictions: Sequence[float]) -> tuple[Order, ...]:
    """Pair by pair: equal predictions say nothing, and are in no range."""
    right: dict[str, list[bool]] = {name: [] for name in ORDERS}
    for (real, guess), (other_real, other_guess) in combinations(zip(found, predictions, strict=True), 2):
        ratio = max(guess, other_guess) / min(guess, other_guess)
        for name, (least, below) in ORDERS.items():
            if guess != other_guess and least <= ratio < below:
                right[name].append((real - other_real) * (guess - other_guess) > 0)
    return tuple(Order(name, len(held), sum(held)) for name, held in right.items())


def spearman(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Spearman's rank correlation: Pearson's, of ranks; None below three pairs or where all are equal."""
    if len(xs) < 3:
        return None
    left, right = _centred(xs), _centred(ys)
    spread = sqrt(sum(x * x for x in left) * sum(y * y for y in right))
    return sum(x * y for x, y in zip(left, right, strict=True)) / spread if spread else None


def _centred(values: Sequence[float]) -> list[float]:
    """Ranks about their mean; equal values share the mean of their ranks."""
    places: dict[float, list[int]] = defaultdict(list)
    for place, value in enumerate(sorted(values)):
        places[value].append(place)
    middle = (len(values) - 1) / 2
    return [fmean(places[value]) - middle for value in values]
