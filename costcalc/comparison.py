"""Architectures side by side: totals, and blocks paired by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from costcalc import structure
from costcalc.graph import Graph
from costcalc.records import CostTable, Part


@dataclass(frozen=True, slots=True)
class Aligned:
    """A block's name and what each architecture has under it; None where it has nothing."""

    name: str
    parts: tuple[Part | None, ...]

    @property
    def identical(self) -> bool:
        """Whether all have the same block at the same cost (what else is alive beside it may differ)."""
        return len({_itself(part) for part in self.parts}) == 1


def _itself(part: Part | None) -> object:
    return part and replace(part, structure=replace(part.structure, peak_activations=0))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two or more architectures: each as a whole, and aligned block by block."""

    wholes: tuple[Part, ...]
    blocks: tuple[Aligned, ...]


def align(pairs: Sequence[tuple[Graph, CostTable]]) -> Comparison:
    """Compare graphs with their costs; blocks keep the order of the first that has them."""
    wholes = tuple(structure.whole(graph, table) for graph, table in pairs)
    columns = [
        {part.name: part for part in structure.blocks(graph, table, depth=1)} for graph, table in pairs
    ]
    names = _merged([list(column) for column in columns])
    rows = (Aligned(name, tuple(column.get(name) for column in columns)) for name in names)
    return Comparison(wholes, tuple(rows))


def _merged(orders: Sequence[Sequence[str]]) -> list[str]:
    """All names once; one that only a later order has stands behind its predecessor there."""
    merged = list(orders[0])
    place = {name: index for index, name in enumerate(merged)}
    for order in orders[1:]:
        extra: dict[int, list[str]] = {}
        at = -1
        for name in order:
            if name in place:
                at = max(at, place[name])
            else:
                extra.setdefault(at, []).append(name)
        if extra:
            merged = extra.pop(-1, []) + [
                n for i, name in enumerate(merged) for n in (name, *extra.get(i, ()))
            ]
            place = {name: index for index, name in enumerate(merged)}
    return merged
