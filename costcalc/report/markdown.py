"""A document as Markdown for GitHub, with its charts as SVG files beside it.

A template of a team's own is given ``document`` (:class:`~costcalc.report.document.Document`) and these
filters: ``text`` (a text with its markup), ``plain`` (a title, heading or label), ``table``, ``chart`` (a
link to the image), ``diagram``, ``formula``, and ``element``, which takes any of them by its type. The
shipped one is ``templates/page.md``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any, get_args

from costcalc import render
from costcalc.errors import Misfit
from costcalc.report import charts, diagram, inline, templating
from costcalc.report.document import Chart, Diagram, Document, Element, Formula, Items, Scatter, Table, Text
from costcalc.report.tables import rows_of
from costcalc.report.tags import anchor, visible

WIDTH, GAP = 122, 3  # characters that GitHub shows side by side, and what a border takes of them
_LEADING = re.compile(r"\A(?:#(?=[#\s]|$)|[+-](?=[\s-]|$)|[0-9]{1,9}[.)](?=\s|$))")  # headings, lists, rules


def written(document: Document, template: str | None = None, source: str = "template") -> dict[str, str]:
    """The page and the charts that it shows, by the names of their files.

    Raises :class:`~costcalc.errors.CostcalcError` for a template that cannot be filled; ``source`` is
    what it is called there.
    """
    found = _charts(document)
    filters: dict[str, Callable[..., str]] = {
        "element": lambda element: _element(element, document),
        "chart": lambda chart: _image(chart, document),
        "plain": _plain,
        "text": _text,
        "table": _table,
        "diagram": _diagram,
        "formula": _formula,
    }
    text = templating.shipped("page.md") if template is None else template
    page = templating.filled(text, source, {"document": document}, filters, autoescape=False)
    images = {name: charts.svg(chart) for name, chart in found.items() if f"({name})" in page}
    return {f"{document.name}.md": page, **images}


def _charts(document: Document) -> dict[str, Chart]:
    """Every chart by the name of its file; two of one name would be one file."""
    found: dict[str, Chart] = {}
    for section in document.sections:
        for element in section.elements:
            if isinstance(element, get_args(Chart)):
                if (name := _file(element, document)) in found:
                    raise Misfit(f"document {document.name}: two charts have the key {element.key!r}")
                found[name] = element
    return found


def _file(chart: Chart, document: Document) -> str:
    return f"charts/{document.name}-{anchor(chart.key)}.svg"


def _element(element: Element, document: Document) -> str:
    if isinstance(element, get_args(Chart)):
        return _image(element, document)
    return _WRITTEN[type(element)](element)


def _image(chart: Chart, document: Document) -> str:
    note = f"\n\n{_text(chart.note)}" if isinstance(chart, Scatter) and chart.note else ""
    return f"![{_plain(chart.title)}]({_file(chart, document)}){note}"


def _plain(text: str) -> str:
    """Without emphasis by ``_`` around a word, and without GitHub's formulas between two ``$``."""
    shown = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", render.escaped(visible(text)))
    return shown.replace("$", "<span>$</span>")


_MARKUP = inline.Markup(
    _plain, lambda text: f"`{text}`", lambda text: f"**{text}**", lambda text, url: f"[{text}]({url})"
)


def _text(text: str) -> str:
    """A paragraph, which is never taken for anything else."""
    shown = inline.rendered(text, _MARKUP).strip()
    return _LEADING.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", shown)


def _items(items: Items) -> str:
    return "\n".join(f"- {_text(item)}" for item in items.items)


def _table(table: Table) -> str:
    """GitHub tables, as many as it takes to see every column beside the names, folded unless open."""
    pieces = render.split(table.grid, WIDTH, GAP)
    tables = "\n\n".join(render.tabulated(piece, "pipe", _plain) for piece in pieces)
    if table.open:
        return f"**{_plain(table.grid.title)}**\n\n{tables}" if table.grid.title else tables
    title = f"{html.escape(visible(table.grid.title))} ({rows_of(table.grid)})"
    return f"<details>\n<summary>{title}</summary>\n\n{tables}\n\n</details>"


def _diagram(shown: Diagram) -> str:
    title = f"**{_plain(shown.title)}**\n\n" if shown.title else ""
    return f"{title}```mermaid\n{diagram.mermaid(shown)}```"


def _formula(formula: Formula) -> str:
    if not formula.latex:
        return _text(inline.code(formula.text))
    return f"```math\n{visible(formula.latex).strip()}\n```"


_WRITTEN: dict[type, Callable[[Any], str]] = {
    Text: lambda element: _text(element.text),
    Items: _items,
    Table: _table,
    Diagram: _diagram,
    Formula: _formula,
}
