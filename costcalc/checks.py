"""Judgements: producers agree, limits are kept, published figures hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial

from costcalc import printed, structure
from costcalc.graph import Graph
from costcalc.records import COUNTS, TOTAL, Cost, CostTable, Figure, Part, Row
from costcalc.verdicts import Disagreement, FigureVerdict, Limit, Verdict


def _counted(key: str, part: Part) -> int:
    return COUNTS[key](part.cost)


JUDGED: dict[str, Callable[[Part], int]] = {
    **{key: partial(_counted, key) for key in ("macs", "params", "weights", "activations")},
    "peak_activations": lambda part: part.structure.peak_activations,
}


def agreement(
    formula: CostTable, trace: CostTable, third: Mapping[str, int] | None = None
) -> tuple[Disagreement, ...]:
    """Every quantity of every layer on which the closed form, the trace or a third count differ.

    ``third`` gives MACs per layer. Equality is to the last integer; no layer may be missing.
    """
    found: list[Disagreement] = []
    by_name = {row.name: row for row in trace.rows}
    for row in formula.rows:
        traced = by_name.pop(row.name, None)
        seen: dict[str, dict[str, object]] = {"formula": _quantities(row), "trace": _quantities(traced)}
        if third is not None:
            seen["FlopCounterMode"] = {"macs": third.get(row.name)}
        found += _differing(row.name, seen)
    found += [
        Disagreement(name, "layer", {"formula": None, "trace": row.kind}) for name, row in by_name.items()
    ]
    return tuple(found)


def _quantities(row: Row | None) -> dict[str, object]:
    if row is None:
        return {}
    counts = {field.name: getattr(row.cost, field.name) for field in fields(Cost)}
    return {"output_shape": row.output_shape, **counts}


def _differing(layer: str, seen: Mapping[str, Mapping[str, object]]) -> list[Disagreement]:
    keys = dict.fromkeys(key for quantities in seen.values() for key in quantities)
    found = []
    for key in keys:
        # a producer that never counts a quantity has no opinion; one that lost the row disagrees
        values = {
            name: quantities.get(key)
            for name, quantities in seen.items()
            if key in quantities or name in ("formula", "trace")
        }
        if len(set(values.values())) > 1:
            found.append(Disagreement(layer, key, values))
    return found


def budget(limits: Sequence[Limit], part: Callable[[str], Part]) -> tuple[Verdict, ...]:
    """One verdict per limit on the ``part`` of that name (the whole: the empty name)."""
    return tuple(Verdict(limit, JUDGED[limit.metric](part(limit.part))) for limit in limits)


def figures(graph: Graph, table: CostTable) -> tuple[FigureVerdict, ...]:
    """Every published figure of the graph's spec beside the exact one."""
    part, whole = structure.finder(graph, table), structure.whole(graph, table)
    return tuple(
        _judged(whole if figure.target == TOTAL else part(figure.target), figure)
        for figure in graph.about.figures
    )


def _judged(part: Part, figure: Figure) -> FigureVerdict:
    exact = JUDGED[figure.metric](part)
    read = printed.parse(figure.published)
    return FigureVerdict(figure, exact, printed.judged(read, exact, figure.truncated, figure.within))
