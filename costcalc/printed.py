"""A figure as a publication prints it: what it says, how precisely, and what an exact value makes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from costcalc import units
from costcalc.errors import Misfit, shortened

Sort = Literal["value", "<", "≤", ">", "≥", "range"]
_SORTS: dict[str, Sort] = {"": "value", "~": "value", "<": "<", "≤": "≤", ">": ">", "≥": "≥"}
Outcome = Literal["exact", "bound kept", "rounded", "truncated", "within", "off"]
OFF: Outcome = "off"
TO_PRECISION: tuple[Outcome, ...] = ("rounded", "truncated", "within")

_FORM = r"(?P<sort>[<≤>≥~]?)\s*(?P<first>[^–]+?)(–(?P<second>[^–]+?))?\s*(?P<mark>[%×]?)"
_BINARY = "Ki"  # 1024, as memory is counted; some papers print it as K


@dataclass(frozen=True, slots=True)
class Printed:
    """``value`` with ``unit``, one step of its last digit; a bound, or up to ``upper`` a range."""

    sort: Sort
    value: Fraction
    unit: Fraction
    upper: Fraction | None = None


def parse(text: str) -> Printed:
    """``159K``, ``1.5e9``, ``28 %``, ``2.78×``, ``<25M``, ``80–90 %`` or ``~100``; raises :class:`Misfit`.

    ``~`` is "about": a figure that is precise to its first digit.
    """
    match = re.fullmatch(_FORM, text.strip())
    if match is None or (match["sort"] and match["second"]):
        raise Misfit(
            f"{shortened(text)} is no printed figure; write for example 1.5G, 28 %, 2.78×, <25M or 80–90 %"
        )
    scale = Fraction(1, 100) if match["mark"] == "%" else Fraction(1)
    value, unit = _number(match["first"])
    if match["sort"] == "~" and not value:
        raise Misfit(f"{shortened(text)} has no first digit; write 0")
    if match["sort"] == "~":
        return Printed("value", value * scale, _first_digit(value) * scale)
    sort = _SORTS[match["sort"]]
    if match["second"] is None:
        return Printed(sort, value * scale, unit * scale)
    upper, unit = _number(match["second"])
    if upper < value:
        raise Misfit(f"{shortened(text)} runs backwards; write the smaller figure first")
    return Printed("range", value * scale, unit * scale, upper * scale)


def _first_digit(value: Fraction) -> Fraction:
    """One step of the first digit: 100 of 250, a tenth of 0.3."""
    step = Fraction(1)
    while step > value:
        step /= 10
    while step * 10 <= value:
        step *= 10
    return step


def _number(text: str) -> tuple[Fraction, Fraction]:
    binary = text.endswith(_BINARY)
    value, half = units.published(text.removesuffix(_BINARY) if binary else text)
    return (value * 1024, half * 2048) if binary else (value, half * 2)


def judged(
    printed: Printed, exact: Fraction | int, truncated: bool = False, within: Fraction | None = None
) -> Outcome:
    """How an exact value bears out the figure.

    A figure is borne out to half a unit of its last digit; if ``truncated``, to what cutting off the
    further digits leaves; with ``within``, to that share of the figure. Bounds and ranges are kept or not.
    """
    if printed.sort != "value":
        return "bound kept" if _kept(printed, exact) else OFF
    if exact == printed.value:
        return "exact"
    if within is not None:
        return "within" if abs(exact - printed.value) <= within * printed.value else OFF
    if truncated:
        return "truncated" if 0 <= exact - printed.value < printed.unit else OFF
    return "rounded" if 2 * abs(exact - printed.value) <= printed.unit else OFF


def _kept(printed: Printed, exact: Fraction | int) -> bool:
    if printed.upper is not None:
        return printed.value <= exact <= printed.upper
    return {
        "<": exact < printed.value,
        "≤": exact <= printed.value,
        ">": exact > printed.value,
        "≥": exact >= printed.value,
    }[printed.sort]
