"""Charts of an architecture, and the diagram of its blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate

from costcalc import structure, units
from costcalc.api.results import Costed, Costs
from costcalc.graph import INPUT, Graph
from costcalc.records import Part
from costcalc.report.document import Arrow, Bar, Bars, Box, Chart, Diagram, Grouped, Lines, Series

MOST_BARS, MOST_BOXES, MOST_ARROWS = 40, 120, 400  # that can be read
Count = Callable[[Part], int]


def _macs(part: Part) -> int:
    return part.cost.macs


def _params(part: Part) -> int:
    return part.cost.params


def charts(of: Costed) -> tuple[Chart, ...]:
    """MACs and params per block, both summed up over depth, and activations with their peak."""
    parts, macs = of.blocks, of.labels["macs"]
    found: list[Chart] = [
        _bars(key, f"{label} of each block", parts, count, label)
        for key, label, count in (("macs", macs, _macs), ("params", "params", _params))
        if sum(map(count, parts))
    ]
    if len(parts) > 2 and len(found) > 1:
        found.append(_cumulative(parts, macs))
    return (*found, _activations(parts)) if sum(part.cost.writes for part in parts) else tuple(found)


def _bars(key: str, title: str, parts: Sequence[Part], count: Count, unit: str) -> Bars:
    """One bar a block that has some, in order; of very many the costliest, and what the others sum to."""
    whole = sum(map(count, parts))
    having = [part for part in parts if count(part)]
    kept = set(map(id, sorted(having, key=count, reverse=True)[:MOST_BARS]))
    rest = [part for part in having if id(part) not in kept]
    pairs = [(part.name, count(part)) for part in having if id(part) in kept]
    pairs += [(f"{len(rest)} other blocks", sum(map(count, rest)))] if rest else []
    bars = tuple(_bar(name, value, whole, unit) for name, value in pairs)
    return Bars(key, title, bars, unit)


def _bar(name: str, value: int, whole: int, unit: str) -> Bar:
    of_all = units.percent(Fraction(value, whole))
    return Bar(name, value, units.prose(value), f"{units.count(value)} {unit}, {of_all} of all")


def _cumulative(parts: Sequence[Part], macs: str) -> Lines:
    """The share of MACs and params that is spent up to each block."""
    series = tuple(_summed(parts, label, count) for label, count in ((macs, _macs), ("params", _params)))
    labels = tuple(part.name for part in parts)
    return Lines("cumulative", f"{macs} and params, summed up over depth", labels, series, "% of the total")


def _summed(parts: Sequence[Part], label: str, count: Count) -> Series:
    whole = sum(map(count, parts))
    shares = [Fraction(100 * value, whole) for value in accumulate(map(count, parts))]
    return Series(label, tuple(shares), tuple(units.percent(value / 100) for value in shares))


def _activations(parts: Sequence[Part]) -> Grouped:
    """What each block writes, beside the most that is alive while it runs."""
    shown = sorted(parts, key=lambda part: part.structure.peak_activations, reverse=True)[:MOST_BARS]
    kept = [part for part in parts if part in shown]
    values = {
        "written": tuple(part.cost.writes for part in kept),
        "alive at most": tuple(part.structure.peak_activations for part in kept),
    }
    series = tuple(Series(label, found, tuple(map(units.prose, found))) for label, found in values.items())
    labels = tuple(part.name for part in kept)
    return Grouped("activations", "activations of each block", labels, series, "activations")


def diagram(of: Costed, key: str = "blocks") -> Diagram | None:
    """The blocks and what flows from one to another, coloured by MACs.

    None without wiring (a model that was counted as it runs), for a single block, for more than can be
    read, and where two blocks feed each other.
    """
    parts = of.blocks
    if not isinstance(of, Costs) or not 1 < len(parts) < MOST_BOXES:
        return None
    most = max(map(_macs, parts)) or 1
    start = Box(INPUT, INPUT, units.shape(of.graph.input_shape), 0.0, "")
    boxes = (start, *(_box(part, most, of.labels["macs"]) for part in parts))
    arrows, place = _arrows(of.graph), {box.name: index for index, box in enumerate(boxes)}
    if len(arrows) > MOST_ARROWS or any(place[arrow.source] > place[arrow.target] for arrow in arrows):
        return None
    title = f"blocks of {of.subject.name}, coloured by {of.labels['macs']}"
    return Diagram(key, title, boxes, arrows)


def _box(part: Part, most: int, label: str) -> Box:
    cost = f"{units.prose(part.cost.macs)} {label}" if part.cost.macs else ""
    detail = ", ".join(filter(None, (units.shape(part.output_shape), cost)))
    return Box(part.name, part.name, detail, part.cost.macs / most, part.kind)


def _arrows(graph: Graph) -> tuple[Arrow, ...]:
    """Every way from block to block once, in order of execution."""
    block = {INPUT: INPUT, **structure.block_names(graph)}
    ways = dict.fromkeys(
        (block[source], block[node.name])
        for node in graph.nodes
        for source in node.sources
        if block[source] != block[node.name]
    )
    return tuple(Arrow(*way) for way in ways)
