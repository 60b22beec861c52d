"""Tables of goals and of noise, and how figures are read."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from benchmarks.speed import plan
from benchmarks.speed.figures import Data, ratio, spread
from benchmarks.speed.goals import Goal
from benchmarks.speed.plan import Case
from costcalc.records import Column, Grid


def times(value: float) -> str:
    """Three digits, and no more after the point than they need: ``0.0431×``, ``12.3×``, ``2,413×``."""
    return f"{value:,.0f}×" if value >= 100 else f"{value:.3g}×"


def measured(value: float, unit: str) -> str:
    """A goal's value as it is read."""
    return times(value) if unit == "×" else f"{value:,.1f} {unit}"


def wanted(goal: Goal) -> str:
    """A goal's bound as it is read."""
    sign = "≥" if goal.least else "≤"
    return f"{sign} {goal.bound:,g}{'' if goal.unit == '×' else ' '}{goal.unit}"


def goals(found: Sequence[Goal]) -> Grid:
    """A line a goal, those that belong together below each other."""
    columns = (
        Column("number", "goal", "count"),
        Column("what", "ratio", "text"),
        Column("wanted", "wanted", "figure"),
        Column("measured", "measured", "figure"),
        Column("first", "first calls", "figure"),
        Column("verdict", "verdict", "text"),
    )
    rows = tuple(
        (
            goal.number,
            goal.what,
            wanted(goal),
            told(goal.value, goal.unit),
            told(goal.first, goal.unit),
            goal.verdict,
        )
        for goal in found
    )
    return Grid("goals", "", columns, rows)


def told(value: float | None, unit: str) -> str | None:
    """The same, nothing for nothing."""
    return None if value is None else measured(value, unit)


def noise(data: Data) -> Grid:
    """Both series of each measurement that was taken twice."""
    columns = (
        Column("what", "measurement", "text"),
        Column("median", "median", "seconds"),
        Column("ratio", "second ÷ first series", "figure"),
        Column("spread", "spread of the first", "percent"),
        Column("other", "of the second", "percent"),
    )
    rows = []
    once = {case.measured: case for case in data.series if case.group != "again"}
    for again in data.cases("again"):
        one = once.get(again.measured, again)
        first, second = data.times(one), data.times(again)
        if one != again and first and second:
            off = ratio(data.seconds(again), data.seconds(one))
            name = f"{plan.title(again.subject)}: {again.model}"
            rows.append((name, data.seconds(one), told(off, "×"), spread(first), spread(second)))
    return Grid("noise", "", columns, tuple(rows))


def off(data: Data, who: str, model: str) -> Fraction | None:
    """By how many multiply-adds a count differs from the exact one, None where either is not known."""
    case = Case("zoo", who, model, plan.side(model))
    exact, said = data.count(Case("zoo", "count", model, case.size)), data.count(case)
    return None if not exact or said is None else Fraction(said, plan.per_mac(who)) - exact
