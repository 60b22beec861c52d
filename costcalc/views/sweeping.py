"""Many settings of one architecture as grids: the best of them, the ranges, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from costcalc import units
from costcalc.records import Cell, Column, Grid, View
from costcalc.verdicts import Limit
from costcalc.views.metrics import CONVENTION, LABELS


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of a sweep.

    ``rows`` hold a value for each of the ``paths``, then the counts named in ``spans`` with their least and
    most, of the settings that keep the limits; where none does, of all. They are in the order of
    ``metric``. ``refusals`` are how many, why, and one of them.
    """

    name: str
    paths: tuple[str, ...]
    metric: str
    rows: tuple[tuple[int | str, ...], ...]
    spans: tuple[tuple[str, int, int], ...]
    settings: int
    counted: int
    within: int
    limits: tuple[Limit, ...]
    refusals: tuple[tuple[int, str, Mapping[str, str]], ...]
    ways: int


def sweep_(told: Told) -> View:
    """The settings with most of a metric within the limits, the range of every count, and refusals."""
    grids = [_settings(told), _ranges(told), *([_refused(told)] if told.refusals else [])]
    facts: dict[str, Cell] = {
        "name": told.name,
        "tried": told.settings,
        "counted": told.counted,
        "within": told.within,
        "ways": told.ways,
    }
    note = (
        f"The closed form was run at {units.count(told.ways)} of these settings; "
        "the others are the same arithmetic, recorded, to the last integer."
    )
    return View("sweep", tuple(grids), facts, (note, CONVENTION), _summary(told), passed=bool(told.within))


def _settings(told: Told) -> Grid:
    order = f"{'most' if told.within else 'least'} {LABELS[told.metric]} first"
    kept = "within the limits" if told.limits else "counted"
    many = f"{units.count(len(told.rows))} of {units.count(told.within or told.counted)}"
    columns = (
        *(Column(path, path, "count", under="setting") for path in told.paths),
        *(Column(metric, LABELS[metric], "count") for metric, _, _ in told.spans),
    )
    title = (
        f"{told.name}: {order}, {many} {kept if told.within else 'settings, none of them within the limits'}"
    )
    return Grid("settings", title, columns, told.rows)


def _ranges(told: Told) -> Grid:
    columns = (
        Column("metric", "count", "name", LABELS),
        Column("least", "least", "count"),
        Column("most", "most", "count"),
    )
    title = (
        "range of those within the limits" if told.limits and told.within else "range of all that are counted"
    )
    return Grid("ranges", title, columns, told.spans)


def _refused(told: Told) -> Grid:
    columns = (
        Column("settings", "settings", "count"),
        Column("why", "why", "text"),
        Column("example", "such as", "text"),
    )
    rows = tuple(
        (times, why, _worded(example))
        for times, why, example in sorted(told.refusals, key=lambda each: -each[0])
    )
    return Grid("refused", "settings that the spec refuses", columns, rows)


def _worded(setting: Mapping[str, str]) -> str:
    return " ".join(f"{path}={value}" for path, value in setting.items())


def _summary(told: Told) -> tuple[str, ...]:
    """How many settings, how many are left, and the first of them."""
    limits = " and ".join(f"{units.prose(limit.most)} {LABELS[limit.metric]}" for limit in told.limits)
    refused = f", {units.count(told.settings - told.counted)} refused" if told.refusals else ""
    counted = f"{units.count(told.settings)} settings of {told.name}{refused}"
    first = told.rows[0]
    setting = _worded({path: str(value) for path, value in zip(told.paths, first, strict=False)})
    metrics = [metric for metric, _, _ in told.spans]
    amount = first[len(told.paths) + metrics.index(told.metric)]
    has = f"{units.prose(int(amount))} {LABELS[told.metric]}"
    if not told.within:
        return (f"{counted}: NONE within {limits}; the smallest is {setting} with {has}.",)
    kept = (
        f"{units.count(told.within)} within {limits}"
        if told.limits
        else units.count(told.within) + " counted"
    )
    return (f"{counted}: {kept}; the largest is {setting} with {has}.",)
