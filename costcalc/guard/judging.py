"""Limits held against costs: one finding per limit, kept or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from costcalc.api import predicting
from costcalc.api.results import Costs
from costcalc.checks import JUDGED
from costcalc.errors import CostcalcError
from costcalc.findings import (
    BASELESS,
    CLOSE,
    EXCEEDED,
    NEW,
    WARNED,
    WITHIN,
    Amount,
    Finding,
    Growth,
    Level,
    Predicted,
)
from costcalc.guard import locating, lock, wording
from costcalc.guard.cases import Case
from costcalc.guard.entries import Bound, Longest, T, Threshold
from costcalc.guard.growing import Base

WORDS: dict[Level, str] = {"error": EXCEEDED, "warning": WARNED}  # what crossing a threshold is called


def judged(case: Case, base: Base | None) -> Iterator[Finding]:
    """Every limit of the budget on this model."""
    for bound in case.budget.bounds:
        for part in case.parts(bound.pattern):
            yield _count(case, bound, part)
    if case.budget.latency:
        yield _latency(case, case.budget.latency)
    if case.budget.growth and base:
        yield from _growth(case, base)


def _decisive(bound: Bound[T], crossed: Callable[[T], bool]) -> tuple[Threshold[T], bool]:
    """The most serious threshold that is crossed, or else the one that is nearest; and whether it is."""
    for each in bound.thresholds:
        if crossed(each.most):
            return each, True
    return min(bound.thresholds, key=lambda each: each.most), False


def _count(case: Case, bound: Bound[int], part: str) -> Finding:
    metric = bound.metric
    actual = JUDGED[metric](case.costed.named(part))
    limit, crossed = _decisive(bound, lambda most: actual > most)
    where = {"part": part, "metric": metric}
    if why := case.uncounted(metric) or (case.assumed(metric) if crossed else ""):
        return case.unknown(bound.thresholds[0].level, limit.place, case.label(metric), why, **where)
    figures = Amount(limit.most, actual)
    if not crossed:
        return case.finding(WITHIN, "", limit.place, "", figures=figures, **where)
    spot = locating.spot(case.costed, part or locating.costliest(case.costed, metric).name)
    message = wording.over(case, part, metric, figures, limit)
    more = {**where, "figures": figures, "spot": spot}
    return case.finding(WORDS[limit.level], limit.level, limit.place, message, **more)


def _growth(case: Case, base: Base) -> Iterator[Finding]:
    """Every limit on growth; what was not there, or could not be counted, has not grown."""
    before, verdict, why = None, NEW, f"is not in {base.name}"
    try:
        before = base.entry(case.model)
    except CostcalcError as error:
        verdict, why = BASELESS, f"cannot be counted at {base.name} ({error.problems[0]})"
    limits = [(bound, part) for bound in case.budget.growth for part in case.parts(bound.pattern)]
    if before is None:
        for index, (bound, part) in enumerate(limits):
            level: Level = "" if index else "notice"  # once for a model
            yield _new(case, bound, part, level, verdict, f"{case.model.label} {why}")
    else:
        now = lock.entry(case.costed, case.budget.allow_uncounted)
        for bound, part in limits:
            yield _grown(case, bound, part, base, before, now)


def _new(case: Case, bound: Bound[Fraction], part: str, level: Level, verdict: str, why: str) -> Finding:
    """What is not at the base cannot have grown."""
    limit = bound.thresholds[-1]
    figures = Growth(None, JUDGED[bound.metric](case.costed.named(part)), limit.most)
    where = {"part": part, "metric": bound.metric, "figures": figures}
    return case.finding(verdict, level, limit.place, f"{why}: nothing of it can have grown", **where)


def _grown(
    case: Case, bound: Bound[Fraction], part: str, base: Base, before: lock.Entry, now: lock.Entry
) -> Finding:
    metric, where = bound.metric, {"part": part, "metric": bound.metric}
    if part in now.blocks and part not in before.blocks:
        return _new(case, bound, part, "notice", NEW, f"{case.model.label} {part} is not in {base.name}")
    old, new = before.of(part).get(metric), now.of(part).get(metric)
    if old is None or new is None:
        level, what = bound.thresholds[0].level, f"the growth of {case.label(metric)}"
        why = case.uncounted(metric) or f"{base.name} does not say what it was"
        if part and part not in now.blocks:
            what, why = f"{what} of {part}", "growth is of whole blocks, and that is a part of one"
        return case.unknown(level, bound.place, what, why, **where)
    limit, crossed = _decisive(bound, lambda share: Growth(old, new, share).over > 0)
    figures = Growth(old, new, limit.most)
    more: dict[str, Any] = {**where, "figures": figures}
    if not crossed:
        return case.finding(WITHIN, "", limit.place, "", **more)
    top = ("", 0) if part else locating.grown(now.blocks, before.blocks, metric)
    spot = locating.spot(case.costed, part or top[0])
    message = wording.grown(case, part, metric, figures, base, top, limit, spot)
    return case.finding(WORDS[limit.level], limit.level, limit.place, message, spot=spot, **more)


def _latency(case: Case, longest: Longest) -> Finding:
    """A limit on the predicted latency; within its range there is no verdict."""
    bound, rule = longest.bound, longest.bound.thresholds[0]
    of = case.costed.graph if isinstance(case.costed, Costs) else case.model.name
    options = [case.model.options]
    try:
        found = predicting.predict(
            of,
            on=longest.device,
            batch=longest.batch,
            dtype=longest.dtype,
            mode=longest.mode,
            options=options,
        )
    except CostcalcError as error:
        return case.unknown(rule.level, rule.place, "its latency", str(error), metric="latency")
    guess = found.found[0].prediction

    def word(limit: Threshold[float]) -> str:
        return predicting.LatencyBudget(found, limit.most).words[0]

    decisive = next((each for each in bound.thresholds if word(each) != WITHIN), None)
    limit = decisive or min(bound.thresholds, key=lambda each: each.most)
    figures = Predicted(longest.device, longest.batch, limit.most, guess.seconds, guess.low, guess.high)
    where = {"metric": "latency", "figures": figures}
    if decisive is None:
        return case.finding(WITHIN, "", limit.place, "", **where)
    spot = locating.spot(case.costed, locating.slowest(found))
    message = wording.late(case, longest, figures, limit, word(limit), spot)
    if word(limit) == CLOSE:
        level: Level = "error" if limit.level == "error" else "notice"
        return case.finding(CLOSE, level, limit.place, message, spot=spot, **where)
    return case.finding(WORDS[limit.level], limit.level, limit.place, message, spot=spot, **where)
