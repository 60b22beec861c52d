"""The model by pen on a device of round numbers, and what must hold of it whatever the work."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rooflines import ROUND, work

from costcalc import spec
from costcalc.errors import CostcalcError
from costcalc.latency.runs import Dtype, Mode
from costcalc.latency.work import Work
from costcalc.roofline import devices, model
from costcalc.roofline import work as works
from costcalc.roofline.entry import Anchor, Calibration

MODES: tuple[Mode, ...] = get_args(Mode)
DTYPES: tuple[Dtype, ...] = get_args(Dtype)

PARTS = st.sampled_from(["a.x", "a.y", "b", "c"])
MOVED = st.integers(1, 10**9)
PRODUCTS = st.builds(
    work, PARTS, st.integers(0, 10**12), weights=MOVED, reads=MOVED, writes=MOVED, matrix=st.booleans()
)
POINTWISE = st.builds(work, PARTS, reads=MOVED, writes=MOVED, pointwise=st.just(True))
WORKS = st.lists(PRODUCTS | POINTWISE, min_size=1, max_size=12).map(tuple)
WHERE = st.sampled_from([devices.named(key) for key in ("h200", "t4", "rtx4090")])


def entry(*ratios: float, launch_s: float = 2e-6, mode: Mode = "eager") -> Calibration:
    """A calibration of the round device whose anchors have those ratios."""
    return Calibration(
        device_name="Round 1",
        on="cuda:0",
        driver="1",
        torch="2",
        dtype="fp16",
        layout="nchw",
        mode=mode,
        threads=1,
        created="",
        anchors=tuple(
            Anchor(name=f"n{at}", batch=1, measured_s=each, host_s=0, roofline_s=1)
            for at, each in enumerate(ratios)
        ),
        launch_s=launch_s,
        copy_bytes_s=1e9,
        dense_flop_s=1e12,
    )


def test_an_operator_takes_as_long_as_the_longer_of_the_two() -> None:
    # 10⁹ MACs are 2·10⁹ FLOPs: 2 ms on matrix units; 10⁶ elements of 2 bytes: 2 ms as well
    dense = work(macs=2 * 10**9, weights=10, reads=10**6, writes=500)
    (found,) = model.timed([dense], ROUND, "fp16", "eager")
    assert (found.seconds, found.bound, found.bytes) == (pytest.approx(4e-3), "compute", 2 * 1_000_510)
    moving = work(macs=10**8, weights=10, reads=10**6, writes=500)
    (found,) = model.timed([moving], ROUND, "fp16", "eager")
    assert (found.seconds, found.bound) == (pytest.approx(2_001_020e-9), "memory")
    # without matrix units, or in fp32, a tenth of the rate
    for slow, dtype in ((replace(dense, matrix=False), "fp16"), (dense, "fp32")):
        (found,) = model.timed([slow], ROUND, dtype, "eager")
        assert found.seconds == pytest.approx(40e-3)


@pytest.mark.parametrize(("dtype", "size"), [("fp32", 4), ("tf32", 4), ("fp16", 2), ("bf16", 2)])
def test_an_element_is_as_large_as_its_type(dtype: Dtype, size: int) -> None:
    (found,) = model.timed([work(weights=1, reads=10, writes=100)], devices.named("h100"), dtype)
    assert found.bytes == size * 111


def test_a_convolution_on_an_h100_by_pen() -> None:
    conv = works.of_graph(spec.load("resnet50"), 8)[0]
    h100 = devices.named("h100")
    # 9,408 weights and 8·(150,528 + 802,816) activations of 2 bytes at 3.35 TB/s: longer than
    # 2·8·118,013,952 FLOPs at 989.4 TFLOP/s
    (found,) = model.timed([conv], h100, "fp16")
    assert (found.bytes, found.bound) == (15_272_320, "memory")
    assert found.seconds == pytest.approx(15_272_320 / 3.35e12)
    # in fp32 twice the bytes, but 66.9 TFLOP/s: the arithmetic is longer
    (found,) = model.timed([conv], h100, "fp32")
    assert (found.bound, found.seconds) == ("compute", pytest.approx(1_888_223_232 / 66.9e12))


def test_the_sum_of_bounds_is_no_bound_of_sums() -> None:
    half = [work(macs=10**9, reads=1), work(reads=10**6)]
    assert model.predicted(half, ROUND, "fp16", "eager").roofline_s == pytest.approx(4e-3, rel=1e-5)


def test_eager_is_no_shorter_than_its_launches() -> None:
    found = model.predicted([work(reads=10**6, launches=3)], ROUND, "fp16", "eager")
    assert (found.roofline_s, found.launches) == (pytest.approx(2e-3), 3)
    assert found.seconds == found.device_s == pytest.approx(1.3 * 2e-3)
    assert (found.bound, found.host_s) == ("memory", pytest.approx(15e-6))
    assert (found.low, found.high) == (pytest.approx(0.75 * 2.6e-3), pytest.approx(1.5 * 2.6e-3))
    waiting = model.predicted([work(reads=10, launches=3)], ROUND, "fp16", "eager")
    assert (waiting.seconds, waiting.bound) == (pytest.approx(15e-6), "host")


def test_the_nodes_of_a_graph_add_up() -> None:
    found = model.predicted([work(reads=10**6, launches=3)], ROUND, "fp16", "graph")
    assert found.seconds == pytest.approx(1.3 * 2e-3 + 3e-6)


def test_a_calibrated_graph_knows_what_its_nodes_take() -> None:
    known = entry(2.0, launch_s=4e-6, mode="graph")
    found = model.predicted([work(reads=10**6, launches=3)], ROUND, "fp16", "graph", known)
    assert found.host_s == pytest.approx(12e-6)
    assert found.seconds == pytest.approx(4e-3 + 12e-6)


def test_bound_is_what_most_of_the_time_is_bound_by() -> None:
    computing, moving = work(macs=10**9), work(reads=10**6)
    assert model.predicted([computing, moving, moving], ROUND, "fp16", "eager").bound == "memory"
    assert model.predicted([computing, computing, moving], ROUND, "fp16", "eager").bound == "compute"


def test_compile_fuses_chains_of_pointwise_operators() -> None:
    size = 10**6
    chain = [
        work("a.conv", macs=10**3, reads=size, writes=size, operator="conv"),
        work("a.bn", weights=8, reads=size, writes=size, pointwise=True, operator="bn"),
        work("a.view", launches=0, pointwise=True, operator="view"),
        work("b.add", reads=2 * size, writes=size, pointwise=True, operator="add"),
        work("b.prelu", weights=4, reads=size, writes=size, pointwise=True, operator="prelu"),
        work("b.pool", reads=size, writes=1, operator="pool"),
        work("c.relu", reads=1, writes=1, pointwise=True, operator="relu"),
    ]
    found = model.timed(chain, ROUND, "fp16", "compile")
    assert [each.operator for each in found] == ["conv", "bn + add + prelu", "pool", "relu"]
    fused = found[1]
    # reads of the addition, one write, and the weights of all
    assert (fused.bytes, fused.part, fused.block) == (2 * (8 + 4 + 2 * size + size), "a.bn", "a")
    prediction = model.predicted(chain, ROUND, "fp16", "compile")
    assert (prediction.launches, prediction.kappa) == (4, 1.15)
    assert model.predicted(chain, ROUND, "fp16", "eager").launches == 6


def test_two_operators_that_are_not_pointwise_stay_two() -> None:
    assert len(model.kernels([work("a"), work("b")], "compile")) == 2


def test_a_calibration_gives_its_factor_its_launches_and_its_spread() -> None:
    asked = [work(reads=10**6, launches=3)]
    found = model.predicted(asked, ROUND, "fp16", "eager", entry(1.6, 2.0, 3.0))
    assert (found.kappa, found.calibrated, found.assumed) == (2.0, True, ())
    assert (found.seconds, found.host_s) == (pytest.approx(4e-3), pytest.approx(6e-6))
    # 1.6 is within a quarter of 2.0, 3.0 is not
    assert (found.low, found.high) == (pytest.approx(3e-3), pytest.approx(6e-3))
    found = model.predicted(asked, ROUND, "fp16", "eager", entry(0.8, 2.0, 2.1))
    assert (found.low, found.high) == (pytest.approx(1.6e-3), pytest.approx(5e-3))


def test_on_a_cpu_starting_and_running_take_turns() -> None:
    cpu = replace(ROUND, key="cpu")
    found = model.predicted([work(reads=10**6, launches=3)], cpu, "fp16", "eager", entry(2.0))
    assert found.seconds == pytest.approx(4e-3 + 6e-6)


@pytest.mark.parametrize(
    ("mode", "calibrated", "said"),
    [
        ("eager", False, ["1.3 times the roofline", "5 µs of the host for each kernel"]),
        ("compile", False, ["1.15 times the roofline", "5 µs of the host for each kernel"]),
        ("graph", False, ["1.3 times the roofline", "1 µs for each kernel of the graph"]),
        ("eager", True, []),
        ("graph", True, []),
    ],
)
def test_what_nobody_measured_is_said(mode: Mode, calibrated: bool, said: list[str]) -> None:
    known = entry(2.0, mode=mode) if calibrated else None
    found = model.predicted([work(reads=1)], ROUND, "fp16", mode, known).assumed
    assert len(found) == len(said)
    assert all(words in told for told, words in zip(found, said, strict=True))


def test_a_type_that_the_device_does_not_have_is_refused() -> None:
    with pytest.raises(CostcalcError, match="NVIDIA T4 has no bf16"):
        model.predicted([work(reads=1)], devices.named("t4"), "bf16", "eager")


@given(WORKS, WHERE, st.sampled_from(MODES), st.data())
def test_more_work_never_takes_less(
    found: tuple[Work, ...], where: devices.Device, mode: Mode, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(found) - 1))
    field = data.draw(
        st.sampled_from(["weights", "reads", "writes", "launches", *["macs"] * (not found[at].pointwise)])
    )
    more = replace(found[at], **{field: getattr(found[at], field) + data.draw(st.integers(1, 10**9))})
    before = model.predicted(found, where, "fp16", mode)
    after = model.predicted((*found[:at], more, *found[at + 1 :]), where, "fp16", mode)
    assert after.seconds >= before.seconds * (1 - 1e-12)
    assert before.low <= before.seconds <= before.high


@given(WORKS, WHERE, st.sampled_from(["fp32", "fp16"]), st.sampled_from(MODES))
def test_blocks_add_up_and_fusing_never_costs(
    found: tuple[Work, ...], where: devices.Device, dtype: Dtype, mode: Mode
) -> None:
    times = model.timed(found, where, dtype, mode)
    assert sum(model.by_block(times).values()) == pytest.approx(sum(each.seconds for each in times))
    assert sum(each.macs for each in times) == sum(each.macs for each in found)
    eager = model.predicted(found, where, dtype, "eager")
    assert model.predicted(found, where, dtype, mode).roofline_s <= eager.roofline_s * (1 + 1e-12)


@pytest.mark.parametrize("name", ["googlenet", "resnet50", "mobilenet-v2"])
@pytest.mark.parametrize("mode", MODES)
def test_a_larger_batch_never_takes_less_nor_more_per_image(name: str, mode: Mode) -> None:
    graph, where = spec.load(name), devices.named("h200")
    times = [
        model.predicted(works.of_graph(graph, 2**power), where, "fp16", mode).seconds for power in range(10)
    ]
    assert times == sorted(times)
    per_image = [seconds / 2**power for power, seconds in enumerate(times)]
    assert per_image == sorted(per_image, reverse=True)


def test_devices_stand_in_their_known_order() -> None:
    asked = works.of_graph(spec.load("googlenet"), 64)
    keys = ("h200", "h100", "h100-pcie", "a100", "a100-pcie", "a100-40", "rtx4090", "t4")
    times = [model.predicted(asked, devices.named(key), "fp16", "eager").seconds for key in keys]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (1.5, "claimed"),
        (1 / 1.5, "claimed"),
        (1.499, "likely"),
        (1.25, "likely"),
        (0.8, "likely"),
        (1.249, "too close to call"),
        (0.81, "too close to call"),
        (1.0, "too close to call"),
    ],
)
def test_an_order_is_claimed_from_half_as_much_again(ratio: float, said: str) -> None:
    assert model.order(ratio) == said
