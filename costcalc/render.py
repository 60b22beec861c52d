"""View → text in one of the formats. Formatting is last: nothing reads what is made here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from costcalc import units
from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.records import Cell, Column, Grid, Marked, Style, View

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WRAPPED: frozenset[Style] = frozenset({"text", "formula", "latex"})
RIGHT: frozenset[Style] = frozenset(
    {"count", "percent", "ratio", "number", "figure", "seconds", "bytes", "rate", "rho"}
)
UNITS: frozenset[Style] = frozenset({"seconds", "bytes", "rate"})
NOTHING = "–"
GAPS = (3, 1)  # spaces between columns on a terminal, roomy and tight
NOTE_WIDTH = 100  # of the prose below a plain table
TEXT_WIDTH = 30  # characters a text column wants at least before the table is split


def _count(value: Any) -> str:
    return units.count(value) if isinstance(value, int) else units.shape(value)


_STYLES: dict[Style, Callable[[Any], str]] = {
    "name": str,
    "group": str,
    "text": str,
    "place": str,
    "shape": units.shape,
    "count": _count,
    "percent": units.percent,
    "ratio": lambda value: units.ratio(value) if isinstance(value, Fraction) else str(value),
    "number": lambda value: f"{float(value):,.2f}",
    "figure": str,
    "formula": units.formula,
    "latex": str,
    "seconds": units.seconds,
    "bytes": units.bytes_,
    "rho": lambda value: f"{value:.3f}",
    "rate": lambda value: f"{units.prose(int(value))}FLOP/s",
}


def cell(value: Cell, column: Column) -> str:
    """One value as people read it."""
    style = column.style
    if value is None:
        return NOTHING
    if isinstance(value, Marked):
        return units.marked(value.value, value.mark)
    if isinstance(value, str):
        return units.formula(value) if style in ("figure", "formula") else column.words.get(value, value)
    if isinstance(value, Fraction) and style == "count":
        return f"{float(value):.2f}"
    return _STYLES[style](value)


def text(view: View) -> str:
    """Plain tables of full width, for pipes and files."""
    return _document(view, "simple", str, str, "\n")


def markdown(view: View) -> str:
    """GitHub tables with right-aligned numbers."""
    return _document(view, "pipe", lambda title: f"### {title}", escaped, "\n\n")


def _document(
    view: View, style: str, heading: Callable[[str], str], escape: Callable[[str], str], joint: str
) -> str:
    parts = [
        part for grid in view.grids for part in (heading(escape(grid.title)), tabulated(grid, style, escape))
    ]
    notes = [
        line for note in view.notes for line in (wrap(note, NOTE_WIDTH) if style == "simple" else [note])
    ]
    parts += [joint.join(escape(line) for line in lines) for lines in (notes, view.summary) if lines]
    return "\n\n".join(parts) + "\n"


def tabulated(grid: Grid, style: str, escape: Callable[[str], str]) -> str:
    """One grid as a plain table in a ``style`` of tabulate's, every text escaped."""
    columns = columns_shown(grid)
    rows = [
        [
            f"${shown}$"
            if column.style == "latex" and style == "pipe"
            else _joined(escape(shown), column, style)
            for shown, column in zip(row, columns, strict=True)
        ]
        for row in rows_shown(grid)
    ]
    head = [escape(column.label) for column in columns]
    right = [column.style in RIGHT for column in columns]
    if style == "simple":
        return _aligned(head, rows, right)
    from tabulate import tabulate

    return tabulate(
        rows,
        headers=head,
        tablefmt=style,
        colalign=["right" if each else "left" for each in right],
        disable_numparse=True,
        preserve_whitespace=True,
    )


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """What tabulate calls simple; importing tabulate takes a tenth of the time of a small command."""
    widths = [max(map(len, column)) for column in zip([f"{label}  " for label in head], *rows, strict=True)]
    lines = [
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in (head, ["-" * width for width in widths], *rows)
    ]
    return "\n".join(lines)


