"""Diagrams as Mermaid flowcharts, which GitHub draws; the boxes are coloured by their cost."""

from __future__ import annotations

import re
from itertools import pairwise

from costcalc.errors import CostcalcError
from costcalc.report.document import Arrow, Box, Diagram
from costcalc.report.tags import visible

STEPS = 5  # of the cost scale
MOST_BOXES, MOST_BYTES = 120, 40_000  # what is still read, and drawn: Mermaid stops at 50,000 characters
_SCALE = (  # fill, border, letters; right on a light page and on a dark one
    ("#f4f2ee", "#b9b3a6", "#1c2430"),
    ("#fae3b9", "#c9a565", "#1c2430"),
    ("#f3b761", "#b57d28", "#1c2430"),
    ("#da7b24", "#96400b", "#1c1204"),
    ("#96400b", "#5c2503", "#ffffff"),
)
_LABEL = 60  # letters
_TIGHT = (
    '%%{init: {"flowchart": {"rankSpacing": 25, "nodeSpacing": 25, "padding": 8, "wrappingWidth": 400}}}%%'
)


def mermaid(diagram: Diagram) -> str:
    """The flowchart, from top to bottom; :class:`CostcalcError` where it is too large to be read."""
    if len(diagram.boxes) > MOST_BOXES:
        raise _too_large(diagram, f"{len(diagram.boxes)} boxes, more than {MOST_BOXES}")
    ids = {box.name: f"n{index}" for index, box in enumerate(diagram.boxes)}
    joint = " · " if is_chain(diagram) else "<br/>"
    lines = [_TIGHT, "flowchart TD"]
    lines += [f"  {ids[box.name]}[{_words(box, joint)}]:::c{step(box.weight)}" for box in diagram.boxes]
    lines += [f"  {ids[arrow.source]} -->{_label(arrow)} {ids[arrow.target]}" for arrow in diagram.arrows]
    lines += [
        f"  classDef c{index} fill:{fill},stroke:{border},color:{letters}"
        for index, (fill, border, letters) in enumerate(_SCALE)
    ]
    text = "\n".join(lines) + "\n"
    if (size := len(text.encode())) > MOST_BYTES:
        raise _too_large(diagram, f"{size:,} bytes, more than {MOST_BYTES:,}")
    return text


def step(weight: float) -> int:
    """Which of the ``STEPS`` colours a weight from 0 to 1 has."""
    return min(int(weight * STEPS), STEPS - 1)


def is_chain(diagram: Diagram) -> bool:
    """Whether each box follows the one before and nothing else: it is long, so its boxes are kept low."""
    names = [box.name for box in diagram.boxes]
    return [(arrow.source, arrow.target) for arrow in diagram.arrows] == list(pairwise(names))


def _words(box: Box, joint: str) -> str:
    kind = f" <i>{_escaped(box.kind)}</i>" if box.kind else ""
    detail = f"{joint}{_escaped(box.detail)}" if box.detail else ""
    return f'"<b>{_escaped(box.label)}</b>{kind}{detail}"'


def _label(arrow: Arrow) -> str:
    return f'|"{_escaped(arrow.label)}"|' if arrow.label else ""


def _escaped(text: str) -> str:
    """Mermaid's own way to write a character by its number; letters, digits and harmless signs stay."""
    text = visible(text)
    text = text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…"
    return re.sub(r"[^\w .,:/()+·×–…%-]", lambda found: f"#{ord(found[0])};", text)


def _too_large(diagram: Diagram, how: str) -> CostcalcError:
    return CostcalcError(f"diagram '{diagram.key}' has {how}; draw the blocks instead of their layers")
