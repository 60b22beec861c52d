"""Elements of HTML and SVG, and the characters that may stand in a document."""

from __future__ import annotations

import html
import re
from fractions import Fraction
from unicodedata import east_asian_width

KEPT = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
DIGITS = 3  # of a pixel
_EMPTY = frozenset({"rect", "circle", "line", "path", "polyline", "meta"})


def visible(text: str) -> str:
    """On one line, with a space for each character that has no shape: controls, reordering of the text.

    What is left is legal in XML and cannot break a table or turn a line round.
    """
    return "".join(char if char.isprintable() or char in KEPT else " " for char in text)


def escaped(text: str) -> str:
    """A visible text for HTML and SVG."""
    return html.escape(visible(text))


def anchor(text: str) -> str:
    """A text as an anchor or a part of a file's name."""
    return re.sub(r"[^\w.]+", "-", text.lower()).strip("-.")


def tag(name: str, *content: str, **attributes: str | int | float | Fraction | None) -> str:
    """One element. ``content`` is markup already; attributes are escaped, and left out where None.

    ``class_`` is the attribute ``class`` and ``data_value`` is ``data-value``.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(content)
    return f"<{name}{given}/>" if name in _EMPTY and not inner else f"<{name}{given}>{inner}</{name}>"


def _attribute(value: str | int | float | Fraction | None) -> str:
    if isinstance(value, str):
        return escaped(value)
    return f"{float(value or 0):.{DIGITS}f}".rstrip("0").rstrip(".")


def em(text: str, size: int) -> float:
    """About how many pixels a text takes in letters of that size, rather more than less."""
    return size * sum(_width(char) for char in visible(text))


def cut(text: str, room: float, size: int) -> str:
    """As much of a text as that many pixels hold."""
    text = visible(text)
    if em(text, size) <= room:
        return text
    while text and em(text, size) > room - size:
        text = text[:-1]
    return f"{text}…"


def _width(char: str) -> float:
    if east_asian_width(char) in "WF" or char in "mwMW@%—":
        return 1.0
    if char in " .,:;|!'()[]/ijltfr·":
        return 0.42
    return 0.78 if char.isupper() else 0.64
