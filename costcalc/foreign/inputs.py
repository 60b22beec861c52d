"""Inputs of a foreign model as the command line gives them: ``3x299x299``, ``mask=128:bool``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch

from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.graph import MAX_ELEMENTS
from costcalc.records import Shape

DTYPES = {
    **{"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "fp64": torch.float64},
    **{"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16},
    **{"float64": torch.float64, "float": torch.float32, "half": torch.float16, "double": torch.float64},
    **{"int64": torch.int64, "int32": torch.int32, "long": torch.int64, "int": torch.int64},
    **{"uint8": torch.uint8, "bool": torch.bool, "complex64": torch.complex64},
}
_INPUT = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>[0-9xX×]*)(?::(?P<dtype>\w+))?")
MAX_AXES = 8


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a model: its shape for one sample, without batch; by ``name`` if it is a keyword."""

    shape: Shape
    dtype: torch.dtype | None = None  # None: floating point, as the model computes
    name: str = ""

    def tensor(self, batch: int, floating: torch.dtype) -> torch.Tensor:
        """A batch of it on the meta device."""
        return torch.empty(batch, *self.shape, dtype=self.dtype or floating, device="meta")

    def drawn(self, batch: int, floating: torch.dtype, words: int) -> torch.Tensor:
        """A batch of it with values: normal ones, or whole numbers below ``words``."""
        shape, dtype = (batch, *self.shape), self.dtype or floating
        if dtype.is_floating_point or dtype.is_complex:
            return torch.randn(shape, dtype=dtype)
        return torch.randint(0, 2 if dtype == torch.bool else words, shape, dtype=dtype)


def parse(text: str) -> Input:
    """``[NAME=]SHAPE[:DTYPE]``, the shape without batch; raises :class:`CostcalcError`."""
    match = _INPUT.fullmatch(text.strip()) if len(text) <= 200 else None
    if match is None or not text.strip():
        raise CostcalcError(
            f"--input {shortened(text)} is no input; write a shape without batch, such as 3x224x224, "
            "128:int64 for tokens, or NAME=128:bool for a keyword"
        )
    axes = re.split("[xX×]", match["shape"]) if match["shape"] else []
    if len(axes) > MAX_AXES or not all(axis and int(axis) for axis in axes):
        raise CostcalcError(
            f"--input {shortened(text)}: every axis is a whole number from 1 on, at most {MAX_AXES} of them"
        )
    shape = tuple(int(axis) for axis in axes)
    if prod(shape) > MAX_ELEMENTS:
        raise CostcalcError(f"--input {shortened(text)} is too large: more than {MAX_ELEMENTS:.0e} elements")
    return Input(shape, dtype(match["dtype"]) if match["dtype"] else None, match["name"] or "")


def dtype(word: str) -> torch.dtype:
    """The torch type of that name; raises :class:`CostcalcError` with the nearest known one."""
    if word not in DTYPES:
        raise CostcalcError(
            f"no dtype {shortened(word)}{did_you_mean(word, DTYPES) or '; there are ' + ', '.join(DTYPES)}"
        )
    return DTYPES[word]


def floating(word: str) -> torch.dtype:
    """The floating-point type of that name."""
    found = dtype(word)
    if not found.is_floating_point:
        raise CostcalcError(
            f"--dtype {word} is no floating-point type; give integers with --input SHAPE:{word}"
        )
    return found


def batched(
    inputs: Sequence[Input], make: Callable[[Input], torch.Tensor]
) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    """Positional and keyword arguments."""
    given = [each.name for each in inputs if each.name]
    if len(set(given)) < len(given):
        raise CostcalcError(f"--input {max(given, key=given.count)}= is given twice")
    return (
        tuple(make(each) for each in inputs if not each.name),
        {each.name: make(each) for each in inputs if each.name},
    )
