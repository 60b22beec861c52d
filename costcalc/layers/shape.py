"""Layers that move, choose or join values: flatten, concat, add, multiply, channels, upsampling."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from math import prod
from operator import add, mul
from typing import Any, Literal

from costcalc.errors import Misfit
from costcalc.layers.base import Channels, Kernel, Layer, Size, Steps, TorchModule, chw, divided
from costcalc.layers.window import Span
from costcalc.records import Shape


class Flatten(Layer):
    """A feature map as a vector; nothing is moved."""

    kind = "flatten"

    def output_shape(self, *xs: Shape) -> Shape:
        return (prod(xs[0]),)

    def is_view(self, *xs: Shape) -> bool:
        return True

    def sees(self, span: Span, axis: int, *xs: Shape) -> Span:
        return (0, xs[0][axis + 1] - 1) if len(xs[0]) == 3 else span

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.Flatten()


class Concat(Layer):
    """Maps of one grid, or vectors, one behind the other along the channels."""

    kind = "concat"
    inputs = (2, None)

    def output_shape(self, *xs: Shape) -> Shape:
        if any(x[1:] != xs[0][1:] for x in xs):
            raise Misfit(f"needs inputs of one grid, got {_listed(xs)}")
        return (sum(x[0] for x in xs), *xs[0][1:])

    def module(self, torch: Any, *xs: Shape) -> Callable[..., Any]:
        return lambda *tensors: torch.cat(tensors, dim=1)


class Add(Layer):
    """Elementwise sum of equal shapes; one other operation per element and further input."""

    kind = "add"
    inputs = (2, None)
    in_place = True

    def output_shape(self, *xs: Shape) -> Shape:
        if any(x != xs[0] for x in xs):
            raise Misfit(f"needs inputs of one shape, got {_listed(xs)}")
        return xs[0]

    def other_ops(self, *xs: Shape) -> int:
        return (len(xs) - 1) * prod(xs[0])

    def kernels(self, *xs: Shape) -> tuple[Kernel, ...]:
        return (Kernel(2 * prod(xs[0]), prod(xs[0]), pointwise=True),) * (len(xs) - 1)

    def module(self, torch: Any, *xs: Shape) -> Callable[..., Any]:
        return lambda *tensors: reduce(add, tensors)


class Multiply(Layer):
    """A map times gates: a gate has the map's shape, or 1 along some dimensions.

    The map is the first input; one other operation per element and gate.
    """

    kind = "multiply"
    inputs = (2, None)
    in_place = True

    def output_shape(self, *xs: Shape) -> Shape:
        for gate in xs[1:]:
            fits = len(gate) == len(xs[0])
            if not fits or any(g not in (1, x) for g, x in zip(gate, xs[0], strict=True)):
                raise Misfit(f"a gate {list(gate)} does not spread over the map {list(xs[0])}")
        return xs[0]

    def other_ops(self, *xs: Shape) -> int:
        return (len(xs) - 1) * prod(xs[0])

    def kernels(self, *xs: Shape) -> tuple[Kernel, ...]:
        size, *gates = (prod(x) for x in xs)
        return tuple(Kernel(size + gate, size, pointwise=True) for gate in gates)

    def module(self, torch: Any, *xs: Shape) -> Callable[..., Any]:
        return lambda *tensors: reduce(mul, tensors)


class ChannelShuffle(Layer):
    """Channels of ``groups`` interleaved (Zhang et al. 2018, ShuffleNet); moves, computes nothing."""

    kind = "channel_shuffle"
    groups: Size

    def output_shape(self, *xs: Shape) -> Shape:
        divided(chw(xs[0])[0], self.groups, "input")
        return xs[0]

    def is_view(self, *xs: Shape) -> bool:
        # in one group, or in groups of one, every channel stays where it is
        return self.groups in (1, xs[0][0])

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.ChannelShuffle(self.groups)


class Select(Layer):
    """The channels of a list, in its order: which maps a unit is connected to; copies, computes nothing.

    Channels count from 0. Source: the connection table of C3, LeCun et al. 1998, Table I.
    """

    kind = "select"
    channels: Channels

    def output_shape(self, *xs: Shape) -> Shape:
        have, height, width = chw(xs[0])
        beyond = [channel for channel in self.channels if channel >= have]
        if beyond:
            raise Misfit(f"there is no channel {beyond[0]}; the input has {have}, counted from 0")
        return (len(self.channels), height, width)

    def kernels(self, *xs: Shape) -> tuple[Kernel, ...]:
        chosen = prod(self.output_shape(*xs))
        return (Kernel(chosen, chosen),)

    def module(self, torch: Any, *xs: Shape) -> Callable[..., Any]:
        return lambda x: torch.cat([x[:, channel : channel + 1] for channel in self.channels], dim=1)


class Upsample(Layer):
    """A grid ``scale`` times as fine; bilinear blends four neighbours: seven operations per element.

    (Four products and three sums; the nearest neighbour is only copied.)
    """

    kind = "upsample"
    scale: Steps
    mode: Literal["nearest", "bilinear"] = "nearest"

    def output_shape(self, *xs: Shape) -> Shape:
        channels, height, width = chw(xs[0])
        return (channels, height * self.scale[0], width * self.scale[1])

    def other_ops(self, *xs: Shape) -> int:
        return 7 * prod(self.output_shape(*xs)) if self.mode == "bilinear" else 0

    def period(self, axis: int, *xs: Shape) -> int:
        return self.scale[axis]

    def sees(self, span: Span, axis: int, *xs: Shape) -> Span:
        scale = self.scale[axis]
        if self.mode == "nearest":
            return span[0] // scale, span[1] // scale
        # output j lies at (2j + 1 - scale)/(2*scale) and blends the positions on either side of that
        first, last = ((2 * position + 1 - scale) for position in span)
        return first // (2 * scale), -(-last // (2 * scale))

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.Upsample(scale_factor=tuple(float(s) for s in self.scale), mode=self.mode)


def _listed(xs: tuple[Shape, ...]) -> str:
    return ", ".join(str(list(x)) for x in xs)
