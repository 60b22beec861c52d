"""Pooling. Other operations: one per window element and output element, padding included."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, prod
from typing import Any

from costcalc.errors import Misfit
from costcalc.layers.base import Layer, Margin, Steps, TorchModule, area, chw
from costcalc.layers.linear import strided
from costcalc.layers.window import Pair, Window, grid
from costcalc.records import Shape


class MaxPool(Layer):
    """Max pooling; ``stride`` is the kernel unless given, ``ceil`` rounds the grid up (Caffe)."""

    kind = "maxpool"
    kernel: Steps
    stride: Steps | None = None
    pad: Margin = (0, 0)
    dilation: Steps = (1, 1)
    ceil: bool = False

    def output_shape(self, *xs: Shape) -> Shape:
        channels, *size = chw(xs[0])
        check_pad(self.pad, self.kernel)
        stride = self.stride or self.kernel
        return (channels, *grid((size[0], size[1]), self.kernel, stride, self.pad, self.dilation, self.ceil))

    def other_ops(self, *xs: Shape) -> int:
        return area(self.kernel) * prod(self.output_shape(*xs))

    def window(self, *xs: Shape) -> Window:
        return strided(self.kernel, self.stride or self.kernel, self.dilation)

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.MaxPool2d(self.kernel, self.stride, self.pad, self.dilation, ceil_mode=self.ceil)


class AvgPool(Layer):
    """Average pooling; ``stride`` is the kernel unless given, ``ceil`` rounds the grid up."""

    kind = "avgpool"
    kernel: Steps
    stride: Steps | None = None
    pad: Margin = (0, 0)
    ceil: bool = False

    def output_shape(self, *xs: Shape) -> Shape:
        channels, *size = chw(xs[0])
        check_pad(self.pad, self.kernel)
        stride = self.stride or self.kernel
        return (channels, *grid((size[0], size[1]), self.kernel, stride, self.pad, ceil=self.ceil))

    def other_ops(self, *xs: Shape) -> int:
        return area(self.kernel) * prod(self.output_shape(*xs))

    def window(self, *xs: Shape) -> Window:
        return strided(self.kernel, self.stride or self.kernel, (1, 1))

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.AvgPool2d(self.kernel, self.stride, self.pad, self.ceil)


class GlobalAvgPool(Layer):
    """The mean of every channel over its whole map: C×H×W → C×1×1, without weights.

    Source: Lin, Chen & Yan, Network In Network, section 3.2.
    """

    kind = "global_avgpool"

    def output_shape(self, *xs: Shape) -> Shape:
        return (chw(xs[0])[0], 1, 1)

    def other_ops(self, *xs: Shape) -> int:
        return prod(xs[0])

    def window(self, *xs: Shape) -> Window:
        return whole(xs[0])

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.AdaptiveAvgPool2d(1)


class AdaptiveAvgPool(Layer):
    """Average pooling onto a grid of ``size``; windows overlap where the grids do not divide."""

    kind = "adaptive_avgpool"
    size: Steps

    def output_shape(self, *xs: Shape) -> Shape:
        return (chw(xs[0])[0], *self.size)

    def other_ops(self, *xs: Shape) -> int:
        channels, *extent = chw(xs[0])
        # window i reaches from floor(i*n/out) to ceil((i+1)*n/out); summed over i that is
        # n + out - gcd(n, out): n once, and an overlap of one wherever the grids do not meet
        return channels * prod(n + out - gcd(n, out) for n, out in zip(extent, self.size, strict=True))

    def window(self, *xs: Shape) -> Window:
        _, *extent = chw(xs[0])
        high, wide = (_widest(n, out) for n, out in zip(extent, self.size, strict=True))
        return Window((high, wide), (Fraction(extent[0], self.size[0]), Fraction(extent[1], self.size[1])))

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.AdaptiveAvgPool2d(self.size)


def _widest(size: int, out: int) -> int:
    """The widest window of an adaptive pool: ceil(size/out + f), f the largest fraction of i*size/out."""
    common = gcd(size, out)
    return (size // common + 2 * (out // common) - 2) // (out // common)


def check_pad(pad: Pair, kernel: Pair) -> None:
    """Torch pools refuse padding beyond half of the kernel, whatever its dilation."""
    if any(pad[axis] > kernel[axis] // 2 for axis in (0, 1)):
        raise Misfit(f"pad {list(pad)} is more than half of the kernel {list(kernel)}")


def whole(x: Shape) -> Window:
    """One window over the whole grid of ``x``."""
    return Window((x[1], x[2]), (Fraction(x[1]), Fraction(x[2])))
