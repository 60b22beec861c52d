"""What NVIDIA's driver says of a GPU, through ``nvidia-ml-py``: all optional, never in a timed region."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from costcalc.latency.harness import said
from costcalc.latency.runs import Telemetry

REASONS = {
    0x1: "GpuIdle",
    0x2: "ApplicationsClocks",
    0x4: "SwPowerCap",
    0x8: "HwSlowdown",
    0x10: "SyncBoost",
    0x20: "SwThermal",
    0x40: "HwThermal",
    0x80: "HwPowerBrake",
    0x100: "DisplayClock",
}


NOT_INSTALLED = "nvidia-ml-py is not installed"
DEPRECATED = "the deprecated package pynvml is in the way of nvidia-ml-py"


def monitor(uuid: str) -> Monitor | str:
    """What asks the driver of a GPU, or why it cannot be asked."""
    try:
        library = importlib.import_module("pynvml")
    except ImportError:
        return NOT_INSTALLED
    if not hasattr(library, "_nvmlGetFunctionPointer"):  # a private function of NVIDIA's own module
        return DEPRECATED
    try:
        library.nvmlInit()
        found = Monitor(library, uuid)
        library.nvmlDeviceGetClockInfo(found.handle, library.NVML_CLOCK_SM)
    except Exception as error:  # no driver, no such GPU as for a part of one (MIG), no permission
        return f"NVIDIA's driver does not tell of this GPU: {said(error)}"
    return found


class Monitor:
    """One GPU, found by UUID: its number among the driver's need not be torch's."""

    def __init__(self, nvml: Any, uuid: str) -> None:
        self.nvml = nvml
        self.handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid.removeprefix('GPU-')}")

    def get(self, name: str, *args: Any) -> Any | None:
        """What ``nvmlDeviceGet<name>`` says, None if the driver or the GPU does not know."""
        function = getattr(self.nvml, f"nvmlDeviceGet{name}", None)
        return None if function is None else asked(function, self.handle, *args)

    def telemetry(self) -> Telemetry:
        """The GPU as it is now."""
        sm, memory = self.nvml.NVML_CLOCK_SM, self.nvml.NVML_CLOCK_MEM
        power = self.get("PowerUsage")
        users = self.get("ComputeRunningProcesses")
        return Telemetry(
            sm_mhz=self.get("ClockInfo", sm),
            default_sm_mhz=self.get("DefaultApplicationsClock", sm),
            memory_mhz=self.get("ClockInfo", memory),
            temperature_c=self.get("Temperature", self.nvml.NVML_TEMPERATURE_GPU),
            power_w=None if power is None else power / 1e3,
            reasons=self._reasons(),
            # one of them is this process, whose number is another in a container
            other_processes=None if users is None else max(0, len(users) - 1),
        )

    def _reasons(self) -> tuple[str, ...]:
        bits = self.get("CurrentClocksEventReasons")
        if bits is None:  # as drivers before 535 call it
            bits = self.get("CurrentClocksThrottleReasons")
        return named(bits or 0)


def named(bits: int) -> tuple[str, ...]:
    """The reasons for which clocks are not higher; those that nobody knows yet are ``other``."""
    known = tuple(name for bit, name in REASONS.items() if bits & bit)
    return (*known, "other") if bits & ~sum(REASONS) else known


def asked(function: Callable[..., Any], *args: Any) -> Any | None:
    """What a function of the driver says, None for any of its errors."""
    try:
        return function(*args)
    except Exception:  # NVMLError: not supported, no permission, GPU lost
        return None
