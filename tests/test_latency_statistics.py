"""Statistics of samples and of round medians, against tables, exact arithmetic and simulation."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.latency import statistics as stats
from costcalc.latency import student

TIMES = st.floats(1e-4, 1e2)


@pytest.mark.parametrize(
    ("df", "expected"),
    # two-sided 5 %, from any textbook's table
    [(1, 12.706), (2, 4.303), (4, 2.776), (5, 2.571), (7, 2.365), (10, 2.228), (30, 2.042), (120, 1.980)],
)
def test_critical_values_of_the_tables(df: int, expected: float) -> None:
    assert student.critical(0.05, df) == pytest.approx(expected, abs=5e-4)


@given(st.floats(1e-6, 0.9), st.floats(1, 400))
def test_critical_is_the_inverse_of_the_tail(alpha: float, df: float) -> None:
    assert student.tail(student.critical(alpha, df), df) == pytest.approx(alpha, rel=1e-6)


def test_welch_by_hand() -> None:
    # means 2 and 5, variances 1 and 4 of 3 and 5: squared error 1/3 + 4/5, df by Welch-Satterthwaite
    found = student.welch([1, 2, 3], [3, 3, 5, 7, 7])
    assert found.value == pytest.approx(3)
    assert found.error == pytest.approx((1 / 3 + 4 / 5) ** 0.5)
    assert found.df == pytest.approx((1 / 3 + 4 / 5) ** 2 / ((1 / 3) ** 2 / 2 + (4 / 5) ** 2 / 4))
    low, high = found.interval()
    assert (low > 0) == (found.p() < 0.05)
    assert low + high == pytest.approx(6)


@pytest.mark.parametrize(("new", "p"), [(1.0, 1.0), (2.0, 0.0)])
def test_no_variance_is_no_doubt(new: float, p: float) -> None:
    found = student.welch([1.0, 1.0], [new, new])
    assert found.p() == p
    assert found.interval() == (new - 1, new - 1)


def _exact(count: int, share: Fraction, above: int) -> Fraction:
    """P(that many or fewer of count samples lie above the percentile)."""
    chances = (comb(count, k) * (1 - share) ** k * share ** (count - k) for k in range(above + 1))
    return sum(chances, Fraction(0))


@pytest.mark.parametrize(
    ("share", "gate"), [("0.5", 11), ("0.75", 24), ("0.9", 64), ("0.95", 130), ("0.99", 662)]
)
def test_gates_follow_from_the_binomial(share: str, gate: int) -> None:
    exact, allowed = Fraction(share), Fraction(1, 100)
    assert _exact(gate, exact, 1) <= allowed < _exact(gate - 1, exact, 1)
    assert stats.samples_needed(float(share)) == gate
    samples = [float(each) for each in range(gate)]
    assert stats.percentile(samples, float(share)) == gate - 1  # the largest of them
    assert stats.percentile(samples[1:], float(share)) is None


@pytest.mark.parametrize("count", [64, 100, 300, 1000])
def test_percentiles_are_the_smallest_samples_that_are_sure(count: int) -> None:
    samples = [float(each) for each in range(1, count + 1)]
    Random(0).shuffle(samples)
    found = stats.percentile(samples, 0.9)
    assert found is not None
    rank = count - int(found) + 1  # the rank-th largest
    assert _exact(count, Fraction(9, 10), rank) <= Fraction(1, 100)
    assert _exact(count, Fraction(9, 10), rank + 1) > Fraction(1, 100)


def test_percentiles_bound_what_they_name() -> None:
    found = []
    for seed in range(300):
        noise = Random(seed)
        found.append(stats.percentile([noise.random() for _ in range(200)], 0.9))
    assert sum(each is not None and each < 0.9 for each in found) <= 6  # 1 % of 300 is 3


def test_outliers_are_ten_deviations_away() -> None:
    # median 5, MAD 2.5: the limit is 5 + 14.826 * 2.5 = 42.065
    usual = [0.0, 2, 3, 4, 5, 5, 6, 7.5, 8, 9]
    assert stats.deviation(usual) == 2.25
    assert stats.outliers([*usual, 5 + 14.8 * 2.5]) == 0
    assert stats.outliers([*usual, 5 + 14.9 * 2.5]) == 1


def test_what_the_clock_cannot_resolve_is_no_outlier() -> None:
    assert stats.outliers([1e-3] * 99 + [1e-3 + 1e-6]) == 0
    assert stats.outliers([1e-3] * 99 + [1e-3 + 1e-5]) == 1


@given(st.lists(TIMES, min_size=2, max_size=50), st.floats(0.01, 100))
def test_relative_numbers_have_no_unit(values: list[float], scale: float) -> None:
    scaled = [scale * value for value in values]
    assert stats.variation(scaled) == pytest.approx(stats.variation(values), abs=1e-9)
    assert stats.reached(scaled) == pytest.approx(stats.reached(values), abs=1e-9)


@given(st.lists(TIMES, min_size=1, max_size=50))
def test_quartiles_hold_the_median(values: list[float]) -> None:
    low, high = stats.quartiles(values)
    assert min(values) <= low <= median(values) <= high <= max(values)


def test_precise_takes_six_rounds_a_narrow_interval_and_halves_that_agree() -> None:
    assert not stats.precise([1.0] * 5, 0.01)
    assert stats.precise([1.0] * 6, 0.01)
    # t(5) = 2.5706, the standard deviation d * sqrt(4/5), so half of the interval 2.5706 * d * sqrt(4/5/6)
    edge = 0.01 / (2.5706 * (4 / 5 / 6) ** 0.5)
    for factor, enough in ((0.99, True), (1.01, False)):
        up, down = 1 + factor * edge, 1 - factor * edge
        assert stats.precise([up, down, 1, up, down, 1], 0.01) == enough


def test_halves_that_differ_are_not_precise_however_many_rounds() -> None:
    step = [1.0] * 500 + [1.02] * 500
    assert (stats.reached(step) or 1) < 0.01
    assert not stats.precise(step, 0.01)


@pytest.mark.parametrize(
    ("medians", "found"),
    [
        ([1.0, 1.1, 1.0, 1.1, 1.0, 1.1], (1.0, 1.1)),
        ([1.0, 1.02, 1.0, 1.02, 1.0, 1.02], None),  # closer than 3 %
        ([1.0, 1.0, 1.0, 1.0, 1.0, 1.5], None),  # one slow round is no speed
        ([1.0, 1.1, 1.2, 1.3, 1.4, 1.5], None),  # a ramp has no gap
        ([1.0, 2.0], None),
        ([1.0] * 6 + [1.1] * 2, (1.0, 1.1)),  # two rounds are a speed
        ([1.0] * 28 + [1.1] * 2, None),  # unless they are less than a tenth
        ([1.0, 1.001, 1.002, 1.003, 1.1, 1.101, 1.103], (1.0015, 1.101)),
    ],
)
def test_two_speeds(medians: list[float], found: tuple[float, float] | None) -> None:
    assert stats.two_speeds(medians) == found


def test_noise_is_seldom_two_speeds_and_no_drift() -> None:
    speeds = drifts = 0
    for seed in range(300):
        noise = Random(seed)
        medians = [noise.gauss(1, 0.03) for _ in range(30)]
        speeds += stats.two_speeds(medians) is not None
        drifts += stats.drift(medians, 0.01) is not None
    assert speeds <= 3
    assert drifts <= 8  # 1 % of 300 is 3


def test_drift_is_the_later_half_over_the_earlier() -> None:
    ramp = [1 + 0.01 * place for place in range(10)]  # halves of 1.02 and 1.07
    assert stats.drift(ramp, 0.01) == pytest.approx(1.07 / 1.02 - 1)
    assert stats.drift(ramp[::-1], 0.01) == pytest.approx(1.02 / 1.07 - 1)
    assert stats.drift(ramp, 0.06) is None  # as precise as was asked for
    steps = [1.0, 1.001, 1.002, 1.1, 1.101, 1.102]
    assert stats.drift(steps, 0.01) == pytest.approx(0.1 / 1.001)
    assert stats.drift(steps[:5], 0.01) is None


def test_a_slow_first_round_stands_out() -> None:
    others = [1.0, 1.01, 0.99, 1.0, 1.01]
    assert stats.slow_first([1.3, *others]) == pytest.approx(1.3)
    assert stats.slow_first([1.3, *others, 1.3]) is not None  # another slow one excuses nothing
    assert stats.slow_first([1.01, *others]) is None
    assert stats.slow_first([0.5, *others]) is None
    assert stats.slow_first([*others, 1.3]) is None


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e2])
def test_judgements_of_rounds_have_no_unit(scale: float) -> None:
    def of(*medians: float) -> list[float]:
        return [scale * each for each in medians]

    assert stats.agree(of(1.0, 1.009, 1.004), 0.01)
    assert not stats.agree(of(1.0, 1.011, 1.004), 0.01)
    assert stats.precise(of(*[1.0, 1.001] * 3), 0.01)
    assert not stats.precise(of(*[1.0, 1.02] * 3), 0.01)
    assert stats.two_speeds(of(*[1.0, 1.1] * 3)) == pytest.approx((scale, 1.1 * scale))
    assert stats.two_speeds(of(*[1.0, 1.02] * 3)) is None
    ramp = of(*(1 + 0.01 * place for place in range(10)))
    assert stats.drift(ramp, 0.045) is not None
    assert stats.drift(ramp, 0.055) is None
    assert stats.slow_first(of(1.3, 1.0, 1.0, 1.01, 1.01, 1.0)) == pytest.approx(1.3)


def test_spread_by_hand() -> None:
    assert stats.variation([1.0, 2.0, 6.0]) == pytest.approx(7**0.5 / 3)
    assert stats.variation([5.0]) == 0
    assert stats.reached([5.0]) is None
    assert stats.reached([1.0, 2.0, 6.0]) == pytest.approx(4.303 * (7 / 3) ** 0.5 / 2, rel=1e-3)
    assert stats.quartiles([5.0]) == (5.0, 5.0)
