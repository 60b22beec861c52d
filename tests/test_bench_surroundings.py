"""What a measurement changes in its process and puts back, and what it notes of where it ran."""

from __future__ import annotations

import gc
import hashlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from costcalc.bench import configured, environment, nvml, possible, worker
from costcalc.bench.messages import Job
from costcalc.errors import CostcalcError
from costcalc.latency.runs import Settings, Telemetry

CPU = Settings(device="cpu")


def touched() -> dict[str, Any]:
    """Everything global that a measurement has a say in."""
    return {
        "precision": {name: each.fp32_precision for name, each in configured.precisions().items()},
        "benchmark": torch.backends.cudnn.benchmark,
        "threads": torch.get_num_threads(),
        "collecting": gc.isenabled(),
        "cores": os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None,
        "drawn": torch.random.get_rng_state().tolist(),
    }


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["fp32", "tf32", "bf16"])
def test_a_measurement_has_the_process_as_it_asked_and_gives_it_back(dtype: Any) -> None:
    with threads(2):
        before = touched()
        with configured.configured(Settings(device="cpu", dtype=dtype, threads=1)):
            now = touched()
            ours = "tf32" if dtype == "tf32" else "ieee"
            assert now["precision"] == {
                **dict.fromkeys(("cuda.matmul", "cudnn.conv", "cudnn.rnn"), ours),
                **dict.fromkeys(("mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn"), "ieee"),
            }
            assert now["benchmark"]
            assert not now["collecting"]
            assert now["threads"] == 1
            assert now["cores"] is None or len(now["cores"]) == 1
            torch.randn(5)
        assert touched() == before
    assert before["precision"]["cudnn.conv"] == "tf32"  # torch's default, and the reason for all this


def test_the_process_is_given_back_after_an_exception_too() -> None:
    gc.disable()
    try:
        before = touched()
        with pytest.raises(ZeroDivisionError), configured.configured(CPU):
            torch.backends.cudnn.benchmark = 1 / 0 > 1
        assert touched() == before
    finally:
        gc.enable()


