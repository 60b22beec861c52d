"""Charts: every kind is legible XML inside its box, and as long, high or far as its values say."""

from __future__ import annotations

import re
from fractions import Fraction
from math import inf, log10, nan, sqrt
from typing import get_args
from xml.etree import ElementTree

import documents
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.errors import Misfit
from costcalc.report import charts, shapes
from costcalc.report.document import Bar, Bars, Chart, Grouped, Lines, Point, Scatter, Series
from costcalc.report.tags import em

SVG = "{http://www.w3.org/2000/svg}"
CHARTS = [
    element
    for document in (documents.googlenet(), documents.hostile())
    for section in document.sections
    for element in section.elements
    if isinstance(element, get_args(Chart))
]
SIZES = {"title": 16, "small": 11}
names = st.one_of(st.text(max_size=80), st.sampled_from(documents.HOSTILE))
amounts = st.one_of(
    st.integers(0, 10**30), st.fractions(0, 1000), st.floats(0, 1e30, allow_subnormal=False), st.just(0)
)
positive = st.one_of(st.integers(1, 10**30), st.floats(1e-12, 1e30))


def parsed(chart: Chart, width: int | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(charts.svg(chart) if width is None else charts.drawn(chart, width))


def corners(shape: ElementTree.Element) -> list[tuple[float, float]]:
    """The corners of what a shape covers; of a text, as wide as it is taken to be."""
    at = {key: float(value) for key, value in shape.attrib.items() if re.fullmatch(r"-?[0-9.]+", value)}
    if shape.tag == f"{SVG}rect":
        return [(at["x"], at["y"]), (at["x"] + at["width"], at["y"] + at["height"])]
    if shape.tag == f"{SVG}circle":
        return [(at["cx"], at["cy"])]
    if shape.tag == f"{SVG}line":
        return [(at["x1"], at["y1"]), (at["x2"], at["y2"])]
    if shape.tag == f"{SVG}polyline":
        return [tuple(map(float, spot.split(","))) for spot in shape.attrib["points"].split()]  # type: ignore[misc]
    kinds = shape.attrib.get("class", "").split()
    width = em(shape.text or "", next((SIZES[kind] for kind in kinds if kind in SIZES), 13))
    start = at["x"] - width * (1 if "end" in kinds else 0.5 if "middle" in kinds else 0)
    if "transform" in shape.attrib:
        return [(at["x"], at["y"]), (at["x"] - width / sqrt(2), at["y"] + width / sqrt(2))]
    return [(start, at["y"] - 9), (start + width, at["y"])]


def shapes_of(root: ElementTree.Element) -> list[ElementTree.Element]:
    kinds = {f"{SVG}{name}" for name in ("rect", "circle", "line", "polyline", "text")}
    return [shape for shape in root.iter() if shape.tag in kinds and shape.attrib.get("class") != "ground"]


def assert_inside(chart: Chart) -> None:
    for root in (parsed(chart), parsed(chart, charts.WIDE), parsed(chart, charts.NARROW)):
        left, top, width, height = map(float, root.attrib["viewBox"].split())
        assert (left, top) == (0, 0)
        for shape in shapes_of(root):
            for x, y in corners(shape):
                assert -0.01 <= x <= width + 0.01, ElementTree.tostring(shape)
                assert -0.01 <= y <= height + 0.01, ElementTree.tostring(shape)


def test_there_is_a_sample_of_every_kind() -> None:
    assert {type(chart) for chart in CHARTS} == set(get_args(Chart)) == set(charts._DRAWN)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: f"{type(chart).__name__}-{chart.key}")
def test_every_kind_is_legible_by_itself(chart: Chart) -> None:
    text = charts.svg(chart)
    root = ElementTree.fromstring(text)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == root.findtext(f"{SVG}title")
    assert "prefers-color-scheme: dark" in (root.findtext(f"{SVG}style") or "")
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "url(" not in text
    assert text == charts.svg(chart)
    assert_inside(chart)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: f"{type(chart).__name__}-{chart.key}")
def test_every_value_is_read_when_hovering(chart: Chart) -> None:
    hovered = [title.text or "" for title in parsed(chart).iter(f"{SVG}title")][1:]
    if isinstance(chart, Bars | Scatter):
        items = chart.bars if isinstance(chart, Bars) else chart.points
        assert len(hovered) == len(items)
    else:
        assert len(hovered) == len(chart.labels) * len(chart.series)


