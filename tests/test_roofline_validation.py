"""Predictions against measurements, by pen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rooflines import measurement, run, work

from costcalc.errors import CostcalcError
from costcalc.latency.runs import Measurement
from costcalc.latency.work import Work
from costcalc.roofline import calibration, validation
from costcalc.roofline.accuracy import accuracy, spearman

# on an H100 in fp16: 3.35 TB/s are 1.675 elements in a ps, 989.4 TFLOP/s 0.4947 MACs in a fs
MS = 1_675_000_000


def moving(ms: float, macs: int = 1, part: str = "a") -> Work:
    """What takes so many milliseconds to move."""
    return work(part, reads=int(ms * MS), macs=macs)


def named(name: str, ms: float, measured_ms: float, macs: int = 1, batch: int = 32) -> Measurement:
    return measurement(name, [moving(ms, macs)], [measured_ms * 1e-3], batch)


def test_errors_are_relative_to_what_was_measured() -> None:
    found = accuracy([1.0, 2.0, 4.0, 10.0], [1.1, 1.0, 4.0, 8.5])
    assert found.n == 4
    # off by 0.1, 0.5, 0 and 0.15
    assert found.mape == pytest.approx(0.1875)
    assert found.median_ape == pytest.approx(0.125)
    # measured/predicted: 0.909, 2, 1, 1.176
    assert found.bias == pytest.approx((1 + 10 / 8.5) / 2)
    assert (found.within_10, found.within_20) == (0.25, 0.75)


def test_exactly_as_far_off_as_the_limit_is_within() -> None:
    found = accuracy([10.0, 10.0], [9.0, 12.0])
    assert (found.within_10, found.within_20) == (0.5, 1.0)


def test_rank_correlation_of_a_textbook() -> None:
    # IQ and hours of TV: rho = -29/165
    iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
    hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
    assert spearman(iq, hours) == pytest.approx(-29 / 165)


def test_equal_values_share_their_ranks() -> None:
    # ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5/sqrt(4.5·5)
    assert spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)


def test_too_few_or_all_alike_have_no_correlation() -> None:
    assert spearman([1, 2], [1, 2]) is None
    assert spearman([1, 1, 1], [1, 2, 3]) is None


@given(st.lists(st.integers(1, 30), min_size=3, max_size=20).filter(lambda xs: len(set(xs)) > 1))
def test_any_growing_predictor_has_the_rank_correlation_of_the_truth(xs: list[int]) -> None:
    assert spearman(xs, [x**3 + 7 for x in xs]) == pytest.approx(1)
    assert spearman(xs, [-x for x in xs]) == pytest.approx(-1)


def test_pairs_are_judged_by_how_far_their_predictions_are_apart() -> None:
    # predicted 1, 1.2, 1.5, 1.5; pairs: 1.2 right; 1.5 right twice; 1.25 one right, one wrong; one of none
    found = accuracy([10, 12, 13, 11], [1.0, 1.2, 1.5, 1.5])
    assert {each.ratios: (each.pairs, each.right) for each in found.orders} == {
        "1.5 and more": (2, 2),
        "1.25 to 1.5": (2, 1),
        "below 1.25": (1, 1),
    }


def test_equal_times_bear_no_order_out() -> None:
    assert [each.right for each in accuracy([1, 1], [1, 2]).orders] == [0, 0, 0]


def test_a_row_is_a_measurement_beside_its_prediction() -> None:
    found = validation.validated([run(named("a", 1.0, 1.56, macs=7))], [])
    (row,) = found.rows
    assert (row.name, row.batch, row.device, row.macs) == ("a", 32, "NVIDIA H100 80GB HBM3", 7)
    assert (row.dtype, row.mode, row.layout) == ("fp16", "eager", "channels_last")
    # predicted without a calibration: 1.3 times the roofline
    assert row.prediction.seconds == pytest.approx(1.3e-3)
    assert row.measured == pytest.approx(1.56e-3)
    assert row.ratio == pytest.approx(1.2)
    assert row.error == pytest.approx(0.26 / 1.56)
    assert (row.is_anchor, row.block_rho) == (False, None)
    assert found.skipped == ()


def test_macs_are_a_rival_at_their_best_rate() -> None:
    # twice as long to move, but a tenth of the MACs: times follow what is moved
    rows = [named("a", 1, 1.3, 1000), named("b", 2, 2.6, 100), named("c", 4, 5.2, 500)]
    (group,) = validation.validated([run(*rows)], []).groups
    assert group.all.mape == pytest.approx(0, abs=1e-6)
    assert group.all.rho == pytest.approx(1)
    assert group.rival is not None
    assert group.rival.rho == pytest.approx(-0.5)
    # ms per MAC: 0.0013, 0.026, 0.0104; the median predicts 10.4, 1.04 and 5.2
    assert group.rival.mape == pytest.approx((7 + 0.6 + 0) / 3)
    assert (group.held_out, group.calibrated) == (group.all, False)


def test_what_has_no_macs_has_no_rival() -> None:
    (group,) = validation.validated([run(named("a", 1, 1.3, macs=0))], []).groups
    assert group.rival is None


def test_anchors_are_told_apart() -> None:
    anchors = run(named("a", 1, 2.0), named("b", 1, 2.0))
    entry = calibration.fitted(anchors, 1e-6, 1e12, 1e12)
    found = validation.validated([run(named("a", 1, 2.0), named("b", 2, 4.0), named("c", 1, 2.5))], [entry])
    assert [(row.name, row.is_anchor) for row in found.rows] == [("a", True), ("b", True), ("c", False)]
    (group,) = found.groups
    assert group.calibrated
    assert (group.all.n, group.all.mape) == (3, pytest.approx(0.2 / 3))
    assert group.held_out is not None
    assert (group.held_out.n, group.held_out.mape) == (1, pytest.approx(0.2))
    (only,) = validation.validated([anchors], [entry]).groups
    assert only.held_out is None


def test_groups_are_by_device_and_way_and_batch() -> None:
    found = validation.validated(
        [
            run(named("a", 1, 1.3), named("a", 2, 2.6, batch=64)),
            run(named("a", 1, 1.3), mode="graph"),
            run(named("a", 1, 1.3), layout="nchw"),
            run(named("a", 1, 1.3), device_name="NVIDIA H200"),
            run(named("b", 1, 1.3)),
        ],
        [],
    )
    told = [(group.device, group.layout, group.mode, group.batch, group.all.n) for group in found.groups]
    h100 = "NVIDIA H100 80GB HBM3"
    assert told == [
        (h100, "channels_last", "eager", 32, 2),
        (h100, "channels_last", "eager", 64, 1),
        (h100, "channels_last", "graph", 32, 1),
        (h100, "nchw", "eager", 32, 1),
        ("NVIDIA H200", "channels_last", "eager", 32, 1),
    ]


def test_blocks_are_correlated_by_themselves() -> None:
    asked = [
        moving(1, part="a.x"),
        moving(1, part="a.y"),
        moving(1, part="b"),
        moving(3, part="c"),
        work("d"),
    ]
    blocks = {"b": 1.0, "a": 3.0, "c": 2.0, "d": 0.1, "view": 9.0}
    rows = [
        measurement("one", asked, [8e-3], blocks=blocks),
        measurement("two", asked, [8e-3], blocks={**blocks, "c": 4.0}),
        measurement("three", asked, [8e-3], blocks={**blocks, "c": 4.0}),
        measurement("none", asked, [8e-3]),
    ]
    found = validation.validated([run(*rows)], [])
    # predicted b < a < c, d does nothing, and nothing is known of a view: ranks 1 3 2 and 1 2 3
    assert [row.block_rho for row in found.rows] == [pytest.approx(0.5), 1, 1, None]
    assert found.groups[0].block_rho == 1


def test_the_worst_come_first() -> None:
    rows = [named(f"n{at}", 1, 1.3 * factor) for at, factor in enumerate([1, 2, 0.25, 3, *[1.1] * 9])]
    worst = validation.validated([run(*rows)], []).worst
    assert [row.name for row in worst][:4] == ["n2", "n3", "n1", "n4"]
    assert len(worst) == 10


def test_what_cannot_be_predicted_is_told_once() -> None:
    unknown = run(named("a", 1, 1.3), device_name="NVIDIA Abacus")
    lost = measurement("b", [moving(1)], [], status="oom", reason="out of memory")
    idle = measurement("view", [work(launches=0)], [1e-3])
    found = validation.validated([unknown, unknown, run(named("a", 1, 1.3), lost, idle)], [])
    assert [row.name for row in found.rows] == ["a"]
    assert found.skipped == (
        "NVIDIA Abacus: its peaks are not known; measure them with "
        "`costcalc calibrate --device cuda:0 --dtype fp16 --layout channels_last --mode eager`",
        "b at batch 32: out of memory",
        "view at batch 32: no samples",
    )
    with pytest.raises(CostcalcError, match="nothing to validate: NVIDIA Abacus: its peaks") as error:
        validation.validated([unknown, unknown], [])
    assert error.value.exit_code == 3
    with pytest.raises(CostcalcError, match="there is no measurement"):
        validation.validated([], [])


def test_a_cpu_needs_its_calibration() -> None:
    measured = measurement("a", [work(macs=10**9)], [0.3], gpu=False)
    on_cpu = run(measured, device_name="A CPU", device="cpu", layout="nchw", driver=None)
    with pytest.raises(CostcalcError, match="calibrate --device cpu --dtype fp32"):
        validation.validated([on_cpu], [])
    entry = calibration.fitted(on_cpu, 1e-6, 1e10, 1e10)
    (row,) = validation.validated([on_cpu], [entry]).rows
    assert (row.ratio, row.is_anchor) == (pytest.approx(1), True)
