"""Changes of width, of fully connected layers, and of the network as a whole."""

from __future__ import annotations

from math import lcm

from costcalc.alternatives.choices import STEP, Choices, channels_of, descending, layer_of, once
from costcalc.alternatives.rewiring import replaced, with_input, with_layer, with_layers
from costcalc.errors import Misfit
from costcalc.graph import INPUT, Graph
from costcalc.layers.linear import Conv, Linear, TransposedConv
from costcalc.layers.pool import GlobalAvgPool

SIDES = 32  # sides of an input come in multiples of it: halved five times they stay whole
# a layer or network with one part in so many is another one; Howard et al. 2017 go so far, or nearly
THINNEST, SMALLEST = 4, 2
LOWEST = 16  # rank, one part in so many: Girshick 2015 takes 256 of 4096


def fewer_filters(graph: Graph, name: str) -> Choices:
    """Filters of a convolution, or units of a fully connected layer; half of them is usual."""
    layer = layer_of(graph, name)
    if not isinstance(layer, (Conv, TransposedConv, Linear)):
        raise Misfit("has no filters")
    step = STEP if isinstance(layer, Linear) else lcm(STEP, layer.groups)
    out, what = layer.out, "units" if isinstance(layer, Linear) else "filters"
    return descending(
        (out, step, THINNEST),
        out // 2,
        lambda filters: with_layer(graph, name, layer.replace(out=filters)),
        lambda filters: f"{out} → {filters} {what}",
    )


def pooled(graph: Graph, name: str) -> Choices:
    """The mean of every channel instead of a flattened map, before the first fully connected layer."""
    if not isinstance(layer_of(graph, name), Linear):
        raise Misfit("is not fully connected")
    node = graph.node(name)
    while node.layer.kind == "dropout" or node.name == name:
        if node.sources[0] == INPUT:
            raise Misfit("takes the input")
        node = graph.node(node.sources[0])
    taken = node.input_shapes[0]
    if node.layer.kind != "flatten" or len(taken) != 3 or taken[1:] == (1, 1):
        raise Misfit("takes no flattened map")
    _, height, width = taken
    pieces = [("1", GlobalAvgPool()), ("2", node.layer)]
    said = f"global average pooling of the {height}×{width} map before it"
    return once(said, lambda: replaced(graph, node.name, pieces))


def low_rank(graph: Graph, name: str) -> Choices:
    """A fully connected layer as two, with nothing but fewer features between; a quarter is usual."""
    layer = layer_of(graph, name)
    if not isinstance(layer, Linear):
        raise Misfit("is not fully connected")
    full = min(channels_of(graph, name), layer.out)

    def made(rank: int) -> Graph:
        return replaced(graph, name, [("1", Linear(out=rank, bias=False)), ("2", layer)])

    strengths = (full, STEP, LOWEST)
    return descending(strengths, full // 4, made, lambda rank: f"two layers of rank {rank}")


def smaller_input(graph: Graph, name: str) -> Choices:
    """A square input with shorter sides; three quarters are usual."""
    if name != INPUT or len(graph.input_shape) != 3 or graph.input_shape[1] != graph.input_shape[2]:
        raise Misfit("is no square input")
    channels, side, _ = graph.input_shape
    return descending(
        (side, SIDES, SMALLEST),
        side * 3 // 4,
        lambda new: with_input(graph, (channels, new, new)),
        lambda new: f"input {side}×{side} → {new}×{new}",
    )


def thinner(graph: Graph, name: str) -> Choices:
    """Every layer but those that decide what the network gives, with the same share of its filters."""
    if name != INPUT:
        raise Misfit("is one layer")
    fixed = _deciding(graph)
    scaled = {
        node.name: node.layer
        for node in graph.nodes
        if isinstance(node.layer, (Conv, TransposedConv, Linear)) and node.name not in fixed
    }
    if not scaled:
        raise Misfit("has no layer that could be thinner")

    def widths(percent: int) -> dict[str, int]:
        return {
            name: _scaled(layer.out, percent, getattr(layer, "groups", 1)) for name, layer in scaled.items()
        }

    def made(percent: int) -> Graph:
        thin = {name: scaled[name].replace(out=out) for name, out in widths(percent).items()}
        return with_layers(graph, thin)

    def said(percent: int) -> str:
        left, all_ = sum(widths(percent).values()), sum(layer.out for layer in scaled.values())
        return f"hidden layers to {percent} % of their filters, in multiples of {STEP}: {all_:,} → {left:,}"

    return descending((100, 5, THINNEST), 75, made, said)


def _scaled(out: int, percent: int, groups: int) -> int:
    """A share of the filters in whole steps, rounded to the nearest; never more than there were."""
    step = lcm(STEP, groups)
    return min(out, max(step, (out * percent + 50 * step) // (100 * step) * step))


def _deciding(graph: Graph) -> set[str]:
    """The layers whose filters are the channels of an output."""
    found, open_ = set[str](), list(graph.outputs)
    while open_:
        name = open_.pop()
        if name == INPUT or name in found:
            continue
        found.add(name)
        node = graph.node(name)
        if not hasattr(node.layer, "out"):
            open_ += node.sources
    return found
