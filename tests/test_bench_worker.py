"""What a worker does, without a process of its own: models, dtypes, memory, compilers, probes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from benched import TINY, cpu
from scripted import process
from simulated import Gpu

from costcalc import bench
from costcalc.bench import worker
from costcalc.bench.messages import (
    Began,
    Done,
    Event,
    Failed,
    Job,
    Measured,
    Phase,
    Placed,
    Probed,
)
from costcalc.errors import CostcalcError
from costcalc.latency.runs import Process, Round, Settings


def performed(**job: Any) -> list[Event]:
    """What a worker tells of a job, without a process of its own."""
    told: list[Event] = []
    given = {"task": "measure", "settings": cpu(), "batches": (1,), **job}
    worker.perform(Job(**given), told.append)
    return told


def of(kind: type, told: list[Event]) -> list[Any]:
    return [each for each in told if isinstance(each, kind)]


def test_a_model_is_described_built_and_measured() -> None:
    subject = bench.Subject("nets:Words", {}, {"width": "4"}, ("6:int64", "mask=6"))
    told = performed(subject=subject, batches=(2,))
    (found,) = of(Began, told)
    assert (found.measurement.name, found.measurement.batch) == ("nets:Words", 2)
    assert found.measurement.params == 100 * 4 + (2 * 16 * 4 + 2 * 16) + (4 * 4 + 4)
    assert found.measurement.macs == 2 * 6 * (2 * 16 * 4 + 4 * 100)
    (process,) = (each.process for each in of(Done, told))
    assert process.memory.weights == 4 * found.measurement.params
    assert process.blocks.method == "CPU time"
    assert set(process.blocks.seconds) == {"(Words)", "embed", "read", "write"}
    assert [each.round for each in of(Measured, told)] == list(process.rounds)
    assert process.prepare_s is None
    assert [each.phase for each in of(Phase, told)] == [*("building", "building", "preparing", "warming up")]


def test_tokens_are_drawn_from_the_vocabulary_and_values_are_no_zeros() -> None:
    subject = bench.Subject("nets:Words", {}, {"words": "7"}, ("500:int64", "mask=500"))
    source = worker.building.source(subject, cpu())
    (tokens,), named = source.network(source.described(2)).inputs
    assert set(tokens.unique().tolist()) == set(range(7))
    assert named["mask"].std() > 0.5
    assert all(each.requires_grad for each in source.network(source.described(2)).module.parameters())


def test_arguments_may_stand_behind_the_name() -> None:
    told = performed(subject=bench.Subject("nets:Words@width=4", inputs=("6:int64",)))
    (found,) = of(Began, told)
    assert found.measurement.name == "nets:Words@width=4"
    assert found.measurement.macs == 6 * (2 * 16 * 4 + 4 * 100)


def test_what_is_measured_has_a_fingerprint_of_its_own(written: Callable[..., str]) -> None:
    def spec(name: str, **options: Any) -> str:
        return worker.building.source(bench.Subject(name, **options), cpu()).described(1).spec

    tiny = spec(written(TINY))
    assert tiny == spec(written(TINY.replace("tiny", "other"), "other.yaml"))
    assert tiny != spec(written(TINY.replace("pad: 1", "pad: 2", 1), "padded.yaml"))
    assert tiny != spec(written(TINY), settings={"input": "3x12x12"})
    assert tiny != spec(written(TINY.replace("pad: 1", "pad: 1, bias: false", 1), "unbiased.yaml"))
    words = spec("nets:Words", inputs=("6:int64",))
    assert words == spec("nets:Words", inputs=("6:int64",))
    assert words != spec("nets:Words", inputs=("7:int64",))
    assert words != spec("nets:Words", inputs=("6:int64",), arguments={"width": "4"})


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_half_precision_and_channels_last_reach_weights_and_inputs(
    written: Callable[..., str], dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    wrapped = worker.Network.tried

    def tried(network: worker.Network) -> worker.Network:
        seen.append(network)
        assert torch.is_inference_mode_enabled()
        assert not any(each.is_inference() for each in network.module.parameters())
        return wrapped(network)

    monkeypatch.setattr(worker.Network, "tried", tried)
    how = cpu(dtype=dtype, layout="channels_last")
    arguments = {"in_channels": "3", "out_channels": "4", "kernel_size": "3"}
    convolution = bench.Subject("torch.nn:Conv2d", {}, arguments, ("3x8x8",))
    for subject in (bench.Subject(written(TINY)), convolution):
        performed(subject=subject, settings=how, batches=(2,))
        network = seen.pop()
        wanted = {"fp16": torch.float16, "bf16": torch.bfloat16}[dtype]
        weights = [each for each in network.module.parameters() if each.dim() == 4]
        (x,), _ = network.inputs
        assert {each.dtype for each in network.module.parameters()} == {x.dtype} == {wanted}
        assert all(each.is_contiguous(memory_format=torch.channels_last) for each in (x, *weights))
        assert x.std() > 0.1  # never zeros


def test_a_model_that_fails_says_so_and_the_next_batch_is_measured() -> None:
    subject = bench.Subject("nets:Moody", inputs=("3",))
    told = performed(subject=subject, batches=(1, 2, 4))
    assert [(each.status, each.reason) for each in of(Failed, told)] == [
        ("error", "ValueError: not twice"),
        ("error", "NotFiniteError: the output is not finite: with these weights the numbers leave the dtype"),
    ]
    assert len(of(Done, told)) == 1


class OnGpu:
    """A worker's bench on a GPU that is not there: what a measurement would give or raise is scripted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.told: list[Event] = []
        self.outcome: Any = None
        for name in ("synchronize", "empty_cache"):
            monkeypatch.setattr(torch.cuda, name, partial(self.log.append, name))
        how = Settings(device="cuda:0")
        source = worker.building.source(bench.Subject("nets:Picky", inputs=("3",)), how)
        job = Job(task="measure", settings=how, batches=(1, 2))
        self.bench = worker._Bench(source, how, job, None, self.told.append)
        monkeypatch.setattr(self.bench, "_measured", self._measured)

    def _measured(self, _: object) -> Process:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        found: Process = self.outcome
        return found


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> OnGpu:
    return OnGpu(monkeypatch)


