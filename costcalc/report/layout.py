"""Where the boxes and arrows of a diagram lie: layer below layer, branches side by side.

A box stands one layer below the lowest that it follows. An arrow over several layers keeps a lane of
its own in each, so that nothing overlaps and no arrow crosses a box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from costcalc.errors import Misfit
from costcalc.report.document import Diagram

GAP, LANE = 26, 10  # pixels between neighbours, and across a lane
Spot = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """The middle of each box by its name, for each arrow the spots it passes, and the size of it all."""

    middles: Mapping[str, Spot]
    paths: tuple[tuple[Spot, ...], ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Net:
    """Boxes and lanes layer by layer, and whom each follows; a chain is an arrow's way through them."""

    layers: tuple[tuple[str, ...], ...]
    above: Mapping[str, tuple[str, ...]]
    chains: tuple[tuple[str, ...], ...]


def layout(diagram: Diagram, box: Spot, apart: float) -> Layout:
    """Every box ``box`` wide and high, ``apart`` between layers; :class:`Misfit` for a cycle."""
    net = _net(diagram)
    names = {one.name for one in diagram.boxes}
    wide = {name: box[0] if name in names else LANE for layer in net.layers for name in layer}
    across: dict[str, float] = {}
    for layer in net.layers:
        across |= _placed(layer, net.above, wide, across)
    left = min((across[name] - wide[name] / 2 for name in across), default=0)
    right = max((across[name] + wide[name] / 2 for name in across), default=0)
    spots = {
        name: (across[name] - left, depth * (box[1] + apart) + box[1] / 2)
        for depth, layer in enumerate(net.layers)
        for name in layer
    }
    paths = tuple(tuple(spots[name] for name in chain) for chain in net.chains)
    height = max(len(net.layers) * (box[1] + apart) - apart, 0)
    return Layout({name: spots[name] for name in names}, paths, right - left, height)


def _depths(diagram: Diagram) -> dict[str, int]:
    """The longest way to each box, in arrows."""
    sources: dict[str, list[str]] = {box.name: [] for box in diagram.boxes}
    for arrow in diagram.arrows:
        sources[arrow.target].append(arrow.source)
    depths: dict[str, int] = {}
    while len(depths) < len(sources):
        ready = [name for name in sources if name not in depths and all(s in depths for s in sources[name])]
        if not ready:
            raise Misfit(f"diagram {diagram.key}: its arrows go in a circle")
        depths |= {name: max((depths[s] + 1 for s in sources[name]), default=0) for name in ready}
    return depths


def _net(diagram: Diagram) -> _Net:
    depths = _depths(diagram)
    layers: list[list[str]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
    for box in diagram.boxes:
        layers[depths[box.name]].append(box.name)
    above: dict[str, tuple[str, ...]] = {}
    chains = []
    for number, arrow in enumerate(diagram.arrows):
        chain = [arrow.source]
        for depth in range(depths[arrow.source] + 1, depths[arrow.target]):
            chain.append(f"{number} {depth}\n")  # no box is called so: names have no line breaks
            layers[depth].append(chain[-1])
        chain.append(arrow.target)
        chains.append(tuple(chain))
        for source, target in pairwise(chain):
            above[target] = (*above.get(target, ()), source)
    return _Net(tuple(tuple(layer) for layer in layers), above, tuple(chains))


def _placed(
    layer: Sequence[str],
    above: Mapping[str, Sequence[str]],
    wide: Mapping[str, float],
    across: Mapping[str, float],
) -> dict[str, float]:
    """The middles of a layer: below those that each follows, moved apart where two would touch."""
    wanted = {name: _mean([across[source] for source in above.get(name, ())]) for name in layer}
    order = sorted(layer, key=lambda name: wanted[name])
    middles: dict[str, float] = {}
    end = float("-inf")
    for name in order:
        middles[name] = max(wanted[name], end + wide[name] / 2)
        end = middles[name] + wide[name] / 2 + GAP
    shift = _mean([wanted[name] - middles[name] for name in order])
    return {name: middle + shift for name, middle in middles.items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
