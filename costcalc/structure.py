"""Graph and costs folded into parts: layers, blocks, the whole; and what does not add up.

Receptive field, depth and nonlinearities are taken on paths inside the part, from where it is
entered; the receptive field follows Dumoulin & Visin 2016 (arXiv:1603.07285) with exact strides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod

from costcalc.graph import INPUT, Graph, Node
from costcalc.records import NOTHING, CostTable, Part, Row, Structure

WIDEST = 10**12


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far back one output position sees: field and step per axis, in input positions."""

    field: tuple[Fraction, Fraction] = (Fraction(1), Fraction(1))
    step: tuple[Fraction, Fraction] = (Fraction(1), Fraction(1))
    depth: int = 0
    nonlinearities: int = 0


def layers(graph: Graph, table: CostTable) -> tuple[Part, ...]:
    """One part per layer."""
    alive = _alive(graph)
    pairs = zip(graph.nodes, table.rows, strict=True)
    return tuple(_part(node.name, node.layer.kind, [node], [row], alive) for node, row in pairs)


def blocks(graph: Graph, table: CostTable, depth: int | None = None) -> tuple[Part, ...]:
    """One part per block (a layer outside any block is its own).

    Blocks are the first ``depth`` parts of the names; by default the first level that has more
    than one of them.
    """
    alive = _alive(graph)
    depth = depth or _first_fork([node.name.split(".") for node in graph.nodes])
    members: dict[str, list[tuple[Node, Row]]] = defaultdict(list)
    for node, row in zip(graph.nodes, table.rows, strict=True):
        members[".".join(node.name.split(".")[:depth])].append((node, row))
    return tuple(
        _part(name, _kind(graph, name, pairs[-1][0]), [n for n, _ in pairs], [r for _, r in pairs], alive)
        for name, pairs in members.items()
    )


def whole(graph: Graph, table: CostTable) -> Part:
    """The graph as one part."""
    part = _part(graph.name, "graph", graph.nodes, table.rows, _alive(graph))
    return Part(part.name, part.kind, graph.shape_of(graph.outputs[0]), part.cost, part.structure)


def part(graph: Graph, table: CostTable, name: str) -> Part:
    """The block or layer of that dotted name at any depth; KeyError if there is none."""
    inside = [
        (node, row)
        for node, row in zip(graph.nodes, table.rows, strict=True)
        if node.name == name or node.name.startswith(f"{name}.")
    ]
    if not inside:
        raise KeyError(name)
    nodes, rows = [node for node, _ in inside], [row for _, row in inside]
    return _part(name, _kind(graph, name, nodes[-1]), nodes, rows, _alive(graph))


def _kind(graph: Graph, name: str, node: Node) -> str:
    return graph.groups[name].kind if name in graph.groups else node.layer.kind


def _first_fork(paths: Sequence[Sequence[str]]) -> int:
    """Depth of names at which more than one appears; the full depth for a single layer."""
    deepest = max(map(len, paths))
    return next((d for d in range(1, deepest) if len({tuple(p[:d]) for p in paths}) > 1), deepest)


def _part(name: str, kind: str, nodes: Sequence[Node], rows: Iterable[Row], alive: dict[str, int]) -> Part:
    seen = _reaches(nodes)
    ends = [seen[node.name] for node in nodes if not node.training] or list(seen.values())
    has_grid = len(nodes[0].input_shapes[0]) == 3
    structure = Structure(
        receptive_field=_field(ends) if has_grid else None,
        depth=max(end.depth for end in ends),
        nonlinearities=max(end.nonlinearities for end in ends),
        peak_activations=max(alive[node.name] for node in nodes),
    )
    return Part(name, kind, nodes[-1].output_shape, sum((row.cost for row in rows), NOTHING), structure)


def _field(ends: Iterable[_Reach]) -> tuple[int, int] | None:
    """The widest field; None where strides make it wider than any image could be."""
    high, wide = (max(ceil(end.field[axis]) for end in ends) for axis in (0, 1))
    return (high, wide) if max(high, wide) < WIDEST else None


def _reaches(nodes: Sequence[Node]) -> dict[str, _Reach]:
    seen: dict[str, _Reach] = {}
    for node in nodes:
        before = [seen.get(source, _Reach()) for source in node.sources]
        window = node.layer.window(*node.input_shapes)
        step = tuple(max(reach.step[axis] for reach in before) for axis in (0, 1))
        field = tuple(
            max(reach.field[axis] + (window.extent[axis] - 1) * reach.step[axis] for reach in before)
            for axis in (0, 1)
        )
        seen[node.name] = _Reach(
            field=(field[0], field[1]),
            step=(step[0] * window.stride[0], step[1] * window.stride[1]),
            depth=max(reach.depth for reach in before) + node.layer.weighted,
            nonlinearities=max(reach.nonlinearities for reach in before) + node.layer.nonlinear,
        )
    return seen


def _alive(graph: Graph) -> dict[str, int]:
    """Elements that must be alive while each node runs: buffers taken, given or still needed.

    A view shares its input's buffer; an in-place layer overwrites one that nobody needs later.
    """
    last = _last_uses(graph)
    buffer: dict[str, str] = {INPUT: INPUT}  # node → the node whose buffer holds its output
    needed: dict[str, int] = {INPUT: last[INPUT]}  # buffer → step of its last use
    size: dict[str, int] = {INPUT: prod(graph.input_shape)}
    expiring: dict[int, list[str]] = defaultdict(list)
    expiring[needed[INPUT]].append(INPUT)
    alive: dict[str, int] = {}
    total = size[INPUT]
    for step, node in enumerate(graph.nodes):
        kept = _reused(node, step, buffer, needed, size)
        owner = kept or node.name
        if kept is None:
            size[owner] = prod(node.output_shape)
            total += size[owner]
        buffer[node.name] = owner
        needed[owner] = max(needed.get(owner, step), last[node.name])
        expiring[needed[owner]].append(owner)
        alive[node.name] = total
        for name in set(expiring.pop(step, ())):
            if needed[name] == step and name in size:
                total -= size.pop(name)
    return alive


def _reused(
    node: Node, step: int, buffer: dict[str, str], needed: dict[str, int], size: dict[str, int]
) -> str | None:
    """The buffer of an input that the node's output can live in, or None for a new one."""
    if node.layer.view:
        return buffer[node.sources[0]]
    if not node.layer.in_place:
        return None
    for source in node.sources:
        owner = buffer[source]
        if needed[owner] == step and size[owner] == prod(node.output_shape):
            return owner
    return None


def _last_uses(graph: Graph) -> dict[str, int]:
    """The step that last takes each output; outputs of the graph outlive every step."""
    last = {node.name: step for step, node in enumerate(graph.nodes)}
    last[INPUT] = 0
    for step, node in enumerate(graph.nodes):
        for source in node.sources:
            last[source] = step
    for name in graph.outputs:
        last[name] = len(graph.nodes)
    return last