def test_a_batch_gives_back_what_it_reserved(on_gpu: OnGpu) -> None:
    on_gpu.outcome = torch.OutOfMemoryError("CUDA out of memory")
    on_gpu.bench.all()
    assert [each.status for each in of(Failed, on_gpu.told)] == ["oom", "oom"]
    assert on_gpu.log == ["synchronize", "empty_cache"] * 2


def test_a_gpu_that_was_throttled_throughout_has_no_rate(on_gpu: OnGpu) -> None:
    hot = Round(gpu_s=(1e-3,) * 20, wall_s=(1e-3,), discarded=True)
    on_gpu.outcome = process([hot] * 11, stopped="throttled")
    assert on_gpu.bench.at(1) == 0.0
    (done,) = of(Done, on_gpu.told)
    assert done.process == on_gpu.outcome
    on_gpu.outcome = process([hot, hot.model_copy(update={"discarded": False})])
    assert on_gpu.bench.at(4) == pytest.approx(4000)


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("device-side assert triggered"),
        RuntimeError("cuDNN error; CUDA error: an illegal memory access was encountered"),
    ],
)
def test_after_an_error_of_the_device_the_worker_ends(on_gpu: OnGpu, error: Exception) -> None:
    on_gpu.outcome = error
    with pytest.raises(worker.DeviceLostError):
        on_gpu.bench.all()
    assert [each.measurement.batch for each in of(Began, on_gpu.told)] == [1]
    (failed,) = of(Failed, on_gpu.told)
    assert failed.status == "error"
    assert str(error) in failed.reason


def test_a_capture_that_failed_on_the_device_ends_the_worker_too(on_gpu: OnGpu) -> None:
    def capture() -> None:
        raise torch.AcceleratorError("operation not permitted when stream is capturing")

    with pytest.raises(worker.UnsupportedError) as caught:
        worker._prepared("captured as a CUDA graph", capture)
    on_gpu.outcome = caught.value
    with pytest.raises(worker.DeviceLostError):
        on_gpu.bench.all()
    assert [each.status for each in of(Failed, on_gpu.told)] == ["unsupported"]


