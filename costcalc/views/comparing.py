"""Architectures side by side as grids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from costcalc import units
from costcalc.comparison import Aligned, Comparison
from costcalc.records import Cell, Column, Grid, Part, View
from costcalc.views.metrics import COMPARED, CONVENTION, LABELS, METRICS, TOTALLED, Metric, metrics


def compare(comparison: Comparison, labels: Mapping[str, str] = LABELS) -> View:
    """Totals metric by metric, then blocks paired by name; a block equal in all shows MACs only."""
    wholes = comparison.wholes
    sides = tuple(Column(name, name, "count", under="values") for name in _labels(wholes))
    ratios = _ratio_columns([part.name for part in wholes])
    totals = tuple((metric.key, *_row(metric, wholes, wholes)) for metric in metrics(TOTALLED))
    rows = tuple(row for aligned in comparison.blocks for row in _block_rows(aligned, wholes))
    title = " and ".join((", ".join(part.name for part in wholes[:-1]), wholes[-1].name))
    notes = (
        *_partnerless(comparison),
        f"Ratio = {wholes[0].name} ÷ other; saving = 1 − other ÷ {wholes[0].name}.",
        CONVENTION,
    )
    return View(
        "compare",
        (
            Grid("totals", title, (Column("metric", "total", "name", labels), *sides, *ratios), totals),
            Grid(
                "blocks",
                "block by block",
                (
                    Column("block", "block", "name"),
                    Column("metric", "metric", "name", labels),
                    *sides,
                    *ratios,
                ),
                rows,
            ),
        ),
        facts={"first": wholes[0].name},
        notes=notes,
        summary=(*_compared(wholes, labels), *_same(comparison)),
    )


def _partnerless(comparison: Comparison) -> list[str]:
    """Which blocks stand in some architectures only, in words."""
    names = _labels(comparison.wholes)
    found: dict[str, list[str]] = {}
    for aligned in comparison.blocks:
        where = [name for name, part in zip(names, aligned.parts, strict=True) if part is not None]
        if len(where) < len(names):
            found.setdefault(" and ".join(where), []).append(aligned.name)
    return [f"Only in {where}: {', '.join(blocks)}." for where, blocks in found.items()]


def _labels(wholes: Sequence[Part]) -> list[str]:
    """Distinct column names, also where one architecture stands twice."""
    names = [part.name for part in wholes]
    return [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, 1)]


def _ratio_columns(names: Sequence[str]) -> tuple[Column, ...]:
    if len(names) == 2:
        return (Column("ratio", "ratio", "ratio"), Column("saving", "saving", "percent"))
    return tuple(
        column
        for index, name in enumerate(names[1:], 2)
        for column in (
            Column(f"ratio_{index}", f"÷ {name}", "ratio"),
            Column(f"saving_{index}", "saving", "percent"),
        )
    )


def _block_rows(aligned: Aligned, wholes: Sequence[Part]) -> list[tuple[Cell, ...]]:
    """One row per metric in which the block has anything; MACs always, and alone if all are equal."""
    measured = [(metric, _row(metric, aligned.parts, wholes)) for metric in metrics(COMPARED)]
    rows = [
        (metric.key, *row)
        for metric, row in measured
        if metric.key == "macs" or (any(row) and not aligned.identical)
    ]
    return [(aligned.name if index == 0 else "", *row) for index, row in enumerate(rows)]


def _row(metric: Metric, parts: Sequence[Part | None], wholes: Sequence[Part]) -> tuple[Cell, ...]:
    """The metric of each, then ratio and saving against the first."""
    values = [
        None if part is None else metric.of(part, whole) for part, whole in zip(parts, wholes, strict=True)
    ]
    against = [cell for value in values[1:] for cell in _against(metric, values[0], value)]
    return (*values, *against)


def _against(metric: Metric, first: Cell, other: Cell) -> tuple[Cell, Cell]:
    """Ratio and saving of an other against the first, where both cost something."""
    if not metric.saved or not isinstance(first, int) or not isinstance(other, int) or not first:
        return (None, None)
    return (Fraction(first, other) if other else None, 1 - Fraction(other, first))


def _same(comparison: Comparison) -> tuple[str, ...]:
    """Which others have the very layers of the first, whatever they are called."""
    first = comparison.wholes[0].name
    return tuple(
        f"SAME LAYERS: {other.name} and {first} have {layers} with weights each, alike in output, weights "
        f"and {METRICS['macs'].label}."
        for other, layers in zip(comparison.wholes[1:], comparison.alike, strict=True)
        if layers
    )


def _compared(wholes: Sequence[Part], labels: Mapping[str, str]) -> tuple[str, ...]:
    """One sentence per other architecture, on MACs and on weights."""
    first = wholes[0]
    return tuple(
        f"{other.name} against {first.name}: {_change(labels['macs'], first.cost.macs, other.cost.macs)}; "
        f"{_change('weights', first.cost.weights, other.cost.weights)}."
        for other in wholes[1:]
    )


def _change(what: str, first: int, other: int) -> str:
    shown = f"{units.count(first)} → {units.count(other)} {what}"
    if not first or not other or first == other:
        return shown
    ratio = Fraction(max(first, other), min(first, other))
    return f"{shown}, {units.ratio(ratio)} {'fewer' if other < first else 'more'}"
