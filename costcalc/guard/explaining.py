"""What is behind every overshoot, model by model, and which known changes would help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from costcalc import render
from costcalc.api.explaining import explained
from costcalc.api.limiting import Budget
from costcalc.findings import Amount, Finding, Growth
from costcalc.guard.cases import Case
from costcalc.records import TOTAL, Column, Grid, View
from costcalc.verdicts import Limit, Verdict
from costcalc.views import explaining


def beside(view: View, exceeded: Sequence[tuple[Case, Finding]]) -> View:
    """The view of a guard with the reasons behind its findings, and changes that help, below."""
    told = [(label, _told(label, pairs)) for label, pairs in _by_model(exceeded).items()]
    if not told:
        return view
    keys = dict.fromkeys(grid.key for _, each in told for grid in each.grids)
    *findings, verdict = view.summary
    return replace(
        view,
        grids=(*view.grids, *(_merged(key, told) for key in keys)),
        notes=(*view.notes, *dict.fromkeys(note for _, each in told for note in each.notes)),
        summary=(*findings, *(line for _, each in told for line in each.summary), verdict),
    )


def _by_model(exceeded: Sequence[tuple[Case, Finding]]) -> dict[str, list[tuple[Case, Finding]]]:
    found: dict[str, list[tuple[Case, Finding]]] = {}
    for case, finding in exceeded:
        found.setdefault(case.model.label, []).append((case, finding))
    return found


def _told(label: str, pairs: Sequence[tuple[Case, Finding]]) -> View:
    """The reasons of one model, in which the whole is the total."""
    costed = pairs[0][0].costed
    reasons = explained(Budget(costed, _strictest([finding for _, finding in pairs]))).reasons
    told = [(reason.verdict, reason.parts, reason.remedies) for reason in reasons]
    shown, notes = (
        explaining.why(TOTAL, told, costed.labels),
        explaining.why(label, told, costed.labels).notes,
    )
    return replace(shown, notes=notes, summary=tuple(f"{label}: {line}" for line in shown.summary))


def _strictest(found: Sequence[Finding]) -> tuple[Verdict, ...]:
    """One verdict for each count, however many budgets limit it or its growth."""
    limits: dict[tuple[str, str], Verdict] = {}
    for each in found:
        figures, key = each.figures, (each.part, each.metric)
        if not isinstance(figures, (Amount, Growth)) or figures.limit is None:
            continue
        if key not in limits or figures.limit < limits[key].limit.most:
            limits[key] = Verdict(Limit(each.metric, figures.limit, each.part), figures.actual)
    return tuple(limits.values())


def _merged(key: str, told: Sequence[tuple[str, View]]) -> Grid:
    """The grids of that key of all models as one, grouped by model."""
    grids = [(label, grid) for label, view in told for grid in view.grids if grid.key == key]
    first = grids[0][1]
    columns = (Column("model", "model", "group"), *first.columns)
    rows = tuple((label, *row) for label, grid in grids for row in render.filled(grid))
    return replace(first, columns=columns, rows=rows)
