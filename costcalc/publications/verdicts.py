"""The verdicts on claims, and what must have come out for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from costcalc import printed
from costcalc.printed import OFF, TO_PRECISION
from costcalc.records import ReadingVerdict

Rule = Callable[[Sequence[ReadingVerdict]], bool]


@dataclass(frozen=True, slots=True)
class Sort:
    """A verdict in words, and the rule that it follows from the readings with a printed figure."""

    meaning: str
    follows: Rule


def _held(readings: Sequence[ReadingVerdict]) -> list[bool]:
    return [reading.outcome != OFF for reading in readings]


def _to_precision(readings: Sequence[ReadingVerdict]) -> bool:
    return any(reading.outcome in TO_PRECISION for reading in readings)


def _beyond(reading: ReadingVerdict) -> bool:
    """Whether the printed figure goes beyond the exact one."""
    if not isinstance(reading.exact, Fraction):
        return False
    return reading.outcome == OFF and printed.parse(reading.reading.published).value > reading.exact


CONFIRMED, NOT_REPRODUCIBLE = "confirmed", "not reproducible"
CONFIRMED_TO_PRECISION = "confirmed to the stated precision"
DERIVED, NO_COST = "derived", "not a cost claim"

VERDICTS: dict[str, Sort] = {
    CONFIRMED: Sort(
        "every printed figure comes out exactly, every bound is kept",
        lambda readings: all(_held(readings)) and not _to_precision(readings),
    ),
    CONFIRMED_TO_PRECISION: Sort(
        "every printed figure is the exact one, rounded or cut off where it is printed so",
        lambda readings: all(_held(readings)) and _to_precision(readings),
    ),
    "depends on the variant": Sort(
        "it comes out for one variant or reading and not for another",
        lambda readings: len(set(_held(readings))) == 2,
    ),
    "over-stated": Sort(
        "it comes out for no reading, and every exact value falls short of it",
        lambda readings: all(_beyond(reading) for reading in readings),
    ),
    "wrong": Sort(
        "what is published elsewhere in the same source, or arithmetic, contradicts it",
        lambda readings: not all(_held(readings)),
    ),
    NOT_REPRODUCIBLE: Sort(
        "it does not come out, and what was counted is not published",
        lambda readings: not all(_held(readings)),
    ),
}
# of claims without a printed figure
UNPRINTED = {
    DERIVED: "no figure is printed; what follows from the source is computed here",
    NO_COST: "there is nothing to count",
}


def following(readings: Sequence[ReadingVerdict]) -> tuple[str, ...]:
    """Every verdict that follows from the computed readings."""
    judged = [reading for reading in readings if reading.outcome is not None]
    if not judged:
        return (DERIVED,) if readings else (NO_COST,)
    return tuple(word for word, sort in VERDICTS.items() if sort.follows(judged))


def meanings() -> dict[str, str]:
    """Every verdict with what it means."""
    return {**{word: sort.meaning for word, sort in VERDICTS.items()}, **UNPRINTED}
