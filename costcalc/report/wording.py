"""Small pieces of sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

from costcalc import units

_LONG = re.compile(r"(?<![\w.])[0-9]{5,}")


def listed(words: Sequence[str], last: str = "and") -> str:
    """``["a", "b", "c"]`` → ``"a, b and c"``."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def several(count: int, word: str) -> str:
    """``1, "block"`` → ``"1 block"``, ``22, "block"`` → ``"22 blocks"``."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def capitalised(text: str) -> str:
    """The text with a large first letter, all else as it is."""
    return text[:1].upper() + text[1:]


def grouped(latex: str) -> str:
    """LaTeX whose long numbers have separators that take no space: ``1024`` stays, ``10{,}240``."""
    return _LONG.sub(lambda number: units.count(int(number[0])).replace(",", "{,}"), latex)
