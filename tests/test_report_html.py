"""The page: strict HTML that refers to nothing elsewhere, tables with raw values, every element shown."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args
from xml.etree.ElementTree import Element as Node

import documents
import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc import render
from costcalc.errors import CostcalcError
from costcalc.records import Column, Grid, Marked
from costcalc.report import html, inline, templating
from costcalc.report.diagram import step
from costcalc.report.document import Chart, Diagram, Document, Element, Formula, Items, Section, Table, Text
from costcalc.report.tags import anchor, visible

REPORTS = Path(__file__).parent.parent / "reports"
SAMPLES = [documents.googlenet(), documents.hostile()]


def parsed(text: str) -> Node:
    """As a strict parser reads it: the first thing out of place is an error."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)  # type: ignore[no-any-return]


def holding(*elements: Element) -> Document:
    return Document("name", "title", "lead", (Section("heading", elements),), ())


def shown(*elements: Element) -> Node:
    return one(parsed(html.page([holding(*elements)], "title")), ".//section")


def elements(document: Document) -> list[Element]:
    return [element for section in document.sections for element in section.elements]


def one(node: Node, path: str) -> Node:
    (found,) = node.findall(path)
    return found


def said(node: Node) -> str:
    return "".join(node.itertext())


def test_there_is_a_sample_of_every_element() -> None:
    assert {type(element) for document in SAMPLES for element in elements(document)} == set(get_args(Element))


@pytest.mark.parametrize("kind", get_args(Element))
def test_every_element_is_written(kind: type[Element]) -> None:
    for document in SAMPLES:
        for element in elements(document):
            if isinstance(element, kind):
                assert len(list(shown(element))) == 2  # below the heading


@pytest.mark.parametrize(
    "chosen", [SAMPLES[:1], SAMPLES[1:], SAMPLES, []], ids=["one", "hostile", "two", "none"]
)
def test_the_page_is_strict_html(chosen: list[Document]) -> None:
    text = html.page(chosen, documents.HOSTILE[2])
    root = parsed(text)
    assert text == html.page(chosen, documents.HOSTILE[2])
    ids = [node.attrib["id"] for node in root.iter() if "id" in node.attrib]
    assert len(ids) == len(set(ids))
    targets = [node.attrib["href"] for node in root.iter("a") if node.attrib["href"].startswith("#")]
    assert {target[1:] for target in targets} <= set(ids)


@pytest.mark.parametrize("document", SAMPLES, ids=lambda document: document.name)
def test_nothing_is_fetched(document: Document) -> None:
    root = parsed(html.page([document], "title"))
    assert not [node.tag for node in root.iter() if {"src", "srcset", "data", "poster"} & set(node.attrib)]
    linked = {node.tag for node in root.iter() if "href" in node.attrib}
    assert linked == {"a"}
    assert {"link", "iframe", "object", "img", "image", "use", "base"}.isdisjoint(
        {node.tag for node in root.iter()}
    )
    style = "".join(said(node) for node in root.iter("style"))
    assert "url(" not in style
    assert "@import" not in style
    policy = one(root, ".//meta[@http-equiv]")
    assert policy.attrib["content"].startswith("default-src 'none';")
    assert len(list(root.iter("script"))) == 1


def test_no_name_becomes_markup() -> None:
    """The hostile page has the tags of the tame one."""
    hostile = parsed(html.page([SAMPLES[1]], "title"))
    tame = {node.tag for document in SAMPLES[:1] for node in parsed(html.page([document], "t")).iter()}
    assert {node.tag for node in hostile.iter()} <= tame | {"details", "summary", "span"}
    assert not [name for node in hostile.iter() for name in node.attrib if name.startswith("on")]
    urls = {node.attrib["href"] for node in hostile.iter("a")}
    assert not [url for url in urls if ":" in url]


@given(st.text(max_size=60))
def test_any_text_stays_what_it_says(text: str) -> None:
    made = html.page([holding(Text(inline.literal(text)), Items((inline.code(text),)))], text)
    root = parsed(made)
    assert said(one(root, ".//section/p")) == visible(text)
    assert said(one(root, ".//title")) == visible(text)
    assert said(one(root, ".//section/ul/li")) == visible(text)


def test_the_markup_of_a_text() -> None:
    (_, paragraph) = shown(Text("**bold `code`** and [`x`](a.md), \\`not\\` [z](javascript:alert)"))
    assert [node.tag for node in paragraph.iter()] == ["p", "strong", "code", "a", "code"]
    assert said(paragraph) == "bold code and x, `not` [z](javascript:alert)"


