"""What a guard found, as grids: what to look at, then every limit with its headroom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from costcalc import units
from costcalc.findings import (
    BASELESS,
    EXCEEDED,
    MEANINGS,
    NEW,
    UNDECIDED,
    WARNED,
    WITHIN,
    Amount,
    Figures,
    Finding,
    Growth,
    Predicted,
)
from costcalc.records import TOTAL, Cell, Column, Grid, View
from costcalc.roofline.entry import CPU
from costcalc.views.metrics import CONVENTION, LABELS
from costcalc.views.predicting import ROOFLINE, SMALL_BATCH

S = TypeVar("S", Amount, Growth, Predicted)
MEASURED = {**LABELS, "latency": "latency"}
PASSED, FAILED, OPEN = "PASSED", "FAILED", "NO VERDICT"
LIMITED = (WITHIN, WARNED, EXCEEDED, *UNDECIDED, NEW, BASELESS)  # what can become of a limit
SPECS = "Specs are counted by the closed form, which `costcalc check` holds against the trace."
FOREIGN = "Foreign models are counted operator by operator on meta tensors."


def guard(found: Sequence[Finding], config: str, base: str, specs: bool, foreign: bool, outcome: str) -> View:
    """Findings with places, then limits on counts, on growth against the ``base``, and on latency.

    ``specs`` and ``foreign`` are whether such models are among what was counted. Every finding is one
    sentence of the summary, in the same order, and the ``outcome`` is the last.
    """
    told = [each for each in found if each.level]
    verdict = concluded(found)
    grids = [
        *([_findings(told, f"{config}: {verdict}")] if told else []),
        *_measured(found, f"limits of {config}" if told else f"{config}: {verdict}", base),
    ]
    counted = (SPECS, specs), (FOREIGN, foreign)
    notes = (
        *_of_predictions([figures for _, figures in _of(found, Predicted)]),
        *([CONVENTION] if specs or foreign else []),
        " ".join(sentence for sentence, applies in counted if applies),
    )
    summary = (*(f"{each.level}: {each.message}." for each in told), f"{outcome}: {verdict}.")
    passed = outcome == PASSED
    facts: dict[str, Cell] = {"config": config, "base": base, "outcome": outcome, "passed": passed}
    return View("guard", tuple(grids), facts, tuple(filter(None, notes)), summary, passed)


def _of_predictions(found: Sequence[Predicted]) -> tuple[str, ...]:
    """What predictions rest on, and where nobody has validated them."""
    small = any(each.batch == 1 and each.device != CPU for each in found)
    return (*([ROOFLINE] if found else []), *([SMALL_BATCH] if small else []))


def concluded(found: Sequence[Finding]) -> str:
    """``11 of 14 limits kept, 2 exceeded, 1 warned``, and what else there is."""
    limits = [each for each in found if each.verdict in LIMITED and each.metric]
    words = [each.verdict for each in found]
    kept = words.count(WITHIN)
    every = "all " if kept == len(limits) > 1 else "" if kept == len(limits) else f"{kept} of "
    counts = [f"{words.count(word)} {word}" for word in MEANINGS if word in words and word != WITHIN]
    return ", ".join([f"{every}{_plural(len(limits))} kept", *counts])


def _findings(found: Sequence[Finding], title: str) -> Grid:
    columns = (
        Column("level", "level", "text"),
        Column("model", "model", "name"),
        Column("part", "limit on", "text"),
        Column("metric", "metric", "text", MEASURED),
        Column("verdict", "verdict", "text"),
        Column("by", "by", "ratio"),
        Column("percent", "percent", "percent"),
        Column("at", "look at", "place"),
        Column("limit_at", "limit stands in", "place"),
    )
    rows = tuple(
        (
            each.level,
            each.model or None,
            _part(each) if each.metric else None,
            each.metric or None,
            each.verdict,
            *_over(each.figures),
            f"{each.place.file}:{each.place.line}",
            f"{each.rule.file}:{each.rule.line}",
        )
        for each in found
    )
    return Grid("findings", title, columns, rows)


def _over(figures: Figures | None) -> tuple[Cell, Cell]:
    """By how much a limit is passed, or a count grew, as people read it; and as a share of it."""
    if figures is None or figures.over <= 0:
        return None, None
    if isinstance(figures, Predicted):
        return units.seconds(figures.over), figures.share
    by = figures.actual - (figures.base or 0) if isinstance(figures, Growth) else figures.over
    return units.count(by), figures.share


def _part(each: Finding) -> str:
    return each.part or TOTAL


def _plural(limits: int) -> str:
    return "1 limit" if limits == 1 else f"{limits} limits"


def _measured(found: Sequence[Finding], title: str, base: str) -> list[Grid]:
    """A grid for each sort of limit that there is; the first has the title."""
    titles = {"limits": title, "growth": f"growth against {base}", "latency": "predicted latency"}
    grids = [
        Grid(key, titles[key], (Column("model", "model", "group"), *columns), rows)
        for key, columns, rows in (_limits(found), _growth(found), _latency(found))
        if rows
    ]
    return [replace(grid, title=title if index == 0 else grid.title) for index, grid in enumerate(grids)]


Rows = tuple[tuple[Cell, ...], ...]
_NAMED = (Column("part", "limit on", "name"), Column("metric", "metric", "name", MEASURED))


def _limits(found: Sequence[Finding]) -> tuple[str, tuple[Column, ...], Rows]:
    columns = (
        *_NAMED,
        Column("limit", "limit", "count"),
        Column("actual", "actual", "count"),
        Column("headroom", "headroom", "count"),
        Column("percent", "of limit", "percent"),
        Column("verdict", "verdict", "text"),
    )
    rows = tuple(
        (
            *(each.model, _part(each), each.metric, figures.limit, figures.actual, -figures.over),
            *(None if figures.share is None else -figures.share, each.verdict),
        )
        for each, figures in _of(found, Amount)
    )
    return "limits", columns, rows


def _growth(found: Sequence[Finding]) -> tuple[str, tuple[Column, ...], Rows]:
    columns = (
        *_NAMED,
        Column("base", "before", "count"),
        Column("actual", "actual", "count"),
        Column("grown", "growth", "percent"),
        Column("allowed", "allowed", "percent"),
        Column("verdict", "verdict", "text"),
    )
    rows = tuple(
        (
            *(each.model, _part(each), each.metric, figures.base, figures.actual),
            *(figures.share, figures.allowed, each.verdict),
        )
        for each, figures in _of(found, Growth)
    )
    return "growth", columns, rows


def _latency(found: Sequence[Finding]) -> tuple[str, tuple[Column, ...], Rows]:
    columns = (
        Column("device", "on", "name"),
        Column("batch", "batch", "count"),
        Column("limit_s", "latency limit", "seconds"),
        Column("seconds", "predicted", "seconds"),
        Column("low", "from", "seconds"),
        Column("high", "to", "seconds"),
        Column("verdict", "verdict", "text"),
    )
    rows = tuple(
        (
            *(each.model, figures.device, figures.batch, figures.limit, figures.seconds),
            *(figures.low, figures.high, each.verdict),
        )
        for each, figures in _of(found, Predicted)
    )
    return "latency", columns, rows


def _of(found: Sequence[Finding], sort: type[S]) -> list[tuple[Finding, S]]:
    """Findings with figures of that sort."""
    return [(each, each.figures) for each in found if isinstance(each.figures, sort)]
