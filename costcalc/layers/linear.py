"""Layers that multiply and add: the convolutions, the fully connected layer and distances to codes.

Each costs one multiply-add per weight product; a bias costs one other operation per output element.
"""

from __future__ import annotations

from abc import ABC
from math import prod
from typing import Any, ClassVar

from costcalc.errors import Misfit
from costcalc.layers.base import (
    Kernel,
    Layer,
    Margin,
    Padding,
    Size,
    Steps,
    TorchModule,
    area,
    chw,
    divided,
    vector,
)
from costcalc.layers.window import Span, grid, reach, seen, transposed
from costcalc.records import Shape


class _Convolution(Layer, ABC):
    """A convolution of any kind. cuDNN leaves the bias out, so that torch adds it to the result
    (not on a CPU, where that would be a small part of the time).

    Source: torch, aten/src/ATen/native/Convolution.cpp, ``output.add_(reshape_bias(...))``.
    """

    weighted: ClassVar[bool] = True

    def kernels(self, *xs: Shape) -> tuple[Kernel, ...]:
        given, bias = prod(self.output_shape(*xs)), self.biases(*xs)
        product = Kernel(prod(xs[0]), given, self.weights(*xs), self.macs(*xs))
        added = Kernel(given, given, bias, pointwise=True, name="bias")
        return (product, added) if bias else (product,)


