"""Why a limit is exceeded, as grids: the blocks behind it, and the known changes that would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from costcalc import units
from costcalc.alternatives import CHANGES, Change, Remedies
from costcalc.records import Cell, Column, Grid, Part, View
from costcalc.verdicts import Verdict
from costcalc.views.metrics import LABELS, METRICS, share

MOST_BLOCKS = 8
COMPUTED = (
    "Known changes are made to the graph and counted by formula; of each sort the mildest that is enough is "
    "shown, and the cheapest is the one that takes least away. Cost is computed, accuracy is not: "
    "whether the network still learns its task is for training to say."
)
Told = tuple[Verdict, Sequence[Part], Remedies | None]


def why(name: str, told: Sequence[Told], labels: Mapping[str, str] = LABELS) -> View:
    """For each exceeded limit its blocks, ranked, and the best known change of each sort."""
    shown = [(verdict, _shown(remedies)) for verdict, _, remedies in told if remedies]
    grids = [_blocks(name, told, labels)]
    if any(changes for _, changes in shown):
        grids.append(_changes(name, shown, labels))
    notes = [COMPUTED, *_sources([change for _, changes in shown for change in changes])] if shown else []
    if len(shown) < len(told):
        notes.append(f"{name} is a model: its blocks are ranked; known changes are computed for specs.")
    summary = [
        _concluded(f"{_on(name, verdict)} {labels[verdict.limit.metric]}", verdict, remedies, labels)
        for verdict, _, remedies in told
        if remedies
    ]
    return View("budget", tuple(grids), {}, tuple(notes), tuple(summary), not told)


def _on(name: str, verdict: Verdict) -> str:
    return verdict.limit.part or name


def _blocks(name: str, told: Sequence[Told], labels: Mapping[str, str]) -> Grid:
    columns = (
        Column("part", "limit on", "name"),
        Column("metric", "metric", "name", labels),
        Column("block", "block", "name"),
        Column("kind", "type", "text"),
        Column("count", "count", "count"),
        Column("share", "share", "percent"),
        Column("cut", "cut needed there alone", "percent"),
    )
    rows = [row for verdict, parts, _ in told for row in _ranked(name, verdict, parts)]
    return Grid("why", "what is behind it", columns, tuple(rows))


def _ranked(name: str, verdict: Verdict, parts: Sequence[Part]) -> list[tuple[Cell, ...]]:
    """The costliest parts; what of each would have to go if nothing else changed, where it can."""
    counts = [(_count(verdict.limit.metric, part), part) for part in parts]
    ranked = sorted((pair for pair in counts if pair[0]), key=lambda pair: -pair[0])[:MOST_BLOCKS]
    return [
        (
            _on(name, verdict),
            verdict.limit.metric,
            part.name,
            part.kind,
            count,
            share(count, verdict.actual),
            share(-verdict.headroom, count) if count >= -verdict.headroom else None,
        )
        for count, part in ranked
    ]


def _count(metric: str, part: Part) -> int:
    value = METRICS[metric].of(part, part)
    return value if isinstance(value, int) else 0


def _shown(remedies: Remedies) -> list[Change]:
    """The best of each sort, as they are ranked."""
    best: dict[str, Change] = {}
    for change in remedies.changes:
        best.setdefault(change.key, change)
    return list(best.values())


def _changes(name: str, shown: Sequence[tuple[Verdict, Sequence[Change]]], labels: Mapping[str, str]) -> Grid:
    columns = (
        Column("part", "limit on", "name"),
        Column("metric", "metric", "name", labels),
        Column("sort", "known change", "name"),
        Column("change", "the least of it that is enough, or the usual", "text"),
        Column("saving", "saving", "count"),
        Column("percent", "of all", "percent"),
        Column("left", "left", "count"),
        Column("verdict", "verdict", "text"),
    )
    rows = tuple(
        (
            _on(name, verdict),
            verdict.limit.metric,
            change.key,
            change.title,
            change.saving,
            Fraction(change.saving, verdict.actual),
            change.left,
            "within" if change.meets else "exceeded",
        )
        for verdict, changes in shown
        for change in changes
    )
    return Grid("changes", "known changes", columns, rows)


def _sources(changes: Sequence[Change]) -> list[str]:
    used = {change.key for change in changes}
    return [
        f"{known.key}: {known.summary}; {known.source}." for known in CHANGES.values() if known.key in used
    ]


def _concluded(what: str, verdict: Verdict, remedies: Remedies, labels: Mapping[str, str]) -> str:
    """The cheapest change that is enough, or the pair that comes nearest."""
    label = labels[verdict.limit.metric]
    if not remedies.changes:
        return f"No known change lowers {what}."
    first = remedies.changes[0]
    if first.meets:
        saved = _saved(first.title, verdict, first.left, label)
        return f"Cheapest known change that meets the limit on {what}: {saved}."
    if remedies.pair is None:
        saved = _saved(first.title, verdict, first.left, label)
        return f"No known change meets the limit on {what}; nearest: {saved}, {_over(verdict, first.left)}."
    second = remedies.pair[1]
    saved = _saved(f"{first.title}, then {second.title}", verdict, second.left, label)
    end = "within the limit" if second.meets else _over(verdict, second.left)
    return f"No single known change meets the limit on {what}; the best pair found: {saved}, {end}."


def _saved(title: str, verdict: Verdict, left: int, label: str) -> str:
    saving = verdict.actual - left
    percent = units.percent(Fraction(saving, verdict.actual))
    return f"{title}; saves {units.count(saving)} {label} ({percent}) and leaves {units.count(left)}"


def _over(verdict: Verdict, left: int) -> str:
    return f"still {units.count(left - verdict.limit.most)} too many"
