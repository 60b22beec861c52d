"""Closed forms as a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from costcalc.records import Cell, Column, Grid, View
from costcalc.views.metrics import CONVENTION, LABELS


def formulas(
    name: str,
    rows: Sequence[tuple[str, str, int]],
    at: Mapping[str, int],
    kept: Mapping[str, int],
    exceptions: Sequence[str],
    latex: bool,
) -> View:
    """One row per count: its formula, and its value at the settings it was derived at; then these."""
    columns = (
        Column("metric", "count", "name", LABELS),
        Column("formula", "closed form", "latex" if latex else "formula"),
        Column("value", "value", "count"),
    )
    grids = [Grid("formulas", f"closed form of {name}", columns, tuple(rows))]
    grids += [_parameters(at, kept)] if at or kept else []
    notes = (
        *([f"Otherwise at an edge: {'; '.join(exceptions)}."] if exceptions else []),
        "Evaluated by the code that counts, on symbols, and held against plain counts.",
        CONVENTION,
    )
    facts: dict[str, Cell] = {"name": name}
    return View("formula", tuple(grids), facts, notes)


def _parameters(at: Mapping[str, int], kept: Mapping[str, int]) -> Grid:
    """What the value is at: symbols, and parameters that stayed numbers."""
    columns = (
        Column("parameter", "parameter", "name"),
        Column("value", "value", "count"),
        Column("role", "in the closed form", "text"),
    )
    rows = [(key, value, "a symbol") for key, value in at.items()]
    rows += [(key, value, "a number; --symbols takes others") for key, value in kept.items()]
    return Grid("parameters", "value at", columns, tuple(rows))
