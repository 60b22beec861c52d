"""Diagrams as SVG for a page, which cannot bring the megabytes of script that draw a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from costcalc.report.diagram import STEPS, is_chain, step
from costcalc.report.document import Arrow, Box, Diagram
from costcalc.report.layout import Spot, layout
from costcalc.report.tags import cut, em, escaped, tag

SIZE, SMALL, BOLD = 13, 11, 1.06
EDGE, PADDING, WIDEST, LEGEND = 8, 12, 290, 190  # pixels


@dataclass(frozen=True, slots=True)
class _Form:
    """What a box looks like: in a chain its name and cost stand side by side, else one below the other."""

    is_chain: bool
    width: float

    @property
    def height(self) -> int:
        return 28 if self.is_chain else 42

    @property
    def apart(self) -> int:
        return 14 if self.is_chain else 26


def picture(diagram: Diagram) -> str:
    """The boxes layer by layer, arrows between them, and below them what the colours say."""
    form = _form(diagram)
    found = layout(diagram, (form.width, form.height), form.apart)
    width, height = round(max(found.width, LEGEND) + 2 * EDGE), round(found.height + 2 * EDGE + 28)
    shift = (width - found.width) / 2
    shapes = [tag("title", escaped(diagram.title))]
    for arrow, path in zip(diagram.arrows, found.paths, strict=True):
        shapes.append(_arrow(arrow, [(x + shift, y + EDGE) for x, y in path], form))
    for box in diagram.boxes:
        x, y = found.middles[box.name]
        shapes.append(_box(box, x + shift, y + EDGE, form))
    shapes.append(_legend((width - LEGEND) / 2, height - 20))
    marks = {"class_": "chart diagram", "role": "img", "aria_label": diagram.title}
    return tag("svg", *shapes, viewBox=f"0 0 {width} {height}", width=width, height=height, **marks)


def _form(diagram: Diagram) -> _Form:
    names = [em(box.label, SIZE) * BOLD for box in diagram.boxes]
    words = [em(_below(box), SMALL) for box in diagram.boxes]
    if in_line := is_chain(diagram):
        needed = min(max(names, default=0), WIDEST) + min(max(words, default=0), WIDEST) + PADDING
    else:
        needed = min(max([*names, *words], default=0), WIDEST)
    return _Form(in_line, ceil(needed) + 2 * PADDING)


def _below(box: Box) -> str:
    return " · ".join(part for part in (box.kind, box.detail) if part)


def _box(box: Box, x: float, y: float, form: _Form) -> str:
    color, below = step(box.weight), _below(box)
    left, top = x - form.width / 2, y - form.height / 2
    name = escaped(cut(box.label, (WIDEST if form.is_chain else form.width - 2 * PADDING) / BOLD, SIZE))
    words = escaped(cut(below, min(WIDEST, form.width - 2 * PADDING), SMALL))
    if form.is_chain:
        texts = [
            tag("text", name, class_=f"name t{color}", x=left + PADDING, y=y + 5),
            tag("text", words, class_=f"detail end t{color}", x=left + form.width - PADDING, y=y + 4),
        ]
    else:
        texts = [
            tag("text", name, class_=f"name middle t{color}", x=x, y=y - 3 if below else y + 5),
            tag("text", words, class_=f"detail middle t{color}", x=x, y=y + 13),
        ]
    title = tag("title", escaped(f"{box.label}: {below}" if below else box.label))
    ground = tag("rect", class_=f"box c{color}", x=left, y=top, width=form.width, height=form.height, rx=5)
    return tag("g", title, ground, *texts)


def _arrow(arrow: Arrow, path: Sequence[Spot], form: _Form) -> str:
    """From the foot of the first spot to the head of the last, straight down through each between."""
    (x, y), half = path[0], form.height / 2
    way = [f"M{x:.1f} {y + half:.1f}"]
    for at, (next_x, next_y) in enumerate(path[1:], 2):
        head, turn = next_y - half - (4 if at == len(path) else 0), next_y - half - form.apart / 2
        way.append(f"C{x:.1f} {turn:.1f} {next_x:.1f} {turn:.1f} {next_x:.1f} {head:.1f}")
        if at < len(path):
            way.append(f"V{next_y + half:.1f}")
        x, y = next_x, next_y
    tip = f"M{x - 3.5:.1f} {y - half - 6:.1f}L{x:.1f} {y - half - 0.5:.1f}L{x + 3.5:.1f} {y - half - 6:.1f}Z"
    label = tag("text", escaped(arrow.label), class_="small", x=x + 7, y=y - half - 8) if arrow.label else ""
    return tag("path", class_="arrow", d="".join(way)) + tag("path", class_="tip", d=tip) + label


def _legend(x: float, y: float) -> str:
    scale = [
        tag("rect", class_=f"box c{index}", x=x + 52 + 14 * index, y=y, width=14, height=10)
        for index in range(STEPS)
    ]
    ends = ((x + 46, "nothing", "small end"), (x + 58 + 14 * STEPS, "costliest", "small"))
    return "".join([*scale, *(tag("text", words, x=at, y=y + 9, class_=kind) for at, words, kind in ends)])
