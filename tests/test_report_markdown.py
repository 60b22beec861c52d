"""Markdown as GitHub reads it: tables keep their cells, names are no markup, images lie beside the page."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, get_args
from xml.etree import ElementTree

import documents
import pytest
import test_report_diagram
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from costcalc import render
from costcalc.errors import CostcalcError, Misfit
from costcalc.records import Column, Grid
from costcalc.report import diagram, inline, markdown
from costcalc.report.document import (
    Bar,
    Bars,
    Chart,
    Diagram,
    Document,
    Element,
    Formula,
    Items,
    Section,
    Table,
    Text,
)
from costcalc.report.tags import visible

SAMPLES = [documents.googlenet(), documents.hostile()]
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


def holding(*elements: Element) -> Document:
    return Document("name", "title", "lead", (Section("heading", elements),), ())


def page(*elements: Element) -> str:
    return markdown.written(holding(*elements))["name.md"]


def elements(document: Document) -> list[Element]:
    return [element for section in document.sections for element in section.elements]


def read(text: str) -> list[Token]:
    return [part for token in MARKDOWN.parse(text) for part in (token, *(token.children or ()))]


def said(token: Token) -> str:
    """What a reader sees of one line of text."""
    kept = [
        "" if child.type == "html_inline" else child.content
        for child in token.children or ()
        if child.type in ("text", "code_inline", "text_special", "html_inline", "softbreak")
    ]
    return "".join(kept).replace("\N{NO-BREAK SPACE}", " ")


def tables(text: str) -> list[list[list[str]]]:
    """Every table row by row, as a reader of Markdown finds it; the first row are the headers."""
    found: list[list[list[str]]] = []
    for token in MARKDOWN.parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level >= 4:
            found[-1][-1].append(said(token))
    return found


def plain(text: str) -> str:
    return visible(text).strip()


def test_there_is_a_sample_of_every_element() -> None:
    assert {type(element) for document in SAMPLES for element in elements(document)} == set(get_args(Element))


@pytest.mark.parametrize("kind", get_args(Element))
def test_every_element_is_written(kind: type[Element]) -> None:
    for document in SAMPLES:
        for element in elements(document):
            if isinstance(element, kind):
                blank = isinstance(element, Text) and not plain(element.text)
                assert blank or len(page(element)) > len(page()) + 5


@pytest.mark.parametrize("document", SAMPLES, ids=lambda document: document.name)
def test_every_image_lies_beside_the_page(document: Document) -> None:
    files = markdown.written(document)
    assert files == markdown.written(document)
    text = files.pop(f"{document.name}.md")
    images = [str(token.attrs["src"]) for token in read(text) if token.type == "image"]
    assert sorted(images) == sorted(files)
    assert len(images) == sum(isinstance(element, get_args(Chart)) for element in elements(document))
    for svg in files.values():
        ElementTree.fromstring(svg)


@pytest.mark.parametrize("document", SAMPLES, ids=lambda document: document.name)
def test_a_document_has_one_title_and_its_headings(document: Document) -> None:
    tokens = MARKDOWN.parse(markdown.written(document)[f"{document.name}.md"])
    found = [(token.tag, said(after)) for token, after in pairwise(tokens) if token.type == "heading_open"]
    wanted = [("h1", document.title), *(("h2", section.heading) for section in document.sections)]
    assert found == [(tag, " ".join(plain(text).split(" "))) for tag, text in wanted]


@pytest.mark.parametrize("name", documents.HOSTILE)
def test_a_name_in_a_text_is_only_a_text(name: str) -> None:
    for text in (inline.literal(name), f"so is {inline.code(name)} called"):
        tokens = read(page(Text(text)))
        kinds = {token.type for token in tokens} - {"html_inline"}
        assert kinds <= {
            "heading_open",
            "heading_close",
            "inline",
            "text",
            "text_special",
            "paragraph_open",
            "paragraph_close",
            "code_inline",
        }
        assert {token.content for token in tokens if token.type == "html_inline"} <= {"<span>", "</span>"}
        paragraph = [said(token) for token in tokens if token.type == "inline"][-1]
        assert plain(name) in paragraph if plain(name) else paragraph in ("lead", "heading", "so is   called")


@given(st.text(max_size=60))
def test_any_text_stays_what_it_says(text: str) -> None:
    """Also one that looks like markup, written by someone who does not know of it."""
    lines = [said(token) for token in read(page(Text(f"x{inline.literal(text)}x"))) if token.type == "inline"]
    assert lines[-1] == visible(f"x{text}x").replace("\N{NO-BREAK SPACE}", " ")


def test_the_markup_of_a_text() -> None:
    text = page(Text("**bold `code`** and [`x`](a.md) or [y](https://e.org/a_b), 12 %, \\`not\\` **this*"))
    assert (
        "**bold `code`** and [`x`](a.md) or [y](https://e.org/a_b), 12&nbsp;%, \\`not\\` \\*\\*this\\*\n"
        in text
    )
    assert "\\[z](javascript:alert)" in page(Text("[z](javascript:alert)"))


def test_what_only_github_reads_is_harmless() -> None:
    assert "<span>$</span>x<span>$</span> and \\_y\\_ and a_b" in page(Text("$x$ and _y_ and a_b"))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("# a", r"\# a"),
        ("- a", r"\- a"),
        ("1. a", r"1\. a"),
        ("1.5 G", "1.5 G"),
        ("---", r"\---"),
        ("#1", "#1"),
        ("-5", "-5"),
        ("    a", "a"),
    ],
)
def test_a_paragraph_is_a_paragraph(text: str, written: str) -> None:
    assert page(Text(text)).endswith(f"\n\n{written}\n\n")
    assert f"\n- {written}\n" in page(Items((text,)))


def grid(columns: int, rows: int, name: str = "block") -> Grid:
    named = Column("n", "block", "name")
    numbers = tuple(Column(f"c{i}", f"column {i}", "count") for i in range(columns))
    filled = tuple(
        (f"{name}{row}", *(10 ** (row % 10) * (i + 1) for i in range(columns))) for row in range(rows)
    )
    total = ("total", *(sum(int(row[i + 1]) for row in filled) for i in range(columns)))  # type: ignore[call-overload]
    return Grid("g", "title", (named, *numbers), filled, total)


@pytest.mark.parametrize("document", SAMPLES, ids=lambda document: document.name)
def test_tables_keep_their_cells(document: Document) -> None:
    shown = [element for element in elements(document) if isinstance(element, Table)]
    assert shown
    for element in shown:
        found = tables(page(element))
        for piece, table in zip(render.split(element.grid, markdown.WIDTH, markdown.GAP), found, strict=True):
            headers = [plain(column.label) for column in render.columns_shown(piece)]
            assert [cell.strip() for cell in table[0]] == headers
            assert {len(row) for row in table} == {len(headers)}
            assert [[cell.strip() for cell in row] for row in table[1:]] == [
                [plain(cell).replace("\N{NO-BREAK SPACE}", " ") for cell in row]
                for row in render.rows_shown(piece)
            ]


def test_a_wide_table_is_several_that_repeat_the_names() -> None:
    wide = grid(20, 5)
    found = tables(page(Table(wide)))
    assert len(found) > 1
    for table in found:
        assert [row[0] for row in table] == ["block", *(f"block{i}" for i in range(5)), "total"]
    labels = [label for table in found for label in table[0][1:]]
    assert labels == [f"column {i}" for i in range(20)]
    for table in found:
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        assert sum(widths) + markdown.GAP * (len(widths) - 1) <= markdown.WIDTH


@given(st.integers(1, 40), st.integers(1, 4))
def test_no_column_is_lost_in_a_wide_table(columns: int, rows: int) -> None:
    pieces = render.split(grid(columns, rows), markdown.WIDTH, markdown.GAP)
    keys = [column.key for piece in pieces for column in piece.columns[1:]]
    assert keys == [f"c{i}" for i in range(columns)]
    assert all(piece.columns[0].key == "n" for piece in pieces)


def test_a_group_stays_above_its_rows_in_every_table() -> None:
    base = grid(20, 4)
    grouped = replace(
        base,
        columns=(Column("g", "group", "group"), *base.columns),
        rows=tuple((f"group{i // 2}", *row) for i, row in enumerate(base.rows)),
        total=None,
    )
    for table in tables(page(Table(grouped))):
        assert [row[0].strip() for row in table] == [
            "block",
            "group0",
            "block0",
            "block1",
            "group1",
            "block2",
            "block3",
        ]


def test_a_folded_table_says_what_is_in_it() -> None:
    text = page(Table(replace(grid(2, 30), title="<all> & more"), open=False))
    assert "<details>\n<summary>&lt;all&gt; &amp; more (30 rows)</summary>\n\n| block" in text
    assert "\n\n</details>\n" in text
    assert len(tables(text)) == 1


def test_numbers_stand_to_the_right() -> None:
    assert re.search(r"\|:-+\|-+:\|-+:\|", page(Table(grid(2, 2))))


def test_a_table_without_a_title_has_none() -> None:
    assert "**" not in page(Table(replace(grid(2, 2), title="")))


def test_a_share_keeps_its_sign() -> None:
    shown = Grid("g", "t", (Column("n", "n", "name"), Column("s", "s", "percent")), (("a", Fraction(1, 4)),))
    assert "25.0&nbsp;%" in page(Table(shown))


def test_a_note_stands_below_its_chart() -> None:
    chart = replace(documents.scatter(), note="A `point` is one | all.")
    assert "-presets.svg)\n\nA `point` is one \\| all.\n" in page(chart)
    assert page(documents.scatter()).rstrip().endswith("-presets.svg)")


def test_a_diagram_is_fenced_below_its_title() -> None:
    for shown in [
        element for document in SAMPLES for element in elements(document) if isinstance(element, Diagram)
    ]:
        fences = [token for token in MARKDOWN.parse(page(shown)) if token.type == "fence"]
        assert [token.info for token in fences] == ["mermaid"]
        test_report_diagram.assert_grammar(fences[0].content, shown)
        assert fences[0].content == diagram.mermaid(shown)


def test_a_formula_is_latex_or_else_a_text() -> None:
    assert "```math\na \\cdot b\n```" in page(Formula("a \\cdot b", "a·b"))
    assert "\n`a·b`\n" in page(Formula("", "a·b"))
    fences = [token for token in MARKDOWN.parse(page(Formula("x\n```\n# y", ""))) if token.type == "fence"]
    assert [token.content for token in fences] == ["x ``` # y\n"]


def test_two_charts_of_one_name_are_refused() -> None:
    chart = Bars("macs", "t", (Bar("a", 1, "1"),), "MACs")
    with pytest.raises(Misfit, match="document name: two charts have the key 'macs'"):
        page(chart, replace(chart, title="other"))


def test_a_team_may_have_its_own_template() -> None:
    template = (
        "{{ document.title | plain }}{% for s in document.sections %}{{ s.elements[1] | table }}{% endfor %}"
    )
    files = markdown.written(holding(Bars("b", "t", (), ""), Table(grid(1, 1))), template)
    assert list(files) == ["name.md"]  # an image that is not shown is not written
    assert files["name.md"].startswith("title**title**\n\n| block")
    chosen = "{% for s in document.sections %}{{ s.elements[0] | chart }}{% endfor %}"
    assert list(markdown.written(holding(Bars("b", "t", (), "")), chosen)) == ["name.md", "charts/name-b.svg"]


BROKEN: dict[str, tuple[str, Any]] = {
    "no such name": ("a\n{{ documint.title }}", ("2", "'documint' is undefined")),
    "no such attribute": ("{{ document.lede }}", ("1", "has no attribute 'lede'")),
    "no such filter": ("a\nb\n{{ document.title | shiny }}", ("3", "No filter named 'shiny'")),
    "not closed": ("{% for x in document.sections %}\n{{ x", ("2", "unexpected end of template")),
    "forbidden": ("{{ document.__class__.__mro__ }}", ("1", "access to attribute '__class__'")),
    "written to": ("{{ document.sections.append(1) }}", ("1", "has no attribute 'append'")),
    "wrong element": ("\n{{ document.title | table }}", ("2", "AttributeError")),
    "no division": ("{{ 1 // 0 }}", ("1", "ZeroDivisionError")),
    "too much": ("{% for i in range(10**9) %}x{% endfor %}", ("1", "OverflowError")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_template_names_its_line(name: str) -> None:
    template, (line, message) = BROKEN[name]
    with pytest.raises(CostcalcError) as caught:
        markdown.written(holding(), template, "ours.md")
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"ours.md:{line}:1: this template cannot be filled: ")
    assert message in problem.message
    assert caught.value.exit_code == 2
    assert problem.place is not None
    assert problem.place.text == template.splitlines()[int(line) - 1]


def test_an_error_of_ours_within_a_template_stays_what_it_is() -> None:
    many = test_report_diagram.diagram_of([], 121)
    with pytest.raises(CostcalcError, match=r"^diagram 'k' has 121 boxes"):
        page(many)
