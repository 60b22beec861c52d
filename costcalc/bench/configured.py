"""The process as a measurement wants it, and afterwards as it was: nothing else touches torch's globals."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from costcalc.latency.runs import Settings


def precisions() -> dict[str, Any]:
    """Everything that has a say in how fp32 is computed, by name: each has a ``fp32_precision``.

    cuDNN's convolutions use TF32 unless told otherwise, matrix products do not: both are set, always.
    """
    backends: Any = torch.backends  # whose stubs know none of these
    return {
        "cuda.matmul": backends.cuda.matmul,
        "cudnn.conv": backends.cudnn.conv,
        "cudnn.rnn": backends.cudnn.rnn,
        "mkldnn.matmul": backends.mkldnn.matmul,
        "mkldnn.conv": backends.mkldnn.conv,
        "mkldnn.rnn": backends.mkldnn.rnn,
    }


@contextmanager
def configured(how: Settings) -> Iterator[None]:
    """Precision, threads, cores, seed, cuDNN's search and garbage collection as the settings want them.

    Everything is restored, also after an exception.
    """
    with ExitStack() as stack:
        _precise(stack, how.dtype == "tf32")
        _put(stack, torch.backends.cudnn, "benchmark", True)
        stack.enter_context(torch.random.fork_rng(devices=[]))
        torch.manual_seed(how.seed)
        if how.device == "cpu":
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(how.threads)
            _pin(stack, how.threads)
        if gc.isenabled():
            stack.callback(gc.enable)
        gc.collect()
        gc.disable()
        yield


def _precise(stack: ExitStack, tf32: bool) -> None:
    """Both generations of torch's switches: if they disagree, a model that looks at the old ones fails.

    The old ones also set the new ones, so they come first, also when everything is put back.
    """
    for backend in precisions().values():
        stack.callback(setattr, backend, "fp32_precision", backend.fp32_precision)
    _put(stack, torch.backends.cudnn, "allow_tf32", tf32)
    stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    for name, backend in precisions().items():
        backend.fp32_precision = "tf32" if tf32 and not name.startswith("mkldnn") else "ieee"


def _put(stack: ExitStack, of: Any, name: str, value: object) -> None:
    stack.callback(setattr, of, name, getattr(of, name))
    setattr(of, name, value)


def _pin(stack: ExitStack, threads: int) -> None:
    """Keep this process on so many cores, where the system lets it."""
    allowed = affinity()
    if allowed is None:
        return
    stack.callback(os.sched_setaffinity, 0, allowed)
    os.sched_setaffinity(0, cores(allowed, threads))


def affinity() -> list[int] | None:
    """The cores that this process may run on, None where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def cores(allowed: Sequence[int], threads: int) -> set[int]:
    """The last so many of the ``allowed`` cores, none twice by another of its hardware threads if possible.

    The last, for the first serve most of the interrupts.
    """
    firsts: dict[str, int] = {}
    for core in reversed(allowed):
        firsts.setdefault(_physical(core), core)
    others = [core for core in reversed(allowed) if core not in firsts.values()]
    return set([*firsts.values(), *others][:threads])


def _physical(core: int) -> str:
    """What tells a physical core from the others: the list of its hardware threads."""
    path = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        return path.read_text()
    except OSError:
        return str(core)
