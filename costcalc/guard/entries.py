"""One ``[[budget]]`` of a configuration: what it may say, and every mistake in it at its line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Generic, Literal, TypeVar, get_args

from costcalc.checks import JUDGED
from costcalc.errors import Misfit, Place, Problem, did_you_mean, shortened
from costcalc.guard.places import Path
from costcalc.latency.runs import Dtype, Mode
from costcalc.roofline import devices, entry
from costcalc.units import duration, is_whole, quantity

T = TypeVar("T", int, float, Fraction)
Serious = Literal["error", "warning"]

LEVELS: dict[str, Serious] = {"error": "error", "warn": "warning"}
KEYS = (
    *("models", *JUDGED, "latency", "growth", "blocks", "settings"),
    *("input", "arguments", "batch", "dtype", "allow_uncounted", "reason"),
)
WAYS = ("on", "batch", "dtype", "mode")  # of a latency
_UNIT = {"macs": "macs", "params": "params", "weights": "params"}
_PERCENT = re.compile(r"(?P<number>[0-9]{1,6}(\.[0-9]{1,6})?)\s*%")


@dataclass(frozen=True, slots=True)
class Threshold(Generic[T]):
    """The most that something may be, before it warns or fails, and where that was written."""

    level: Serious
    most: T
    place: Place


@dataclass(frozen=True, slots=True)
class Bound(Generic[T]):
    """The thresholds of one metric, the one that fails first; of the blocks of that name, or of the whole."""

    metric: str
    thresholds: tuple[Threshold[T], ...]
    place: Place
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Longest:
    """A limit on the predicted latency: thresholds in seconds, and what is predicted."""

    bound: Bound[float]
    device: str
    batch: int
    dtype: str
    mode: str


@dataclass(frozen=True, slots=True)
class Budget:
    """Models, and what each of them may cost; ``growth`` is in shares of what it cost at the base."""

    models: tuple[tuple[str, Place], ...]
    bounds: tuple[Bound[int], ...]
    latency: Longest | None
    growth: tuple[Bound[Fraction], ...]
    settings: Mapping[str, str]
    arguments: Mapping[str, str]
    inputs: tuple[str, ...]
    batch: int
    dtype: str
    allow_uncounted: tuple[str, ...]
    reason: str
    place: Place

    @property
    def limits_anything(self) -> bool:
        """Whether there is any limit."""
        return bool(self.bounds or self.latency or self.growth)


class Reader:
    """Reads values and notes what is wrong with them, each at its place."""

    def __init__(self, found: Mapping[Path, Place], top: Place) -> None:
        self.found, self.top = found, top
        self.problems: list[Problem] = []

    def place(self, path: Path) -> Place:
        """Where that stands, or the nearest thing around it."""
        while path and path not in self.found:
            path = path[:-1]
        return self.found.get(path, self.top)

    def wrong(self, message: str, path: Path) -> None:
        """Note a mistake."""
        steps = (step for step in path if isinstance(step, str))
        words = ".".join(step if step.isprintable() else shortened(step) for step in steps)
        self.problems.append(Problem(message, words, self.place(path)))

    def table(self, value: object, path: Path, known: Sequence[str], what: str) -> Mapping[str, object]:
        """A table with none but the ``known`` keys; empty where it is none."""
        if not isinstance(value, dict):
            self.wrong(f"should be a table, not {shortened(value)}", path)
            return {}
        for key in value:
            if key not in known:
                hint = did_you_mean(key, known) or "; it has " + ", ".join(known)
                self.wrong(f"{what} has no {shortened(key)}{hint}", (*path, key))
        return value

    def texts(self, value: object, path: Path) -> tuple[str, ...]:
        """A list of texts."""
        if isinstance(value, list) and all(isinstance(each, str) and each.strip() for each in value):
            return tuple(value)
        self.wrong(f"should be a list of texts, not {shortened(value)}", path)
        return ()

    def one_of(self, value: object, path: Path, known: Sequence[str], what: str = "") -> str:
        """One of the ``known`` words for ``what``, by default the key."""
        if not isinstance(value, str) or value not in known:
            hint = did_you_mean(str(value), known) or f"; there are {', '.join(known)}"
            self.wrong(f"no {what or path[-1]} {shortened(value)}{hint}", path)
        return str(value)

    def whole(self, value: object, path: Path) -> int:
        """A whole number from 1 on."""
        if is_whole(value) and value >= 1:
            return value
        self.wrong(f"should be a whole number from 1 on, not {shortened(value)}", path)
        return 1


def budget(reader: Reader, value: object, path: Path) -> Budget | None:
    """A budget, or None where it is no table; mistakes are left out of it, and noted."""
    table = reader.table(value, path, KEYS, "a budget")
    if table is not value:
        return None

    def at(key: str) -> Path:
        return (*path, key)

    of_counts, of_growth = _of_blocks(reader, table.get("blocks", {}), at("blocks"))
    reason = table.get("reason", "")
    if not isinstance(reason, str) or not reason.isprintable():
        reader.wrong(f"should be one line of text, not {shortened(reason)}", at("reason"))
    return Budget(
        models=_models(reader, table.get("models"), at("models")),
        bounds=(*_bounds(reader, table, path), *of_counts),
        latency=_latency(reader, table["latency"], at("latency")) if "latency" in table else None,
        growth=(*_growth(reader, table.get("growth", {}), at("growth")), *of_growth),
        settings=_values(reader, table.get("settings", {}), at("settings")),
        arguments=_values(reader, table.get("arguments", {}), at("arguments")),
        inputs=reader.texts(table.get("input", []), at("input")),
        batch=reader.whole(table.get("batch", 1), at("batch")),
        dtype=_word(reader, table.get("dtype", "fp32"), at("dtype")),
        allow_uncounted=reader.texts(table.get("allow_uncounted", []), at("allow_uncounted")),
        reason=str(reason),
        place=reader.place(path),
    )


def _models(reader: Reader, value: object, path: Path) -> tuple[tuple[str, Place], ...]:
    if value is None or value == []:
        reader.wrong('needs models, for example models = ["nets/*.yaml", "googlenet"]', path[:-1])
        return ()
    names = reader.texts(value, path)
    for index, name in enumerate(names):
        if name == "-":
            reader.wrong("standard input is no model of a repository", (*path, index))
        if not name.isprintable():
            reader.wrong(f"{shortened(name)} is no printable name", (*path, index))
    return tuple((name, reader.place((*path, index))) for index, name in enumerate(names))


def _bounds(
    reader: Reader, table: Mapping[str, object], path: Path, pattern: str = ""
) -> tuple[Bound[int], ...]:
    """The limits on counts in a table."""
    found = [
        _bound(reader, table[metric], (*path, metric), partial(_count, metric=metric))
        for metric in JUDGED
        if metric in table
    ]
    return tuple(Bound(each.metric, each.thresholds, each.place, pattern) for each in found)


def _of_blocks(reader: Reader, value: object, path: Path) -> tuple[list[Bound[int]], list[Bound[Fraction]]]:
    """The limits on counts of blocks and on their growth, by name or glob."""
    counts: list[Bound[int]] = []
    growth: list[Bound[Fraction]] = []
    if not isinstance(value, dict):
        reader.wrong('should be tables of limits by block: [budget.blocks."inception_*"]', path)
        return counts, growth
    for pattern, limits in value.items():
        at = (*path, pattern)
        inner = reader.table(limits, at, (*JUDGED, "growth"), "a limit on blocks")
        if not pattern:
            reader.wrong("needs the name of a block, or a glob", at)
        if limits in ({}, {"growth": {}}):
            reader.wrong("limits nothing; for example macs = '300M'", at)
        counts += _bounds(reader, inner, at, pattern)
        growth += _growth(reader, inner.get("growth", {}), (*at, "growth"), pattern)
    return counts, growth


def _bound(
    reader: Reader, value: object, path: Path, read: Callable[[object], T], more: Sequence[str] = ()
) -> Bound[T]:
    """One value, which is an error above it, or ``{warn = …, error = …}``, with ``more`` keys beside."""
    given: Mapping[str, object] = {"error": value}
    if isinstance(value, dict):
        given = reader.table(value, path, (*LEVELS, *more), f"a limit on {path[-1]}")
        if not any(level in given for level in LEVELS) and set(given) <= set(more):
            reader.wrong("needs an 'error' or a 'warn'", path)
    thresholds: list[Threshold[T]] = []
    for key, level in LEVELS.items():
        if key not in given:
            continue
        where = (*path, key) if given is value else path
        try:
            thresholds.append(Threshold(level, read(given[key]), reader.place(where)))
        except Misfit as misfit:
            reader.wrong(str(misfit), where)
    if len(thresholds) == 2 and thresholds[1].most >= thresholds[0].most:
        reader.wrong("warns no earlier than it fails; 'warn' should be below 'error'", (*path, "warn"))
    return Bound(str(path[-1]), tuple(thresholds), reader.place(path))


def _count(value: object, metric: str) -> int:
    """``"1.5G"`` or a whole number; a float has lost its last digits."""
    if is_whole(value) and value >= 0:
        return value
    if not isinstance(value, str):
        raise Misfit(f"should be a count such as '1.5G' or 1_500_000_000, not {shortened(value)}")
    return quantity(value, _UNIT.get(metric, "activations"))


def _share(value: object) -> Fraction:
    """``"1%"`` → 1/100."""
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise Misfit(f"should be a percentage such as '1%', or '0%' for none, not {shortened(value)}")
    return Fraction(match["number"]) / 100


def _time(value: object) -> float:
    """``"9ms"`` → 0.009."""
    if not isinstance(value, str):
        raise Misfit(f"should be a time such as '9ms', not {shortened(value)}")
    return duration(value)


def _growth(reader: Reader, value: object, path: Path, pattern: str = "") -> tuple[Bound[Fraction], ...]:
    table = reader.table(value, path, tuple(JUDGED), "growth")
    found = [_bound(reader, table[metric], (*path, metric), _share) for metric in JUDGED if metric in table]
    return tuple(Bound(each.metric, each.thresholds, each.place, pattern) for each in found)


def _latency(reader: Reader, value: object, path: Path) -> Longest | None:
    if not isinstance(value, dict) or "on" not in value:
        reader.wrong("needs a device: latency = {error = '9ms', on = 't4'}", path)
        return None
    device = reader.one_of(str(value["on"]).lower(), (*path, "on"), (*devices.DEVICES, entry.CPU), "device")
    able = devices.DEVICES[device].dtypes if device in devices.DEVICES else get_args(Dtype)
    return Longest(
        _bound(reader, value, path, _time, WAYS),
        device,
        reader.whole(value.get("batch", 1), (*path, "batch")),
        reader.one_of(value.get("dtype", "fp32"), (*path, "dtype"), able),
        reader.one_of(value.get("mode", "eager"), (*path, "mode"), get_args(Mode)),
    )


def _values(reader: Reader, value: object, path: Path) -> dict[str, str]:
    """Settings or arguments by name, each as ``--set`` and ``-k`` take it."""
    if not isinstance(value, dict):
        reader.wrong(f"should be a table of names and values, not {shortened(value)}", path)
        return {}
    found = {}
    for keys, given in _flat(value):
        key = ".".join(keys)
        try:
            found[key] = given if isinstance(given, str) else json.dumps(given, allow_nan=False)
        except (TypeError, ValueError):
            message = f"should be a number, a word or a list of them, not {shortened(given)}"
            reader.wrong(message, (*path, *keys))
    return found


def _flat(table: Mapping[str, object]) -> list[tuple[tuple[str, ...], object]]:
    """``{"conv1": {"kernel": 5}}`` → ``[(("conv1", "kernel"), 5)]``: TOML reads dotted keys as tables."""
    found: list[tuple[tuple[str, ...], object]] = []
    left: list[tuple[tuple[str, ...], object]] = [((), table)]
    while left:  # as deep as it may be
        keys, value = left.pop()
        if isinstance(value, dict):
            left += [((*keys, key), inner) for key, inner in reversed(value.items())]
        else:
            found.append((keys, value))
    return found


def _word(reader: Reader, value: object, path: Path) -> str:
    """A floating-point type of foreign models."""
    return reader.one_of(value, path, ("fp32", "fp16", "bf16", "fp64"))
