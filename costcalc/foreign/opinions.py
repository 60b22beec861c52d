"""What others count of the same model: ``FlopCounterMode`` and fvcore by module, other tools in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.foreign import asfound, tools

Counts = Mapping[str, int]

total = tools.total


def flop_counter(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Counts:
    """FLOPs by module path, each with all it contains, on the meta device."""
    counter = FlopCounterMode(display=False)
    with asfound.on_meta(model), torch.no_grad():
        taken, named = asfound.to_meta((tuple(args), dict(kwargs)))
        with counter:
            model(*taken, **named)
    root = type(model).__name__
    counts = {name: sum(flops.values()) for name, flops in counter.get_flop_counts().items()}
    found = {name.removeprefix(root).lstrip("."): macs for name, macs in counts.items()}
    # a module that it does not list has cost nothing
    return {path: found.get(path, 0) for path, _ in model.named_modules()}


def fvcore(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Counts:
    """What fvcore calls flops, by module path, by its default tables, on a copy of the model on the CPU."""
    from fvcore.nn import FlopCountAnalysis

    if kwargs:
        raise CostcalcError("fvcore takes no inputs by keyword", ENVIRONMENT)
    with tools.quiet():
        module, taken, _ = tools.real(model, args, kwargs)
        analysis = FlopCountAnalysis(module, taken).tracer_warnings("none")
        return {path: int(count) for path, count in analysis.by_module().items()}
