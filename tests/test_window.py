"""Window arithmetic, exhaustively against torch's own kernels."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from costcalc.errors import Misfit
from costcalc.layers import window

SIZES, KERNELS, STRIDES, PADS, DILATIONS = range(1, 10), range(1, 5), range(1, 4), range(4), range(1, 4)


def ours(*args: int, ceil: bool = False) -> int | None:
    try:
        return window.positions(*args, ceil)
    except Misfit:
        return None


def torchs(module: torch.nn.Module, size: int) -> int | None:
    """The width torch gives, None where it refuses or nothing is left."""
    try:
        return int(module(torch.empty(1, 1, 1, size, device="meta")).shape[-1]) or None
    except RuntimeError:
        return None


@pytest.mark.parametrize("kernel", KERNELS)
def test_convolution(kernel: int) -> None:
    for size, stride, pad, dilation in product(SIZES, STRIDES, PADS, DILATIONS):
        module = torch.nn.Conv2d(1, 1, (1, kernel), (1, stride), (0, pad), (1, dilation), device="meta")
        assert ours(size, kernel, stride, pad, dilation) == torchs(module, size)


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
def test_max_pooling(kernel: int, ceil: bool) -> None:
    for size, stride, pad, dilation in product(SIZES, STRIDES, range(kernel // 2 + 1), DILATIONS):
        module = torch.nn.MaxPool2d((1, kernel), (1, stride), (0, pad), (1, dilation), ceil_mode=ceil)
        assert ours(size, kernel, stride, pad, dilation, ceil=ceil) == torchs(module, size)


@pytest.mark.parametrize("ceil", [False, True])
def test_average_pooling(ceil: bool) -> None:
    for size, kernel, stride in product(SIZES, KERNELS, STRIDES):
        for pad in range(kernel // 2 + 1):
            module = torch.nn.AvgPool2d((1, kernel), (1, stride), (0, pad), ceil_mode=ceil)
            assert ours(size, kernel, stride, pad, 1, ceil=ceil) == torchs(module, size)


@pytest.mark.parametrize("kernel", KERNELS)
def test_transposed_convolution(kernel: int) -> None:
    for size, stride, pad, dilation in product(SIZES, STRIDES, PADS, DILATIONS):
        for output_pad in range(max(stride, dilation)):
            module = torch.nn.ConvTranspose2d(
                1,
                1,
                (1, kernel),
                (1, stride),
                (0, pad),
                (0, output_pad),
                dilation=(1, dilation),
                device="meta",
            )
            try:
                found = window.transposed(size, kernel, stride, pad, dilation, output_pad)
            except Misfit:
                found = None
            assert found == torchs(module, size)
