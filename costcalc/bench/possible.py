"""Which ways of measuring there are on which device; the others are refused before anything is built."""

from __future__ import annotations

import re

from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.latency.runs import Settings

AMPERE = (8, 0)  # compute capability from which matrix units take tf32 and bf16
DEVICES = ("auto", "cpu", "cuda")


def check(how: Settings) -> None:
    """Raise :class:`CostcalcError` for a device of no known kind, or for what a CPU cannot do."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", how.device):
        hint = (
            "; did you mean 'cuda'?"
            if how.device == "gpu"
            else did_you_mean(how.device, DEVICES) or "; there are auto, cpu, cuda and cuda:N"
        )
        raise CostcalcError(f"--device {shortened(how.device)}: no such device{hint}")
    if how.device == "cpu" and how.mode == "graph":
        raise CostcalcError("--mode graph: CUDA graphs are of GPUs; a CPU has --mode eager or compile")
    if how.device == "cpu" and how.dtype == "tf32":
        raise CostcalcError("--dtype tf32 is of NVIDIA's matrix units; a CPU has fp32, bf16 and fp16")


def check_gpu(how: Settings, name: str, capability: tuple[int, int]) -> None:
    """Raise :class:`CostcalcError` for what that GPU is too old for."""
    if how.dtype in ("tf32", "bf16") and capability < AMPERE:
        version = ".".join(map(str, capability))
        raise CostcalcError(
            f"--dtype {how.dtype}: {name} has compute capability {version}, and {how.dtype} begins with 8.0; "
            "it has fp32 and fp16"
        )
