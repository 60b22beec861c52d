"""Where it is measured: machine, system, versions, and which costcalc; nobody's names or paths."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.speed.running import ROOT

LIBRARIES = ("costcalc", "torch", "torchvision", "fvcore", "typer", "pydantic", "numpy")
SAME = ("cpu", "cores", "system", "python", "libraries", "sources", "rounds", "quick", "groups")


def found(rounds: int, quick: bool, groups: str) -> dict[str, Any]:
    """What figures depend on, and the day."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _line("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": int(_line("/proc/meminfo", r"MemTotal:\s*(\d+)") or 0) * 1024,
        "virtual": " hypervisor" in _text("/proc/cpuinfo"),
        "system": " ".join((platform.system(), platform.release(), platform.machine())),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": {name: _version(name) for name in LIBRARIES},
        "sources": _sources(),
        "rounds": rounds,
        "quick": quick,
        "groups": groups,
    }


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether figures of the two may stand side by side."""
    return all(one.get(key) == other.get(key) for key in SAME)


def _sources() -> str:
    """A hash of costcalc as it is here: of every file that it computes with."""
    total = hashlib.sha256()
    for path in sorted((ROOT / "costcalc").rglob("*")):
        if path.suffix in (".py", ".yaml"):
            total.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:12]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _line(path: str, pattern: str) -> str:
    match = re.search(pattern, _text(path))
    return match[1].strip() if match else ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
