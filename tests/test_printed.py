"""Printed figures: what they say, and what an exact value makes of them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc import printed
from costcalc.errors import Misfit

READ = {
    "1.5G": ("value", 1_500_000_000, 100_000_000),
    "159Ki": ("value", 159 * 1024, 1024),
    "2.7K": ("value", 2700, 100),
    "1e2": ("value", 100, 100),
    "~100": ("value", 100, 100),
    "~250M": ("value", 250_000_000, 100_000_000),
    "~30 %": ("value", Fraction(3, 10), Fraction(1, 10)),
    "~0.03": ("value", Fraction(3, 100), Fraction(1, 100)),
    "28 %": ("value", Fraction(28, 100), Fraction(1, 100)),
    "2.78×": ("value", Fraction(278, 100), Fraction(1, 100)),
    "6,624,904": ("value", 6_624_904, 1),
    "<25M": ("<", 25_000_000, 1_000_000),
    "≤1 %": ("≤", Fraction(1, 100), Fraction(1, 100)),
    ">1×": (">", 1, 1),
    "≥ 22": ("≥", 22, 1),
}


@pytest.mark.parametrize("text", READ)
def test_what_is_read(text: str) -> None:
    read = printed.parse(text)
    assert (read.sort, read.value, read.unit, read.upper) == (*READ[text], None)


def test_a_range() -> None:
    read = printed.parse("80–90 %")
    assert (read.sort, read.value, read.upper) == ("range", Fraction(8, 10), Fraction(9, 10))


@pytest.mark.parametrize(
    "text", ["", "about 5", "~", "~0", "~<5", "<80–90 %", "5 % %", "–", "12–", "90–80 %", "1.5 GFLOPs", "%"]
)
def test_what_is_no_figure(text: str) -> None:
    with pytest.raises(Misfit):
        printed.parse(text)


JUDGED = [
    ("22", 22, {}, "exact"),
    ("22", 23, {}, "off"),
    ("1.5G", 1_498_677_248, {}, "rounded"),
    ("1.4G", 1_498_677_248, {}, "off"),
    ("1.4G", 1_498_677_248, {"truncated": True}, "truncated"),
    ("1.5G", 1_498_677_248, {"truncated": True}, "off"),
    ("1.3G", 1_498_677_248, {"truncated": True}, "off"),
    ("1.4G", 1_500_000_000, {"truncated": True}, "off"),
    ("1.4G", 1_400_000_001, {"truncated": True}, "truncated"),
    ("80–90 %", Fraction(9, 10), {}, "bound kept"),
    ("1.6G", 1_500_000_001, {"within": Fraction(1, 10)}, "within"),
    ("1.7G", 1_500_000_001, {"within": Fraction(1, 10)}, "off"),
    ("159Ki", 163_328, {}, "rounded"),
    ("158Ki", 163_328, {}, "off"),
    ("<25M", 24_999_999, {}, "bound kept"),
    ("<25M", 25_000_000, {}, "off"),
    ("≤25M", 25_000_000, {}, "bound kept"),
    (">25M", 25_000_000, {}, "off"),
    ("≥25M", 25_000_000, {}, "bound kept"),
    ("80–90 %", Fraction(8, 10), {}, "bound kept"),
    ("80–90 %", Fraction(91, 100), {}, "off"),
]


@pytest.mark.parametrize(("text", "exact", "how", "outcome"), JUDGED)
def test_what_an_exact_value_makes_of_it(text: str, exact: int, how: dict[str, bool], outcome: str) -> None:
    assert printed.judged(printed.parse(text), exact, **how) == outcome  # type: ignore[arg-type]


@given(st.integers(1, 10**12), st.integers(0, 8))
def test_a_rounded_figure_is_borne_out_and_a_shifted_one_is_not(exact: int, digits: int) -> None:
    unit = 10**digits
    rounded = (exact + unit // 2) // unit
    text = f"{rounded}e{digits}"
    assert printed.judged(printed.parse(text), exact) in ("exact", "rounded")
    assert printed.judged(printed.parse(f"{rounded + 2}e{digits}"), exact) == "off"
    cut = f"{exact // unit}e{digits}"
    assert printed.judged(printed.parse(cut), exact, truncated=True) in ("exact", "truncated")
