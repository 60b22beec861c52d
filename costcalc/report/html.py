"""Documents as one HTML page that works from disk: no network, no fonts or scripts from elsewhere.

A template of a team's own is given ``documents``, ``title``, ``style`` and ``script`` (ours, to be set
between its tags), and these filters: ``text`` (a text with its markup), ``table``, ``chart``, ``diagram``,
``formula``, ``element`` (any of them by its type) and ``anchor`` (a name as an ``id``). Whatever else it
shows is escaped. The shipped one is ``templates/page.html``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from costcalc.report import charts, inline, tables, templating
from costcalc.report.document import Chart, Diagram, Document, Element, Formula, Items, Scatter, Table, Text
from costcalc.report.picture import picture
from costcalc.report.tags import anchor, escaped, tag


def page(
    documents: Sequence[Document], title: str, template: str | None = None, source: str = "template"
) -> str:
    """The page; links between its documents lead to their places in it.

    Raises :class:`~costcalc.errors.CostcalcError` for a template that cannot be filled; ``source`` is
    what it is called there.
    """
    from markupsafe import Markup

    places = {f"{document.name}.md": f"#{anchor(document.name)}" for document in documents}
    filters: dict[str, Callable[..., str]] = {
        "text": lambda text: _text(text, places),
        "element": lambda element: _element(element, places),
        "table": tables.table,
        "chart": lambda chart: _chart(chart, places),
        "diagram": _diagram,
        "formula": _formula,
    }
    given = {
        "documents": documents,
        "title": title,
        "style": Markup(charts.STYLE + templating.shipped("style.css")),
        "script": Markup(templating.shipped("page.js")),
    }
    safe = {name: _as_markup(made) for name, made in filters.items()} | {"anchor": anchor}
    text = templating.shipped("page.html") if template is None else template
    return templating.filled(text, source, given, safe, autoescape=True)


def _as_markup(made: Callable[..., str]) -> Callable[..., str]:
    """The filter, whose text the template does not escape again."""
    from markupsafe import Markup

    return lambda shown: Markup(made(shown))


def _text(text: str, places: Mapping[str, str]) -> str:
    markup = inline.Markup(
        escaped,
        lambda code: tag("code", escaped(code)),
        lambda inner: tag("strong", inner),
        lambda inner, url: tag("a", inner, href=places.get(url, url)),
    )
    return inline.rendered(text, markup)


def _element(element: Element, places: Mapping[str, str]) -> str:
    if isinstance(element, get_args(Chart)):
        return _chart(element, places)
    if isinstance(element, Text):
        return tag("p", _text(element.text, places))
    if isinstance(element, Items):
        return tag("ul", *(tag("li", _text(item, places)) for item in element.items))
    return _WRITTEN[type(element)](element)


def _chart(chart: Chart, places: Mapping[str, str]) -> str:
    """The chart twice, of which the page shows the one that suits its width, and its note."""
    widths = {"wide": charts.WIDE, "narrow": charts.NARROW}
    title = tag("figcaption", escaped(chart.title), " ", tag("small", escaped(charts.unit(chart))))
    drawn = [tag("div", charts.drawn(chart, widths[kind]), class_=kind) for kind in widths]
    note = [tag("p", _text(chart.note, places))] if isinstance(chart, Scatter) and chart.note else []
    return tag("figure", title, *drawn, *note)


def _diagram(diagram: Diagram) -> str:
    title = tag("figcaption", escaped(diagram.title))
    return tag("figure", title, tag("div", picture(diagram), class_="scroll", tabindex="0"))


def _formula(formula: Formula) -> str:
    return tag("p", tag("code", escaped(formula.text)), class_="formula")


_WRITTEN: dict[type, Callable[[Any], str]] = {Table: tables.table, Diagram: _diagram, Formula: _formula}
