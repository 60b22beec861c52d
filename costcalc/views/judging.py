"""Verdicts as grids: budgets, agreement of producers, published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from costcalc import printed, units
from costcalc.graph import Graph
from costcalc.records import Cell, Column, CostTable, Grid, Part, View
from costcalc.verdicts import Disagreement, FigureVerdict, Verdict
from costcalc.views.metrics import CONVENTION, LABELS, METRICS, Metric, share

COSTLIEST = 5  # blocks that a budget names


def budget(
    name: str,
    verdicts: Sequence[Verdict],
    whole: Part,
    parts: Sequence[Part],
    labels: Mapping[str, str] = LABELS,
) -> View:
    """The limits with headroom or overshoot, and the blocks that cost most of what is judged first."""
    first = next((verdict for verdict in verdicts if not verdict.passed), verdicts[0])
    grids = (_limits(name, verdicts, labels), _costliest(METRICS[first.limit.metric], whole, parts, labels))
    passed = all(verdict.passed for verdict in verdicts)
    summary = tuple(_judged(name, verdict, labels) for verdict in verdicts)
    return View("budget", grids, {"name": name, "passed": passed}, (CONVENTION,), summary, passed)


def _limits(name: str, verdicts: Sequence[Verdict], labels: Mapping[str, str]) -> Grid:
    columns = (
        Column("part", "limit on", "name"),
        Column("metric", "metric", "name", labels),
        Column("limit", "limit", "count"),
        Column("actual", "actual", "count"),
        Column("headroom", "headroom", "count"),
        Column("percent", "of limit", "percent"),
        Column("verdict", "verdict", "text"),
    )
    rows = tuple(
        (
            verdict.limit.part or name,
            verdict.limit.metric,
            verdict.limit.most,
            verdict.actual,
            verdict.headroom,
            share(verdict.headroom, verdict.limit.most),
            "within" if verdict.passed else "exceeded",
        )
        for verdict in verdicts
    )
    return Grid("limits", f"budget of {name}", columns, rows)


def _costliest(metric: Metric, whole: Part, parts: Sequence[Part], labels: Mapping[str, str]) -> Grid:
    def cost(part: Part) -> int:
        value = metric.of(part, whole)
        return value if isinstance(value, int) else 0

    ranked = sorted(parts, key=cost, reverse=True)[:COSTLIEST]
    columns = (
        Column("name", "costliest blocks", "name"),
        Column("kind", "type", "text"),
        Column(metric.key, labels[metric.key], metric.style),
        Column("share", "share", "percent"),
    )
    rows = tuple((part.name, part.kind, cost(part), share(cost(part), cost(whole))) for part in ranked)
    return Grid("costliest", f"where the {labels[metric.key]} are", columns, rows)


def _judged(name: str, verdict: Verdict, labels: Mapping[str, str]) -> str:
    what = f"{name} {verdict.limit.part}".strip()
    label = labels[verdict.limit.metric]
    actual, limit = units.distinct(verdict.actual, verdict.limit.most)
    off = units.count(abs(verdict.headroom))
    off_by = share(abs(verdict.headroom), verdict.limit.most)
    percent = "" if off_by is None else f" ({units.percent(off_by, 2)} of the limit)"
    if verdict.passed:
        return f"WITHIN: {what} has {actual} {label}, limit {limit}: headroom {off}{percent}."
    return f"EXCEEDED: {what} has {actual} {label}, limit {limit}: {off} too many{percent}."


def joined(first: View, second: View) -> View:
    """Two views of one command as one; it passes where both do."""
    passed = first.passed and second.passed
    return replace(
        first,
        grids=(*first.grids, *second.grids),
        facts={**first.facts, **second.facts, "passed": passed},
        notes=(*first.notes, *second.notes),
        summary=(*first.summary, *second.summary),
        passed=passed,
        warnings=(*first.warnings, *second.warnings),
    )


def check(
    graph: Graph,
    formula: CostTable,
    trace: CostTable,
    third: Mapping[str, int],
    disagreements: Sequence[Disagreement],
    figures: Sequence[FigureVerdict],
) -> View:
    """Every layer with its counts and whether all agree; what differs; published figures."""
    grids = [_checked(graph, formula, trace, third, {found.layer for found in disagreements})]
    grids += [_differing(disagreements)] if disagreements else []
    grids += [_claimed(figures)] if figures else []
    passed = not disagreements and all(figure.passed for figure in figures)
    facts: Mapping[str, Cell] = {"name": graph.name, "agree": not disagreements, "passed": passed}
    notes = [CONVENTION, *(f"{v.figure.target}: {v.figure.note}." for v in figures if v.figure.note)]
    if graph.about.changed:
        notes.append(
            "Published figures are of the spec as it stands, and are not judged under other settings."
        )
    summary = _concluded(graph, formula, disagreements, figures)
    return View("check", tuple(grids), facts, tuple(notes), summary, passed)


def _checked(
    graph: Graph, formula: CostTable, trace: CostTable, third: Mapping[str, int], bad: Set[str]
) -> Grid:
    """The closed form's counts, the MACs of the other two beside them, and whether everything agrees."""
    counts = ("params", "macs", "reads", "writes", "other_ops")
    columns = (
        Column("name", "layer", "name"),
        Column("output", "output", "shape"),
        *(Column(key, LABELS[key], "count") for key in counts),
        Column("trace_macs", "traced MACs", "count"),
        Column("third_macs", "FlopCounterMode", "count"),
        Column("agree", "agree", "text"),
    )
    traced = {row.name: row.cost.macs for row in trace.rows}
    rows = tuple(
        (
            row.name,
            row.output_shape,
            *(getattr(row.cost, key) for key in counts),
            traced.get(row.name),
            third.get(row.name),
            "no" if row.name in bad else "yes",
        )
        for row in formula.rows
    )
    others = (trace.total.macs, sum(third.values()))
    total = ("total", None, *(getattr(formula.total, key) for key in counts), *others, "no" if bad else "yes")
    return Grid("layers", f"check of {graph.name}", columns, rows, total)


