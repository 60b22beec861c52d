"""The one exception a user sees, and the small pieces it is made of.

Rooms low down raise :class:`Misfit` with nothing but the fact; whoever knows the place
turns it into a :class:`Problem`; :class:`CostcalcError` carries all problems of one input.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from reprlib import Repr
from typing import NamedTuple

USAGE, ENVIRONMENT = 2, 3
MOST_WORDS, MOST_LETTERS = 300, 64

_REPR = Repr()  # never looks at more of a value than it shows
_REPR.maxstring = _REPR.maxother = 60


class Misfit(ValueError):
    """A value that does not fit; the place is added by the caller that knows it."""


class Place(NamedTuple):
    """A point in a file: ``line`` and ``column`` count from 1; ``text`` is that line."""

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        is_option = self.file.startswith("--")  # which is a line by itself
        return self.file if is_option else f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """One thing that is wrong: what, on which path of the spec, where in the file."""

    message: str
    path: str = ""
    place: Place | None = None

    def __str__(self) -> str:
        parts = [str(self.place) if self.place else "", self.path, self.message]
        return ": ".join(part for part in parts if part)

    def excerpt(self, width: int = 100) -> str:
        """The offending line with a caret under the column, at most ``width`` characters."""
        if self.place is None or not self.place.text.strip() or self.place.file.startswith("--"):
            return ""
        start = max(0, self.place.column - 1 - width // 2)
        text = _printable(self.place.text)[start : start + width].rstrip()
        margin = f"{self.place.line:5d} | "
        caret = " " * (len(margin) - 2 + self.place.column - 1 - start)
        return f"{margin}{text}\n{caret[: len(margin) - 2]}| {caret[len(margin) - 2 :]}^"


class CostcalcError(Exception):
    """All problems found in one input, with the exit code they lead to (2 usage, 3 environment).

    What is wrong in one place is told once, however often a repeat or a block comes by it.
    """

    def __init__(self, problems: Iterable[Problem] | str, exit_code: int = USAGE) -> None:
        found = (Problem(problems),) if isinstance(problems, str) else tuple(problems)
        once = {(problem.message, problem.place or problem.path): problem for problem in reversed(found)}
        self.problems = tuple(sorted(once.values(), key=_position))
        self.exit_code = exit_code
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'kernel'?"`` for the nearest known word, or the empty string.

    Only so many words of about the same length are looked at: the search is quadratic in them.
    """
    alike = (other for other in known if abs(len(other) - len(word)) <= 3)
    near = get_close_matches(word[:MOST_LETTERS], list(islice(alike, MOST_WORDS)), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def shortened(value: object, limit: int = 60) -> str:
    """``repr`` of a user's value, cut so that a hostile one cannot flood the terminal."""
    text = _REPR.repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _position(problem: Problem) -> tuple[str, int, int]:
    place = problem.place
    return (place.file, place.line, place.column) if place else ("", 0, 0)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