def _joined(shown: str, column: Column, style: str) -> str:
    """In Markdown a figure and its unit stay on one line."""
    return shown.replace(" ", "&nbsp;") if style == "pipe" and column.style in UNITS else shown


def rows_shown(grid: Grid) -> list[list[str]]:
    """Rows and total as people read them; a leading group stands as a line of its own above its rows."""
    rows = [*grid.rows, *([grid.total] if grid.total else [])]
    lines = [[cell(value, column) for value, column in zip(row, grid.columns, strict=True)] for row in rows]
    if grid.columns[0].style != "group":
        return lines
    grouped: list[list[str]] = []
    for before, line in zip([[""], *lines], lines, strict=False):
        if before[0] != line[0]:
            grouped.append([line[0], *[""] * (len(line) - 2)])
        grouped.append([f"  {line[1]}", *line[2:]])
    return grouped


def columns_shown(grid: Grid) -> tuple[Column, ...]:
    """The columns that :func:`rows_shown` fills."""
    return grid.columns[1:] if grid.columns[0].style == "group" else grid.columns


def escaped(shown: str) -> str:
    """Markdown's and HTML's own characters made harmless; ``_`` within a word is harmless already."""
    for char, safe in (("\\", "\\\\"), ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        shown = shown.replace(char, safe)
    for char in "|`*[~":
        shown = shown.replace(char, f"\\{char}")
    return shown.replace(" %", "&nbsp;%")  # a figure and its unit stay on one line


def csv_(view: View) -> str:
    """One block per grid with a blank line between; counts are plain integers.

    Rows only: a total among them would be counted twice by whoever sums the column.
    """
    import csv
    import io

    out = io.StringIO()
    for index, grid in enumerate(view.grids):
        writer = csv.writer(out, lineterminator="\n")
        if index:
            out.write("\n")
        writer.writerow([column.key for column in grid.columns])
        writer.writerows([_plain(value, "x") for value in row] for row in filled(grid))
    return out.getvalue()


def _plain(value: Cell, joint: str) -> Any:
    if isinstance(value, tuple):
        return joint.join(str(part) for part in value)
    return _data(value)


def json_(view: View) -> str:
    """The envelope with schema, result, provenance and warnings; counts are integers."""
    result: dict[str, Any] = {key: _data(value) for key, value in view.facts.items()}
    for grid in view.grids:
        rows = [_object(grid.columns, row) for row in filled(grid)]
        total = _object(grid.columns, grid.total) if grid.total else None
        result[grid.key] = {"rows": rows, **({"total": total} if total else {})}
    result |= {"notes": list(view.notes), "summary": list(view.summary)}
    return _dumped(
        {
            "schema": f"costcalc.{view.kind}/1",
            "result": result,
            "provenance": dict(view.provenance),
            "warnings": list(view.warnings),
        }
    )


def problems(found: list[dict[str, Any]], exit_code: int) -> str:
    """The envelope of an error."""
    return _dumped({"schema": "costcalc.error/1", "errors": found, "exit_code": exit_code})


def _dumped(data: Any) -> str:
    import json

    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def filled(grid: Grid) -> list[tuple[Cell, ...]]:
    """Rows by themselves: a name left out because the row above has it is written again."""
    rows: list[tuple[Cell, ...]] = []
    for row in grid.rows:
        repeated = row[0] == "" and rows
        rows.append((rows[-1][0], *row[1:]) if repeated else row)
    return rows


def _object(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, value in zip(columns, row, strict=True):
        place = found.setdefault(column.under, {}) if column.under else found
        place[column.key] = _data(value)
        exact = value.value if isinstance(value, Marked) else value
        if column.style in ("ratio", "figure") and isinstance(exact, Fraction):
            found[f"{column.key}_exact"] = str(exact)
    return found


def _data(value: Cell) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Marked):
        return int(value.value) if value.value.denominator == 1 else float(value.value)
    return float(value) if isinstance(value, Fraction) else value


def rich(view: View, console: Console) -> str:
    """Tables for that terminal, as roomy as its width allows; numbers are never cut."""
    from rich.text import Text

    with console.capture() as capture:
        for grid in view.grids:
            console.print(Text(grid.title, style="bold"))
            lines, columns = rows_shown(grid), columns_shown(grid)
            for chosen in _fitting(_widths(lines, columns), columns, console.width):
                piece, named = [[line[i] for i in chosen] for line in lines], [columns[i] for i in chosen]
                console.print(_table(piece, named, console.width, bool(grid.total)))
                console.print()
        for note in view.notes:
            console.print(Text(note, style="dim"))
        for sentence in view.summary:
            console.print(Text(sentence, style="bold" if view.passed else "bold red"))
    return capture.get()


def _widths(lines: list[list[str]], columns: Sequence[Column]) -> list[int]:
    """What each column needs: numbers and names all of it, long text no more than a few words."""
    found = []
    for index, column in enumerate(columns):
        width = max([len(column.label), *(len(line[index]) for line in lines)])
        found.append(min(width, TEXT_WIDTH) if column.style in WRAPPED else width)
    return found


def _fitting(needed: Sequence[int], columns: Sequence[Column], width: int) -> list[list[int]]:
    """Columns in as few tables as the width allows, each beginning with the names."""
    names = [index for index, column in enumerate(columns) if column.style == "name"]
    tables = [list(names)]
    for index in range(len(columns)):
        if index in names:
            continue
        taken = sum(needed[i] + GAPS[-1] for i in (*tables[-1], index)) - GAPS[-1]
        if taken > width and tables[-1] != names:
            tables.append(list(names))
        tables[-1].append(index)
    return tables


def split(grid: Grid, width: int, gap: int) -> list[Grid]:
    """The grid as few that are at most ``width`` characters wide, ``gap`` of them between columns.

    Each begins with the names; a column wider than that stands alone beside them.
    """
    columns = columns_shown(grid)
    groups = range(len(grid.columns) - len(columns))
    needed = [wide + gap - GAPS[-1] for wide in _widths(rows_shown(grid), columns)]
    tables = _fitting(needed, columns, width)
    return [_chosen(grid, [*groups, *(len(groups) + index for index in table)]) for table in tables]


def _chosen(grid: Grid, indexes: Sequence[int]) -> Grid:
    """The grid with these columns only."""
    columns = tuple(grid.columns[i] for i in indexes)
    rows = tuple(tuple(row[i] for i in indexes) for row in grid.rows)
    total = tuple(grid.total[i] for i in indexes) if grid.total else None
    return replace(grid, columns=columns, rows=rows, total=total)


def _table(lines: list[list[str]], columns: Sequence[Column], width: int, totalled: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    needed = sum(_widths(lines, columns))
    gap = next((gap for gap in GAPS if needed + gap * (len(columns) - 1) <= width), GAPS[-1])
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, gap // 2), pad_edge=False, show_edge=False, show_footer=totalled
    )
    totals = lines.pop() if totalled else [""] * len(columns)
    for column, total in zip(columns, totals, strict=True):
        table.add_column(
            Text(column.label),
            Text(total, style="bold"),
            justify="right" if column.style in RIGHT else "left",
            no_wrap=column.style not in WRAPPED,
        )
    for line in lines:
        table.add_row(*(Text(shown, style=WORDS.get(shown, "")) for shown in line))
    return table


# a colour beside the word; the word alone says it too
WORDS = {
    "within": "green",
    "exceeded": "red",
    "no": "red",
    "confirmed": "green",
    "missed": "yellow",
    "warned": "yellow",
}


FORMATS: dict[str, Callable[[View], str]] = {"text": text, "markdown": markdown, "csv": csv_, "json": json_}


def written(view: View, form: str) -> str:
    """The view in one of ``FORMATS``; raises :class:`CostcalcError` for an unknown one."""
    if form not in FORMATS:
        raise CostcalcError(f"no format {shortened(form)}{known_format(form)}")
    return FORMATS[form](view)


def known_format(form: str) -> str:
    """The nearest format, or all of them."""
    return did_you_mean(form, FORMATS) or f"; there are {', '.join(FORMATS)}"