def _differing(disagreements: Sequence[Disagreement]) -> Grid:
    producers = list(dict.fromkeys(name for found in disagreements for name in found.values))
    columns = (
        Column("layer", "layer", "name"),
        Column("quantity", "quantity", "name"),
        *(Column(name, name, "count") for name in producers),
    )
    rows = tuple(
        (found.layer, found.quantity, *(_cell(found.values.get(name)) for name in producers))
        for found in disagreements
    )
    return Grid("disagreements", "what differs", columns, rows)


def _cell(value: object) -> Cell:
    return value if isinstance(value, (int, str, tuple)) or value is None else str(value)


def _claimed(figures: Sequence[FigureVerdict]) -> Grid:
    columns = (
        Column("of", "published of", "name"),
        Column("metric", "metric", "name", LABELS),
        Column("published", "published", "ratio"),
        Column("exact", "exact", "count"),
        Column("deviation", "off by", "percent"),
        Column("verdict", "verdict", "text"),
        Column("source", "source", "text"),
    )
    rows = tuple(
        (
            verdict.figure.target,
            verdict.figure.metric,
            verdict.figure.published,
            verdict.exact,
            _deviation(verdict),
            _found(verdict),
            verdict.figure.source,
        )
        for verdict in figures
    )
    return Grid("claims", "published figures", columns, rows)


def _deviation(verdict: FigureVerdict) -> Cell:
    read = printed.parse(verdict.figure.published)
    return (read.value - verdict.exact) / verdict.exact if verdict.exact and read.sort == "value" else None


def _found(verdict: FigureVerdict) -> str:
    word = "confirmed" if verdict.confirmed else "missed"
    return word if verdict.passed else f"{word}, recorded otherwise"


def _concluded(
    graph: Graph, formula: CostTable, disagreements: Sequence[Disagreement], figures: Sequence[FigureVerdict]
) -> tuple[str, ...]:
    layers = len(formula.rows)
    if disagreements:
        bad = len({found.layer for found in disagreements})
        lines = [f"DISAGREE: closed form, trace and FlopCounterMode differ on {bad} of {layers} layers."]
    else:
        lines = [
            f"AGREE: closed form, fvcore trace and FlopCounterMode, on all {layers} layers of {graph.name}: "
            f"{units.count(formula.total.macs)} MACs, {units.count(formula.total.params)} params."
        ]
    return (*lines, *_published(figures)) if figures else tuple(lines)


def _published(figures: Sequence[FigureVerdict]) -> tuple[str, ...]:
    held, odd = sum(figure.confirmed for figure in figures), sum(not figure.passed for figure in figures)
    known = len(figures) - held - sum(not figure.passed and not figure.confirmed for figure in figures)
    sentence = f"Published figures: {held} of {len(figures)} hold"
    if known:
        sentence += f", {known} known not to"
    return (f"{sentence}; {odd} not as recorded." if odd else f"{sentence}.",)
