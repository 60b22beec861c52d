"""Closed forms as a grid."""

from __future__ import annotations

from collections.abc import Mapping

from costcalc.records import Cell, Column, Grid, View
from costcalc.views.metrics import CONVENTION, LABELS


def formulas(
    name: str,
    expressions: Mapping[str, str],
    at: Mapping[str, int],
    values: Mapping[str, int],
    kept: Mapping[str, int],
    latex: bool,
) -> View:
    """One row per quantity: its formula, and its value at the settings it was derived at."""
    columns = (
        Column("metric", "quantity", "name", LABELS),
        Column("formula", "closed form", "text" if latex else "formula"),
        Column("value", "value", "count"),
    )
    rows = tuple((key, expression, values[key]) for key, expression in expressions.items())
    notes = (
        f"Value at {_listed(at)}.",
        *([f"Left as numbers: {_listed(kept)}; --symbols takes others."] if kept else []),
        "Evaluated by the code that counts, on symbols, and held against plain counts.",
        CONVENTION,
    )
    facts: dict[str, Cell] = {"name": name, "symbols": ", ".join(at)}
    return View("formula", (Grid("formulas", f"closed form of {name}", columns, rows),), facts, notes)


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items())
