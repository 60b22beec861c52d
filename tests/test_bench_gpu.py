"""Relations that hold on any CUDA device, and no absolute time; see also the simulated one."""

from __future__ import annotations

from functools import cache
from statistics import median
from typing import Any

import pytest
import torch

from costcalc import bench
from costcalc.bench.building import source
from costcalc.bench.configured import configured
from costcalc.latency import summary, verdicts
from costcalc.latency.runs import Dtype, Measurement, Mode, Rules, Run, Settings
from costcalc.roofline import achieved, devices

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
RULES = Rules(precision=0.02, min_time=0.3, max_time=5.0, warmup=1.0)
NET = "googlenet"
MATRIX = (8, 0)  # compute capability with tf32


@cache
def ran(batch: int = 1, processes: int = 1, times: int = 1, **how: Any) -> Run:
    settings = Settings(device="cuda", processes=processes, rules=RULES, **how)
    return bench.run([bench.Subject(NET)] * times, (batch,), settings, "", lambda _: None)


def only(run: Run) -> Measurement:
    (found,) = run.measurements
    assert (found.status, found.reason) == ("ok", "")
    return found


def middle(measurement: Measurement, series: summary.Series = "gpu") -> float:
    found = summary.summary(measurement, series)
    assert found is not None
    return found.median


def recent() -> None:
    if torch.cuda.get_device_capability() < MATRIX:
        pytest.skip("this GPU has no tf32")


def test_the_gpu_takes_no_longer_than_who_waits_for_it() -> None:
    for mode in ("eager", "graph"):
        found = only(ran(mode=mode))
        assert middle(found) <= 1.02 * middle(found, "single")


def test_a_graph_is_no_slower_than_eager() -> None:
    assert middle(only(ran(mode="graph"))) <= 1.02 * middle(only(ran()))


def test_blocks_explain_a_graph() -> None:
    found = summary.attributed(only(ran(mode="graph")))
    assert found is not None
    assert found.method == "graph events"
    assert found.closure >= 0.95


def test_blocks_explain_eager_where_the_gpu_is_busy() -> None:
    found = summary.attributed(only(ran(batch=64)))
    assert found is not None
    assert found.method == "events"
    assert found.closure >= 0.95


def test_matrix_units_are_faster() -> None:
    recent()
    halves = only(ran(batch=64, dtype="fp16", layout="channels_last"))
    assert middle(halves) < middle(only(ran(batch=64)))


def test_tf32_is_another_arithmetic() -> None:
    recent()
    given = []
    for dtype in ("fp32", "tf32"):
        how = Settings(device="cuda:0", dtype=dtype)  # type: ignore[arg-type]
        with configured(how), torch.inference_mode():
            of = source(bench.Subject("torch.nn:Conv2d", {}, CONV, ("256x28x28",)), how)
            network = of.network(of.described(8))
            given.append(network.run())
    exact, rounded = given
    assert isinstance(exact, torch.Tensor)
    assert isinstance(rounded, torch.Tensor)
    difference = float((exact - rounded).norm() / exact.norm())
    assert 1e-5 < difference < 1e-2


CONV = {"in_channels": "256", "out_channels": "256", "kernel_size": "3"}


def test_nothing_is_faster_than_the_roofline() -> None:
    run = ran(batch=64)
    device = devices.of_name(run.environment.device_name)
    if device is None:
        pytest.skip("a GPU without a datasheet here")
    found = achieved.whole(only(run), device, "fp32", "eager")
    assert found is not None
    assert found.roofline is not None
    assert 0.02 < found.roofline <= 1.05


def test_memory_holds_the_weights() -> None:
    for mode in ("eager", "graph"):
        (process,) = only(ran(mode=mode)).processes
        assert process.memory is not None
        assert process.memory.peak is not None
        assert process.memory.peak >= process.memory.weights
        assert (process.memory.reserved or 0) >= process.memory.peak


def test_the_same_against_itself_is_not_slower() -> None:
    (pair,) = verdicts.ranked(ran(processes=5, times=2, mode="graph")).pairs
    assert pair.verdict in ("SAME", "UNCLEAR")


def test_the_host_is_timed_apart() -> None:
    found = only(ran(batch=64))
    assert median(each.enqueue_s or 0 for each in found.processes[0].rounds) < middle(found, "wall")


def test_no_sample_waits_for_the_host_where_the_gpu_is_busy() -> None:
    (process,) = only(ran(batch=64)).processes
    firsts = [each.gpu_s[0] for each in process.rounds if each.gpu_s and not each.discarded]
    assert median(firsts) <= 1.01 * middle(only(ran(batch=64)))


def test_the_driver_tells_of_every_round() -> None:
    for each in only(ran(batch=64)).processes[0].rounds:
        assert each.telemetry is not None
        assert each.telemetry.sm_mhz
        assert each.telemetry.default_sm_mhz
        assert each.telemetry.power_w


@pytest.mark.parametrize(("mode", "dtype"), [("compile", "fp32"), ("graph", "bf16"), ("graph", "tf32")])
def test_every_way_is_measured(mode: Mode, dtype: Dtype) -> None:
    recent()
    found = only(ran(batch=8, mode=mode, dtype=dtype))
    assert (found.processes[0].prepare_s or 0) > 0
    blocks = found.processes[0].blocks
    assert blocks is not None
    assert blocks.method == (None if mode == "compile" else "graph events")


def test_no_memory_is_a_result_and_what_follows_is_measured() -> None:
    too_many = torch.cuda.get_device_properties().total_memory // 2**23  # of 12 MiB after the first layer
    how = Settings(device="cuda", rules=RULES, blocks=False)
    run = bench.run([bench.Subject("vgg16")], (too_many, 2), how, "", lambda _: None)
    assert [each.status for each in run.measurements] == ["oom", "ok"]
    assert "memory" in run.measurements[0].reason


def test_doubling_the_batch_ends() -> None:
    rules = Rules(min_time=0.1, max_time=1.0, warmup=0.1)
    how = Settings(device="cuda", dtype="fp16", layout="channels_last", mode="graph", rules=rules)
    run = bench.run([bench.Subject("squeezenet1.0")], None, how, "", lambda _: None)
    batches = [each.batch for each in run.measurements]
    assert batches == [2**power for power in range(len(batches))]
    assert len(batches) >= 3
