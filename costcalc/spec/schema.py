"""The shape of a spec file, validated with every error at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationError,
)
from pydantic_core import ErrorDetails

from costcalc import printed
from costcalc.errors import Misfit, Place, Problem, shortened
from costcalc.records import Figure
from costcalc.spec.source import Item, unknown_key

PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
MAX_ARGUMENTS = 100
CLAIMED = ("macs", "params", "weights", "activations", "peak_activations")


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


def _parameter(name: object) -> str:
    if not isinstance(name, str) or not PARAMETER.fullmatch(name):
        raise Misfit(f"the name {shortened(name)} should be letters, digits and '_', as in $name")
    return name


def _arguments(value: object) -> list[str] | dict[str, Any]:
    if not isinstance(value, (list, dict)):
        raise Misfit(f"should be a list of names, or a mapping of names to defaults, not {shortened(value)}")
    if len(value) > MAX_ARGUMENTS:
        raise Misfit(f"are more than {MAX_ARGUMENTS}")
    for name in value:
        _parameter(name)
    return value


def _line(value: str) -> str:
    if not value.isprintable():
        raise Misfit(f"should be one line of printable text, not {shortened(value)}")
    return value


def _filled(value: dict[str, Any]) -> dict[str, Any]:
    if not value:
        raise Misfit("has no layers")
    return value


Text = Annotated[str, Field(max_length=2000), AfterValidator(_line)]
Printed = Annotated[Text, BeforeValidator(figure), AfterValidator(_published)]
Percentage = Annotated[Text, AfterValidator(_percentage)]
Parameter = Annotated[str, AfterValidator(_parameter)]
Arguments = Annotated[Any, PlainValidator(_arguments)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class FigureEntry(_Strict):
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


class BlockEntry(_Strict):
    """A block: its arguments (null means required) and its wiring."""

    args: Arguments = {}
    layers: Annotated[dict[str, Any], AfterValidator(_filled)]
    output: Text | None = None


# a block of one's own, or the name of the block that this one stands for
Alias = Annotated[
    Annotated[Text, Tag("name")] | Annotated[BlockEntry, Tag("block")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "block"),
]


class FileEntry(_Strict):
    """A spec file; ``layers`` and ``input`` may come from ``base``."""

    name: Text | None = None
    summary: Text = ""
    family: Text = ""
    source: Text = ""
    base: Text | None = None
    part: Text | None = None
    training: bool = False
    input: Any = None
    params: dict[Parameter, Any] = {}
    layers: dict[str, Any] = {}
    outputs: list[Text] = []
    blocks: dict[str, Alias] = {}
    claims: list[FigureEntry] = []


def file_entry(item: Item) -> tuple[FileEntry, list[Problem]]:
    """The file as a validated entry, and every problem of its form, each at its place.

    What is wrong is left out of the entry, so that the rest can still be looked at.
    """
    plain = item.plain() if item.mapping() else {}
    try:
        return FileEntry.model_validate(plain), []
    except ValidationError as error:
        details = error.errors()
    for detail in details:
        _leave_out(plain, _path(detail))
    return FileEntry.model_validate(plain), [_located(detail, item) for detail in details]


def _leave_out(plain: Any, path: tuple[int | str, ...]) -> None:
    """Remove the top-level entry, parameter, layer or block in which a problem lies."""
    key = str(path[0])
    inner = plain.get(key)
    if len(path) > 1 and isinstance(inner, dict):
        inner.pop(path[1], None)
    else:
        plain.pop(key, None)


def _path(detail: ErrorDetails) -> tuple[int | str, ...]:
    """Where in the file; pydantic also names the member of a union, and says when it means a key."""
    path = tuple(step for step in detail["loc"] if step != "[key]")
    return (*path[:2], *path[3:]) if path[0] == "blocks" else path


_ENTRIES: dict[str, tuple[type[_Strict], str]] = {
    "blocks": (BlockEntry, "a block"),
    "claims": (FigureEntry, "a claim"),
}


def _located(detail: ErrorDetails, item: Item) -> Problem:
    path = _path(detail)
    here = item.at(path)
    if detail["type"] != "extra_forbidden":
        return Problem(told(detail), dotted(path), here.place)
    entry, what = _ENTRIES[str(path[0])] if path[1:] else (FileEntry, "a spec")
    message = unknown_key(str(path[-1]), list(entry.model_fields), what)
    return Problem(message, dotted(path[:-1]), here.key)


def told(detail: ErrorDetails) -> str:
    """A pydantic error in this project's words."""
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, Misfit):
        return str(cause)
    kind, value = detail["type"], shortened(detail["input"])
    expected = {
        "bool_type": "true or false",
        "string_type": "a text",
        "list_type": "a list",
        "dict_type": "a mapping, `key: value`",
        "model_type": "a mapping, `key: value`",
    }.get(kind)
    if kind == "missing":
        return f"needs '{detail['loc'][-1]}'"
    return (
        f"should be {expected}, not {value}"
        if expected
        else f"{detail['msg'].removeprefix('Input ')}, not {value}"
    )


def dotted(path: Iterable[Any]) -> str:
    """``("layers", "conv1")`` → ``"layers.conv1"``."""
    return ".".join(str(step) for step in path)
