"""Models that are no specs: any ``nn.Module``, counted by running it on meta tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from costcalc import torchnet
from costcalc.errors import CostcalcError
from costcalc.execution import Execution, alike
from costcalc.foreign import dispatch, inputs, models, opinions
from costcalc.graph import Graph

__all__ = ["Prepared", "of_graph", "opinions", "prepared", "run"]

run = dispatch.run


@dataclass(frozen=True)
class Prepared:
    """A model with all that one pass of it takes; ``source`` says where the model comes from.

    ``args`` and ``kwargs`` are a batch of ``samples``, or what somebody gave (0); ``one`` is the same
    for a single sample, where it can be made.
    """

    name: str
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    samples: int
    source: str
    one: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None

    def whole(self, training: bool = False, backward: bool = False) -> Execution:
        """One pass of the batch, watched."""
        return run(self.module, self.args, self.kwargs, self.name, self.samples, training, backward)

    def run(self, training: bool = False, backward: bool = False) -> Execution:
        """One pass per sample: that of a single one, if in the batch every operator costs as much or so
        many times as much; else the pass of the batch.
        """
        whole = self.whole(training, backward)
        if self.one is None or self.samples == 1:
            return whole
        try:
            single = run(self.module, *self.one, self.name, 1, training, backward)
        except CostcalcError:  # some models take no single sample in training
            return whole
        return replace(single, batch=self.samples) if alike(whole, single) else whole


def prepared(
    name: str,
    arguments: Mapping[str, str] | None = None,
    shapes: Sequence[str] = (),
    batch: int = 1,
    dtype: str = "fp32",
    suffix: str = "",
) -> Prepared:
    """Build the model of that name, to take its usual input or those ``shapes``.

    ``suffix`` is what the name is shown with, to tell it from the same model with other ``arguments``.
    ``shapes`` are as :func:`costcalc.foreign.inputs.parse` reads them. Raises :class:`CostcalcError`.
    """
    floating = inputs.floating(dtype)
    wanted = [inputs.parse(shape) for shape in shapes]
    if batch < 1:
        raise CostcalcError(f"--batch {batch}: a batch has one sample or more")
    model = models.load(name, arguments)
    taken = tuple(wanted) or model.inputs
    if not taken:
        raise CostcalcError(f"what {name} takes is not known; say it, for example with --input 3x224x224")
    args, kwargs = _called_with(model, taken, batch, floating)
    module = model.module if floating == torch.float32 else model.module.to(floating)
    one = _called_with(model, taken, 1, floating)
    return Prepared(f"{name}{suffix}", module, args, kwargs, batch, model.source, one)


def _called_with(
    model: models.Model, taken: Sequence[inputs.Input], batch: int, floating: torch.dtype
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Batches, or for a detector a list of samples."""
    if not model.listed:
        return inputs.batched(taken, batch, floating)
    samples = [each.tensor(1, floating)[0] for each in taken for _ in range(batch)]
    return (samples,), {}


def of_graph(graph: Graph) -> Prepared:
    """A spec's torch graph as a model, so that whatever is asked of a model can be asked of a spec."""
    sample = torchnet.sample(graph, "meta")
    return Prepared(graph.name, torchnet.build(graph), (sample,), {}, 1, graph.about.source)
