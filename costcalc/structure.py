"""Graph and costs folded into parts: layers, blocks, the whole; and what does not add up.

Depth and nonlinearities are taken on the longest path inside the part, from where it is entered. The
receptive field is followed back from the output, span by span: exact also behind gates, branches and
resampling, and never more than the input has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import accumulate
from math import prod

from costcalc.graph import INPUT, Graph, Node
from costcalc.layers import Span
from costcalc.records import CostTable, Part, Row, Structure, total


def layers(graph: Graph, table: CostTable) -> tuple[Part, ...]:
    """One part per layer."""
    alive = living(graph)
    pairs = zip(graph.nodes, table.rows, strict=True)
    return tuple(_part(node.name, node.layer.kind, (node.name,), [node], [row], alive) for node, row in pairs)


def blocks(graph: Graph, table: CostTable, depth: int | None = None) -> tuple[Part, ...]:
    """One part per block (a layer outside any block is its own).

    Blocks are the first ``depth`` parts of the names; by default the first level that has more
    than one of them.
    """
    alive = living(graph)
    named = block_names(graph, depth)
    members: dict[str, list[tuple[Node, Row]]] = defaultdict(list)
    for node, row in zip(graph.nodes, table.rows, strict=True):
        members[named[node.name]].append((node, row))
    return tuple(
        _part(name, *_group(graph, name, pairs[-1][0]), [n for n, _ in pairs], [r for _, r in pairs], alive)
        for name, pairs in members.items()
    )


def block_names(graph: Graph, depth: int | None = None) -> dict[str, str]:
    """The block that each node is a part of; see :func:`blocks`."""
    depth = depth or _first_fork([node.name.split(".") for node in graph.nodes])
    return {node.name: ".".join(node.name.split(".")[:depth]) for node in graph.nodes}


def whole(graph: Graph, table: CostTable) -> Part:
    """The graph as one part."""
    return _part(graph.name, "graph", graph.outputs, graph.nodes, table.rows, living(graph))


def part(graph: Graph, table: CostTable, name: str) -> Part:
    """The block or layer of that dotted name at any depth; KeyError if there is none."""
    return finder(graph, table)(name)


def finder(graph: Graph, table: CostTable) -> Callable[[str], Part]:
    """:func:`part` of one graph, for many names: what lies in each is looked up and measured once."""
    alive = living(graph)
    inside: dict[str, list[tuple[Node, Row]]] = defaultdict(list)
    for node, row in zip(graph.nodes, table.rows, strict=True):
        for name in accumulate(node.name.split("."), "{}.{}".format):
            inside[name].append((node, row))

    @cache
    def found(name: str) -> Part:
        if name not in inside:
            raise KeyError(name)
        nodes, rows = zip(*inside[name], strict=True)
        return _part(name, *_group(graph, name, nodes[-1]), nodes, rows, alive)

    return found


def _group(graph: Graph, name: str, last: Node) -> tuple[str, tuple[str, ...]]:
    """A block's kind and the node it gives on; a layer's own."""
    if name in graph.groups:
        return graph.groups[name].kind, (graph.groups[name].output,)
    return last.layer.kind, (last.name,)


def _first_fork(paths: Sequence[Sequence[str]]) -> int:
    """Depth of names at which more than one appears; the full depth for a single layer."""
    deepest = max(map(len, paths))
    return next((d for d in range(1, deepest) if len({tuple(p[:d]) for p in paths}) > 1), deepest)


def _part(
    name: str,
    kind: str,
    outputs: Sequence[str],
    nodes: Sequence[Node],
    rows: Iterable[Row],
    alive: dict[str, int],
) -> Part:
    by_name = {node.name: node for node in nodes}
    ends = [by_name[output] for output in outputs if output in by_name]
    paths = _paths(nodes)
    structure = Structure(
        receptive_field=_field(nodes, ends[0]) if len(nodes[0].input_shapes[0]) == 3 else None,
        depth=max(paths[end.name][0] for end in ends),
        nonlinearities=max(paths[end.name][1] for end in ends),
        peak_activations=max(alive[node.name] for node in nodes),
    )
    return Part(name, kind, ends[0].output_shape, total(row.cost for row in rows), structure)


def _paths(nodes: Sequence[Node]) -> dict[str, tuple[int, int]]:
    """Weighted layers and activation functions on the longest path to each node."""
    found: dict[str, tuple[int, int]] = {}
    for node in nodes:
        before = [found.get(source, (0, 0)) for source in node.sources]
        depth, nonlinearities = (max(path[i] for path in before) for i in (0, 1))
        found[node.name] = (depth + node.layer.weighted, nonlinearities + node.layer.nonlinear)
    return found


def _field(nodes: Sequence[Node], end: Node) -> tuple[int, int]:
    """Height and width of what the output position that sees most can see."""
    high, wide = (max(_width(nodes, end, axis, at) for at in _tried(nodes, end, axis)) for axis in (0, 1))
    return high, wide


def _tried(nodes: Sequence[Node], end: Node, axis: int) -> range:
    """Positions around the middle, where least is cut off, until what they see repeats."""
    size = end.output_shape[axis + 1] if len(end.output_shape) == 3 else 1
    around = 2
    for node in nodes:
        if len(node.output_shape) == 3:
            around = min(size, around * node.layer.period(axis, *node.input_shapes))
    return range(max(0, size // 2 - around), min(size, size // 2 + around + 1))


def _width(nodes: Sequence[Node], end: Node, axis: int, position: int) -> int:
    """How many positions of the part's input one output position depends on, first to last."""
    wanted: dict[str, Span] = {end.name: (position, position)}
    for node in reversed(nodes):
        span = wanted.pop(node.name, None)
        if span is None:
            continue
        first, last = node.layer.sees(span, axis, *node.input_shapes)
        for source, shape in zip(node.sources, node.input_shapes, strict=True):
            size = shape[axis + 1] if len(shape) == 3 else 1
            low, high = (max(first, 0), min(last, size - 1)) if size > 1 else (0, 0)  # a gate: seen by all
            if low <= high:  # else it lies in the padding
                other = wanted.get(source, (low, high))
                wanted[source] = (min(low, other[0]), max(high, other[1]))
    # what is left are the inputs of the part
    return max((last - first + 1 for first, last in wanted.values()), default=0)


def living(graph: Graph) -> dict[str, int]:
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
    if node.layer.is_view(*node.input_shapes):
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
