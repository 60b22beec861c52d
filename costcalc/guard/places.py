"""Where each key and value of a TOML text stands: the standard library's reader does not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from costcalc.errors import Place

Path = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    re.compile(r'"""(?:[^\\"]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^\\"\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


def places(text: str, file: str, loads: Callable[[str], dict[str, object]]) -> dict[Path, Place]:
    """The place of every key, element and table header in a TOML text that ``loads`` can read.

    Paths are as in what it gives: ``("budget", 0, "macs")``. ``loads`` is also asked what a quoted key is.
    """
    return _Scanner(text, file, loads).found


class _Scanner:
    """One walk through a text that is known to be TOML, so that nothing has to be doubted."""

    def __init__(self, text: str, file: str, loads: Callable[[str], dict[str, object]]) -> None:
        self.text, self.file, self.loads = text, file, loads
        self.lines = text.split("\n")
        self.at = 0
        self.found: dict[Path, Place] = {}
        self.tables: dict[Path, int] = {}  # arrays of tables, and how many each has by now
        here: Path = ()
        while self.skip(_SPACE):
            here = self.header() if self.text[self.at] == "[" else self.pair(here)

    def skip(self, what: re.Pattern[str]) -> bool:
        """Move behind what matches here; whether anything is left."""
        match = what.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at < len(self.text)

    def header(self) -> Path:
        """``[a.b]`` or ``[[a.b]]``: the path of the table that begins."""
        start, repeated = self.at, self.text.startswith("[[", self.at)
        self.at += 1 + repeated
        keys = self.dotted("]")
        self.at += 1 + repeated
        path: Path = ()
        for key in keys[:-1]:
            path = self.inside((*path, key), start)
        path = (*path, keys[-1])
        if repeated:
            self.note(path, start)
            self.tables[path] = self.tables.get(path, -1) + 1
        path = self.inside(path, start)
        self.found[path] = self.place(start)  # a header that comes late tells more than a first use
        return path

    def inside(self, path: Path, start: int) -> Path:
        """The table of that name, or the last of an array of them."""
        self.note(path, start)
        return (*path, self.tables[path]) if path in self.tables else path

    def pair(self, here: Path) -> Path:
        """``a.b = value`` in the table ``here``."""
        start = self.at
        path = here
        for key in self.dotted("="):
            path = (*path, key)
            self.note(path, start)
        self.at += 1
        self.skip(_BLANK)
        self.value(path)
        return here

    def dotted(self, end: str) -> Sequence[str]:
        """The steps of a key; the end is where it stands then."""
        keys = []
        while True:
            self.skip(_BLANK)
            keys.append(self.key())
            self.skip(_BLANK)
            if self.text[self.at] == end:
                return keys
            self.at += 1  # the dot

    def key(self) -> str:
        start = self.at
        if self.text[start] in "\"'":
            self.string()
            return next(iter(self.loads(f"{self.text[start : self.at]} = 0")))
        self.skip(_BARE)
        return self.text[start : self.at]

    def string(self) -> bool:
        """Move behind the string that begins here, if one does."""
        start = self.at
        for form in _STRINGS:
            if form.match(self.text, start):
                self.skip(form)
                return True
        return False

    def value(self, path: Path) -> None:
        if self.text[self.at] == "[":
            self.elements(path)
        elif self.text[self.at] == "{":
            self.members(path)
        elif not self.string():
            self.skip(_SCALAR)

    def elements(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self.skip(_SPACE) and self.text[self.at] != "]":
            self.note((*path, index), self.at)
            self.value((*path, index))
            self.skip(_SPACE)
            self.at += self.text[self.at] == ","
            index += 1
        self.at += 1

    def members(self, path: Path) -> None:
        self.at += 1
        while self.skip(_SPACE) and self.text[self.at] != "}":
            self.pair(path)
            self.skip(_SPACE)
            self.at += self.text[self.at] == ","
        self.at += 1

    def note(self, path: Path, start: int) -> None:
        self.found.setdefault(path, self.place(start))

    def place(self, start: int) -> Place:
        line = self.text.count("\n", 0, start)
        column = start - (self.text.rfind("\n", 0, start) + 1)
        return Place(self.file, line + 1, column + 1, self.lines[line].rstrip("\r"))
