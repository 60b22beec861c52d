"""What others count of the same model: ``FlopCounterMode`` and fvcore by module, other tools in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.foreign import asfound, tools

MOST_BYTES = 8 * 2**30  # of weights and activations that a tool which computes may take
MOST_MACS = 2 * 10**12  # that it may compute, in seconds to minutes
Counts = Mapping[str, int]

total = tools.total


def flop_counter(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Counts:
    """MACs by module path, each with all it contains, on the meta device (it counts FLOPs: 2 per MAC)."""
    counter = FlopCounterMode(display=False)
    with asfound.on_meta(model), torch.no_grad():
        taken, named = asfound.to_meta((tuple(args), dict(kwargs)))
        with counter:
            model(*taken, **named)
    root = type(model).__name__
    counts = {name: sum(flops.values()) // 2 for name, flops in counter.get_flop_counts().items()}
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


def refuse_large(macs: int, params: int, activations: int) -> None:
    """Tools compute, in memory and time; what takes too much of either is refused."""
    taken = 4 * (params + activations)
    if taken > MOST_BYTES:
        raise CostcalcError(f"it would take about {taken / 2**30:,.0f} GiB", ENVIRONMENT)
    if macs > MOST_MACS:
        raise CostcalcError(f"it would compute {macs:.1e} multiply-adds", ENVIRONMENT)
