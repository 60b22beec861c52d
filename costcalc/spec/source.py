"""YAML text → items that know their place, with YAML's traps closed.

Read event by event, never composed: aliases, tags, deep nesting and absurd sizes end the reading
where they stand, so a hostile file costs no more than a short one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from costcalc.errors import CostcalcError, Place, Problem, did_you_mean, shortened

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
MAX_ITEMS = 50_000

Scalar = None | bool | int | float | str

_INT = re.compile(r"[-+]?(0|[1-9][0-9_]{0,29})")
_FLOAT = re.compile(
    r"[-+]?[0-9]{1,30}(\.[0-9]{0,30}([eE][-+]?[0-9]{1,2})?|[eE][-+]?[0-9]{1,2})|[-+]?\.[0-9]{1,30}"
)
_WORDS: dict[str, Scalar] = {"": None, "~": None, "null": None, "true": True, "false": False}
_NUMERIC = frozenset("+-.0123456789")  # what a number begins with
_UNPRINTABLE = r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Item(NamedTuple):
    """A value as written: a scalar, a list of items or a mapping of items, and its place.

    ``key`` is the place of the key in front of it, or its own where there is none.
    """

    value: Scalar | list[Item] | dict[str, Item]
    place: Place
    key: Place

    def mapping(self) -> dict[str, Item]:
        """The items of a mapping; for anything else a :class:`CostcalcError`."""
        if isinstance(self.value, dict):
            return self.value
        raise CostcalcError([self.problem("should be a mapping, `key: value`")])

    def plain(self) -> Any:
        """The bare value: scalars, lists and dicts."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def at(self, path: tuple[Any, ...]) -> Item:
        """The item under ``path``, or the nearest enclosing one."""
        here = self
        for step in path:
            value = here.value
            if isinstance(value, dict) and step in value:
                here = value[step]
            elif isinstance(value, list) and isinstance(step, int):
                here = value[step]
            else:
                break
        return here

    def problem(self, message: str, path: str = "") -> Problem:
        """A problem at this item's place."""
        return Problem(message, path, self.place)


def read(text: str, file: str, doubled: list[Problem] | None = None) -> Item:
    """The one document of a YAML text; ``file`` is the name that messages carry.

    Raises :class:`CostcalcError` with place and remedy. Keys that stand twice are noted in
    ``doubled`` where the caller goes on reading, else raised.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        shorter = "`repeat:` and `blocks:` say the same in less"
        raise CostcalcError([Problem(f"the file is larger than {MAX_BYTES // 1024} KiB; {shorter}", file)])
    reader = _Reader(text, file)
    if not text.replace("\n", "").isprintable():  # nearly always is, and compiling the pattern takes a while
        strange = re.search(_UNPRINTABLE, text)
        if strange:
            raise CostcalcError([reader.unprintable(strange.start())])
    try:
        item = reader.document()
    except yaml.YAMLError as error:
        raise CostcalcError([reader.syntax(error)]) from None
    if doubled is None and reader.problems:
        raise CostcalcError(reader.problems)
    if doubled is not None:
        doubled += reader.problems
    return item


class _Reader:
    """One pass over the events of a text."""

    next: Callable[[], Any]  # the event that comes next

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.lines = text.splitlines()
        self.text = text
        self.items = 0
        self.problems: list[Problem] = []

    def document(self) -> Item:
        self.next = _LOADER(self.text).get_event
        self.next()  # the start of the stream
        first = self.next()
        if isinstance(first, yaml.StreamEndEvent):
            raise CostcalcError(
                [Problem("the file is empty; a spec needs at least 'input' and 'layers'", self.file)]
            )
        item = self.item(self.next(), 0)
        self.next()  # the end of the document
        second = self.next()
        if not isinstance(second, yaml.StreamEndEvent):
            raise self.error(second, "a second document begins; one file holds one spec")
        return item

    def item(self, event: Any, depth: int, key: Place | None = None) -> Item:
        self.guard(event, depth)
        place = self.place(event)
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event.value) if event.implicit[0] else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = [self.item(part, depth + 1) for part in self.until(yaml.SequenceEndEvent)]
        else:
            value = self.pairs(depth)
        return Item(value, place, key or place)

    def pairs(self, depth: int) -> dict[str, Item]:
        values: dict[str, Item] = {}
        for event in self.until(yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self.error(event, "a key should be a plain word")
            self.guard(event, depth)
            key, place = event.value, self.place(event)
            value = self.item(self.next(), depth + 1, place)
            if key in values:
                first = values[key].key.line
                self.problems.append(
                    Problem(f"the key {shortened(key)} stands twice; first in line {first}", "", place)
                )
            values[key] = value
        return values

    def until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := self.next(), end):
            yield event

    def guard(self, event: Any, depth: int) -> None:
        self.items += 1
        if event.anchor is not None:
            raise self.error(event, "anchors and aliases are not read; use 'blocks:' for what repeats")
        if event.tag is not None and event.tag != "!":
            raise self.error(
                event, f"the tag {shortened(event.tag)} is not read; a spec holds plain data only"
            )
        if depth > MAX_DEPTH:
            raise self.error(event, f"nested deeper than {MAX_DEPTH} levels")
        if self.items > MAX_ITEMS:
            raise self.error(event, f"more than {MAX_ITEMS:,} values in one file")

    def place(self, event: Any) -> Place:
        return self.spot(event.start_mark)

    def spot(self, mark: Any) -> Place:
        text = self.lines[mark.line] if mark.line < len(self.lines) else ""
        return Place(self.file, mark.line + 1, mark.column + 1, text)

    def error(self, event: Any, message: str) -> CostcalcError:
        return CostcalcError([*self.problems, Problem(message, "", self.place(event))])

    def unprintable(self, at: int) -> Problem:
        before = self.text[:at].splitlines(keepends=True) or [""]
        ended = before[-1].endswith(("\n", "\r"))
        line, column = (len(before) + 1, 1) if ended else (len(before), len(before[-1]) + 1)
        place = Place(self.file, line, column, self.lines[line - 1] if line <= len(self.lines) else "")
        return Problem(f"not YAML: the control character {self.text[at]!r}", "", place)

    def syntax(self, error: yaml.YAMLError) -> Problem:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        return Problem(f"not YAML: {what}", "", self.spot(mark) if mark else Place(self.file, 1, 1, ""))


def _scalar(text: str) -> Scalar:
    """YAML 1.2's plain scalars: no sexagesimals, no octals, ``yes`` is a word, ``1.5e9`` a number."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    return float(text) if _FLOAT.fullmatch(text) else text


def unknown_key(key: str, known: Sequence[str], what: str) -> str:
    """``"conv has no 'kernal'; did you mean 'kernel'?"``."""
    return f"{what} has no {shortened(key)}{did_you_mean(key, known) or '; it has ' + ', '.join(known)}"
