"""Predictions against measurements as grids: how far off, which order, what is furthest off."""

from __future__ import annotations

from costcalc import units
from costcalc.records import Cell, Column, Grid, View
from costcalc.roofline.validation import Compared, Group, Validation
from costcalc.views.metrics import share
from costcalc.views.timing import measured_on


def validate(found: Validation) -> View:
    """By device, way and batch: how far off; the orders of pairs; and what is furthest off."""
    rows = [row for group in found.groups for row in _accuracies(group, _in_range(found, group))]
    columns = (
        Column("device", "measured on", "name"),
        Column("dtype", "dtype", "text"),
        Column("layout", "layout", "text"),
        Column("mode", "mode", "text"),
        Column("batch", "batch", "count"),
        Column("predictor", "predictor", "name"),
        Column("rows", "networks", "count"),
        Column("mape", "mean error", "percent"),
        Column("median_ape", "median error", "percent"),
        Column("bias", "measured/predicted", "number"),
        Column("rho", "rank correlation", "rho"),
        Column("within_10", "within 10 %", "percent"),
        Column("within_20", "within 20 %", "percent"),
        Column("in_range", "in range", "percent"),
        Column("block_rho", "of blocks", "rho"),
    )
    grids = (
        Grid("groups", "predicted against measured", columns, tuple(rows)),
        _orders(found),
        _worst(found),
    )
    notes = (
        "Held out: without the anchors that the calibration was fitted on. MACs: the rival, given the one "
        "constant that fits these networks best.",
        "Rank correlation is Spearman's; of blocks, the median over the networks.",
        *(f"Left out: {why}." for why in found.skipped),
        *dict.fromkeys(measured_on(run) for run in found.runs),
    )
    lines = tuple(_validated(group) for group in found.groups)
    return View("validate", grids, {"rows": len(found.rows)}, notes, lines, warnings=found.skipped)


def _in_range(found: Validation, group: Group) -> Cell:
    """How many of a group were measured within the range that was predicted."""
    way = (group.device, group.dtype, group.layout, group.mode, group.batch)
    rows = [row for row in found.rows if (row.device, row.dtype, row.layout, row.mode, row.batch) == way]
    return share(sum(_is_in_range(row) for row in rows), len(rows))


def _is_in_range(row: Compared) -> bool:
    return row.prediction.low <= row.measured <= row.prediction.high


def _accuracies(group: Group, in_range: Cell) -> list[tuple[Cell, ...]]:
    """The prediction, on all networks and held out, and the rival."""
    way: tuple[Cell, ...] = (group.device, group.dtype, group.layout, group.mode, group.batch)
    name = "calibrated" if group.calibrated else "uncalibrated"
    said = {name: group.all, f"{name}, held out": group.held_out, "MACs × constant": group.rival}
    if group.held_out == group.all:
        del said[f"{name}, held out"]
    return [
        (
            *way,
            predictor,
            *(fit.n, fit.mape, fit.median_ape, fit.bias, fit.rho, fit.within_10, fit.within_20),
            *((in_range, group.block_rho) if fit is group.all else (None, None)),
        )
        for predictor, fit in said.items()
        if fit
    ]


def _orders(found: Validation) -> Grid:
    columns = (
        Column("device", "order of pairs on", "name"),
        Column("dtype", "dtype", "text"),
        Column("mode", "mode", "text"),
        Column("batch", "batch", "count"),
        Column("ratio", "predicted ratio", "text"),
        Column("pairs", "pairs", "count"),
        Column("right", "right", "count"),
        Column("share", "share", "percent"),
        Column("macs_share", "MACs say", "percent"),
    )
    rows: list[tuple[Cell, ...]] = []
    for group in found.groups:
        rivals = group.rival.orders if group.rival else (None,) * len(group.all.orders)
        for each, rival in zip(group.all.orders, rivals, strict=True):
            by_macs = share(rival.right, rival.pairs) if rival else None
            place = (group.device, group.dtype, group.mode, group.batch)
            rows.append((*place, each.ratios, each.pairs, each.right, share(each.right, each.pairs), by_macs))
    return Grid("orders", "which of two is faster", columns, tuple(rows))


def _worst(found: Validation) -> Grid:
    columns = (
        Column("name", "furthest off", "name"),
        Column("device", "on", "name"),
        Column("dtype", "dtype", "text"),
        Column("mode", "mode", "text"),
        Column("batch", "batch", "count"),
        Column("measured_s", "measured", "seconds"),
        Column("predicted_s", "predicted", "seconds"),
        Column("ratio", "measured/predicted", "number"),
        Column("in_range", "in its range", "text"),
    )
    rows = tuple(
        (
            *(row.name, row.device, row.dtype, row.mode, row.batch),
            *(row.measured, row.prediction.seconds, row.ratio),
            "yes" if _is_in_range(row) else "no",
        )
        for row in found.worst
    )
    return Grid("worst", "the worst predictions", columns, rows)


def _validated(group: Group) -> str:
    fit = group.held_out or group.all
    rho = "" if fit.rho is None else f", rank correlation {fit.rho:.3f}"
    which = "held-out " if group.held_out and group.held_out != group.all else ""
    return (
        f"{group.device}, {group.dtype}, {group.mode}, batch {group.batch}: {fit.n} {which}networks, "
        f"mean error {units.percent(fit.mape)}, measured/predicted {fit.bias:.2f} in the median{rho}."
    )
