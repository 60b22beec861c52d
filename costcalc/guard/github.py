"""What GitHub shows of findings: annotations at the lines that they are about, and the summary of a step.

Workflow commands are escaped as the runner reads them:
https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from costcalc import render
from costcalc.findings import Finding, Level
from costcalc.records import View
from costcalc.views.metrics import LABELS

MOST = 10  # annotations of a step that GitHub shows
MOST_BYTES = 1_000_000  # of a step summary; GitHub drops one above 1 MiB as a whole
LEVELS: tuple[Level, ...] = ("error", "warning", "notice")
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}
_CUT = "\n\nThe rest stands in the log of the job.\n"


def written(view: View, found: Sequence[Finding], root: Path, here: Path) -> str:
    """The plain tables for the log, at most ten annotations, the serious ones first, and what is left over.

    Files are relative to ``root``, the top folder of the repository; places are to ``here``.
    """
    told = sorted((each for each in found if each.level), key=lambda each: LEVELS.index(each.level))
    lines = [_command(each, root, here) for each in told[:MOST]]
    more = len(told) - len(lines)
    last = f"{more} more finding{'s' if more > 1 else ''} without annotation; the table lists all.\n"
    log = _harmless(render.text(view))
    return f"{log}\n" + "".join(f"{line}\n" for line in lines) + (last if more > 0 else "")


def _harmless(text: str) -> str:
    """Nothing in a log, such as the name of a file, is taken for a command."""
    if not any(line.lstrip().startswith("::") or "##[" in line for line in text.splitlines()):
        return text
    token = sha256(text.encode("utf-8", "replace")).hexdigest()[:32]  # which no text can hold of itself
    return f"::stop-commands::{token}\n{text}::{token}::\n"


def _command(found: Finding, root: Path, here: Path) -> str:
    place, properties = found.place, {}
    path = os.path.relpath(os.path.realpath(here / place.file), os.path.realpath(root))
    if not path.startswith(".."):
        properties = {"file": path.replace(os.sep, "/"), "line": str(place.line)}
    properties["title"] = " ".join(filter(None, (found.model, found.part, _metric(found), found.verdict)))
    given = ",".join(f"{key}={_escaped(value, _PROPERTY)}" for key, value in properties.items())
    return f"::{found.level} {given}::{_escaped(found.message, _DATA)}"


def _metric(found: Finding) -> str:
    return LABELS.get(found.metric, found.metric)


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in text)


def summary(view: View) -> str:
    """The step summary in Markdown, cut at a line where it would be too large."""
    text = render.markdown(view)
    data = text.encode("utf-8", "replace")
    if len(data) <= MOST_BYTES:
        return text
    kept = data[: MOST_BYTES - len(_CUT)].decode("utf-8", "ignore")
    return kept.rpartition("\n")[0] + _CUT
