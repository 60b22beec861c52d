"""Where specs lie: the shipped presets and blocks by name, the user's files by path."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

from costcalc.errors import CostcalcError, Place, Problem, did_you_mean, shortened
from costcalc.spec.source import MAX_BYTES, Item, read

_HERE = Path(__file__).resolve().parent.parent
_PRESETS, _BLOCKS = _HERE / "presets", _HERE / "blocks"
STDIN = "-"
_FOREIGN = re.compile(r"(?P<where>[A-Za-z_][\w.]*):(?P<what>[A-Za-z_][\w./-]*)")


def presets() -> list[str]:
    """Names of the shipped architectures, sorted."""
    return sorted(path.stem for path in _PRESETS.glob("*.yaml"))


def shipped_blocks() -> list[str]:
    """Names of the shipped blocks, sorted."""
    return sorted(path.stem for path in _BLOCKS.glob("*.yaml"))


@cache
def shipped_block(name: str) -> Item | None:
    """The file of a shipped block, or None if there is none of that name."""
    path = _BLOCKS / f"{name}.yaml"
    return read(path.read_text(encoding="utf-8"), shown(path)) if name in shipped_blocks() else None


def find(name: str, beside: Path | None = None) -> Path:
    """The file that a preset's name or a path (``-`` for standard input) means.

    Paths are relative to the file ``beside`` if given. Raises :class:`CostcalcError`.
    """
    path = Path(name) if beside is None else beside.parent / name
    if name == STDIN:
        return Path(STDIN)
    if name in presets():
        return _PRESETS / f"{name}.yaml"
    if name.endswith((".yaml", ".yml")) or "/" in name or exists(path):
        return path
    hint = did_you_mean(name, presets()) or "; `costcalc list` shows the presets"
    raise CostcalcError(f"no preset or file {shortened(name)}{hint}")


def is_foreign(name: str) -> bool:
    """Whether a name is that of a model, ``torchvision:resnet50``, and not of a spec or file."""
    return _FOREIGN.fullmatch(name.partition("@")[0]) is not None and not Path(name).exists()


def exists(path: Path) -> bool:
    """Whether there is anything of that name."""
    try:
        return path.exists()
    except ValueError:  # a NUL in the path
        return True


def text_of(path: Path) -> str:
    """The text of a spec file; raises :class:`CostcalcError` if it cannot be read."""
    data = b""
    try:
        data = _stdin() if path == Path(STDIN) else _bytes(path)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CostcalcError([Problem("is not UTF-8 text", "", Place(shown(path), line, 1, ""))]) from None
    except OSError as error:
        raise CostcalcError([Problem(f"cannot be read: {error.strerror}", str(path))]) from None
    except ValueError as error:  # a NUL in the path
        raise CostcalcError([Problem(f"cannot be read: {error}", shortened(str(path)))]) from None


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


@cache
def _stdin() -> bytes:
    """Standard input, which can be read but once."""
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def shown(path: Path) -> str:
    """The name that messages carry: short for what is shipped."""
    if path == Path(STDIN):
        return "<stdin>"
    return str(path.relative_to(_HERE)) if path.is_relative_to(_HERE) else str(path)


def is_preset(path: Path) -> bool:
    """Whether a path is that of a preset."""
    return path.parent == _PRESETS


def is_shipped(file: str) -> bool:
    """Whether a file name in a message is that of a shipped file."""
    return file.startswith((f"{_PRESETS.name}/", f"{_BLOCKS.name}/")) and (_HERE / file).is_file()