def test_links_between_documents_lead_to_their_places() -> None:
    one = replace(holding(Text("[to two](two.md) and [away](three.md)")), name="one")
    root = parsed(html.page([one, replace(holding(), name="two")], "title"))
    assert [node.attrib["href"] for node in root.iterfind(".//section/p/a")] == ["#two", "three.md"]


def test_headings_follow_each_other() -> None:
    for chosen, wanted in ((SAMPLES[:1], ["h1", "h2"]), (SAMPLES, ["h1", "h2", "h3"])):
        root = parsed(html.page(chosen, "title"))
        tags = [node.tag for node in root.iter() if re.fullmatch("h[1-6]", str(node.tag))]
        assert sorted(set(tags)) == wanted
        assert tags.count("h1") == 1


def test_the_contents_name_every_section() -> None:
    root = parsed(html.page(SAMPLES, "title"))
    found = [said(node) for node in root.iterfind(".//nav//a")]
    wanted = [text for d in SAMPLES for text in (d.title, *(section.heading for section in d.sections))]
    assert [text.strip() for text in found] == [visible(text).strip() for text in wanted]


def rows(node: Node, part: str = "tbody") -> list[list[Node]]:
    return [list(row) for row in node.iterfind(f".//{part}/tr") if row.attrib.get("class") != "group"]


@pytest.mark.parametrize("document", SAMPLES, ids=lambda document: document.name)
def test_tables_show_what_people_read_and_hold_raw_values(document: Document) -> None:
    for element in elements(document):
        if isinstance(element, Table):
            (_, frame) = shown(element)
            grid, columns = element.grid, render.columns_shown(element.grid)
            hidden = len(grid.columns) - len(columns)
            assert [said(cell) for cell in rows(frame, "thead")[0]] == [visible(c.label) for c in columns]
            for cells, row in zip(rows(frame), grid.rows, strict=True):
                values = [render.cell(v, c) for v, c in zip(row[hidden:], columns, strict=True)]
                assert [said(cell) for cell in cells] == [visible(value) for value in values]
                for cell, value in zip(cells, row[hidden:], strict=True):
                    if isinstance(value, (int, float, Fraction)):
                        assert float(cell.attrib["data-value"]) == float(value)
            assert len(rows(frame, "tfoot")) == (1 if grid.total else 0)


STYLES = (
    ("name", "conv2", "conv2", None),
    ("shape", (64, 112, 112), str(64 * 112 * 112), None),
    ("count", 1_498_677_248, "1498677248", "number"),
    ("count", 10**25 + 1, str(10**25 + 1), "number"),
    ("percent", Fraction(1, 4), "0.25", "number"),
    ("ratio", Fraction(25, 18), repr(25 / 18), "number"),
    ("ratio", Fraction(3), "3", "number"),
    ("figure", Marked(Fraction(159_000), ""), "159000", "number"),
    ("seconds", 0.0042, "0.0042", "number"),
    ("count", None, None, "number"),
    ("text", "short", "short", None),
    ("text", "long " * 20, "long " * 20, "long"),
    ("text", "within", "within", "green"),
    ("text", "exceeded", "exceeded", "red"),
)


@pytest.mark.parametrize(("style", "value", "raw", "kind"), STYLES)
def test_every_cell_is_sorted_by_its_value(style: Any, value: Any, raw: str | None, kind: str | None) -> None:
    grid = Grid("g", "t", (Column("n", "n", "name"), Column("c", "c", style)), (("row", value),))
    ((_, cell),) = rows(shown(Table(grid)))
    assert cell.attrib.get("data-value") == raw
    assert cell.attrib.get("class") == kind


def test_a_share_has_a_bar_behind_it() -> None:
    columns = (
        Column("n", "n", "name"),
        Column("macs_share", "share", "percent"),
        Column("saving", "saving", "percent"),
    )
    grid = Grid(
        "g", "t", columns, (("a", Fraction(1, 4), Fraction(1, 4)), ("b", Fraction(0), None), ("c", -0.1, 2.0))
    )
    found = [[cell.attrib.get("style") for cell in row[1:]] for row in rows(shown(Table(grid)))]
    assert found == [["--share: 25.00%", None], [None, None], [None, None]]


def test_groups_are_bodies_with_a_name() -> None:
    columns = (Column("g", "group", "group"), Column("n", "name", "name"), Column("c", "c", "count"))
    grid = Grid("g", "t", columns, (("x", "a", 1), ("x", "b", 2), ("y", "c", 3)), ("", "total", 6))
    (_, frame) = shown(Table(grid))
    bodies = [[said(row) for row in body] for body in frame.iter("tbody")]
    assert bodies == [["x", "a1", "b2"], ["y", "c3"]]
    assert [node.attrib["colspan"] for node in frame.iter("th") if node.attrib["scope"] == "rowgroup"] == [
        "2",
        "2",
    ]
    assert said(rows(frame, "tfoot")[0][0]) == "total"