@given(st.lists(st.tuples(names, amounts, names), min_size=1, max_size=12))
def test_bars_are_as_long_as_their_values(rows: list[tuple[str, Fraction, str]]) -> None:
    chart = Bars("k", "title", tuple(Bar(label, value, shown) for label, value, shown in rows), "MACs")
    assert_inside(chart)
    found = [s for s in shapes_of(parsed(chart)) if s.tag == f"{SVG}rect"]
    lengths = [Fraction(shape.attrib["width"]) for shape in found]
    values = [Fraction(value) for _, value, _ in rows]
    longest, largest = max(lengths), max(values)
    assert len(lengths) == len(values)
    assert longest > 100 or not largest
    for length, value in zip(lengths, values, strict=True):
        assert abs(length - (value / largest * longest if largest else 0)) <= Fraction(1, 1000)


@given(st.lists(names, min_size=1, max_size=6), st.lists(names, min_size=1, max_size=8), st.data())
def test_grouped_bars_stand_below_their_label(
    labels: list[str], series: list[str], data: st.DataObject
) -> None:
    values = [[data.draw(amounts) for _ in labels] for _ in series]
    chart = Grouped(
        "k",
        "title",
        tuple(labels),
        tuple(Series(n, tuple(v), tuple(map(str, v))) for n, v in zip(series, values, strict=True)),
        "times",
    )
    assert_inside(chart)
    root = parsed(chart)
    bars = [s for s in shapes_of(root) if s.tag == f"{SVG}rect" and s.find(f"{SVG}title") is not None]
    flat = [values[s][i] for i in range(len(labels)) for s in range(len(series))]
    longest, largest = max(Fraction(bar.attrib["width"]) for bar in bars), Fraction(max(flat))
    for bar, value in zip(bars, flat, strict=True):
        length = Fraction(value) / largest * longest if largest else 0
        assert abs(Fraction(bar.attrib["width"]) - length) <= Fraction(1, 1000)
    downs = [float(bar.attrib["y"]) for bar in bars]
    assert downs == sorted(set(downs))


@given(st.lists(st.tuples(names, amounts), min_size=1, max_size=60))
def test_lines_are_as_high_as_their_values(rows: list[tuple[str, Fraction]]) -> None:
    labels, values = zip(*rows, strict=True)
    chart = Lines("k", "title", labels, (Series("macs", values, tuple(map(str, values))),), "MACs")
    assert_inside(chart)
    root = parsed(chart)
    spots = corners(next(root.iter(f"{SVG}polyline")))
    assert [x for x, _ in spots] == sorted(x for x, _ in spots)
    base = max(float(line.attrib["y1"]) for line in root.iter(f"{SVG}line"))
    for (_, y), value in zip(spots, values, strict=True):
        assert base - y == pytest.approx(float(value) / float(max(values) or 1) * shapes.PLOT, abs=0.01)


@given(st.lists(st.tuples(names, positive, positive, st.booleans()), min_size=1, max_size=15), positive)
def test_points_lie_where_their_logarithms_say(
    rows: list[tuple[str, float, float, bool]], high: float
) -> None:
    points = tuple(Point(name, x, y, "shown", marked) for name, x, y, marked in rows)
    chart = Scatter("k", "title", points, "MACs", "params", (("roof", ((1.0, 1.0), (10.0, high))),))
    assert_inside(chart)
    root = parsed(chart)
    found = [corners(circle)[0] for circle in root.iter(f"{SVG}circle")]
    drawn = sorted(points, key=lambda point: point.marked)
    assert [c.attrib["class"] for c in root.iter(f"{SVG}circle")] == [
        "marked" if point.marked else "point" for point in drawn
    ]
    for axis, sign, value in ((0, 1, "x"), (1, -1, "y")):
        low, top = min(drawn, key=lambda p: getattr(p, value)), max(drawn, key=lambda p: getattr(p, value))
        a, b = (found[drawn.index(point)][axis] for point in (low, top))
        span = log10(getattr(top, value)) - log10(getattr(low, value))
        assert sign * (b - a) >= -0.01
        for point, spot in zip(drawn, found, strict=True):
            share = (log10(getattr(point, value)) - log10(getattr(low, value))) / (span or 1)
            assert spot[axis] == pytest.approx(a + share * (b - a), abs=0.01)


