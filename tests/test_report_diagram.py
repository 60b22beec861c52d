"""Diagrams: Mermaid that GitHub draws, and the same boxes laid out as SVG without overlap."""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import documents
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.errors import CostcalcError, Misfit
from costcalc.report import charts, diagram
from costcalc.report.document import Arrow, Box, Diagram
from costcalc.report.layout import layout
from costcalc.report.picture import picture

# all of Mermaid that we write
_SAFE = r"(?:[\w .,:/()+·×–…%-]|#[0-9]+;)"
_LINES = (
    r'%%\{init: \{"flowchart": \{("\w+": [0-9]+(, |\}))+\}\}%%',
    r"flowchart TD",
    rf'  n[0-9]+\["<b>{_SAFE}*</b>(?: <i>{_SAFE}+</i>)?(?:(?:<br/>| · ){_SAFE}+)?"\]:::c[0-4]',
    rf'  n[0-9]+ -->(?:\|"{_SAFE}+"\|)? n[0-9]+',
    r"  classDef c[0-4] fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}",
)
GRAMMAR = re.compile("|".join(f"(?:{line})" for line in _LINES))
REPORTS = Path(__file__).parent.parent / "reports"
SVG = "{http://www.w3.org/2000/svg}"


def box(name: str, weight: float = 0.5) -> Box:
    return Box(name, name, f"{name} MACs", weight, "conv")


def diagram_of(arrows: list[tuple[int, int]], count: int) -> Diagram:
    boxes = tuple(box(f"b{index}") for index in range(count))
    return Diagram("k", "title", boxes, tuple(Arrow(f"b{a}", f"b{b}") for a, b in arrows))


def assert_grammar(text: str, of: Diagram) -> None:
    for line in text.splitlines():
        assert GRAMMAR.fullmatch(line), line
    assert text.count(":::") == len(of.boxes)
    assert text.count("-->") == len(of.arrows)


@pytest.mark.parametrize("name", documents.HOSTILE)
def test_no_name_breaks_out_of_its_label(name: str) -> None:
    found = Diagram("k", name, (Box(name, name, name, 0, name), box("b")), (Arrow(name, "b", name),))
    assert_grammar(diagram.mermaid(found), found)


@given(st.text(max_size=100), st.text(max_size=100), st.floats(0, 1))
def test_any_name_is_a_label(label: str, detail: str, weight: float) -> None:
    found = Diagram("k", label, (Box("a", label, detail, weight, ""), box("b")), (Arrow("a", "b"),))
    assert_grammar(diagram.mermaid(found), found)
    ElementTree.fromstring(picture(found))


def test_arrows_join_the_boxes_that_they_name() -> None:
    text = diagram.mermaid(documents.module())
    assert '  n0["<b>input</b><br/>192×28×28"]:::c0' in text
    assert '  n3["<b>3x3</b> <i>conv</i><br/>86,704,128 MACs"]:::c4' in text
    assert "  n2 --> n3\n" in text
    assert '  n0 -->|"skip"| n9\n' in text


def test_labels_are_written_as_mermaid_reads_them() -> None:
    found = Diagram("k", "t", (Box("a", 'a"b', "<c> & `d`", 0, ""),), ())
    assert '"<b>a#34;b</b> · #60;c#62; #38; #96;d#96;"' in diagram.mermaid(found)


def test_the_boxes_of_a_chain_are_low() -> None:
    chain = diagram_of([(0, 1), (1, 2)], 3)
    assert diagram.is_chain(chain)
    assert '"<b>b0</b> <i>conv</i> · b0 MACs"' in diagram.mermaid(chain)
    branches = diagram_of([(0, 1), (0, 2)], 3)
    assert not diagram.is_chain(branches)
    assert '"<b>b0</b> <i>conv</i><br/>b0 MACs"' in diagram.mermaid(branches)


@pytest.mark.parametrize(
    ("weight", "step"), [(0, 0), (0.19, 0), (0.2, 1), (0.5, 2), (0.79, 3), (0.8, 4), (0.99, 4), (1, 4)]
)
def test_the_scale_has_five_steps(weight: float, step: int) -> None:
    assert diagram.step(weight) == step


def test_github_and_page_have_one_scale() -> None:
    light = charts.STYLE.partition("@media")[0]
    assert [fill for fill, _, _ in diagram._SCALE] == re.findall(r"--c[0-4]: (#[0-9a-f]{6})", light)


