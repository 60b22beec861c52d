"""What others count of the same model: torch's ``FlopCounterMode`` and fvcore, module by module; other tools in all."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.foreign import asfound, tools

MOST_BYTES = 8 * 2**30  # of weights and activations that a tool which computes may take
MOST_MACS = 2 * 10**12  # that it may compute, in seconds to minutes
Counts = Mapping[str, int]


def flop_counter(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Counts:
    """MACs by module path, each with all it contains, by ``FlopCounterMode`` on the meta device (2 FLOPs per MAC)."""
    counter = FlopCounterMode(display=False)
    with asfound.on_meta(model), torch.no_grad():
        taken, named = asfound.to_meta((tuple(args), dict(kwargs)))
        with counter:
            model(*taken, **named)
    root = type(model).__name__
    counts = {name: sum(flops.values()) // 2 for name, flops in counter.get_flop_counts().items()}
    return {name.removeprefix(root).lstrip("."): macs for name, macs in counts.items() if name != "Global"}


def fvcore(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Counts:
    """What fvcore calls flops, by module path, with its default tables, on a copy of the model on the CPU."""
    from fvcore.nn import FlopCountAnalysis

    if kwargs:
        raise CostcalcError("fvcore takes no inputs by keyword", ENVIRONMENT)
    module, taken = real(model, args)
    analysis = FlopCountAnalysis(module, tuple(taken)).tracer_warnings("none")
    found = analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).by_module()
    return {path: int(count) for path, count in found.items()}


def total(key: str, model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """What the tool of that convention counts in all; raises :class:`CostcalcError` where it cannot."""
    module, taken = real(model, args)
    return tools.total(key, module, taken, real_inputs(dict(kwargs)))


def real(model: nn.Module, args: Sequence[Any]) -> tuple[nn.Module, Sequence[Any]]:
    """A copy of the model with zeros for weights, and zeros for inputs, on the CPU."""
    copied = copy.deepcopy(model).to_empty(device="cpu")
    for tensor in [*copied.parameters(), *copied.buffers()]:
        tensor.data.zero_()
    return copied, real_inputs(tuple(args))


def real_inputs(tree: Any) -> Any:
    """The same tree with zeros on the CPU in the place of every tensor."""
    return pytree.tree_map_only(torch.Tensor, lambda found: torch.zeros_like(found, device="cpu"), tree)


def refuse_large(macs: int, params: int, activations: int) -> None:
    """Tools that compute do so in memory and time; what takes too much of either is refused."""
    taken = 4 * (params + activations)
    if taken > MOST_BYTES:
        raise CostcalcError(f"it would take about {taken / 2**30:,.0f} GiB", ENVIRONMENT)
    if macs > MOST_MACS:
        raise CostcalcError(f"it would compute {macs:.1e} multiply-adds", ENVIRONMENT)