def test_the_same_seed_draws_the_same() -> None:
    drawn = []
    for seed in (1, 1, 2):
        with configured.configured(Settings(device="cpu", seed=seed)):
            drawn.append(torch.randn(4).tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_cores_are_the_last_and_physical_ones_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configured, "_physical", lambda core: str(core // 2))  # 0 and 1 share one, and so on
    assert configured.cores([0, 1, 2, 3, 4, 5], 1) == {5}
    assert configured.cores([0, 1, 2, 3, 4, 5], 3) == {5, 3, 1}
    assert configured.cores([0, 1, 2, 3, 4, 5], 4) == {5, 4, 3, 1}
    assert configured.cores([0, 1], 8) == {0, 1}


def refused(how: dict[str, Any], check: Callable[[Settings], object] = possible.check) -> str:
    with pytest.raises(CostcalcError) as caught:
        check(Settings(**how))
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_what_a_device_cannot_do_is_refused() -> None:
    assert refused({"device": "cpu", "mode": "graph"}) == (
        "--mode graph: CUDA graphs are of GPUs; a CPU has --mode eager or compile"
    )
    assert refused({"device": "cpu", "dtype": "tf32"}) == (
        "--dtype tf32 is of NVIDIA's matrix units; a CPU has fp32, bf16 and fp16"
    )
    assert "no such device; did you mean 'cuda'?" in refused({"device": "cud"})
    assert "there are auto, cpu, cuda and cuda:N" in refused({"device": "tpu:v4-8"})
    for device in ("auto", "cpu", "cuda", "cuda:3"):
        possible.check(Settings(device=device))
    possible.check(Settings(device="auto", mode="graph"))  # it may become a GPU


@pytest.mark.parametrize("dtype", ["tf32", "bf16"])
def test_what_a_gpu_is_too_old_for_is_refused(dtype: str) -> None:
    how = {"device": "cuda", "dtype": dtype}
    told = refused(how, lambda how: possible.check_gpu(how, "Tesla T4", (7, 5)))
    assert told.startswith(f"--dtype {dtype}: Tesla T4 has compute capability 7.5")
    possible.check_gpu(Settings(**how), "NVIDIA A100", (8, 0))  # type: ignore[arg-type]
    possible.check_gpu(Settings(device="cuda", dtype="fp16"), "Tesla T4", (7, 5))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu() -> None:
    assert worker.placed(Settings(device="auto")).device == "cpu"
    with pytest.raises(CostcalcError) as caught:
        worker.placed(Settings(device="cuda:1"))
    assert caught.value.exit_code == 3
    assert str(caught.value) == (
        "no CUDA device; `--device cpu` measures the CPU, "
        "`costcalc predict NAME --on h200` predicts without one"
    )
    assert "CUDA graphs" in refused({"device": "auto", "mode": "graph"}, worker.placed)


def test_the_surroundings_are_told_and_nobodys_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_NOTHING", "1")
    monkeypatch.setenv("PYTORCH_CACHE", f"{Path.home()}/cache")
    monkeypatch.setenv("MY_TOKEN", "secret")
    monkeypatch.setenv("AWS_CUDA_KEY", "secret")
    with configured.configured(CPU):
        found = environment.environment(CPU, None, [3, 5, 6])
    assert found.device_name
    assert (found.torch, found.cuda, found.driver) == (torch.__version__, None, None)
    assert (found.facts["cores"], found.facts["affinity"]) == (3, [3, 5, 6])
    assert found.facts["threads"] == 1
    assert found.facts["fp32_precision"]["cudnn.conv"] == "ieee"
    assert found.facts["variables"]["TORCH_NOTHING"] == "1"
    assert found.facts["variables"]["PYTORCH_CACHE"] == "~/cache"
    text = found.model_dump_json()
    assert "secret" not in text
    assert socket.gethostname() not in text
    assert str(Path.home()) not in text
    assert found == type(found).model_validate_json(text)


class Library(SimpleNamespace):
    """NVIDIA's binding, with a GPU of one UUID."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    def __init__(self, **answers: Any) -> None:
        self.answers = {
            "ClockInfo": lambda clock: {1: 1755, 2: 2619}[clock],
            "DefaultApplicationsClock": lambda clock: {1: 1980}[clock],
            "Temperature": lambda sensor: 41 + sensor,
            "PowerUsage": lambda: 212_500,
            "CurrentClocksEventReasons": lambda: 0x44,
            "ComputeRunningProcesses": lambda: ["us", "another"],
            **answers,
        }
        version = {"nvmlSystemGetDriverVersion": lambda: "580.95.05"}
        super().__init__(_nvmlGetFunctionPointer=None, nvmlInit=lambda: None, **version)

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        if uuid != "GPU-1234":
            raise RuntimeError("NVMLError_NotFound")
        return "handle"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        answer = self.answers.get(name.removeprefix("nvmlDeviceGet"))
        if answer is None:
            raise AttributeError(name)

        def asked(handle: str, *args: Any) -> Any:
            assert handle == "handle"
            return answer(*args)

        return asked


def unsupported(*_: object) -> Any:
    raise RuntimeError("NVMLError_NotSupported")


def test_telemetry_is_what_the_driver_says() -> None:
    assert nvml.Monitor(Library(), "1234").telemetry() == Telemetry(
        sm_mhz=1755,
        default_sm_mhz=1980,
        memory_mhz=2619,
        temperature_c=41,
        power_w=212.5,
        reasons=("SwPowerCap", "HwThermal"),
        other_processes=1,
    )


def test_what_the_driver_does_not_know_is_missing_and_nothing_else() -> None:
    dumb = dict.fromkeys(("DefaultApplicationsClock", "PowerUsage", "ComputeRunningProcesses"), unsupported)
    found = nvml.Monitor(Library(**dumb), "GPU-1234").telemetry()
    assert (found.default_sm_mhz, found.power_w, found.other_processes) == (None, None, None)
    assert found.sm_mhz == 1755
    old = Library(CurrentClocksEventReasons=None, CurrentClocksThrottleReasons=lambda: 0x8)
    assert nvml.Monitor(old, "1234").telemetry().reasons == ("HwSlowdown",)  # type: ignore[union-attr]
    alone = Library(ComputeRunningProcesses=list)
    assert nvml.Monitor(alone, "1234").telemetry().other_processes == 0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (0x0, ()),
        (0x1, ("GpuIdle",)),
        (0x4, ("SwPowerCap",)),
        (0xE8, ("HwSlowdown", "SwThermal", "HwThermal", "HwPowerBrake")),
        (0x112, ("ApplicationsClocks", "SyncBoost", "DisplayClock")),
        (0x804, ("SwPowerCap", "other")),
    ],
)
def test_reasons_have_names(bits: int, names: tuple[str, ...]) -> None:
    assert nvml.named(bits) == names


def monitored(monkeypatch: pytest.MonkeyPatch, library: object, uuid: str = "1234") -> nvml.Monitor | str:
    """A GPU's monitor, or the reason why there is none, with another library."""
    monkeypatch.setitem(sys.modules, "pynvml", library)  # type: ignore[arg-type]
    return nvml.monitor(uuid)


def test_only_nvidias_own_binding_is_used_and_else_the_reason_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Library()
    found = monitored(monkeypatch, ours)
    assert isinstance(found, nvml.Monitor)
    assert found.nvml is ours
    assert monitored(monkeypatch, None) == "nvidia-ml-py is not installed"
    deprecated = SimpleNamespace(nvmlInit=lambda: None)
    assert monitored(monkeypatch, deprecated) == (
        "the deprecated package pynvml is in the way of nvidia-ml-py"
    )


def test_a_driver_that_tells_nothing_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    why = "NVIDIA's driver does not tell of this GPU: RuntimeError: NVMLError_"
    assert monitored(monkeypatch, Library(), "5678") == f"{why}NotFound"  # a part of a GPU (MIG)
    assert monitored(monkeypatch, Library(ClockInfo=unsupported)) == f"{why}NotSupported"
    broken = Library()
    broken.nvmlInit = unsupported
    assert monitored(monkeypatch, broken) == f"{why}NotSupported"


UUID = "5e5d9b4a-1c2d-4e3f-8a9b-0123456789ab"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """How to measure on a GPU that torch believes to be there."""
    seen = SimpleNamespace(
        multi_processor_count=132, L2_cache_size=1, total_memory=2, major=9, minor=0, uuid=UUID
    )
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda: seen)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    monkeypatch.setattr(environment, "_text", lambda path: OPEN_MODULE if "nvidia" in path else "")
    return Settings(device="cuda:0")


OPEN_MODULE = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (x@y)\n"


def test_of_a_gpu_its_number_is_not_told(gpu: Settings) -> None:
    for monitor in ("nobody to ask", nvml.Monitor(Library(), "1234")):
        found = environment.environment(gpu, monitor, [0]).model_dump_json()
        assert UUID[:8] not in found
        assert UUID[-12:] not in found
        assert hashlib.sha256(UUID.encode()).hexdigest()[:16] in found


def test_why_the_driver_was_not_asked_is_a_fact(gpu: Settings) -> None:
    found = environment.environment(gpu, "nobody to ask", [0])
    assert found.facts["nvml"] == "nobody to ask"
    assert found.driver == "580.95.05"  # by the kernel's module
    asked = environment.environment(gpu, nvml.Monitor(Library(), "1234"), [0])
    assert "nvml" not in asked.facts
    assert asked.facts["power_limit_w"] is None


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no cores to be had")
def test_the_cores_are_those_of_before_it_was_pinned() -> None:
    told: list[Any] = []
    worker.perform(Job(task="check", settings=CPU), told.append)
    facts, allowed = told[0].environment.facts, sorted(os.sched_getaffinity(0))
    assert (facts["cores"], facts["affinity"]) == (len(allowed), allowed)


@pytest.mark.parametrize("dtype", ["fp32", "tf32"])
def test_models_may_look_at_the_switches_of_old(dtype: Any) -> None:
    def old() -> tuple[bool, bool, str]:
        switches = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
        return (*switches, torch.get_float32_matmul_precision())

    before = old()
    with configured.configured(Settings(device="cpu", dtype=dtype)):
        wanted = (True, True, "high") if dtype == "tf32" else (False, False, "highest")
        assert old() == wanted
        with torch.backends.cudnn.flags(enabled=False):  # reads them and sets them
            torch.randn(1)
        assert old() == wanted
        rounded = {"tf32"} if dtype == "tf32" else {"ieee", "none"}
        assert {torch.backends.cudnn.conv.fp32_precision} <= rounded  # type: ignore[attr-defined]
    assert old() == before
