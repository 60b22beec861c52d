"""Which settings are tried: a parameter or a layer's field, and its values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from operator import index

from costcalc.errors import CostcalcError, shortened
from costcalc.graph import INPUT

MOST_SETTINGS = 4_000_000  # whose counts are held in memory at once
FORM = "write PATH=A:B, A:B:STEP (both ends count) or A,B,C, as in width=8:64:8"

Value = int | str
Given = int | str | Sequence[int]  # what a spec is loaded with

_NUMBER = r"[0-9][0-9_]{0,14}"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER})(?::({_NUMBER}))?")
_SQUARE = re.compile(r"([1-9][0-9]{0,8})x(.+)")


@dataclass(frozen=True, slots=True)
class Axis:
    """A path that settings have, and its values in order: whole numbers, or others in YAML's notation.

    With ``channels`` it is the input, and a value ``n`` stands for channels×n×n.
    """

    path: str
    values: tuple[Value, ...]
    channels: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers."""
        return all(type(value) is int for value in self.values)

    def given(self, value: Value) -> Given:
        """What a spec is loaded with for a value, also for a number that stands for one."""
        return [self.channels, value, value] if self.channels and not isinstance(value, str) else value

    def told(self, value: Value) -> Value:
        """A value as people read it, and as ``--set`` takes it."""
        return f"{self.channels}x{value}x{value}" if self.channels else value


def axes(over: Mapping[str, str | Iterable[object]]) -> tuple[Axis, ...]:
    """What to vary, from ``{"width": "8:64:8", "size": (160, 192)}``; raises :class:`CostcalcError`."""
    if not over:
        raise CostcalcError("nothing to vary: give --over, for example --over size=128:256:32")
    found = tuple(
        _parsed(path, values) if isinstance(values, str) else _listed(path, values)
        for path, values in over.items()
    )
    settings = prod(len(axis.values) for axis in found)
    if settings > MOST_SETTINGS:
        raise CostcalcError(f"{settings:,} settings are more than {MOST_SETTINGS:,}; take larger steps")
    return found


def _parsed(path: str, text: str) -> Axis:
    """An axis as it is written: ranges and values, behind ``Cx`` for squares of the input."""
    square = _SQUARE.fullmatch(text) if path == INPUT else None
    if square is not None and not re.search("[x,]", square[2]):
        return _axis(path, _values(path, square[2]), int(square[1]))
    return _axis(path, [text] if text.startswith("[") else _values(path, text))


def _values(path: str, text: str) -> list[Value]:
    found: list[Value] = []
    for part in (piece.strip() for piece in text.split(",")):
        if match := _RANGE.fullmatch(part):
            several = _range(path, part, *(int(number or 1) for number in match.groups()))
            if len(found) + len(several) > MOST_SETTINGS:
                raise CostcalcError(
                    f"--over {path}={shortened(text)}: more than {MOST_SETTINGS:,} values; take larger steps"
                )
            found += several
        elif re.fullmatch(_NUMBER, part):
            found.append(int(part))
        elif not part or ":" in part:
            raise CostcalcError(f"--over {path}={shortened(text)}: {FORM}")
        else:
            found.append(part)
    return found


def _range(path: str, text: str, first: int, last: int, step: int) -> range:
    if last < first or not step:
        raise CostcalcError(f"--over {path}={text}: leads nowhere; {FORM}")
    return range(first, last + 1, step)


def _listed(path: str, values: Iterable[object]) -> Axis:
    """An axis from Python: numbers, text, or shapes; squares of as many channels are numbers too."""
    found = list(values)
    shapes = [tuple(value) for value in found if isinstance(value, (list, tuple))]
    square = len({shape[:1] for shape in shapes}) == 1 and all(
        len(shape) == 3 and shape[1] == shape[2] for shape in shapes
    )
    if path == INPUT and square and len(shapes) == len(found):
        return _axis(path, [int(shape[1]) for shape in shapes], int(shapes[0][0]))
    return _axis(path, [_value(value) for value in found])


def _value(value: object) -> Value:
    """A value of Python as one of ours; a list in YAML's notation."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(str(part) for part in value)}]"
    if isinstance(value, (bool, float)):
        return str(value).lower()
    try:
        return index(value)  # type: ignore[arg-type]  # numpy's integers are whole numbers too
    except TypeError:
        message = f"a value to try is a number, a text or a list, not {shortened(value)}"
        raise CostcalcError(message) from None


def _axis(path: str, values: Sequence[Value], channels: int = 0) -> Axis:
    if not values:
        raise CostcalcError(f"--over {path}: no value")
    twice, times = Counter(values).most_common(1)[0]
    if times > 1:
        raise CostcalcError(f"--over {path}: {shortened(twice)} is given twice")
    return Axis(path, tuple(values), channels)