class Conv(_Convolution):
    """Convolution; ``groups`` splits input and output channels into independent parts."""

    kind = "conv"
    out: Size
    kernel: Steps
    stride: Steps = (1, 1)
    pad: Padding = (0, 0)
    dilation: Steps = (1, 1)
    groups: Size = 1
    bias: bool = True

    def output_shape(self, *xs: Shape) -> Shape:
        channels, height, width = chw(xs[0])
        divided(channels, self.groups, "input")
        divided(self.out, self.groups, "output")
        return (self.out, *grid((height, width), self.kernel, self.stride, self.pad, self.dilation))

    def weights(self, *xs: Shape) -> int:
        return self.out * (xs[0][0] // self.groups) * area(self.kernel)

    def biases(self, *xs: Shape) -> int:
        return self.out if self.bias else 0

    def macs(self, *xs: Shape) -> int:
        # every weight is used once per output position
        return self.weights(*xs) * prod(self.output_shape(*xs)[1:])

    def other_ops(self, *xs: Shape) -> int:
        return prod(self.output_shape(*xs)) if self.bias else 0

    def is_dense(self, *xs: Shape) -> bool:
        return self.groups == 1

    def sees(self, span: Span, axis: int, *xs: Shape) -> Span:
        pad = self.pad if self.pad == "same" else self.pad[axis]
        return seen(span, self.kernel[axis], self.stride[axis], pad, self.dilation[axis])

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.Conv2d(
            xs[0][0],
            self.out,
            self.kernel,
            self.stride,
            self.pad,
            self.dilation,
            self.groups,
            self.bias,
        )


class Depthwise(_Convolution):
    """Depthwise convolution: ``multiplier`` filters on every input channel by itself."""

    kind = "depthwise"
    kernel: Steps
    multiplier: Size = 1
    stride: Steps = (1, 1)
    pad: Padding = (0, 0)
    dilation: Steps = (1, 1)
    bias: bool = True

    def output_shape(self, *xs: Shape) -> Shape:
        channels, height, width = chw(xs[0])
        size = grid((height, width), self.kernel, self.stride, self.pad, self.dilation)
        return (self.multiplier * channels, *size)

    def weights(self, *xs: Shape) -> int:
        return self.multiplier * xs[0][0] * area(self.kernel)

    def biases(self, *xs: Shape) -> int:
        return self.multiplier * xs[0][0] if self.bias else 0

    def macs(self, *xs: Shape) -> int:
        return area(self.kernel) * prod(self.output_shape(*xs))

    def other_ops(self, *xs: Shape) -> int:
        return prod(self.output_shape(*xs)) if self.bias else 0

    def is_dense(self, *xs: Shape) -> bool:
        return xs[0][0] == 1

    def sees(self, span: Span, axis: int, *xs: Shape) -> Span:
        pad = self.pad if self.pad == "same" else self.pad[axis]
        return seen(span, self.kernel[axis], self.stride[axis], pad, self.dilation[axis])

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        channels = xs[0][0]
        return torch.nn.Conv2d(
            channels,
            channels * self.multiplier,
            self.kernel,
            self.stride,
            self.pad,
            self.dilation,
            groups=channels,
            bias=self.bias,
        )


class TransposedConv(_Convolution):
    """Transposed convolution: every input element is multiplied with its filters once.

    Billed on the input grid, so products that padding crops away are included.
    """

    kind = "transposed_conv"
    out: Size
    kernel: Steps
    stride: Steps = (1, 1)
    pad: Margin = (0, 0)
    output_pad: Margin = (0, 0)
    dilation: Steps = (1, 1)
    groups: Size = 1
    bias: bool = True

    def output_shape(self, *xs: Shape) -> Shape:
        channels, *size = chw(xs[0])
        divided(channels, self.groups, "input")
        divided(self.out, self.groups, "output")
        for axis in (0, 1):
            if self.output_pad[axis] >= max(self.stride[axis], self.dilation[axis]):
                raise Misfit("output_pad must be smaller than stride or dilation")
        fields = (self.kernel, self.stride, self.pad, self.dilation, self.output_pad)
        return (self.out, *(transposed(size[axis], *(field[axis] for field in fields)) for axis in (0, 1)))

    def weights(self, *xs: Shape) -> int:
        return xs[0][0] * (self.out // self.groups) * area(self.kernel)

    def biases(self, *xs: Shape) -> int:
        return self.out if self.bias else 0

    def macs(self, *xs: Shape) -> int:
        # every weight is used once per input position
        return self.weights(*xs) * prod(xs[0][1:])

    def other_ops(self, *xs: Shape) -> int:
        return prod(self.output_shape(*xs)) if self.bias else 0

    def is_dense(self, *xs: Shape) -> bool:
        return self.groups == 1

    def period(self, axis: int, *xs: Shape) -> int:
        return self.stride[axis]

    def sees(self, span: Span, axis: int, *xs: Shape) -> Span:
        # input i is spread over outputs i*stride - pad … i*stride - pad + reach - 1
        stride, pad = self.stride[axis], self.pad[axis]
        last = reach(self.kernel[axis], self.dilation[axis]) - 1
        return -((last - span[0] - pad) // stride), (span[1] + pad) // stride

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.ConvTranspose2d(
            xs[0][0],
            self.out,
            self.kernel,
            self.stride,
            self.pad,
            self.output_pad,
            self.groups,
            self.bias,
            self.dilation,
        )


class Linear(Layer):
    """Fully connected layer on a vector of features."""

    kind = "linear"
    weighted: ClassVar[bool] = True
    out: Size
    bias: bool = True

    def output_shape(self, *xs: Shape) -> Shape:
        vector(xs[0])
        return (self.out,)

    def weights(self, *xs: Shape) -> int:
        return xs[0][0] * self.out

    def biases(self, *xs: Shape) -> int:
        return self.out if self.bias else 0

    def macs(self, *xs: Shape) -> int:
        return xs[0][0] * self.out

    def other_ops(self, *xs: Shape) -> int:
        return self.out if self.bias else 0

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.Linear(xs[0][0], self.out, self.bias)


class Rbf(Layer):
    """Squared Euclidean distance of a vector to each of ``out`` fixed codes (LeCun et al. 1998, II-B).

    The codes are given, not learnt: no params. One multiply-add per code element, the product of a
    difference with itself; taking that difference is one other operation.
    """

    kind = "rbf"
    out: Size

    def output_shape(self, *xs: Shape) -> Shape:
        vector(xs[0])
        return (self.out,)

    def macs(self, *xs: Shape) -> int:
        return xs[0][0] * self.out

    def other_ops(self, *xs: Shape) -> int:
        return xs[0][0] * self.out

    def kernels(self, *xs: Shape) -> tuple[Kernel, ...]:
        apart = self.macs(*xs)  # as many differences, which meet themselves in the products
        return Kernel(xs[0][0], apart, apart, pointwise=True), Kernel(2 * apart, self.out, macs=apart)

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        features, out = xs[0][0], self.out
        module = torch.nn.Module()
        module.register_buffer("codes", torch.zeros(out, features))

        def forward(x: Any) -> Any:
            apart = (x.view(-1, 1, features) - module.codes).view(-1, 1, features)
            return torch.bmm(apart, apart.view(-1, features, 1)).view(-1, out)

        module.forward = forward
        return module
