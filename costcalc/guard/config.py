"""``costcalc.toml``, or ``[tool.costcalc]`` of ``pyproject.toml``: found, read, and checked as a whole."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costcalc.errors import CostcalcError, Place, Problem
from costcalc.guard import entries, places
from costcalc.guard.entries import LEVELS, Budget, Reader, Serious

NAME, SHARED, TABLE = "costcalc.toml", "pyproject.toml", "[tool.costcalc]"
LOCK = "costcalc.lock"
MAX_BYTES = 256 * 1024
KEYS = ("budget", "lock")
_AT = re.compile(r" \(at line (\d+), column (\d+)\)")


@dataclass(frozen=True, slots=True)
class Config:
    """What a repository promises: its budgets, and how serious a lock file out of date is.

    ``path`` is the file as it was found or named, and names of models are relative to its folder;
    ``shown`` is what messages call it.
    """

    path: Path
    shown: str
    budgets: tuple[Budget, ...]
    lock: Serious

    @property
    def root(self) -> Path:
        """The folder that names are relative to."""
        return self.path.parent

    @property
    def lock_path(self) -> Path:
        """Where the counts are kept."""
        return self.root / LOCK

    @property
    def lock_shown(self) -> str:
        """What messages call that file."""
        return f"{self.shown.removesuffix(self.path.name)}{LOCK}"


def find(start: Path) -> Path:
    """The configuration of the folder ``start``: its own, or of the nearest folder above that has one."""
    for folder in (start, *start.parents):
        if found := of_folder(folder):
            return found
    raise CostcalcError(f"no {NAME} found from {start} upwards; `costcalc guard init` writes one")


def of_folder(folder: Path) -> Path | None:
    """The configuration in a folder, if it has one."""
    if (folder / NAME).is_file():
        return folder / NAME
    shared = folder / SHARED
    return shared if shared.is_file() and _has_table(shared) else None


def _has_table(path: Path) -> bool:
    """Whether a ``pyproject.toml`` speaks of costcalc; one that cannot be read is told where it does."""
    found = text(path, str(path))
    return "costcalc" in found and "costcalc" in _table(_parsed(found, str(path)))


def read(path: Path, shown: str = "") -> Config:
    """The configuration in a file; raises :class:`CostcalcError` with all that is wrong in it, by line.

    ``shown`` is the name that messages carry, by default the path.
    """
    file = shown or str(path)
    written = text(path, file)
    data = _parsed(written, file)
    found = places.places(written, file, loads)
    prefix: places.Path = ()
    if path.name == SHARED:
        if "costcalc" not in _table(data):
            raise CostcalcError([Problem(f"has no {TABLE}; `costcalc guard init` shows one", file)])
        data, prefix = _table(data)["costcalc"], ("tool", "costcalc")
    reader = Reader(found, Place(file, 1, 1, written.partition("\n")[0]))
    budgets, lock = _config(reader, data, prefix)
    if reader.problems:
        raise CostcalcError(reader.problems)
    return Config(path, file, budgets, lock)


def _config(reader: Reader, data: object, prefix: places.Path) -> tuple[tuple[Budget, ...], Serious]:
    """The budgets, and what an old lock file is."""
    table = reader.table(data, prefix, KEYS, "the configuration")
    listed = table.get("budget")
    if not listed or not isinstance(listed, list):
        reader.wrong("needs a [[budget]]; `costcalc guard init` shows how they look", prefix)
        listed = []
    lock = table.get("lock", "warn")
    if lock not in tuple(LEVELS):
        reader.wrong("should be 'warn' or 'error': what a lock file out of date is", (*prefix, "lock"))
    budgets = [entries.budget(reader, each, (*prefix, "budget", i)) for i, each in enumerate(listed)]
    return tuple(each for each in budgets if each), LEVELS.get(str(lock), "warning")


def loads(text: str) -> dict[str, Any]:
    """A TOML text as the standard library reads it, or tomli before Python 3.11."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    found: dict[str, Any] = tomllib.loads(text)
    return found


def _parsed(text: str, file: str) -> Mapping[str, Any]:
    try:
        return loads(text)
    except ValueError as error:
        message = str(error)
    except RecursionError:
        message = "nested too deeply"
    match = _AT.search(message)
    lines = text.split("\n")
    line, column = (int(match[1]), int(match[2])) if match else (max(len(lines) - 1, 1), 1)
    what = _AT.sub("", message).removesuffix(" (at end of document)")
    where = Place(file, line, column, lines[line - 1].rstrip("\r"))
    raise CostcalcError([Problem(f"not TOML: {what}", "", where)])


def _table(data: Mapping[str, Any]) -> Mapping[str, Any]:
    tool = data.get("tool")
    return tool if isinstance(tool, dict) else {}


def text(path: Path, file: str, most: int = MAX_BYTES) -> str:
    """The text of a file of ``most`` bytes; raises :class:`CostcalcError` if it cannot be read."""
    try:
        with path.open("rb") as opened:
            data = opened.read(most + 1)
        if len(data) <= most:
            return data.decode("utf-8-sig")
        reason = f"larger than {most // 1024} KiB"
    except UnicodeDecodeError:
        reason = "not UTF-8 text"
    except OSError as error:
        reason = str(error.strerror)
    raise CostcalcError([Problem(f"cannot be read: {reason}", file)])
