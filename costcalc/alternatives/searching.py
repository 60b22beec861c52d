"""Which known changes bring a network within a limit: each tried on its graph, in the least strength."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from costcalc import formula, structure
from costcalc.alternatives.choices import Choices
from costcalc.alternatives.known import CHANGES, Known
from costcalc.errors import CostcalcError, Misfit
from costcalc.graph import INPUT, Graph
from costcalc.records import COUNTS
from costcalc.verdicts import Limit

COSTLIEST = 12  # layers that are looked at
PEAK = "peak_activations"
SUMMED = ("macs", "params", "weights", "activations")


@dataclass(frozen=True)
class Change:
    """A known change made to one layer: ``title`` tells it, ``graph`` is the network with it.

    ``saved`` is old minus new of the whole network, below zero where a metric grows; ``saving`` the same
    of what is limited, of which ``left`` remains; ``meets`` whether that is within the limit.
    ``mildness`` is how much of what it cuts is kept: 3/4 where 96 of 128 filters are left.
    """

    key: str
    title: str
    layer: str
    block: str
    graph: Graph
    saved: Mapping[str, int]
    saving: int
    left: int
    meets: bool
    mildness: Fraction
    source: str


@dataclass(frozen=True)
class Remedies:
    """What would help against a limit that is exceeded: known changes, and a pair if it takes two."""

    changes: tuple[Change, ...]
    pair: tuple[Change, Change] | None


def changes(graph: Graph, limit: Limit) -> tuple[Change, ...]:
    """The known changes that lower what is limited, of the layers that cost most of it.

    Those that meet the limit come first. Of each sort the mildest leads: three quarters of the filters of
    one layer rather than a third of another's. The sorts are ranked by what their leaders save, the
    least before all, and the others follow them. Those that do not meet it come last, the largest saving
    first.
    """
    before = (counted(graph, limit), _totals(graph))
    found = [
        change
        for name in _costliest(graph, limit)
        for known in CHANGES.values()
        if (change := _made(known, graph, name, limit, before)) is not None
    ]
    enough = sorted((change for change in found if change.meets), key=_strength)
    leading: dict[str, int] = {}
    for change in enough:
        leading.setdefault(change.key, change.saving)
    enough.sort(key=lambda change: (leading[change.key], list(CHANGES).index(change.key)))
    others = sorted((change for change in found if not change.meets), key=lambda change: -change.saving)
    return (*enough, *others)


def _strength(change: Change) -> tuple[Fraction, int]:
    return -change.mildness, change.saving


def remedies(graph: Graph, limit: Limit) -> Remedies:
    """The known changes, and where no single one is enough the best pair, greedily.

    The first of the pair is the one that saves most, the second is made to the graph of the first; other
    pairs may be better.
    """
    single = changes(graph, limit)
    if not single or single[0].meets:
        return Remedies(single, None)
    first = single[0]
    others = (
        change
        for change in changes(first.graph, limit)
        if (change.key, change.layer) != (first.key, first.layer)  # twice the same is once, and stronger
    )
    second = next(others, None)
    return Remedies(single, (first, second) if second else None)


def counted(graph: Graph, limit: Limit) -> int:
    """The count that the limit is on, by formula."""
    each = _each(graph, limit.metric)
    inside = [count for name, count in each.items() if _inside(name, limit.part)]
    return max(inside) if limit.metric == PEAK else sum(inside)


def _each(graph: Graph, metric: str) -> dict[str, int]:
    """What each layer has of a metric: of the peak, how much is alive while it runs."""
    if metric == PEAK:
        return structure.living(graph)
    return {row.name: COUNTS[metric](row.cost) for row in formula.costs(graph).rows}


def _totals(graph: Graph) -> dict[str, int]:
    total = formula.costs(graph).total
    return {
        **{metric: COUNTS[metric](total) for metric in SUMMED},
        PEAK: max(structure.living(graph).values()),
    }


def _inside(name: str, part: str) -> bool:
    return not part or name == part or name.startswith(f"{part}.")


def _costliest(graph: Graph, limit: Limit) -> Iterator[str]:
    """The input, and the layers of the limited part that cost most of what is limited."""
    yield INPUT
    each = _each(graph, limit.metric)
    inside = [name for name in each if _inside(name, limit.part)]
    yield from sorted(inside, key=lambda name: -each[name])[:COSTLIEST]


def _made(
    known: Known, graph: Graph, name: str, limit: Limit, before: tuple[int, Mapping[str, int]]
) -> Change | None:
    """The change in the least strength that meets the limit, or else as usual; None if it does not help."""
    try:
        choices = known.choices(graph, name)
        value = _least(choices, limit)
        found = choices.made(value)
    except (CostcalcError, Misfit):
        return None
    actual, totals = before
    left = counted(found, limit)
    if left >= actual:
        return None
    said, after = choices.said(value), _totals(found)
    return Change(
        key=known.key,
        title=said if name == INPUT else f"{name}: {said}",
        layer=name,
        block=structure.block_names(graph).get(name, ""),
        graph=found,
        saved={metric: count - after[metric] for metric, count in totals.items()},
        saving=actual - left,
        left=left,
        meets=left <= limit.most,
        mildness=choices.mildness(value),
        source=known.source,
    )


def _least(choices: Choices, limit: Limit) -> int:
    """The first value that meets the limit, by bisection; the usual one where the last does not.

    What is found meets the limit and the value before it does not, whatever lies between.
    """

    @cache
    def meets(index: int) -> bool:
        try:
            return counted(choices.made(choices.values[index]), limit) <= limit.most
        except (CostcalcError, Misfit):
            return False

    low, high = -1, len(choices.values) - 1
    if not meets(high):
        return choices.usual
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if meets(middle) else (middle, high)
    return choices.values[high]
