"""Layers that keep the shape: activations, normalisation, softmax, dropout."""

from __future__ import annotations

from abc import ABC
from math import prod
from typing import Any, ClassVar

from costcalc.layers.base import Kernel, Layer, Probability, Size, TorchModule, chw
from costcalc.records import Shape


class _Keep(Layer, ABC):
    """One value in, one value out: the shape stays, and the result may replace the input."""

    in_place: ClassVar[bool] = True

    def output_shape(self, *xs: Shape) -> Shape:
        return xs[0]


class _Activation(_Keep, ABC):
    """An activation function. Other operations: one evaluation per element."""

    nonlinear: ClassVar[bool] = True
    torch_name: ClassVar[str]

    def other_ops(self, *xs: Shape) -> int:
        return prod(xs[0])

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return getattr(torch.nn, self.torch_name)()


class Relu(_Activation):
    """max(x, 0)."""

    kind = "relu"
    torch_name = "ReLU"


class Relu6(_Activation):
    """min(max(x, 0), 6)."""

    kind = "relu6"
    torch_name = "ReLU6"


class LeakyRelu(_Activation):
    """x, or a hundredth of it where negative."""

    kind = "leaky_relu"
    torch_name = "LeakyReLU"


class Elu(_Activation):
    """x, or exp(x) - 1 where negative."""

    kind = "elu"
    torch_name = "ELU"


class Gelu(_Activation):
    """x times the normal distribution function of x."""

    kind = "gelu"
    torch_name = "GELU"


class Silu(_Activation):
    """x times sigmoid(x), also called swish."""

    kind = "silu"
    torch_name = "SiLU"


class Sigmoid(_Activation):
    """1/(1 + exp(-x))."""

    kind = "sigmoid"
    torch_name = "Sigmoid"


class Tanh(_Activation):
    """Hyperbolic tangent."""

    kind = "tanh"
    torch_name = "Tanh"


class Softplus(_Activation):
    """log(1 + exp(x))."""

    kind = "softplus"
    torch_name = "Softplus"


class Hardswish(_Activation):
    """x times relu6(x + 3)/6."""

    kind = "hardswish"
    torch_name = "Hardswish"


class Hardsigmoid(_Activation):
    """relu6(x + 3)/6."""

    kind = "hardsigmoid"
    torch_name = "Hardsigmoid"


class Prelu(_Activation):
    """x, or a learnt multiple of it where negative: one slope in all, or one per channel."""

    kind = "prelu"
    torch_name = "PReLU"
    per_channel: bool = False

    def weights(self, *xs: Shape) -> int:
        return xs[0][0] if self.per_channel else 1

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.PReLU(xs[0][0] if self.per_channel else 1)


class BatchNorm(_Keep):
    """Batch normalisation; in inference a scale and a shift, so two other operations per element.

    ``affine: false`` leaves out the learnable pair; the running statistics are buffers, not params.
    """

    kind = "batchnorm"
    affine: bool = True

    def output_shape(self, *xs: Shape) -> Shape:
        return xs[0] if len(xs[0]) == 1 else chw(xs[0])

    def norm(self, *xs: Shape) -> int:
        return 2 * xs[0][0] if self.affine else 0

    def other_ops(self, *xs: Shape) -> int:
        return 2 * prod(xs[0])

    def kernels(self, *xs: Shape) -> tuple[Kernel, ...]:
        (learnt,) = super().kernels(*xs)
        running = 2 * xs[0][0]  # mean and variance
        return (learnt._replace(held=learnt.held + running),)

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        kind = torch.nn.BatchNorm1d if len(xs[0]) == 1 else torch.nn.BatchNorm2d
        return kind(xs[0][0], affine=self.affine)


class Scale(_Keep):
    """A learnt coefficient per channel, and a learnt bias (LeCun et al. 1998, section II-B: subsampling).

    Other operations per element: the product, and the sum with the bias.
    """

    kind = "scale"
    bias: bool = True

    def weights(self, *xs: Shape) -> int:
        return xs[0][0]

    def biases(self, *xs: Shape) -> int:
        return xs[0][0] if self.bias else 0

    def other_ops(self, *xs: Shape) -> int:
        return (2 if self.bias else 1) * prod(xs[0])

    def kernels(self, *xs: Shape) -> tuple[Kernel, ...]:
        return (Kernel(prod(xs[0]), prod(xs[0]), xs[0][0], pointwise=True),) * (2 if self.bias else 1)

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        channels, *extent = xs[0]
        spread = (channels, *(1 for _ in extent))
        module = torch.nn.Module()
        module.weight = torch.nn.Parameter(torch.ones(channels))
        module.bias = torch.nn.Parameter(torch.zeros(channels)) if self.bias else None

        def forward(x: Any) -> Any:
            scaled = x * module.weight.view(spread)
            return scaled if module.bias is None else scaled + module.bias.view(spread)

        module.forward = forward
        return module


class Lrn(_Keep):
    """Local response normalisation over ``size`` neighbouring channels (Krizhevsky et al. 2012, 3.3).

    Other operations per element: a square, ``size`` taps of the window, times alpha, plus k,
    to the power beta, and the division: ``size + 5``.
    """

    kind = "lrn"
    in_place = False  # every element is read again for its neighbours
    size: Size = 5

    def output_shape(self, *xs: Shape) -> Shape:
        return chw(xs[0])

    def other_ops(self, *xs: Shape) -> int:
        return (self.size + 5) * prod(xs[0])

    def kernels(self, *xs: Shape) -> tuple[Kernel, ...]:
        channels, height, width = xs[0]
        size, padded = prod(xs[0]), (channels + self.size - 1) * height * width
        square = quotient = Kernel(2 * size, size, pointwise=True)
        pad, pool = Kernel(size, padded), Kernel(padded, size)
        times_alpha = plus_k = to_beta = Kernel(size, size, pointwise=True)
        return square, pad, pool, times_alpha, plus_k, to_beta, quotient

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.LocalResponseNorm(self.size)


class Softmax(_Keep):
    """Softmax over channels or features; an exponential, an addition and a division per element."""

    kind = "softmax"
    in_place = False  # every element is read again for its neighbours

    def other_ops(self, *xs: Shape) -> int:
        return 3 * prod(xs[0])

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.Softmax(dim=1)


class Dropout(_Keep):
    """Dropout with probability ``p`` in training; in inference it does nothing at all."""

    kind = "dropout"
    p: Probability = 0.5

    def is_view(self, *xs: Shape) -> bool:
        return True

    def module(self, torch: Any, *xs: Shape) -> TorchModule:
        return torch.nn.Dropout(self.p)
