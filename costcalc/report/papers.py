"""The cost side of a paper as a reader's companion: ``papers/*.yaml`` → one document each.

A file has a title, a lead and sections; a section has a heading and ``content``: paragraphs, and
entries of one key each, see :data:`ENTRIES`. All sentences are :mod:`costcalc.report.prose`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from costcalc import publications
from costcalc.api import comparing, counting, formulating, publishing
from costcalc.api.publishing import Claims
from costcalc.errors import CostcalcError, Misfit
from costcalc.publications import quantities
from costcalc.records import Cell, Column, Grid, Style
from costcalc.report import arithmetic, drawing, prose
from costcalc.report.architecture import Made
from costcalc.report.document import (
    Bar,
    Bars,
    Document,
    Element,
    Formula,
    Grouped,
    Items,
    Section,
    Series,
    Table,
    Text,
)
from costcalc.report.wording import listed, several
from costcalc.spec.source import read
from costcalc.views.metrics import CONVENTION

PREFIX = "paper-"
_FILES = Path(__file__).resolve().parent / "papers"
FOLLOWED = (
    "Every number is computed from the layers, unless it stands in quotation marks; these are the paper's:"
)
STYLES: dict[str, Style] = {"count": "count", "ratio": "ratio", "percent": "percent", "times": "number"}
Entry = Mapping[str, Any]


def names() -> list[str]:
    """What the papers are called on the command line, sorted."""
    return sorted(f"{PREFIX}{path.stem}" for path in _FILES.glob("*.yaml"))


@cache
def source(name: str) -> Entry:
    """A paper's file as plain data."""
    path = _FILES / f"{name.removeprefix(PREFIX)}.yaml"
    found: Entry = read(path.read_text(encoding="utf-8"), path.name).plain()
    return found


def paper(name: str, made: Made) -> Document:
    """The companion of a paper; raises :class:`CostcalcError` for a broken file."""
    entry = source(name)
    try:
        sections = [_section(each) for each in entry["sections"]]
        lead = prose.written(entry["lead"])
    except Misfit as misfit:
        raise CostcalcError(f"{name}: {misfit}") from None
    key = entry["publication"]
    footer = (f"{FOLLOWED} {publications.cited()[key]}.", *made.footer())
    return Document(name, entry["title"], lead, (*sections, _claimed(key)), footer)


def _section(entry: Entry) -> Section:
    return Section(prose.written(entry["heading"]), tuple(_element(each) for each in entry["content"]))


def _element(entry: str | Entry) -> Element:
    if isinstance(entry, str):
        return Text(prose.written(entry))
    ((key, value),) = entry.items()
    return ENTRIES[key](value)


def _items(texts: Sequence[str]) -> Items:
    return Items(tuple(map(prose.written, texts)))


def _claims(ids: Sequence[str]) -> Table:
    """Some claims, a line each."""
    chosen = tuple(publications.judged(publications.named(id)) for id in ids)
    grid = Claims(chosen).view().grids[0]
    kept = [index for index, column in enumerate(grid.columns) if column.key != "publication"]
    columns = tuple(grid.columns[index] for index in kept)
    rows = tuple(tuple(row[index] for index in kept) for row in grid.rows)
    return Table(Grid("claims", "what is claimed, and what comes out", columns, rows))


def _derivation(id: str) -> Table:
    """A claim with numbers filled in, step by step."""
    return Table(next(grid for grid in publishing.claim(id).view().grids if grid.key == "derivation"))


def _readings(id: str) -> Table:
    """A claim figure by figure: as printed, exact, and how far apart."""
    return Table(next(grid for grid in publishing.claim(id).view().grids if grid.key == "readings"))


def _compare(names: Sequence[str]) -> Table:
    """Totals side by side."""
    return Table(comparing.compare(*names, by="formula").view().grids[0])


def _diagram(name: str) -> Element:
    """The blocks of a spec."""
    found = drawing.diagram(counting.costs(name, by="formula"), "blocks-" + name.replace("@", "-"))
    if found is None:
        raise Misfit(f"{name} has no diagram")
    return found


def _formula(entry: Entry) -> Formula:
    """One count of a spec in symbols."""
    found = formulating.closed_form(entry["of"], entry["symbols"]).expressions[entry["count"]]
    return arithmetic.formula(entry["label"], found)


def _values(entry: Entry) -> tuple[dict[str, str], list[list[Fraction]]]:
    """Label and key of each row, and the value of each of its columns."""
    of = entry["each"]["of"]
    rows = of if isinstance(of, dict) else {str(each): str(each) for each in of}
    expressions = [column["value"] for column in entry["columns"]]
    return rows, [
        [quantities.evaluated(text.replace("$", key))[0] for text in expressions] for key in rows.values()
    ]


def _table(entry: Entry) -> Table:
    """A row for each of several specs or blocks, a column for each expression on it."""
    rows, values = _values(entry)
    forms = [column.get("form", "count") for column in entry["columns"]]
    columns = (
        Column("name", entry["each"]["label"], "name"),
        *(
            Column(f"value{index}", column["label"], STYLES[form])
            for index, (column, form) in enumerate(zip(entry["columns"], forms, strict=True))
        ),
    )
    lines = tuple((name, *map(_cell, row, forms)) for name, row in zip(rows, values, strict=True))
    total: tuple[Cell, ...] = ("total", *map(_total, entry["columns"], zip(*values, strict=True)))
    return Table(Grid("table", entry["title"], columns, lines, total if entry.get("total") else None))


def _total(column: Entry, values: Sequence[Fraction]) -> Cell:
    """The sum of a column of counts; of a ratio, and of what does not add up, there is none."""
    adds_up = column.get("form", "count") == "count" and column.get("sum", True)
    return _cell(sum(values, Fraction()), "count") if adds_up else None


def _cell(value: Fraction, form: str) -> Cell:
    return int(value) if form == "count" and value.denominator == 1 else value


def _chart(entry: Entry) -> Bars | Grouped:
    """The same as bars: one a row, or one for each column."""
    rows, values = _values(entry)
    forms = [prose.form(column.get("form", "count")) for column in entry["columns"]]
    shown = [[form(value) for form, value in zip(forms, row, strict=True)] for row in values]
    key, title, unit = entry["key"], entry["title"], entry["unit"]
    if len(forms) == 1:
        bars = tuple(Bar(name, row[0], text[0]) for name, row, text in zip(rows, values, shown, strict=True))
        return Bars(key, title, bars, unit)
    series = tuple(
        Series(
            column["label"],
            tuple(row[index] for row in values),
            tuple(row[index] for row in shown),
        )
        for index, column in enumerate(entry["columns"])
    )
    return Grouped(key, title, tuple(rows), series, unit)


def _claimed(key: str) -> Section:
    """Every claim of the publication, with what comes out."""
    found = publishing.claims(paper=key)
    own = tuple(each for each in found.verdicts if each.claim.publication == key)
    times = Counter(each.claim.verdict for each in own)
    counted = [f"{times[word]} {word}" for word in publications.verdicts.MEANINGS if times[word]]
    said = f"Of {several(len(own), 'claim')} on cost: {listed(counted)}. `costcalc claims ID` derives each."
    notes = tuple(note for note in Claims(own).view().notes if note != CONVENTION)
    table = _claims([each.claim.id for each in own])
    return Section("Every claim, with its verdict", (Text(said), table, Items(notes)))


ENTRIES: dict[str, Callable[[Any], Element]] = {
    "items": _items,
    "derivation": _derivation,
    "readings": _readings,
    "compare": _compare,
    "diagram": _diagram,
    "formula": _formula,
    "table": _table,
    "chart": _chart,
}
