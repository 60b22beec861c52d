"""The shape of a spec file, validated with every error at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Any

from costcalc import printed
from costcalc.errors import Misfit, Place, Problem, shortened
from costcalc.records import Figure
from costcalc.spec.source import Item, unknown_key
from costcalc.validated import Faults, Path, Unknown, Validated, mapping, text

PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
MAX_ARGUMENTS = 100
MAX_TEXT = 2000
CLAIMED = ("macs", "params", "weights", "activations", "peak_activations")
NOTHING: Mapping[str, Any] = MappingProxyType({})


def figure(value: object) -> object:
    """A whole number as the text it stands for; a float has lost how precisely it was printed."""
    if type(value) is float:
        raise Misfit(f"should be in quotes, so that its digits are kept: '{value:.15g}'")
    return str(value) if type(value) is int else value


def _published(value: str) -> str:
    if "%" in value or "×" in value:
        raise Misfit(f"should be a count like 6.8M, not {shortened(value)}")
    printed.parse(value)
    return value


def _percentage(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,4})?\s*%", value):
        raise Misfit(f"should be a percentage like '5%', not {shortened(value)}")
    return value


def _parameter(name: object) -> None:
    if not isinstance(name, str) or not PARAMETER.fullmatch(name):
        raise Misfit(f"the name {shortened(name)} should be letters, digits and '_', as in $name")


def _parameters(value: object) -> dict[str, Any]:
    found, wrong = mapping(value), []
    for name in found:
        try:
            _parameter(name)
        except Misfit as misfit:
            wrong.append(((name,), misfit))
    if wrong:
        raise Faults(wrong)
    return found


def _arguments(value: object) -> list[str] | dict[str, Any]:
    if not isinstance(value, (list, dict)):
        raise Misfit(f"should be a list of names, or a mapping of names to defaults, not {shortened(value)}")
    if len(value) > MAX_ARGUMENTS:
        raise Misfit(f"are more than {MAX_ARGUMENTS}")
    for name in value:
        _parameter(name)
    return value


def _line(value: object) -> str:
    found = text(value)
    if len(found) > MAX_TEXT:
        raise Misfit(f"should have at most {MAX_TEXT} characters, not {shortened(value)}")
    if not found.isprintable():
        raise Misfit(f"should be one line of printable text, not {shortened(value)}")
    return found


def _filled(value: object) -> dict[str, Any]:
    found = mapping(value)
    if not found:
        raise Misfit("has no layers")
    return found


def _alias(value: object) -> str | BlockEntry:
    return _line(value) if isinstance(value, str) else BlockEntry(**mapping(value))


Text = Annotated[str, _line]
Printed = Annotated[str, figure, _line, _published]
Percentage = Annotated[str, _line, _percentage]
Alias = Annotated["str | BlockEntry", _alias]  # the name of the block that this one stands for, or one's own


class FigureEntry(Validated):
    """A published figure as it stands in a file: ``{of: inception_3a, macs: 128M, source: Table 1}``."""

    of: Text = "total"
    macs: Printed | None = None
    params: Printed | None = None
    weights: Printed | None = None
    activations: Printed | None = None
    peak_activations: Printed | None = None
    within: Percentage | None = None
    truncated: bool = False
    source: Text = ""
    holds: bool = True
    note: Text = ""

    def figures(self, place: Place) -> Iterable[Figure]:
        """One record per metric."""
        within = None if self.within is None else Fraction(self.within.rstrip("% ")) / 100
        for metric in CLAIMED:
            printed = getattr(self, metric)
            if printed is not None:
                yield Figure(
                    self.of,
                    metric,
                    printed,
                    self.source,
                    within,
                    self.truncated,
                    self.holds,
                    self.note,
                    place,
                )


class BlockEntry(Validated):
    """A block: its arguments (null means required) and its wiring."""

    args: Annotated[Any, _arguments] = ()
    layers: Annotated[Mapping[str, Any], _filled]
    output: Text | None = None


class FileEntry(Validated):
    """A spec file; ``layers`` and ``input`` may come from ``base``."""

    name: Text | None = None
    summary: Text = ""
    family: Text = ""
    source: Text = ""
    base: Text | None = None
    part: Text | None = None
    training: bool = False
    input: Any = None
    params: Annotated[Mapping[str, Any], _parameters] = NOTHING
    layers: Mapping[str, Any] = NOTHING
    outputs: tuple[Text, ...] = ()
    blocks: Mapping[str, Alias] = NOTHING
    claims: tuple[FigureEntry, ...] = ()


def file_entry(item: Item) -> tuple[FileEntry, list[Problem]]:
    """The file as a validated entry, and every problem of its form, each at its place.

    What is wrong is left out of the entry, so that the rest can still be looked at.
    """
    plain = item.plain() if item.mapping() else {}
    try:
        return FileEntry(**plain), []
    except Faults as faults:
        found = faults.found
    for path, _ in found:
        _leave_out(plain, path)
    return FileEntry(**plain), [_located(path, fault, item) for path, fault in found]


def _leave_out(plain: Any, path: Path) -> None:
    """Remove the top-level entry, parameter, layer or block in which a problem lies."""
    key = str(path[0])
    inner = plain.get(key)
    if len(path) > 1 and isinstance(inner, dict):
        inner.pop(path[1], None)
    else:
        plain.pop(key, None)


_ENTRIES: dict[str, tuple[type[Validated], str]] = {
    "blocks": (BlockEntry, "a block"),
    "claims": (FigureEntry, "a claim"),
}


def _located(path: Path, fault: Misfit, item: Item) -> Problem:
    here = item.at(path)
    if not isinstance(fault, Unknown):
        return Problem(str(fault), dotted(path), here.place)
    entry, what = _ENTRIES[str(path[0])] if path[1:] else (FileEntry, "a spec")
    message = unknown_key(str(path[-1]), list(entry.fields()), what)
    return Problem(message, dotted(path[:-1]), here.key)


def dotted(path: Iterable[Any]) -> str:
    """``("layers", "conv1")`` → ``"layers.conv1"``."""
    return ".".join(str(step) for step in path)
