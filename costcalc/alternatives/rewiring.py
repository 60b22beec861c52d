"""A graph with one thing about it changed, wired anew, so that every shape and count follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from costcalc.errors import Misfit
from costcalc.graph import INPUT, Graph, Group, Step, wire
from costcalc.layers import Layer
from costcalc.layers.linear import Conv
from costcalc.records import Shape

NORMS = ("batchnorm", "scale")
Piece = tuple[str, Layer]  # the last step of its name, and the layer


def replaced(graph: Graph, name: str, pieces: Sequence[Piece]) -> Graph:
    """The graph with a chain in the place of a layer: ``conv`` becomes ``conv.1``, ``conv.2`` and so on.

    Raises :class:`CostcalcError` where shapes do not fit, and
    :class:`Misfit` if the network would give something else.
    """
    old = graph.node(name)
    names = [f"{name}.{step}" for step, _ in pieces]
    fed = [old.sources, *((before,) for before in names)]
    chain = [
        Step(called, layer, sources, old.training, old.place)
        for called, (_, layer), sources in zip(names, pieces, fed, strict=False)
    ]
    return _wired(graph, {name: chain}, {name: names[-1]})


def with_layer(graph: Graph, name: str, layer: Layer) -> Graph:
    """The graph with another layer of that name."""
    return with_layers(graph, {name: layer})


def with_layers(graph: Graph, layers: Mapping[str, Layer], without: str = "") -> Graph:
    """The graph with other layers of those names, without one: what took it takes its source."""
    nodes = {node.name: node for node in graph.nodes}
    steps: dict[str, list[Step]] = {
        name: [Step(name, layer, nodes[name].sources, nodes[name].training, nodes[name].place)]
        for name, layer in layers.items()
    }
    if not without:
        return _wired(graph, steps, {})
    return _wired(graph, {**steps, without: []}, {without: nodes[without].sources[0]})


def with_input(graph: Graph, shape: Shape) -> Graph:
    """The graph on an input of another shape."""
    return _wired(replace(graph, input_shape=shape), {}, {})


def after(graph: Graph, name: str) -> tuple[Layer, ...]:
    """The normalisation and the activation behind a layer, which a chain repeats between its pieces."""
    found: list[Layer] = []
    while name not in graph.outputs:
        takers = [node for node in graph.nodes if name in node.sources]
        if len(takers) != 1 or not (takers[0].layer.nonlinear or takers[0].layer.kind in NORMS):
            break
        found.append(takers[0].layer)
        if takers[0].layer.nonlinear:
            break
        name = takers[0].name
    return tuple(found)


def before(graph: Graph, name: str) -> tuple[str, Conv] | None:
    """The 1×1 convolution that feeds a layer alone, also through a normalisation and an activation."""
    while (source := graph.node(name).sources[0]) != INPUT:
        layer = graph.node(source).layer
        takers = sum(source in node.sources for node in graph.nodes)
        if takers > 1 or source in graph.outputs:
            return None
        if isinstance(layer, Conv):
            return (source, layer) if layer.kernel == (1, 1) else None
        if not (layer.nonlinear or layer.kind in NORMS):
            return None
        name = source
    return None


def in_turn(layers: Sequence[Layer], between: Sequence[Layer]) -> list[Piece]:
    """Layers one behind the other, each but the last with ``between`` behind it: 1, 1_relu, 2."""
    pieces: list[Piece] = []
    for index, layer in enumerate(layers, 1):
        pieces.append((f"{index}", layer))
        if index < len(layers):
            pieces += [(f"{index}_{each.kind}", each) for each in between]
    return pieces


def _wired(graph: Graph, instead: Mapping[str, Sequence[Step]], now: Mapping[str, str]) -> Graph:
    """The graph with steps in the place of layers, where ``now`` says what gives what a layer gave."""
    steps: list[Step] = []
    for node in graph.nodes:
        sources = tuple(now.get(source, source) for source in node.sources)
        kept = Step(node.name, node.layer, sources, node.training, node.place)
        steps += instead.get(node.name, [kept])
    groups: list[Group] = [
        replace(group, source=now.get(group.source, group.source), output=now.get(group.output, group.output))
        for group in graph.groups.values()
    ]
    found = wire(
        graph.name,
        graph.input_shape,
        steps,
        groups,
        [now.get(name, name) for name in graph.outputs],
        replace(graph.about, figures=(), changed=True),
        training=any(node.training for node in graph.nodes),
    )
    if _given(found) != _given(graph):
        raise Misfit("the network would give something else")
    return found


def _given(graph: Graph) -> list[Shape]:
    return [graph.shape_of(name) for name in graph.outputs]
