"""What a report is made of, whatever it is written in: frozen records without behaviour.

Values are raw and exact; ``shown`` beside a value is how people read it. Texts have a little markup, see
:mod:`costcalc.report.inline`; titles, headings, labels and cells have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from costcalc.records import Grid

Value = int | float | Fraction


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart; ``note`` is read when hovering over it."""

    label: str
    value: Value
    shown: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One value a label of the chart, in its order."""

    label: str
    values: tuple[Value, ...]
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a scatter; a ``marked`` one is highlighted and carries its label."""

    label: str
    x: int | float
    y: int | float
    shown: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars, one a row, as long as their values."""

    key: str
    title: str
    bars: tuple[Bar, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Grouped:
    """Horizontal bars to compare: under each label one bar a series."""

    key: str
    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Lines:
    """One line a series over the labels in their order, such as cumulative cost over depth."""

    key: str
    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points on two logarithmic axes; ``lines`` are named polylines such as a roofline.

    A point or corner with a coordinate of zero or less has no place on such axes and is an error. ``note``
    is a text below the chart: what the points are.
    """

    key: str
    title: str
    points: tuple[Point, ...]
    x_label: str
    y_label: str
    lines: tuple[tuple[str, tuple[tuple[float, float], ...]], ...] = ()
    note: str = ""


Chart = Bars | Grouped | Lines | Scatter


@dataclass(frozen=True, slots=True)
class Box:
    """A node of a diagram: ``name`` is unique in it, ``kind`` and ``detail`` are read below ``label``.

    ``weight`` is its cost as a share of the costliest box, 0 to 1, and gives its colour.
    """

    name: str
    label: str
    detail: str
    weight: float
    kind: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """An edge between two boxes by their names."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Diagram:
    """A graph of boxes without cycles, boxes in the order in which they are computed."""

    key: str
    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A bulleted list of texts."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A grid; one that is not ``open`` is folded until a reader opens it."""

    grid: Grid
    open: bool = True


@dataclass(frozen=True, slots=True)
class Formula:
    """A step of a derivation: ``latex`` where it is rendered, ``text`` where it is not."""

    latex: str
    text: str


Element = Text | Items | Table | Formula | Bars | Grouped | Lines | Scatter | Diagram


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it."""

    heading: str
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One report: ``name`` is the stem of its file, ``lead`` its first text, ``footer`` its last ones."""

    name: str
    title: str
    lead: str
    sections: tuple[Section, ...]
    footer: tuple[str, ...]
