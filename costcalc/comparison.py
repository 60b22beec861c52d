"""Architectures side by side: totals, and blocks paired by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from costcalc.records import Part


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
    """Two or more architectures: each as a whole, and aligned block by block.

    ``alike`` says of each but the first how many layers with weights it has if they are those of the
    first, and 0 if they are not.
    """

    wholes: tuple[Part, ...]
    blocks: tuple[Aligned, ...]
    alike: tuple[int, ...]


def align(
    wholes: Sequence[Part], blocks: Sequence[Sequence[Part]], layers: Sequence[Sequence[Part]]
) -> Comparison:
    """Compare architectures, each a whole with its blocks and layers.

    Blocks are paired by name, ``inception_3a`` also with ``inception3a``, and keep the order of the first
    that has them.
    """
    columns = [_spelt(parts) for parts in blocks]
    shown = {key: part.name for column in reversed(columns) for key, part in column.items()}
    names = _merged([list(column) for column in columns])
    rows = (Aligned(shown[name], tuple(column.get(name) for column in columns)) for name in names)
    weighted = [_weighted(parts) for parts in layers]
    alike = (other.total() if other == weighted[0] else 0 for other in weighted[1:])
    return Comparison(tuple(wholes), tuple(rows), tuple(alike))


def _spelt(parts: Sequence[Part]) -> dict[str, Part]:
    """Blocks by the letters and digits of their names, or by the names where those are not enough."""
    times = Counter(_letters(part.name) for part in parts)
    return {_letters(part.name) if times[_letters(part.name)] == 1 else part.name: part for part in parts}


def _letters(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _weighted(layers: Sequence[Part]) -> Counter[tuple[object, ...]]:
    """What every layer with weights gives and costs."""
    return Counter(
        (part.output_shape, part.cost.weights, part.cost.biases, part.cost.macs)
        for part in layers
        if part.cost.weights and part.cost.macs
    )


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
