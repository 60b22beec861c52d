"""Judgements: producers agree, limits are kept, published figures hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial

from costcalc import printed, structure
from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.graph import Graph
from costcalc.records import (
    COUNTS,
    TOTAL,
    Cost,
    CostTable,
    Disagreement,
    Figure,
    FigureVerdict,
    Limit,
    Part,
    Row,
    Verdict,
)


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


def budget(graph: Graph, table: CostTable, limits: Sequence[Limit]) -> tuple[Verdict, ...]:
    """One verdict per limit; raises :class:`CostcalcError` for a block that is not there."""
    return tuple(Verdict(limit, JUDGED[limit.metric](_part(graph, table, limit.part))) for limit in limits)


def figures(graph: Graph, table: CostTable) -> tuple[FigureVerdict, ...]:
    """Every published figure of the graph's spec beside the exact one."""
    return tuple(_judged(graph, table, figure) for figure in graph.about.figures)


def _judged(graph: Graph, table: CostTable, figure: Figure) -> FigureVerdict:
    exact = JUDGED[figure.metric](_part(graph, table, "" if figure.target == TOTAL else figure.target))
    read = printed.parse(figure.published)
    return FigureVerdict(figure, exact, printed.judged(read, exact, figure.truncated, figure.within))


def _part(graph: Graph, table: CostTable, name: str) -> Part:
    if not name:
        return structure.whole(graph, table)
    try:
        return structure.part(graph, table, name)
    except KeyError:
        known = [*graph.groups, *(node.name for node in graph.nodes)]
        hint = did_you_mean(name, known) or f"; `costcalc show {graph.name}` lists the blocks"
        raise CostcalcError(f"'{graph.name}' has no block {shortened(name)}{hint}") from None
