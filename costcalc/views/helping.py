"""What helps to write a spec or to mend an environment, as grids."""

from __future__ import annotations

from collections.abc import Sequence

from costcalc.records import Column, Grid, View


def kinds(entries: Sequence[tuple[str, str, str, str]]) -> View:
    """What may stand behind ``kind:``; entries are name, sort, fields and one line."""
    columns = (
        Column("name", "kind", "name"),
        Column("sort", "sort", "text"),
        Column("fields", "fields", "text"),
        Column("summary", "what it is", "text"),
    )
    notes = ("A field with a value may be left out. Every entry also takes from, repeat and training.",)
    return View("kinds", (Grid("kinds", "layer kinds and blocks", columns, tuple(entries)),), {}, notes)


def doctor(entries: Sequence[tuple[str, str, str]], passed: bool) -> View:
    """What is installed and what is missing; entries are name, state and remedy."""
    columns = (
        Column("name", "part", "name"),
        Column("state", "state", "text"),
        Column("remedy", "what to do", "text"),
    )
    return View(
        "doctor", (Grid("parts", "environment", columns, tuple(entries)),), {"passed": passed}, passed=passed
    )
