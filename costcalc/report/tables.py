"""Grids as HTML tables: what people read in each cell, and beside it the raw value to sort by."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby
from math import prod
from operator import itemgetter

from costcalc import render
from costcalc.records import Cell, Column, Grid, Marked
from costcalc.report.document import Table
from costcalc.report.tags import escaped, tag


def table(shown: Table) -> str:
    """The table in a frame that scrolls by itself, folded unless open."""
    grid = shown.grid
    inner = tag(
        "div", _table(grid), class_="scroll", tabindex="0", role="region", aria_label=grid.title or "table"
    )
    title = escaped(grid.title)
    if shown.open:
        return tag("div", tag("p", title, class_="caption") if title else "", inner, class_="table")
    rows = tag("span", rows_of(grid))
    return tag("details", tag("summary", f"{title} ", rows), inner, class_="table")


def rows_of(grid: Grid) -> str:
    """How much is folded: ``24 rows``."""
    return f"{len(grid.rows)} row{'s' * (len(grid.rows) != 1)}"


def _table(grid: Grid) -> str:
    columns = render.columns_shown(grid)
    hidden = len(grid.columns) - len(columns)
    named = [tag("th", escaped(column.label), scope="col", class_=_kind(column)) for column in columns]
    foot = [tag("tfoot", _row(grid.total[hidden:], columns))] if grid.total else []
    return tag("table", tag("thead", tag("tr", *named)), *_bodies(grid, columns), *foot)


def _bodies(grid: Grid, columns: tuple[Column, ...]) -> list[str]:
    """One body of rows, or one a group below the group's name; rows are sorted within their body.

    A name that is left out because the row above has it is there all the same, for sorted rows.
    """
    rows = [(row, row[0] != given[0]) for given, row in zip(grid.rows, render.filled(grid), strict=True)]
    if len(columns) == len(grid.columns):
        return [tag("tbody", *(_row(row, columns, is_same) for row, is_same in rows))]
    bodies = []
    for group, found in groupby(grid.rows, key=itemgetter(0)):
        name = tag("th", escaped(str(group)), scope="rowgroup", colspan=len(columns))
        bodies.append(
            tag("tbody", tag("tr", name, class_="group"), *(_row(row[1:], columns) for row in found))
        )
    return bodies


def _row(row: Sequence[Cell], columns: Sequence[Column], is_same: bool = False) -> str:
    cells = [_cell(value, column) for value, column in zip(row, columns, strict=True)]
    shown, attributes = cells[0]
    head = tag("th", shown, scope="row", **attributes | ({"class_": "same"} if is_same else {}))
    return tag("tr", head, *(tag("td", shown, **attributes) for shown, attributes in cells[1:]))


def _cell(value: Cell, column: Column) -> tuple[str, dict[str, str | None]]:
    """A cell as it is read, and its attributes: kind, raw value, and a bar behind a share of a whole."""
    shown = render.cell(value, column)
    share = float(value) if column.key.endswith("share") and isinstance(value, (Fraction, float)) else 0
    return escaped(shown), {
        "class_": render.WORDS.get(shown) or _kind(column, shown),
        "data_value": _raw(value),
        "style": f"--share: {share:.2%}" if 0 < share <= 1 else None,
    }


def _kind(column: Column, shown: str = "") -> str | None:
    """Numbers stand to the right; long texts may be broken."""
    if column.style in render.RIGHT:
        return "number"
    return "long" if column.style in render.WRAPPED and len(shown) > render.TEXT_WIDTH else None


def _raw(value: Cell) -> str | None:
    """What the cell is sorted by: the number itself, all elements of a shape, a text as it stands."""
    if isinstance(value, Marked):
        return _raw(value.value)
    if isinstance(value, tuple):
        return str(prod(value))
    if isinstance(value, Fraction) and value.denominator > 1:
        return repr(float(value))
    return None if value is None else str(value)
