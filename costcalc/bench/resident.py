"""By how much a pass raises the memory that this process resides in, where the system can tell."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): sets the peak of the resident set to what it is now


def growth(run: Callable[[], object]) -> int | None:
    """Bytes between the resident set before and its peak while ``run`` runs; None if that cannot be known.

    What the C library keeps for later is first given back: a pass that finds it again raises nothing. The
    peak since the process began, as ``getrusage`` has it, is no substitute: it is that of building.
    """
    _trimmed()
    try:
        _CLEAR.write_text(_RESET_PEAK)
        before = _kilobytes("VmRSS")
        run()
        return max(0, _kilobytes("VmHWM") - before) * 1024
    except OSError:
        return None


def _trimmed() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
    if trim is not None:
        trim(0)


def _kilobytes(key: str) -> int:
    found = re.search(rf"{key}:\s+(\d+) kB", _STATUS.read_text())
    if found is None:
        raise OSError(f"no {key}")
    return int(found[1])
