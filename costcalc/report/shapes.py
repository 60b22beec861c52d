"""The shapes that charts are drawn with, and how large they are."""

from __future__ import annotations

from math import floor, log10

from costcalc.report.tags import cut, em, escaped, tag

EDGE, ROW, PLOT, LABEL = 12, 15, 280, 110  # pixels: margin, height of a bar, of a plot, width of a label
SIZE, SMALL, LARGE, COLOURS = 13, 11, 16, 6
Drawn = tuple[list[str], float]  # shapes, and how far down they reach
Spot = tuple[float, float]


def legend(labels: list[str], width: int, y: float) -> Drawn:
    """A line of names with their colours, on as many lines as it needs, and where the chart goes on."""
    shapes, x = [], float(EDGE)
    for index, label in enumerate(labels):
        words = cut(label, width - 2 * EDGE - 16, SIZE)
        if x > EDGE and x + 16 + em(words, SIZE) > width - EDGE:
            x, y = EDGE, y + 20
        shapes.append(tag("rect", class_=f"s{index % COLOURS}", x=x, y=y - 2, width=11, height=11, rx=2))
        shapes.append(text(x + 16, y + 8, words))
        x += 34 + em(words, SIZE)
    return shapes, y + (26 if labels else 0)


def grid(ticks: list[tuple[str, float]], left: float, width: int) -> list[str]:
    """Lines across at these heights, and what they stand for."""
    lines = [tag("line", class_="grid", x1=left, x2=width - EDGE, y1=y, y2=y) for _, y in ticks]
    return lines + [text(left - 8, y + 4, words, class_="small end") for words, y in ticks]


def polyline(spots: list[Spot], index: int) -> str:
    """A line through spots, in the colour of that series."""
    return tag(
        "polyline", class_=f"line l{index % COLOURS}", points=" ".join(f"{x:.2f},{y:.2f}" for x, y in spots)
    )


def dot(spot: Spot, radius: float, kind: str, title: str = "") -> str:
    """A point, with what is read when hovering over it."""
    return tag("circle", title, class_=kind, cx=spot[0], cy=spot[1], r=radius)


def hover(label: str, words: str, note: str = "") -> str:
    """What is read when hovering."""
    return tag("title", escaped(f"{label}: {words}{f' · {note}' if note else ''}"))


def text(x: float, y: float, words: str, **attributes: str | None) -> str:
    """Words that begin there, or end or have their middle there by their class."""
    return tag("text", escaped(words), x=x, y=y, **attributes)


def short(value: float) -> str:
    """``1500000`` → ``"1.5 M"``."""
    thousands = min(floor(log10(value)) // 3, 5) if value >= 1000 else 0
    return f"{value / 1000**thousands:.4g} {' KMGTP'[thousands]}".strip()
