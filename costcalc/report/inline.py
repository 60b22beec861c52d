r"""Texts with a little markup: ```code```, ``**bold**``, ``[label](url)``, and ``\`` before a literal one.

A URL is an http(s) address, or relative without a colon; anything else, and an image, stays a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from costcalc.report.tags import visible

_MARKUP = re.compile(
    r"\\(?P<literal>[\\`*\[])"
    r"|`(?P<code>[^`]+)`"
    r"|\*\*(?P<bold>(?:[^*\\]|\\.)+)\*\*"
    r'|(?<!!)\[(?P<label>(?:[^\[\]\\]|\\.)+)\]\((?P<url>https?://[^\s()<>"]+|[^\s()<>":]+)\)'
)


@dataclass(frozen=True, slots=True)
class Markup:
    """How the parts of a text are written; ``bold`` and ``link`` are given what is written already."""

    plain: Callable[[str], str]
    code: Callable[[str], str]
    bold: Callable[[str], str]
    link: Callable[[str, str], str]


def rendered(text: str, markup: Markup) -> str:
    """The text in that markup, on one line."""
    text = visible(text)
    parts, end = [], 0
    for found in _MARKUP.finditer(text):
        parts += [markup.plain(text[end : found.start()]), _part(found, markup)]
        end = found.end()
    return "".join([*parts, markup.plain(text[end:])])


def _part(found: re.Match[str], markup: Markup) -> str:
    if found["literal"]:
        return markup.plain(found["literal"])
    if found["code"]:
        return markup.code(found["code"])
    if found["bold"]:
        return markup.bold(rendered(found["bold"], markup))
    return markup.link(rendered(found["label"], markup), found["url"])


def literal(text: str) -> str:
    """A text of a user's within one of ours: nothing in it is markup."""
    return re.sub(r"([\\`*\[])", r"\\\1", text)


def code(name: str) -> str:
    """A name as code, whatever is in it."""
    return f"`{name}`" if name and "`" not in name else literal(name)
