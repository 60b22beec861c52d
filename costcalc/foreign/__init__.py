"""Models that are no specs: any ``nn.Module``, counted by running it on meta tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from costcalc.errors import CostcalcError
from costcalc.execution import Execution
from costcalc.foreign import dispatch, inputs, models
from costcalc.foreign.models import Model

__all__ = ["Model", "execute", "run"]

run = dispatch.run


def execute(
    name: str,
    arguments: Mapping[str, str] | None = None,
    shapes: Sequence[str] = (),
    batch: int = 1,
    dtype: str = "fp32",
    training: bool = False,
    backward: bool = False,
) -> Execution:
    """Build the model of that name and record one pass of it, on its usual input or on those ``shapes``.

    ``shapes`` are as :func:`costcalc.foreign.inputs.parse` reads them. Raises :class:`CostcalcError`.
    """
    floating = inputs.floating(dtype)
    wanted = [inputs.parse(shape) for shape in shapes]
    if batch < 1:
        raise CostcalcError(f"--batch {batch}: a batch has one sample or more")
    model = models.load(name, arguments)
    taken = tuple(wanted) or model.inputs
    if not taken:
        raise CostcalcError(f"what {name} takes is not known; say it with --input, for example --input 3x224x224")
    args, kwargs = arguments_of(model, taken, batch, floating)
    module = model.module if floating == torch.float32 else model.module.to(floating)
    return dispatch.run(module, args, kwargs, name, batch, training, backward)


def arguments_of(
    model: Model, taken: Sequence[inputs.Input], batch: int, floating: torch.dtype
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the model is called with: batches, or for a detector a list of samples."""
    if not model.listed:
        return inputs.batched(taken, batch, floating)
    samples = [each.tensor(1, floating)[0] for each in taken for _ in range(batch)]
    return (samples,), {}
