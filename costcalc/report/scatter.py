"""Points on two logarithmic axes, with lines such as a roofline; the marked ones carry their names."""

from __future__ import annotations

from math import ceil, floor, isfinite, log10

from costcalc.errors import Misfit
from costcalc.report.document import Scatter, Value
from costcalc.report.shapes import (
    EDGE,
    PLOT,
    SIZE,
    SMALL,
    Drawn,
    Spot,
    dot,
    grid,
    hover,
    legend,
    polyline,
    short,
    text,
)
from costcalc.report.tags import cut, em, tag


def scatter(chart: Scatter, width: int, top: float) -> Drawn:
    """The shapes below ``top``; raises :class:`Misfit` for what has no logarithm."""
    spots = [(p.x, p.y) for p in chart.points] + [spot for _, line in chart.lines for spot in line]
    if not all(isfinite(value) and value > 0 for spot in spots for value in spot):
        raise Misfit(f"chart {chart.key}: 0, or a value below it or without end, has no logarithm")
    shapes, top = legend([label for label, _ in chart.lines], width, top)
    (x_low, x_high), (y_low, y_high) = (_domain([spot[axis] for spot in spots]) for axis in (0, 1))
    left = EDGE + 8 + max([em(short(tick), SMALL) for tick in _decades(y_low, y_high)], default=0)
    right, top, bottom = width - EDGE, top + 16, top + 16 + PLOT

    def at(x: float, y: float) -> Spot:
        across, down = (log10(x) - x_low) / (x_high - x_low), (log10(y) - y_low) / (y_high - y_low)
        return left + across * (right - left), bottom - down * PLOT

    shapes += grid([(short(y), at(10.0**x_low, y)[1]) for y in _decades(y_low, y_high)], left, width)
    for tick in _decades(x_low, x_high):
        x = at(tick, 10.0**y_low)[0]
        shapes.append(tag("line", class_="grid", x1=x, x2=x, y1=top, y2=bottom))
        shapes.append(
            text(min(x, right - em(short(tick), SMALL) / 2), bottom + 16, short(tick), class_="small middle")
        )
    shapes.append(text(EDGE, top - 8, cut(chart.y_label, right - EDGE, SMALL), class_="small"))
    shapes.append(text(right, bottom + 36, cut(chart.x_label, right - EDGE, SMALL), class_="small end"))
    shapes += [polyline([at(*spot) for spot in line], index) for index, (_, line) in enumerate(chart.lines)]
    taken: list[tuple[Spot, ...]] = [
        tuple((value - 5, value + 5) for value in at(point.x, point.y)) for point in chart.points
    ]
    for point in sorted(chart.points, key=lambda point: point.marked):
        spot, title = at(point.x, point.y), hover(point.label, point.shown)
        shapes.append(dot(spot, 5 if point.marked else 4, "marked" if point.marked else "point", title))
        if point.marked:
            shapes.append(_label(point.label, spot, right, taken))
    return shapes, bottom + 48


def _label(words: str, spot: Spot, right: float, taken: list[tuple[Spot, ...]]) -> str:
    """The name of a point beside it, at the first of a few places where no other name and no point is."""
    words = cut(words, (right - EDGE) / 2 - 8, SIZE)  # so that one side has room
    size = em(words, SIZE)
    sides = [start for start in (spot[0] + 8, spot[0] - 8 - size) if start >= EDGE and start + size <= right]
    places = [(start, spot[1] + down) for down in (0, 14, -14, 28, -28, 42, -42) for start in sides]
    boxes = [((x, x + size), (y - 7, y + 6)) for x, y in places]
    free = [box for box in boxes if not any(_overlap(box, other) for other in taken)]
    taken.append(box := (free or boxes)[0])
    return text(box[0][0], box[1][0] + 11, words, class_="halo")


def _overlap(box: tuple[Spot, ...], other: tuple[Spot, ...]) -> bool:
    return all(a < d and c < b for (a, b), (c, d) in zip(box, other, strict=True))


def _domain(values: list[Value]) -> Spot:
    """From where to where a logarithmic axis goes: a little beyond the values."""
    low, high = log10(min(values, default=1)), log10(max(values, default=1))
    beyond = (high - low) * 0.06 or 0.5
    return low - beyond, high + beyond


def _decades(low: float, high: float) -> list[float]:
    """Round values between two powers of ten."""
    apart, times = ceil((high - low) / 8), (1, 2, 5) if high - low < 2 else (1,)
    found = [much * 10.0**power for power in range(floor(low), ceil(high), apart) for much in times]
    return [value for value in found if low <= log10(value) <= high]
