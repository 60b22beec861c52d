"""What a network asks of a device, operator by operator: from the closed form, or from a watched pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from costcalc import structure
from costcalc.attribution import Attribution
from costcalc.execution import Execution, Operation
from costcalc.graph import Graph, Node
from costcalc.latency.work import Work
from costcalc.layers import Kernel

# where the groups stand among the arguments of convolutions
GROUPS_AT = {
    **dict.fromkeys(("aten::conv1d", "aten::conv2d", "aten::conv3d"), 6),
    **dict.fromkeys(("aten::conv_transpose1d", "aten::conv_transpose2d", "aten::conv_transpose3d"), 6),
    **dict.fromkeys(("aten::convolution", "aten::_convolution"), 8),
}
BIAS_AT = 2  # of all of them
# these make room and fill nothing in
ROOM = frozenset(
    f"aten::{word}" for word in "empty empty_like empty_strided new_empty new_empty_strided".split()
)


def of_graph(graph: Graph, batch: int = 1, depth: int | None = None) -> tuple[Work, ...]:
    """The work of every node for a batch, kernel by kernel; of a view too, which is none.

    Activations and MACs are those of a sample times the batch, weights are read once. Blocks are called
    as :func:`costcalc.structure.blocks` calls them.
    """
    blocks = structure.block_names(graph, depth)
    return tuple(found for node in graph.nodes for found in _of_node(node, batch, blocks[node.name]))


def _of_node(node: Node, batch: int, block: str) -> Iterator[Work]:
    layer, xs = node.layer, node.input_shapes
    kernels = layer.kernels(*xs)
    for kernel in kernels or (Kernel(0, 0),):
        yield Work(
            part=node.name,
            block=block,
            operator=kernel.name or layer.kind,
            macs=kernel.macs * batch,
            weights=kernel.held,
            reads=kernel.reads * batch,
            writes=kernel.writes * batch,
            matrix=kernel.macs > 0 and layer.is_dense(*xs),
            launches=1 if kernels else 0,
            pointwise=kernel.pointwise,
        )


def of_execution(execution: Execution) -> tuple[Work, ...]:
    """The work of every operator of the forward pass that moves anything, for the batch as it ran.

    A convolution's bias is apart, as in :meth:`costcalc.layers.Layer.kernels`. Blocks are called as
    :meth:`Attribution.blocks` calls them. A pass that was divided by its samples is that of one sample.
    """
    attribution = Attribution(execution)
    return tuple(
        found for ran in execution.operations if _moves(ran) for found in _of_operation(ran, attribution)
    )


def _moves(ran: Operation) -> bool:
    """Views only rename, and the backward pass is no part of inference."""
    return ran.phase == "forward" and ran.operator not in ROOM and bool(ran.macs or ran.reads or ran.writes)


def _of_operation(ran: Operation, attribution: Attribution) -> Iterator[Work]:
    bias = min(prod(ran.arguments[BIAS_AT] or (0,)), ran.held) if ran.operator in GROUPS_AT else 0
    whole = Work(
        part=attribution.label(ran.module),
        block=attribution.block(ran.module),
        operator=ran.operator,
        macs=ran.macs,
        weights=ran.held - bias,
        reads=ran.reads,
        writes=ran.writes,
        matrix=ran.macs > 0 and _groups(ran) == 1,
        launches=1,
        pointwise=ran.in_place and not ran.macs,
    )
    yield whole
    if bias:
        added = replace(whole, operator="bias", macs=0, weights=bias, reads=ran.writes)
        yield replace(added, matrix=False, pointwise=True)


def _groups(ran: Operation) -> int:
    at = GROUPS_AT.get(ran.operator)
    return 1 if at is None else int(ran.arguments[at])
