"""Changes of one convolution: in pieces, in groups, in turn, behind a reduction."""

from __future__ import annotations

from math import gcd

from costcalc.alternatives.choices import STEP, Choices, channels_of, conv_of, descending, once
from costcalc.alternatives.rewiring import after, before, in_turn, replaced, with_layer, with_layers
from costcalc.errors import Misfit
from costcalc.graph import Graph
from costcalc.layers.base import area
from costcalc.layers.linear import Conv, Depthwise
from costcalc.layers.pool import AvgPool, MaxPool
from costcalc.layers.window import Pad

NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
NARROWEST = 16  # a reduction leaves one channel in so many: of 192 GoogLeNet's module 3a leaves 16
MOST_GROUPS = 32  # Xie et al. 2017, Table 1


def stacked(graph: Graph, name: str) -> Choices:
    """As many 3×3 as see what the k×k sees; between them the narrower of input and output."""
    conv = conv_of(graph, name)
    size, times = conv.kernel[0], conv.kernel[0] // 2
    if conv.kernel != (size, size) or size < 5 or size % 2 == 0:
        raise Misfit("is no k×k convolution of odd k from 5 on")
    if conv.stride != (1, 1) or conv.dilation != (1, 1):
        raise Misfit("skips positions")
    if conv.pad != "same" and max(conv.pad) > times:
        raise Misfit("is padded with more than one position for each 3×3")
    pieces = [
        conv.replace(kernel=(3, 3), pad=_pad_of(conv.pad, index), out=out)
        for index, out in enumerate(_widths(graph, name, conv, times))
    ]
    said = f"{size}×{size} → {NUMBERS.get(times, str(times))} 3×3"
    return once(said, lambda: replaced(graph, name, in_turn(pieces, after(graph, name))))


def _pad_of(pad: Pad, index: int) -> Pad:
    """Of so much padding each of the first layers has one position."""
    return pad if pad == "same" else (int(index < pad[0]), int(index < pad[1]))


def _widths(graph: Graph, name: str, conv: Conv, times: int) -> list[int]:
    return [min(channels_of(graph, name), conv.out)] * (times - 1) + [conv.out]


def asymmetric(graph: Graph, name: str) -> Choices:
    """Along the rows, then along the columns; stride, padding and dilation each on its own axis."""
    conv = conv_of(graph, name)
    size = conv.kernel[0]
    if conv.kernel != (size, size) or size < 3:
        raise Misfit("is no k×k convolution of k from 3 on")
    rows, columns = (
        conv.replace(
            kernel=_along(axis, (size, size), 1),
            stride=_along(axis, conv.stride, 1),
            dilation=_along(axis, conv.dilation, 1),
            pad=conv.pad if conv.pad == "same" else _along(axis, conv.pad, 0),
            out=out,
        )
        for axis, out in zip((1, 0), _widths(graph, name, conv, 2), strict=True)
    )
    said = f"{size}×{size} → 1×{size}, {size}×1"
    return once(said, lambda: replaced(graph, name, in_turn((rows, columns), after(graph, name))))


def _along(axis: int, pair: tuple[int, int], other: int) -> tuple[int, int]:
    return (pair[0], other) if axis == 0 else (other, pair[1])


def reduced(graph: Graph, name: str) -> Choices:
    """A 1×1 convolution to fewer channels before one that looks around itself; a quarter is usual.

    Where there is one already it is made narrower; half of it is usual.
    """
    conv, channels = _dense(graph, name), channels_of(graph, name)
    reduction = before(graph, name)
    if reduction is not None:
        return _narrower(graph, *reduction)

    def made(width: int) -> Graph:
        first = Conv(out=width, kernel=(1, 1), bias=conv.bias)
        return replaced(graph, name, in_turn((first, conv), after(graph, name)))

    strengths = (channels, STEP, NARROWEST)
    return descending(strengths, channels // 4, made, lambda width: f"1×1 to {width} channels before it")


def _narrower(graph: Graph, name: str, reduction: Conv) -> Choices:
    """The reduction that is there already, to fewer channels."""
    return descending(
        (reduction.out, STEP, NARROWEST),
        reduction.out // 2,
        lambda width: with_layer(graph, name, reduction.replace(out=width)),
        lambda width: f"its reduction {reduction.out} → {width} channels",
    )


def separable(graph: Graph, name: str) -> Choices:
    """One filter on every channel, then a 1×1 across the channels."""
    conv = _dense(graph, name)
    shared = {key: getattr(conv, key) for key in ("kernel", "stride", "pad", "dilation", "bias")}
    pieces = (Depthwise(**shared), Conv(out=conv.out, kernel=(1, 1), bias=conv.bias))
    said = f"{conv.kernel[0]}×{conv.kernel[1]} → depthwise, then 1×1"
    return once(said, lambda: replaced(graph, name, in_turn(pieces, after(graph, name))))


def grouped(graph: Graph, name: str) -> Choices:
    """Twice as many groups, four times as many and so on, while channels divide; twice is usual."""
    conv = conv_of(graph, name)
    most = gcd(channels_of(graph, name), conv.out)
    values = [conv.groups * 2**power for power in range(1, most.bit_length())]
    fitting = tuple(groups for groups in values if most % groups == 0 and groups <= MOST_GROUPS)
    if not fitting:
        raise Misfit("does not divide into groups")
    return Choices(
        fitting,
        fitting[0],
        lambda groups: with_layer(graph, name, conv.replace(groups=groups)),
        lambda groups: f"in {groups} groups",
        conv.groups,
    )


def strided(graph: Graph, name: str) -> Choices:
    """The pooling behind a convolution left out, its stride taken by the convolution."""
    conv, last = conv_of(graph, name), name
    for _ in after(graph, name):
        last = next(node.name for node in graph.nodes if last in node.sources)
    takers = [node for node in graph.nodes if last in node.sources]
    pool = takers[0].layer if len(takers) == 1 and last not in graph.outputs else None
    if not isinstance(pool, (MaxPool, AvgPool)) or conv.stride != (1, 1) or conv.pad == "same":
        raise Misfit("is no convolution of stride 1 before a pooling")
    stride, shape = pool.stride or pool.kernel, takers[0].output_shape

    def made() -> Graph:
        faster = conv.replace(stride=stride)
        found = with_layers(graph, {name: faster}, without=takers[0].name)
        if found.shape_of(last) != shape:
            raise Misfit("the stride leads to another grid")
        return found

    return once(f"stride {stride[0]} instead of {takers[0].name}", made)


def _dense(graph: Graph, name: str) -> Conv:
    """A convolution that looks around itself and joins all channels."""
    conv = conv_of(graph, name)
    if area(conv.kernel) == 1 or conv.groups > 1:
        raise Misfit("is 1×1 or in groups")
    return conv