@pytest.mark.parametrize("width", [charts.WIDE, charts.NARROW])
@pytest.mark.parametrize("share", range(0, 101, 5))
def test_a_long_name_finds_a_place_beside_its_point(share: int, width: int) -> None:
    ends = (("roof", ((1.0, 1.0), (10.0, 10.0))),)
    chart = Scatter("k", "title", (Point("m" * 80, 10 ** (share / 100), 3, "shown", True),), "x", "y", ends)
    (words,) = (each for each in parsed(chart, width).iter(f"{SVG}text") if each.get("class") == "halo")
    start = float(words.attrib["x"])
    assert start >= shapes.EDGE
    assert start + em(words.text or "", shapes.SIZE) <= width - shapes.EDGE


@pytest.mark.parametrize("value", [-1, nan, inf])
def test_a_value_without_a_length_is_refused(value: float) -> None:
    with pytest.raises(Misfit, match="chart k: a value below 0, or without end, has no length"):
        charts.svg(Bars("k", "title", (Bar("a", value, "?"),), ""))
    with pytest.raises(Misfit, match="chart k"):
        charts.svg(Lines("k", "title", ("a",), (Series("s", (value,), ("?",)),), ""))


@pytest.mark.parametrize("value", [0, -1, nan, inf])
def test_a_value_without_a_logarithm_is_refused(value: float) -> None:
    with pytest.raises(Misfit, match="chart k: 0, or a value below it or without end, has no logarithm"):
        charts.svg(Scatter("k", "title", (Point("a", 1, value, "?"),), "x", "y"))


@pytest.mark.parametrize(
    "chart",
    [
        Bars("k", "t", (), "u"),
        Lines("k", "t", (), (), "u"),
        Scatter("k", "t", (), "x", "y"),
        Grouped("k", "t", (), (), "u"),
    ],
)
def test_nothing_to_show_is_an_empty_chart(chart: Chart) -> None:
    assert_inside(chart)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.005, "0.005"),
        (20.0, "20"),
        (1000.0, "1 K"),
        (2.5e6, "2.5 M"),
        (1.5e9, "1.5 G"),
        (1e15, "1 P"),
    ],
)
def test_ticks_are_short(value: float, shown: str) -> None:
    assert shapes.short(value) == shown


def test_a_round_value_lies_on_its_line() -> None:
    points = (Point("a", 7, 3, ""), Point("b", 1000, 100, ""), Point("c", 5e5, 4e6, ""))
    root = parsed(Scatter("k", "title", points, "MACs", "params"))
    _, (x, y), _ = (corners(circle)[0] for circle in root.iter(f"{SVG}circle"))
    at = {(text.text, text.attrib.get("class")): text.attrib for text in root.iter(f"{SVG}text")}
    lines = [line.attrib for line in root.iter(f"{SVG}line")]
    assert float(at["1 K", "small middle"]["x"]) == pytest.approx(x)
    assert any(float(a["x1"]) == float(a["x2"]) == pytest.approx(x) for a in lines)
    assert float(at["100", "small end"]["y"]) == pytest.approx(y + 4)
    assert any(float(a["y1"]) == float(a["y2"]) == pytest.approx(y) for a in lines)


def test_names_of_marked_points_do_not_cover_each_other() -> None:
    near = tuple(Point(f"network-{i}", 1e9 + i * 2e7, 1e7 + i * 1e5, "", i < 5) for i in range(7))
    points = (Point("far", 1, 1, ""), *near, Point("away", 1e12, 1e12, ""))
    root = parsed(Scatter("k", "title", points, "MACs", "params"))
    boxes = [corners(text) for text in root.iter(f"{SVG}text") if text.attrib.get("class") == "halo"]
    assert len(boxes) == 5
    for i, (a, b) in enumerate(boxes):
        for c, d in boxes[i + 1 :]:
            assert b[0] <= c[0] or d[0] <= a[0] or b[1] <= c[1] or d[1] <= a[1]
