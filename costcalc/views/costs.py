"""Costs as grids: one graph, or the list of presets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from costcalc import units
from costcalc.graph import Graph
from costcalc.records import Cell, Column, Cost, CostTable, Grid, Part, Shape, Subject, View
from costcalc.views.metrics import CONVENTION, LABELS, METRICS, SHOWN, Metric, metrics

if TYPE_CHECKING:
    from costcalc.verdicts import Disagreement

ZOOS = ("torchvision:", "timm:")  # whose models know what they take


def show(
    subject: Subject,
    whole: Part,
    parts: Sequence[Part],
    level: str,
    keys: Sequence[str] = SHOWN,
    labels: Mapping[str, str] = LABELS,
) -> View:
    """One row per block or layer (``level``), totals below; ``labels`` are what metrics are called."""
    chosen = metrics(keys or SHOWN)
    columns = (
        Column("name", level, "name"),
        Column("kind", "type", "text"),
        Column("output", "output", "shape"),
        *(Column(metric.key, labels[metric.key], metric.style) for metric in chosen),
    )
    rows = tuple(_measured(part, whole, chosen) for part in parts)
    total = ("total", "", whole.output_shape, *(metric.of(whole, whole) for metric in chosen))
    title = f"{subject.name}: {subject.summary}" if subject.summary else subject.name
    facts = {
        "name": subject.name,
        "input": subject.inputs[0] if len(subject.inputs) == 1 else _listed(subject.inputs),
        "outputs": ", ".join(subject.outputs),
        **_facts(whole),
    }
    source = f"Source: {subject.source}." if subject.source else ""
    notes = tuple(note for note in (source, CONVENTION) if note)
    return View("show", (Grid("parts", title, columns, rows, total),), facts, notes)


def _listed(shapes: Sequence[Shape]) -> str:
    return ", ".join(units.shape(shape) or "scalar" for shape in shapes)


def _measured(part: Part, whole: Part, chosen: Sequence[Metric]) -> tuple[Cell, ...]:
    return (part.name, part.kind, part.output_shape, *(metric.of(part, whole) for metric in chosen))


def _facts(whole: Part) -> dict[str, Cell]:
    keys = ("macs", "params", "activations", "peak_activations", "receptive_field", "depth", "nonlinearities")
    return {key: METRICS[key].of(whole, whole) for key in keys}


def presets(totals: Sequence[tuple[Graph, Cost]]) -> View:
    """One row per preset, by family."""
    columns = (
        Column("family", "family", "group"),
        Column("name", "preset", "name"),
        Column("macs", "MACs", "count"),
        Column("params", "params", "count"),
        Column("summary", "what it is", "text"),
    )
    ordered = sorted(totals, key=lambda pair: (pair[0].about.family, pair[0].name))
    rows = tuple(
        (graph.about.family, graph.name, total.macs, total.params, graph.about.summary)
        for graph, total in ordered
    )
    return View("list", (Grid("presets", "presets", columns, rows),), {"count": len(rows)}, (CONVENTION,))


def counted(found: Sequence[tuple[CostTable, Sequence[Disagreement]]]) -> str:
    """Who counted, and whether the closed form agrees."""
    bad = [f"{table.graph}: {d.layer} {d.quantity}" for table, differing in found for d in differing]
    if bad:
        return f"DISAGREE: trace and closed form differ on {', '.join(bad[:3])}; see `costcalc check`."
    by = {table.by for table, _ in found}
    layers = sum(len(table.rows) for table, _ in found if table.by == "trace")
    sentences = {
        "formula": "Counted by the closed form alone; `costcalc check` holds it against the trace.",
        "trace": f"Traced with fvcore; the closed form agrees on all {layers} layers, to the last integer.",
        "operators": "Counted operator by operator on meta tensors.",
    }
    models = [table.graph for table, _ in found if table.by == "operators"]
    asking = " and ".join(f"`costcalc check {name}`" for name in models if name.startswith(ZOOS))
    if len(by) > 1:
        sentences["operators"] = f"{', '.join(models)}: counted operator by operator on meta tensors."
    if asking:
        sentences["operators"] += f" {asking} asks fvcore and FlopCounterMode too."
    return " ".join(sentence for key, sentence in sentences.items() if key in by)