def test_letters_are_read_on_every_colour() -> None:
    """At least 4.5 to 1, the contrast that WCAG asks for."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    for fill, _, letters in diagram._SCALE:
        assert contrast(fill, letters) >= 4.5, fill
    for scheme in charts.STYLE.split("@media")[:2]:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", scheme))
        for index in range(diagram.STEPS):
            letters = colours.get(f"t{index}", colours["ink"])
            assert contrast(colours[f"c{index}"], letters) >= 4.5, (index, letters)
        for name in ("ink", "muted", "s0"):
            assert contrast(colours["ground"], colours[name]) >= 4.5, name
        shades = [luminance(colours[f"c{index}"]) for index in range(diagram.STEPS)]
        assert shades in (sorted(shades), sorted(shades, reverse=True))


def test_what_cannot_be_read_any_more_is_refused() -> None:
    fits = diagram_of([], diagram.MOST_BOXES)
    assert_grammar(diagram.mermaid(fits), fits)
    with pytest.raises(CostcalcError, match="diagram 'k' has 121 boxes, more than 120; draw the blocks"):
        diagram.mermaid(diagram_of([], diagram.MOST_BOXES + 1))
    many = [(a, b) for a in range(120) for b in range(a + 1, 120)]
    with pytest.raises(CostcalcError, match=r"diagram 'k' has [0-9,]+ bytes, more than 40,000; draw"):
        diagram.mermaid(diagram_of(many, 120))


WIDTH, HEIGHT, APART = 100.0, 40.0, 24.0


@st.composite
def graphs(draw: st.DrawFn) -> Diagram:
    count = draw(st.integers(1, 14))
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(
        lambda pair: pair[0] < pair[1]
    )
    arrows = draw(st.lists(ends, max_size=25, unique=True)) if count > 1 else []
    return diagram_of(arrows, count)


@given(graphs())
def test_boxes_lie_apart_and_below_what_they_follow(drawn: Diagram) -> None:
    found = layout(drawn, (WIDTH, HEIGHT), APART)
    spots = list(found.middles.values())
    for x, y in spots:
        assert WIDTH / 2 - 0.01 <= x <= found.width - WIDTH / 2 + 0.01
        assert HEIGHT / 2 <= y <= found.height - HEIGHT / 2
    for i, (x, y) in enumerate(spots):
        for a, b in spots[i + 1 :]:
            assert abs(x - a) >= WIDTH or abs(y - b) >= HEIGHT + APART
    for arrow, path in zip(drawn.arrows, found.paths, strict=True):
        assert path[0] == found.middles[arrow.source]
        assert path[-1] == found.middles[arrow.target]
        downs = [y for _, y in path]
        assert all(b - a == HEIGHT + APART for a, b in pairwise(downs))


@given(graphs())
def test_arrows_pass_between_boxes(drawn: Diagram) -> None:
    found = layout(drawn, (WIDTH, HEIGHT), APART)
    for path in found.paths:
        for x, y in path[1:-1]:
            assert all(abs(x - a) > WIDTH / 2 for a, b in found.middles.values() if b == y)


def test_a_chain_hangs_straight_down() -> None:
    found = layout(diagram_of([(i, i + 1) for i in range(5)], 6), (WIDTH, HEIGHT), APART)
    assert found.width == WIDTH
    assert {x for x, _ in found.middles.values()} == {WIDTH / 2}


def test_a_box_stands_below_the_lowest_that_it_follows() -> None:
    found = layout(diagram_of([(0, 1), (1, 2), (0, 2)], 3), (WIDTH, HEIGHT), APART)
    downs = [round(y / (HEIGHT + APART) - 0.3) for _, y in found.middles.values()]
    assert sorted(downs) == [0, 1, 2]


def test_a_circle_is_refused() -> None:
    circle = Diagram("k", "t", (box("a"), box("b")), (Arrow("a", "b"), Arrow("b", "a")))
    with pytest.raises(Misfit, match="diagram k: its arrows go in a circle"):
        picture(circle)


@pytest.mark.parametrize(
    "shown", [documents.module(), documents.chain(["a", "b"], [1, 2]), diagram_of([], 0)]
)
def test_the_picture_holds_all_boxes_and_arrows(shown: Diagram) -> None:
    root = ElementTree.fromstring(picture(shown))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    found = [group.find(f"{SVG}rect") for group in root.iter(f"{SVG}g")] or [
        group.find("rect") for group in root.iter("g")
    ]
    assert len(found) == len(shown.boxes)
    for rect, one in zip(found, shown.boxes, strict=True):
        assert rect is not None
        at = {key: float(rect.attrib[key]) for key in ("x", "y", "width", "height")}
        assert rect.attrib["class"] == f"box c{diagram.step(one.weight)}"
        assert at["x"] >= 0
        assert at["x"] + at["width"] <= width
        assert at["y"] >= 0
        assert at["y"] + at["height"] <= height
    assert sum(path.attrib["class"] == "arrow" for path in root.iter("path")) == len(shown.arrows)


def test_a_picture_says_each_box_in_full_when_hovering() -> None:
    long = "a_very_long_name_of_a_block" * 4
    root = ElementTree.fromstring(picture(Diagram("k", "t", (Box(long, long, "1 MACs", 0, "conv"),), ())))
    titles = [title.text for title in root.iter("title")]
    assert titles == ["t", f"{long}: conv · 1 MACs"]
    assert any((text.text or "").endswith("…") for text in root.iter("text"))


def test_every_flowchart_in_the_repository_is_of_our_grammar() -> None:
    """Mermaid itself read those in ``mermaid.txt``: ``node tests/tools/mermaid.mjs`` writes it, with npm."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(REPORTS.glob("*.md"))]
    found = [
        block
        for text in texts
        for block in re.findall(r"^```mermaid\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]
    assert found
    for line in (line for block in found for line in block.splitlines()):
        assert GRAMMAR.fullmatch(line), line
    read = (Path(__file__).parent / "tools/mermaid.txt").read_text()
    assert {sha256(block.encode()).hexdigest() for block in found} == set(re.findall(r"^\w{64}", read, re.M))
