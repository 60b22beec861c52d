"""Where specs lie: shipped presets and blocks by name, files by path, or by ``REVISION:PATH`` in git."""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from costcalc.errors import CostcalcError, Place, Problem, did_you_mean, shortened
from costcalc.spec.source import MAX_BYTES, Item, read

if TYPE_CHECKING:
    from costcalc.spec.revisions import Version

_HERE = Path(__file__).resolve().parent.parent
_PRESETS, _BLOCKS = _HERE / "presets", _HERE / "blocks"
STDIN = "-"
_YAML = ".yaml"
_FOREIGN = r"[A-Za-z_][\w.]*:[A-Za-z_][\w./-]*"


def presets() -> list[str]:
    """Names of the shipped architectures, sorted."""
    return list(_names(_PRESETS))


def shipped_blocks() -> list[str]:
    """Names of the shipped blocks, sorted."""
    return list(_names(_BLOCKS))


@cache  # what is shipped does not change while it is used
def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(name[: -len(_YAML)] for name in os.listdir(folder) if name.endswith(_YAML)))


@cache
def shipped_block(name: str) -> Item | None:
    """The file of a shipped block, or None if there is none of that name."""
    path = _BLOCKS / f"{name}.yaml"
    return read(path.read_text(encoding="utf-8"), shown(path)) if name in _names(_BLOCKS) else None


def find(name: str, beside: Path | None = None) -> Path:
    """The file that a preset's name or a path (``-`` for standard input) means.

    Paths are relative to the file ``beside`` if given, and at its revision if that has one. Raises
    :class:`CostcalcError`.
    """
    within = version(beside) if beside is not None else None
    if within is not None and name not in presets():
        return Path(str(within.beside(name)))
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
    called = name.partition("@")[0]
    is_yaml = called.endswith((".yaml", ".yml"))  # at a revision: main:nets/tiny.yaml
    return re.fullmatch(_FOREIGN, called) is not None and not is_yaml and not Path(name).exists()


def version(path: Path) -> Version | None:
    """The file at a revision that a path stands for, None for a file as it is; a file of that name wins."""
    if ":" not in str(path):
        return None
    from costcalc.spec import revisions  # for the few who ask

    found = revisions.parsed(str(path))
    return found if found and not exists(path) else None


def exists(path: Path) -> bool:
    """Whether there is anything of that name."""
    try:
        return path.exists()
    except ValueError:  # a NUL in the path
        return True


def text_of(path: Path) -> str:
    """The text of a spec file; raises :class:`CostcalcError` if it cannot be read."""
    data, then = b"", version(path)
    try:
        data = _kept(then) if then else _read(path)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CostcalcError([Problem("is not UTF-8 text", "", Place(shown(path), line, 1, ""))]) from None
    except OSError as error:
        raise CostcalcError([Problem(f"cannot be read: {error.strerror}", str(path))]) from None
    except ValueError as error:  # a NUL in the path
        raise CostcalcError([Problem(f"cannot be read: {error}", shortened(str(path)))]) from None


def _kept(then: Version) -> bytes:
    from costcalc.spec import revisions  # which starts git

    return revisions.content(then, MAX_BYTES + 1)


def _read(path: Path) -> bytes:
    if path == Path(STDIN):
        return _stdin()
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
