"""The closed-form producer: every count from the layers' formulas alone, without torch."""

from __future__ import annotations

from math import prod

from costcalc.graph import Graph, Node
from costcalc.records import Cost, CostTable, Row


def costs(graph: Graph) -> CostTable:
    """The exact cost of every layer, per sample, in inference mode."""
    return CostTable(graph.name, "formula", tuple(_row(node) for node in graph.nodes))


def _row(node: Node) -> Row:
    layer, xs = node.layer, node.input_shapes
    cost = Cost(
        weights=layer.weights(*xs),
        biases=layer.biases(*xs),
        norm=layer.norm(*xs),
        macs=layer.macs(*xs),
        other_ops=layer.other_ops(*xs),
        reads=0 if layer.is_view(*xs) else sum(prod(x) for x in xs),
        writes=0 if layer.is_view(*xs) else prod(node.output_shape),
    )
    return Row(node.name, layer.kind, node.output_shape, cost)
