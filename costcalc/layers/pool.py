"""Pooling. Other operations: one per window element and output element, padding included."""

from __future__ import annotations

from math import gcd, prod
from typing import Any

from costcalc.errors import Misfit
from costcalc.layers.base import Layer, Margin, Steps, TorchModule, area, chw
from costcalc.layers.window import Pair, Span, grid, seen
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

    def sees(self, span: Span, axis: int, *xs: Shape) -> Span:
        stride = self.stride or self.kernel
        return seen(span, self.kernel[axis], stride[axis], self.pad[axis], self.dilation[axis])

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

    def sees(self, span: Span, axis: int, *xs: Shape) -> Span:
        stride = self.stride or self.kernel
        return seen(span, self.kernel[axis], stride[axis], self.pad[axis], 1)

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

    def sees(self, span: Span, axis: int, *xs: Shape) -> Span:
        return 0, xs[0][axis + 1] - 1

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

    def period(self, axis: int, *xs: Shape) -> int:
        return self.size[axis] // gcd(self.size[axis], xs[0][axis + 1])

    def sees(self, span: Span, axis: int, *xs: Shape) -> Span:
        size, out = xs[0][axis + 1], self.size[axis]
        return span[0] * size // out, -(-(span[1] + 1) * size // out) - 1

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.AdaptiveAvgPool2d(self.size)


def check_pad(pad: Pair, kernel: Pair) -> None:
    """Torch pools refuse padding beyond half of the kernel, whatever its dilation."""
    if any(pad[axis] > kernel[axis] // 2 for axis in (0, 1)):
        raise Misfit(f"pad {list(pad)} is more than half of the kernel {list(kernel)}")