def test_cleaning_up_on_a_lost_device_does_not_lose_the_result(
    on_gpu: OnGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost() -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    on_gpu.outcome = process([Round(gpu_s=(1e-3,), wall_s=(1e-3,))])
    for name in ("synchronize", "empty_cache"):
        with monkeypatch.context() as patch:
            patch.setattr(torch.cuda, name, lost)
            with pytest.raises(worker.DeviceLostError):
                on_gpu.bench.all()
        assert isinstance(on_gpu.told[-1], Done)


def test_models_are_checked_without_being_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    words = bench.Subject("nets:Words", inputs=("6:int64",))
    described: list[int] = []
    wrapped = worker.building._Foreign.described

    def noted(source: Any, batch: int) -> Any:
        described.append(batch)
        return wrapped(source, batch)

    monkeypatch.setattr(worker.building._Foreign, "described", noted)
    (placed,) = performed(task="check", subjects=(words, words), batches=(3, 5))
    assert isinstance(placed, Placed)
    assert described == [3, 3]
    for wrong in ("nets:Wrods", "nets:Picky"):  # which takes other inputs
        with pytest.raises(CostcalcError):
            performed(task="check", subjects=(words, bench.Subject(wrong, inputs=("6",))))


def test_memory_that_is_not_there_is_a_result(written: Callable[..., str]) -> None:
    told = performed(subject=bench.Subject(written(TINY)), batches=(10**12, 1))
    (failed,) = of(Failed, told)
    assert failed.status == "oom"
    assert "GiB at least, and there are" in failed.reason
    assert len(of(Done, told)) == 1


def test_an_allocator_that_refuses_is_recognised() -> None:
    for shape in ((10**13, 4), (10**18, 300)):
        with pytest.raises(RuntimeError) as caught:
            torch.empty(shape)
        assert worker.is_out_of_memory(caught.value)
    assert worker.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"))
    assert worker.is_out_of_memory(MemoryError())
    assert not worker.is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not worker.is_out_of_memory(ValueError("out of memory"))


def test_what_cannot_be_compiled_is_unsupported(
    written: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiler(module: Any, dynamic: bool) -> Any:
        def failing(*args: Any) -> Any:
            raise RuntimeError("InvalidCxxCompiler: no working C++ compiler found")

        return failing

    monkeypatch.setattr(torch, "compile", compiler)
    told = performed(subject=bench.Subject(written(TINY)), settings=cpu(mode="compile"))
    (failed,) = of(Failed, told)
    assert failed.status == "unsupported"
    assert failed.reason.startswith("it cannot be compiled: RuntimeError: InvalidCxxCompiler")


def test_a_compiler_that_runs_out_of_memory_is_told_as_that(
    written: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "compile", lambda module, dynamic: full)
    told = performed(subject=bench.Subject(written(TINY)), settings=cpu(mode="compile"))
    assert [each.status for each in of(Failed, told)] == ["oom"]


def test_what_is_compiled_is_timed_apart_and_has_no_blocks(
    written: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda module, dynamic: module)  # a compiler takes half a minute
    told = performed(subject=bench.Subject(written(TINY)), settings=cpu(mode="compile"))
    (process,) = (each.process for each in of(Done, told))
    assert process.prepare_s > 0
    assert (process.blocks.method, process.blocks.reason) == (
        None,
        "the compiler fuses operators across blocks",
    )


def test_the_batch_is_doubled_until_that_pays_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {1: 100.0, 2: 180.0, 4: 200.0, 8: 203.0, 16: 400.0}
    tried: list[int] = []

    def at(_: object, batch: int) -> float:
        tried.append(batch)
        return rates[batch]

    monkeypatch.setattr(worker._Bench, "at", at)
    performed(subject=bench.Subject("nets:Picky", inputs=("3",)), batches=None)
    assert tried == [1, 2, 4, 8]
    rates[4] = 0.0  # out of memory
    tried.clear()
    performed(subject=bench.Subject("nets:Picky", inputs=("3",)), batches=None)
    assert tried == [1, 2, 4]


def test_a_cpu_is_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.probing, "COPIED", 2**22)
    monkeypatch.setitem(worker.probing.SIDE, "cpu", 128)
    (found,) = of(Probed, performed(task="probe"))
    assert 0 < found.launch_s < 1e-3
    assert found.copy_bytes_s > 1e7
    assert found.dense_flop_s > 1e7


def test_starting_the_kernels_of_a_graph_takes_the_device_not_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu, captured = Gpu(), []

    def capture(_: object, run: Callable[[], object]) -> SimpleNamespace:
        captured.append(run)
        return SimpleNamespace(replay=lambda: gpu.sleep(2e-6 * worker.probing.LAUNCHES))

    monkeypatch.setattr(worker.probing.capturing, "capture", capture)
    how = cpu().model_copy(update={"mode": "graph"})
    assert worker.probing._launch(how, gpu) == pytest.approx(2e-6)
    assert len(captured) == 1
    assert worker.probing._launch(cpu(), gpu) == 0  # the host's own clock stood still
    assert len(captured) == 1


def test_what_is_slow_to_probe_is_not_repeated_for_long() -> None:
    def probed(*times: float) -> tuple[float, int]:
        gpu, left = Gpu(), list(times)
        return worker.probing._seconds(lambda: gpu.sleep(left.pop(0)), cpu(), gpu), len(left)

    assert probed(*[0.9] * 20) == (pytest.approx(0.9), 17)
    assert probed(5.0, 0.1) == (5.0, 1)
    assert probed(*[0.6] * 3, 0.1, 0.2, 9.0) == (pytest.approx(0.15), 1)  # warming up does not count
