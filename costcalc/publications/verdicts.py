"""The verdicts on claims, and which of them follow from what came out."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from costcalc import printed
from costcalc.printed import OFF, TO_PRECISION
from costcalc.publications.records import ReadingVerdict

CONFIRMED, TO_STATED_PRECISION = "confirmed", "confirmed to the stated precision"
VARIANT, OVER_STATED = "depends on the variant", "over-stated"
WRONG, NOT_REPRODUCIBLE = "wrong", "not reproducible"
DERIVED, NO_COST = "derived", "not a cost claim"

MEANINGS = {
    CONFIRMED: "every figure comes out exactly, and every bound is kept",
    TO_STATED_PRECISION: "every figure is the exact one, rounded or cut off as it is printed",
    VARIANT: "it comes out for one variant or reading and not for another",
    OVER_STATED: "it comes out for no reading, and every exact value falls short of it",
    WRONG: "the same source, a figure that everybody can check, or arithmetic contradicts it",
    NOT_REPRODUCIBLE: "a figure of it comes out for no reading, and what was counted is not published",
    DERIVED: "no figure is printed; what follows from the source is computed here",
    NO_COST: "there is nothing to count",
}


def following(readings: Sequence[ReadingVerdict]) -> tuple[str, ...]:
    """The verdicts that follow from the computed readings: one, or two where judgement is left.

    Readings of one printed figure are variants of each other. One that is marked ``contradicts`` and
    is off makes the claim wrong; without that, a figure that comes out for no variant is not
    reproducible, or over-stated.
    """
    judged = [reading for reading in readings if reading.outcome is not None]
    if not judged:
        return (DERIVED,) if readings else (NO_COST,)
    off = [reading for reading in judged if reading.outcome == OFF]
    if any(reading.reading.contradicts for reading in off):
        return (WRONG,)
    if not off:
        precise = not any(reading.outcome in TO_PRECISION for reading in judged)
        return (CONFIRMED,) if precise else (TO_STATED_PRECISION,)
    held = {_figure(reading) for reading in judged if reading.outcome != OFF}
    if all(_figure(reading) in held for reading in off):
        return (VARIANT,)
    if not held and all(_beyond(reading) for reading in off):
        return (OVER_STATED, NOT_REPRODUCIBLE)
    return (NOT_REPRODUCIBLE,)


def _figure(reading: ReadingVerdict) -> Fraction | str:
    """What is printed, so that ``23626728`` and ``23,626,728`` are one figure."""
    text = reading.reading.published
    return text if reading.reading.symbols else printed.parse(text).value


def _beyond(reading: ReadingVerdict) -> bool:
    """Whether the printed figure goes beyond the exact one."""
    exact = reading.exact
    return isinstance(exact, Fraction) and printed.parse(reading.reading.published).value > exact
