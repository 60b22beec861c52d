from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc import units
from costcalc.errors import Misfit


@pytest.mark.parametrize(
    "text", ["1.5e9", "1.5G", "1_500_000_000", "1,500,000,000", "1.5 GMACs", "1500M", "0.0015T", "1.5e+9 MAC"]
)
def test_one_and_a_half_billion(text: str) -> None:
    assert units.quantity(text) == 1_500_000_000


@pytest.mark.parametrize(
    ("text", "counted", "reason"),
    [
        ("3 GFLOPs", "macs", "1 MAC = 2 FLOPs"),
        ("3 Gops", "macs", "1 MAC = 2 FLOPs"),
        ("0.5", "macs", "not a whole number"),
        ("1.5e-3", "macs", "not a whole number"),
        ("-1", "macs", "not a count"),
        ("true", "macs", "not a count"),
        ("1,5G", "macs", "not a count"),
        ("1,50,000", "macs", "not a count"),
        ("nan", "macs", "not a count"),
        ("", "macs", "not a count"),
        ("1e999999999", "macs", "not a count"),
        ("1e300", "macs", "out of range"),
        ("9" * 60, "macs", "out of range"),
        ("9" * 100, "macs", "not a count"),
        ("7 MB", "params", "unknown unit"),
        ("7 MMACs", "params", "unknown unit"),
    ],
)
def test_refused(text: str, counted: str, reason: str) -> None:
    with pytest.raises(Misfit, match=reason):
        units.quantity(text, counted)


@given(st.integers(0, 10**18))
def test_counts_come_back(value: int) -> None:
    assert units.quantity(units.count(value)) == value
    assert units.quantity(str(value)) == value


@pytest.mark.parametrize(
    ("text", "figure", "half_unit"),
    [
        ("159K", 159_000, 500),
        ("2.7K", 2700, 50),
        ("1.5G", 15 * 10**8, 5 * 10**7),
        ("6624904", 6624904, Fraction(1, 2)),
    ],
)
def test_published_figures_have_a_precision(text: str, figure: int, half_unit: Fraction) -> None:
    assert units.published(text) == (figure, half_unit)


def test_numbers_for_eyes() -> None:
    assert units.prose(1_498_677_248) == "1.499 G"
    assert units.prose(999) == "999"
    assert units.prose(128_049_152) == "128.0 M"
    assert units.prose(999_999_999) == "1.000 G"
    assert units.distinct(1_500_000_001, 1_500_000_000) == ("1,500,000,001", "1,500,000,000")
    assert units.distinct(1_498_677_248, 1_500_000_000) == ("1.499 G", "1.500 G")
    assert units.ratio(Fraction(25, 18)) == "25/18 = 1.389×"
    assert units.ratio(Fraction(303464448, 128049152)) == "2.370×"
    assert units.ratio(Fraction(50)) == "50×"
    assert units.ratio(Fraction(168_647_111, 1_000)) == "168,647.111×"
    assert units.ratio(Fraction(1_498_677_248, 1_498_376_192)) == "1.0002×"
    assert units.percent(Fraction(7, 25)) == "28.0 %"
    assert units.percent(Fraction(1, 5000)) == "0.02 %"
    assert units.percent(Fraction(1, 10**9)) == "<0.0001 %"
    assert units.percent(Fraction(-1, 10**9)) == ">-0.0001 %"
    assert units.percent(Fraction(0)) == "0.0 %"
