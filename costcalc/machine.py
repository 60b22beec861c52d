"""What is installed: versions for provenance, devices and gaps for ``costcalc doctor``."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator

REPORTED = ("costcalc", "torch", "fvcore")
OPTIONAL = "not installed (optional)"
ZOOS = ("torchvision", "timm")  # where foreign models come from


def versions(names: tuple[str, ...] = REPORTED) -> dict[str, str | None]:
    """Installed versions, None for what is missing; nothing is imported."""
    return {name: _version(name) for name in names}


def told() -> str:
    """The versions in one line."""
    return " · ".join(f"{name} {found or 'missing'}" for name, found in versions().items())


def _version(name: str) -> str | None:
    from importlib import metadata  # takes as long to import as a small spec to cost

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _required() -> tuple[str, ...]:
    """What the installed package asks for, extras left out."""
    from importlib import metadata

    wanted = [line for line in metadata.requires("costcalc") or () if _applies(line)]
    return ("costcalc", *sorted(re.split(r"[^A-Za-z0-9_.-]", line)[0] for line in wanted))


def _applies(line: str) -> bool:
    """Whether a requirement is not only of an extra, or of older versions of Python."""
    older = re.search(r"python_version < ['\"]3\.(\d+)", line)
    return "extra ==" not in line and (older is None or sys.version_info < (3, int(older[1])))


def examine() -> tuple[list[tuple[str, str, str]], bool]:
    """Name, state and remedy of every part, and whether all that is required is there."""
    entries = [("python", platform.python_version(), ""), ("cpu", f"{os.cpu_count()} cores", "")]
    passed = True
    for name, version in versions(_required()).items():
        entries.append((name, version or "missing", "" if version else f"pip install {name}"))
        passed = passed and version is not None
    entries += _vision()
    timm = _version("timm")
    entries.append(("timm", timm or OPTIONAL, "" if timm else "pip install 'costcalc[timm]'"))
    nvml = _version("nvidia-ml-py")
    remedy = "pip install 'costcalc[gpu]' to see a GPU's clocks and throttling"
    entries.append(("nvidia-ml-py", nvml or OPTIONAL, "" if nvml else remedy))
    entries += _devices()
    return entries, passed and not any(state.startswith("broken") for _, state, _ in entries)


def _vision() -> Iterator[tuple[str, str, str]]:
    """torchvision is optional; with torch from another index it fails at import, unless only counted."""
    version = _version("torchvision")
    if version is None:
        yield ("torchvision", OPTIONAL, "pip install 'costcalc[vision]'")
        return
    try:
        import torchvision  # noqa: F401  (whether it imports is the question)

        yield ("torchvision", version, "")
    except Exception as error:
        if "nms" not in str(error):
            yield ("torchvision", f"broken: {version} does not import", str(error))
            return
        state = f"{version}, whose compiled part does not fit this torch: models are counted, not run"
        yield ("torchvision", state, "to run them, install torch and torchvision from the same index")


def _devices() -> Iterator[tuple[str, str, str]]:
    try:
        import torch
    except ImportError as error:
        yield ("torch import", f"broken: {error}", "pip install torch")
        return
    if not torch.cuda.is_available():
        yield ("cuda", "no device (not needed to count)", "")
    for index in range(torch.cuda.device_count()):
        yield (f"cuda:{index}", torch.cuda.get_device_name(index), "")
