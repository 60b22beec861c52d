"""The clocks of a GPU, on one that is simulated, and of a CPU."""

from __future__ import annotations

import ctypes
import gc
from functools import partial
from pathlib import Path

import pytest
import torch
from simulated import Gpu, Kernel
from torch import nn

from costcalc.bench import capturing, insitu, resident
from costcalc.bench.devices import Cpu, Cuda, Host, Own, peak
from costcalc.bench.marks import Boundaries
from costcalc.latency import harness
from costcalc.latency.runs import Blocks, Memory, Rules, Telemetry

NONE = Blocks(method=None, reason="not asked for")
MS = 1e-3


def cuda(gpu: Gpu, run: object = None, **options: object) -> Cuda:
    """A network of one kernel that takes 2 ms, unless told otherwise."""
    given = {"in_situ": lambda passes: NONE, "weights": 64, "monitor": lambda: None, **options}
    return Cuda(gpu.torch, gpu, run or partial(gpu.kernel, 2 * MS), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("calls", [1, 7])
def test_a_round_times_the_gpu_the_host_and_the_wall(calls: int) -> None:
    gpu = Gpu(host_s=0.1 * MS)
    found = cuda(gpu).round(5, calls)
    assert found.gpu_s == pytest.approx((2 * MS,) * 5)  # none waits for its launch
    assert found.enqueue_s == pytest.approx(0.1 * MS)
    assert found.wall_s == pytest.approx([2 * MS], rel=0.02)
    assert (found.calls, found.cpu_s) == (calls, None)


def test_a_round_where_the_host_is_too_slow() -> None:
    found = cuda(Gpu(host_s=3 * MS)).round(10, 1)
    assert found.enqueue_s == pytest.approx(3 * MS)
    assert found.gpu_s == pytest.approx((3 * MS,) * 10)  # events see the gaps between kernels
    assert found.wall_s == pytest.approx([35 / 11 * MS])


def test_a_full_queue_is_not_the_time_of_the_host() -> None:
    found = cuda(Gpu(host_s=0.1 * MS, queue=8 * MS)).round(50, 1)
    assert found.enqueue_s == pytest.approx(0.1 * MS)
    assert found.wall_s == pytest.approx([2 * MS], rel=0.01)


def test_a_round_waits_before_and_after_and_never_in_between() -> None:
    gpu = Gpu()
    device = cuda(gpu)
    device.round(3, 2)
    gpu.log.clear()
    device.round(3, 2)
    sample = ["record", "kernel", "kernel", "record"]
    assert gpu.log == ["synchronize", "kernel", "kernel", *sample * 3, "synchronize"]


def test_times_are_kept_to_the_nanosecond_and_are_never_nothing() -> None:
    gpu = Gpu(host_s=1e-12)
    device = cuda(gpu, partial(gpu.kernel, 1 * MS / 3))
    found = device.round(3, 1)
    assert found.gpu_s == (333_333e-9,) * 3
    assert device.single() == 333_333e-9
    assert found.enqueue_s == 1e-9


def test_events_are_made_once_and_recorded_before_they_count() -> None:
    gpu = Gpu()
    device = cuda(gpu)
    device.round(4, 1)
    assert gpu.log[:9] == ["record"] * 8 + ["synchronize"]
    made = gpu.events
    device.round(4, 1)
    device.round(2, 1)
    assert gpu.events == made == 8


def test_a_single_pass_lasts_from_one_wait_to_the_next() -> None:
    gpu = Gpu(host_s=0.5 * MS)
    device = cuda(gpu)
    gpu.kernel(9 * MS)  # still running: not to be counted
    assert device.single() == pytest.approx(2.5 * MS)
    assert gpu.log[-3:] == ["synchronize", "kernel", "synchronize"]


def test_memory_of_a_pass_is_its_own_peak() -> None:
    gpu = Gpu()
    gpu.most = 5000  # of building, long ago
    assert cuda(gpu).memory() == Memory(weights=64, peak=150, reserved=1150)
    used = Memory(weights=64, peak=7, reserved=8)
    assert cuda(gpu, peak=used).memory() == used  # a replay would not show it
    assert peak(gpu.cuda, lambda: None, 1).peak == 100


def test_a_peak_waits_for_what_still_runs_before_it_begins() -> None:
    gpu = Gpu()
    peak(gpu.cuda, partial(gpu.kernel, 2 * MS), 1)
    assert gpu.log == ["synchronize", "reset", "kernel", "synchronize"]


def test_the_driver_is_asked_when_the_harness_asks() -> None:
    gpu = Gpu()
    asked: list[str] = []

    def monitor() -> Telemetry:
        asked.append(gpu.log[-1])
        return Telemetry(sm_mhz=1980)

    rules = Rules(precision=0.05, min_time=0.0, max_time=1.0, warmup=0.0)
    process = harness.measure(cuda(gpu, monitor=monitor), gpu, rules, 0, "", lambda _: None)
    assert process.stopped == "precision"
    assert set(asked) == {"synchronize"}  # never while a round is under way
    assert all(each.telemetry == Telemetry(sm_mhz=1980) for each in process.rounds)
    assert process.blocks == NONE


class Chain(nn.Module):
    """Three kernels, the first and the last in one block."""

    def __init__(self, gpu: Gpu) -> None:
        super().__init__()
        self.a, self.b, self.c = (Kernel(gpu, seconds * MS) for seconds in (1, 2, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.c(self.b(self.a(x)))
        return out


WHERE = Boundaries({"a": "first", "b": "second", "c": "first"})
SECONDS = {"first": pytest.approx([5 * MS] * 4), "second": pytest.approx([2 * MS] * 4)}


def test_blocks_by_events() -> None:
    gpu = Gpu(host_s=0.0)
    chain = Chain(gpu)
    found = insitu.by_events(gpu.torch, chain, partial(chain, torch.ones(1)), WHERE, 4)
    assert (found.method, dict(found.seconds)) == ("events", SECONDS)
    assert gpu.events == 4 * 4  # of a pool: three blocks begin in a pass, and one ends it
    timed = gpu.log[gpu.log.index("synchronize") + 1 :]
    assert timed == [*["record", "kernel"] * 3, "record"] * 4 + ["synchronize"]
    assert not any(module._forward_pre_hooks for module in chain.modules())


def test_blocks_by_events_inside_a_graph() -> None:
    gpu = Gpu(host_s=1 * MS)  # which slows down the capture, and no replay
    chain = Chain(gpu)
    found = insitu.by_graph_events(gpu.torch, chain, partial(chain, torch.ones(1)), WHERE, 4)
    assert (found.method, dict(found.seconds)) == ("graph events", SECONDS)
    assert gpu.log[-8:] == ["replay", "synchronize"] * 4
    assert gpu.log.count("kernel") == 3 + 1  # one to try whether events are recorded at all
    assert not any(module._forward_pre_hooks for module in chain.modules())


def test_a_torch_without_events_in_graphs_says_so() -> None:
    gpu = Gpu(external=False)
    chain = Chain(gpu)
    found = insitu.by_graph_events(gpu.torch, chain, partial(chain, torch.ones(1)), WHERE, 4)
    assert (found.method, found.reason, dict(found.seconds)) == (None, insitu.NO_EXTERNAL, {})
    assert not {"kernel", "replay"} & set(gpu.log)


def test_a_driver_that_records_no_events_in_graphs_is_found_out_by_trying(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu = Gpu()
    chain = Chain(gpu)

    def refused(event: object) -> None:
        raise torch.AcceleratorError("CUDA error: operation not permitted when stream is capturing")

    monkeypatch.setattr(gpu.cuda.Event, "record", refused)
    found = insitu.by_graph_events(gpu.torch, chain, partial(chain, torch.ones(1)), WHERE, 4)
    assert (found.method, found.reason) == (None, insitu.NO_EXTERNAL)
    assert gc.isenabled()


def test_a_capture_warms_up_on_a_stream_of_its_own_and_keeps_the_collector_away() -> None:
    gpu = Gpu()
    assert gc.isenabled()
    graph = capturing.capture(gpu.torch, partial(gpu.kernel, 2 * MS))
    assert gc.isenabled()
    assert gpu.log == [
        *("side waits", "side", "kernel", "kernel", "kernel", "main", "main waits", "synchronize"),
        *("capture thread_local without collection", "kernel", "captured", "synchronize"),
    ]
    device = cuda(gpu, graph.replay)
    assert device.round(3, 1).gpu_s == pytest.approx((2 * MS,) * 3, rel=0.01)
    assert "kernel" not in gpu.log[-5:]


def test_the_collector_comes_back_after_a_capture_that_failed() -> None:
    gpu = Gpu()
    with pytest.raises(AssertionError, match="refuses to wait"):
        capturing.capture(gpu.torch, gpu.cuda.synchronize)
    assert gc.isenabled()


def test_a_cpu_counts_calls_and_keeps_every_sample() -> None:
    ran: list[int] = []
    device = Cpu(lambda: ran.append(sum(range(20_000))), lambda passes: NONE, 64, 1)
    found = device.round(4, 3)
    assert len(ran) == 12
    assert len(found.wall_s) == len(found.cpu_s or ()) == 4
    assert (found.calls, found.gpu_s, found.enqueue_s) == (3, None, None)
    assert device.single() > 0
    assert len(ran) == 13
    # divided by the calls: twelve passes in one sample take about what each of twelve does, not 12 times that
    alone, together = device.round(12, 1), device.round(1, 12)
    assert together.wall_s[0] < 6 * max(alone.wall_s)
    assert (together.cpu_s or ())[0] < 6 * max(alone.wall_s)


def test_a_cpu_waits_on_the_wall_and_works_on_its_own_time() -> None:
    idle = Cpu(partial(Host().sleep, 0.005), lambda passes: NONE, 64, 1).round(3, 1)
    assert min(idle.wall_s) >= 0.005
    assert sum(idle.cpu_s or ()) < 0.5 * sum(idle.wall_s)
    began = Own().now()
    Own().sleep(0.01)
    assert Own().now() - began < 0.005


def test_the_time_of_several_threads_is_no_latency() -> None:
    assert Cpu(lambda: None, lambda passes: NONE, 0, 2).round(1, 1).cpu_s is None


def test_blocks_by_the_clock() -> None:
    gpu = Gpu(host_s=0.0)
    chain = Chain(gpu)
    slow = {"a": 1 * MS, "b": 2 * MS, "c": 4 * MS}
    for name, seconds in slow.items():
        getattr(chain, name).register_forward_hook(lambda *_, s=seconds: gpu.sleep(s))
    found = insitu.by_clock("CPU time", gpu, chain, partial(chain, torch.ones(1)), WHERE, 4)
    assert (found.method, dict(found.seconds)) == ("CPU time", SECONDS)


def test_what_is_compiled_has_no_blocks() -> None:
    assert insitu.fused(3) == Blocks(method=None, reason=insitu.FUSED)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells")
def test_the_resident_set_grows_by_what_a_pass_takes() -> None:
    held: list[bytearray] = []
    grown = resident.growth(lambda: held.append(bytearray(64 * 2**20)))
    assert grown is not None
    assert 60 * 2**20 < grown < 100 * 2**20
    held.clear()
    again = resident.growth(lambda: None)
    assert again is not None
    assert again < 8 * 2**20  # the peak of before is forgotten
    cpu = Cpu(lambda: bytearray(32 * 2**20), lambda passes: NONE, 1000, 1)
    memory = cpu.memory()
    assert memory.approximate
    assert memory.peak is not None
    assert memory.peak > 30 * 2**20


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells")
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc gives back on request")
def test_what_the_library_kept_of_an_earlier_pass_counts_again() -> None:
    def run() -> list[bytes]:
        return [bytes(1000) for _ in range(20_000)]

    kept = run()
    pin = bytes(1000)  # behind them, so that they are not given back by themselves
    kept.clear()
    grown = resident.growth(run)
    assert grown is not None
    assert grown > 15 * 2**20
    assert pin is not None


def test_where_the_system_does_not_tell_memory_is_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(resident, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(resident, "_CLEAR", tmp_path / "clear_refs")
    assert resident.growth(lambda: None) is None
    (tmp_path / "status").write_text("Name:\tpython\n")
    assert resident.growth(lambda: None) is None
    (tmp_path / "status").write_text("VmHWM:\t     300 kB\nVmRSS:\t     100 kB\n")
    assert resident.growth(lambda: None) == 200 * 1024
    assert Cpu(lambda: None, lambda passes: NONE, 5, 1).memory().peak == 5 + 200 * 1024