def test_a_name_that_the_row_above_has_is_there_for_sorting() -> None:
    grid = Grid(
        "g", "t", (Column("n", "name", "name"), Column("c", "c", "count")), (("a", 1), ("", 2), ("b", 3))
    )
    heads = [row[0] for row in rows(shown(Table(grid)))]
    assert [(said(head), head.attrib.get("class")) for head in heads] == [
        ("a", None),
        ("a", "same"),
        ("b", None),
    ]


def test_a_folded_table_says_what_is_in_it() -> None:
    grid = Grid("g", "<all>", (Column("n", "name", "name"),), (("a",), ("b",)))
    (_, frame) = shown(Table(grid, open=False))
    assert frame.tag == "details"
    assert said(one(frame, "summary")) == "<all> 2 rows"
    (_, frame) = shown(Table(replace(grid, rows=(("a",),)), open=False))
    assert said(one(frame, "summary")) == "<all> 1 row"


def test_charts_are_there_for_a_wide_page_and_a_narrow_one() -> None:
    for element in elements(SAMPLES[0]):
        if isinstance(element, get_args(Chart)):
            (_, figure) = shown(element)
            assert [node.attrib["class"] for node in figure.iter("div")] == ["wide", "narrow"]
            assert said(one(figure, "figcaption")).startswith(element.title)


def test_a_note_stands_below_its_chart() -> None:
    chart = replace(documents.scatter(), note="A `point` is [one](name.md) & all.")
    *_, note = one(shown(chart), ".//figure")
    assert "".join(note.itertext()) == "A point is one & all."
    assert one(note, ".//a").get("href") == "#name"
    assert "figure><p>" not in html.page([holding(documents.scatter())], "title")


def test_a_diagram_is_drawn() -> None:
    (_, figure) = shown(documents.module())
    groups = [node for node in figure.iter() if str(node.tag).endswith("}g") or node.tag == "g"]
    assert len(groups) == len(documents.module().boxes)


def test_a_formula_is_a_text() -> None:
    (_, paragraph) = shown(Formula("a \\cdot b", "a·b < c"))
    assert said(paragraph) == "a·b < c"


def test_the_shipped_files_stay_small() -> None:
    for name in ("chart.css", "style.css", "page.js", "page.html", "page.md"):
        assert templating.shipped(name).count("\n") < 150


def test_a_team_may_have_its_own_template() -> None:
    template = (
        "<h1>{{ title }}</h1><style>{{ style }}</style>"
        "{% for d in documents %}{{ d.title }} {{ d.lead | text }}"
        "{% for e in d.sections[0].elements %}{{ e | element }}{% endfor %}{% endfor %}"
        "<script>{{ script }}</script>"
    )
    made = html.page([replace(holding(Text("**b**")), title="<t>")], "<x>", template)
    assert made.startswith("<h1>&lt;x&gt;</h1><style>/* colours")
    assert "&lt;t&gt; lead<p><strong>b</strong></p>" in made
    filters = (
        "{{ e[0] | table }}{{ e[1] | chart }}{{ e[2] | diagram }}{{ e[3] | formula }}{{ 'A b' | anchor }}"
    )
    chosen = (
        Table(Grid("g", "t", (Column("n", "n", "name"),), ())),
        documents.grouped(),
        documents.module(),
        Formula("", "f"),
    )
    made = html.page([holding(*chosen)], "x", "{% set e = documents[0].sections[0].elements %}" + filters)
    assert made.count("<figure>") == 2
    assert made.endswith("<code>f</code></p>a-b\n")


def test_a_broken_template_names_its_line() -> None:
    with pytest.raises(
        CostcalcError,
        match=r"^ours\.html:2:1: this template cannot be filled: UndefinedError: 'page' is undefined$",
    ):
        html.page([], "x", "<p>\n{{ page.title }}", "ours.html")


def test_anchors_are_words() -> None:
    assert anchor("torchvision:resnet18 @ n=3") == "torchvision-resnet18-n-3"


def test_a_box_has_the_colour_of_its_weight() -> None:
    (_, figure) = shown(documents.module())
    found = [
        node.attrib["class"]
        for node in figure.iter()
        if node.attrib.get("class", "").startswith("box") and "rx" in node.attrib
    ]
    assert found == [f"box c{step(box.weight)}" for box in documents.module().boxes]
    assert isinstance(documents.module(), Diagram)


@pytest.mark.parametrize("path", sorted(REPORTS.glob("*.html")), ids=lambda path: path.name)
def test_every_page_in_the_repository_is_strict_html(path: Path) -> None:
    assert len(list(parsed(path.read_text(encoding="utf-8")).iter("article"))) > 1
