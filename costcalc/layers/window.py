"""The arithmetic of sliding windows: how far one reaches, and how many positions it has."""

from __future__ import annotations

from typing import Literal

from costcalc.errors import Misfit

Pair = tuple[int, int]  # (height, width)
Pad = Pair | Literal["same"]


Span = tuple[int, int]  # first and last position along one axis


def reach(kernel: int, dilation: int) -> int:
    """Input positions a dilated kernel spans: ``dilation*(kernel-1)+1``."""
    return dilation * (kernel - 1) + 1


def positions(size: int, kernel: int, stride: int, pad: int, dilation: int, ceil: bool = False) -> int:
    """Output positions along one axis; raises :class:`Misfit` where the window does not fit.

    Floor rule ``(size + 2*pad - reach)//stride + 1``. The ceil rule of Caffe and torch rounds up,
    but the last window must start inside the input or its left padding.
    """
    free = size + 2 * pad - reach(kernel, dilation)
    count = -(-free // stride) + 1 if ceil else free // stride + 1
    if count < 1:
        raise Misfit(
            f"a window of {reach(kernel, dilation)} does not fit into {size} + 2*{pad} positions; "
            "make the input or the padding larger, or the kernel smaller"
        )
    starts_outside = (count - 1) * stride >= size + pad
    return count - 1 if ceil and starts_outside else count


def grid(
    size: Pair, kernel: Pair, stride: Pair, pad: Pad, dilation: Pair = (1, 1), ceil: bool = False
) -> Pair:
    """:func:`positions` on both axes; ``"same"`` padding keeps the grid and wants stride 1."""
    if pad == "same":
        if stride != (1, 1):
            raise Misfit("padding 'same' is defined for stride 1 only; give pad as a number")
        return size
    height, width = (
        positions(size[axis], kernel[axis], stride[axis], pad[axis], dilation[axis], ceil) for axis in (0, 1)
    )
    return height, width


def transposed(size: int, kernel: int, stride: int, pad: int, dilation: int, output_pad: int) -> int:
    """Output positions of a transposed convolution: ``(size-1)*stride - 2*pad + reach + output_pad``."""
    count = (size - 1) * stride - 2 * pad + reach(kernel, dilation) + output_pad
    if count < 1:
        raise Misfit(f"padding {pad} leaves no output of {size} positions; make pad smaller")
    return count


def seen(span: Span, kernel: int, stride: int, pad: int | Literal["same"], dilation: int) -> Span:
    """The input positions under the windows of a span of output positions, padding included."""
    width = reach(kernel, dilation)
    before = (width - 1) // 2 if pad == "same" else pad
    return span[0] * stride - before, span[1] * stride - before + width - 1
