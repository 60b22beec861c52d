"""Charts as small SVG of our own; each shape carries its value as a ``<title>``, read when hovering.

Nothing is drawn outside the view box; a bar is as long as its value, to a thousandth of a pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor, isfinite, log10
from pathlib import Path
from typing import Any

from costcalc.errors import Misfit
from costcalc.report.document import Bars, Chart, Grouped, Lines, Scatter, Value
from costcalc.report.scatter import scatter
from costcalc.report.shapes import (
    COLOURS,
    EDGE,
    LABEL,
    LARGE,
    PLOT,
    ROW,
    SIZE,
    SMALL,
    Drawn,
    dot,
    grid,
    hover,
    legend,
    polyline,
    short,
    text,
)
from costcalc.report.tags import cut, em, escaped, tag

WIDE, NARROW = 720, 360  # pixels across: a page of text, a phone
STYLE = (Path(__file__).parent / "templates" / "chart.css").read_text("utf-8")


def svg(chart: Chart) -> str:
    """A file of its own, right in light and dark, that refers to nothing elsewhere."""
    above = cut(unit(chart), WIDE / 3, SMALL)
    title = cut(chart.title, WIDE - 3 * EDGE - em(above, SMALL), LARGE)
    named = [text(EDGE, 26, title, class_="title"), text(WIDE - EDGE, 26, above, class_="small end")]
    return _framed(chart, WIDE, 44, tag("style", STYLE), named) + "\n"


def drawn(chart: Chart, width: int) -> str:
    """The chart without its title, for a page that says it and has ``STYLE``."""
    return _framed(chart, width, 8, "", [])


def unit(chart: Chart) -> str:
    """What the values are, where neither the title nor an axis says it."""
    found = "" if isinstance(chart, Scatter) else chart.unit
    return "" if found.lower() in chart.title.lower() else found


def _framed(chart: Chart, width: int, top: float, style: str, above: list[str]) -> str:
    """Raises :class:`Misfit` for a value that has no place."""
    shapes, bottom = _DRAWN[type(chart)](chart, width, top)
    height, space = ceil(bottom), "http://www.w3.org/2000/svg"
    ground = tag("rect", class_="ground", width=width, height=height)
    marks = {"class_": "chart", "role": "img", "aria_label": chart.title, "viewBox": f"0 0 {width} {height}"}
    inner = [tag("title", escaped(chart.title)), style, ground, *above, *shapes]
    return tag("svg", *inner, width=width, height=height, xmlns=space, **marks)


def _most(chart: Bars | Grouped | Lines, values: list[Value]) -> Value:
    """What the whole length of the chart stands for."""
    if not all(isfinite(value) and value >= 0 for value in values):
        raise Misfit(f"chart {chart.key}: a value below 0, or without end, has no length")
    return max(values, default=0) or 1


def _bars(chart: Bars | Grouped, width: int, top: float) -> Drawn:
    rows = _rows(chart)
    shapes, y = legend([] if isinstance(chart, Bars) else [one.label for one in chart.series], width, top)
    most = Fraction(_most(chart, [value for _, bars in rows for value, _, _ in bars]))
    shown = max([em(words, SIZE) for _, bars in rows for _, words, _ in bars], default=0)
    left = EDGE + 8 + ceil(min(max([em(label, SIZE) for label, _ in rows], default=0), width * 0.36))
    room = floor(width - EDGE - 6 - left - min(shown, width * 0.3))
    for label, bars in rows:
        words = cut(label, left - 8 - EDGE, SIZE)
        shapes.append(text(left - 8, y + (len(bars) * ROW + SIZE) / 2 - 2, words, class_="end"))
        for index, (value, words, note) in enumerate(bars):
            length, kind = float(Fraction(value) / most * room), f"s{index % COLOURS}"
            size = {"x": left, "y": y + 1, "width": length, "height": ROW - 2}
            shapes.append(tag("rect", hover(label, words, note), class_=kind, **size))
            shapes.append(text(left + length + 6, y + 12, cut(words, width * 0.3, SIZE)))
            y += ROW
        y += ROW / 2 if len(bars) < 2 else ROW
    return shapes, y + EDGE / 2


def _rows(chart: Bars | Grouped) -> list[tuple[str, list[tuple[Value, str, str]]]]:
    """Label by label the bars of it: value, how it is read, note."""
    if isinstance(chart, Bars):
        return [(bar.label, [(bar.value, bar.shown, bar.note)]) for bar in chart.bars]
    return [
        (label, [(one.values[index], one.shown[index], one.label) for one in chart.series])
        for index, label in enumerate(chart.labels)
    ]


def _lines(chart: Lines, width: int, top: float) -> Drawn:
    shapes, top = legend([one.label for one in chart.series], width, top)
    most = float(_most(chart, [value for one in chart.series for value in one.values]))
    step = 10.0 ** floor(log10(most / 2))
    step *= next(times for times in (1, 2, 5, 10) if most / (step * times) <= 6)
    ticks = [step * index for index in range(floor(most / step) + 1)]
    left, bottom = EDGE + 8 + max(em(short(tick), SMALL) for tick in ticks), top + PLOT
    apart = (width - EDGE - 8 - left) / max(len(chart.labels) - 1, 1)
    shapes += grid([(short(tick), bottom - tick / most * PLOT) for tick in ticks], left, width)
    for index, label in list(enumerate(chart.labels))[:: ceil(1.3 * SMALL / apart)]:
        x, y = round(left + apart * index + 4), bottom + 14
        words = cut(label, min(LABEL, (x - SMALL) * 1.4), SMALL)  # it ends here, and begins within the page
        shapes.append(text(x, y, words, class_="small end", transform=f"rotate(-45 {x} {y:.0f})"))
    for index, one in enumerate(chart.series):
        spots = [(left + apart * i, bottom - float(v) / most * PLOT) for i, v in enumerate(one.values)]
        shapes.append(polyline(spots, index))
        for spot, label, words in zip(spots, chart.labels, one.shown, strict=True):
            shapes.append(dot(spot, 2.5, f"s{index % COLOURS}"))
            shapes.append(dot(spot, 8, "hit", hover(label, words, one.label)))
    deepest = min(LABEL, max([em(label, SMALL) for label in chart.labels], default=0))
    return shapes, bottom + 24 + deepest / 1.4


_DRAWN: dict[type, Callable[[Any, int, float], Drawn]] = {
    Bars: _bars,
    Grouped: _bars,
    Lines: _lines,
    Scatter: scatter,
}
