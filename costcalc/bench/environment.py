"""Where a run is measured: versions, hardware, limits and switches, without names of host or user."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from costcalc.bench import nvml
from costcalc.bench.configured import precisions
from costcalc.latency.runs import Environment, Settings

ALLOWED = re.compile(r"(CUDA|PYTORCH|TORCH|OMP|MKL)_\w+")  # environment variables that may be told


def environment(
    how: Settings, monitor: nvml.Monitor | str | None, affinity: Sequence[int] | None
) -> Environment:
    """The surroundings of a process that is configured already; ``affinity`` is that of before.

    ``monitor`` asks the driver of a GPU, or says why it cannot be asked.
    """
    is_gpu = how.device != "cpu"
    cudnn = torch.backends.cudnn.version() if is_gpu else None  # type: ignore[no-untyped-call]
    return Environment(
        device_name=torch.cuda.get_device_name() if is_gpu else _cpu(),
        driver=_driver(monitor) if is_gpu else None,
        torch=torch.__version__,
        cuda=torch.version.cuda if is_gpu else None,
        cudnn=str(cudnn) if cudnn else None,
        python=platform.python_version(),
        costcalc=metadata.version("costcalc"),
        system=" ".join((platform.system(), platform.release(), platform.machine())),
        facts={
            **_host(affinity),
            **_switches(),
            **(_gpu(monitor) if is_gpu else {}),
            "triton": _triton(),
        },
    )


def _host(affinity: Sequence[int] | None) -> dict[str, Any]:
    governor = _text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    marks = ("/.dockerenv", "/run/.containerenv")
    return {
        "cores": os.cpu_count() if affinity is None else len(affinity),
        "affinity": affinity,
        "cpu": _cpu(),
        "governor": governor or None,
        "virtual": " hypervisor " in _text("/proc/cpuinfo").replace("\n", " ") or None,
        "container": any(Path(mark).exists() for mark in marks) or None,
    }


def _switches() -> dict[str, Any]:
    """What torch was told, and the environment variables that it or its libraries listen to."""
    cudnn = torch.backends.cudnn
    told = {key: value for key, value in sorted(os.environ.items()) if ALLOWED.fullmatch(key)}
    return {
        "threads": torch.get_num_threads(),
        "fp32_precision": {name: backend.fp32_precision for name, backend in precisions().items()},
        "cudnn_flags": {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "deterministic")},
        "variables": {key: value.replace(str(Path.home()), "~") for key, value in told.items()},
    }


def _gpu(monitor: nvml.Monitor | str | None) -> dict[str, Any]:
    """The GPU as torch sees it, and its limits as the driver does; of its UUID only a hash."""
    seen = torch.cuda.get_device_properties()
    found: dict[str, Any] = {
        "sm_count": seen.multi_processor_count,
        "l2_bytes": seen.L2_cache_size,
        "memory_bytes": seen.total_memory,
        "capability": f"{seen.major}.{seen.minor}",
        "uuid_sha256": hashlib.sha256(str(seen.uuid).encode()).hexdigest()[:16],
    }
    if not isinstance(monitor, nvml.Monitor):
        return {**found, "nvml": monitor}
    limit = monitor.get("EnforcedPowerLimit")
    return {
        **found,
        "power_limit_w": None if limit is None else limit / 1e3,
        "persistence": monitor.get("PersistenceMode"),
        "mig": monitor.get("MigMode"),
        "ecc": monitor.get("EccMode"),
    }


def _driver(monitor: nvml.Monitor | str | None) -> str | None:
    """The version of NVIDIA's driver: from the driver, or from the kernel's module."""
    if isinstance(monitor, nvml.Monitor) and (told := nvml.asked(monitor.nvml.nvmlSystemGetDriverVersion)):
        return str(told)
    found = re.search(r"Kernel Module\b.*?\s(\d+\.[\d.]+)", _text("/proc/driver/nvidia/version"))
    return found[1] if found else None


def _triton() -> str | None:
    """What torch compiles with for GPUs, and for them alone."""
    try:
        return metadata.version("triton")
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    found = re.search(r"model name\s*:\s*(.+)", _text("/proc/cpuinfo"))
    return found[1].strip() if found else platform.processor() or platform.machine()


def _text(path: str) -> str:
    """A file of the system; nothing where there is none."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
