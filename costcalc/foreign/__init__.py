"""Models that are no specs: any ``nn.Module``, counted by running it on meta tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from costcalc import torchnet
from costcalc.errors import CostcalcError
from costcalc.execution import Execution, alike
from costcalc.foreign import dispatch, inputs, models, opinions
from costcalc.graph import Graph

__all__ = ["Loaded", "Prepared", "loaded", "of_graph", "opinions", "prepared", "run", "split"]

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


@dataclass(frozen=True)
class Loaded:
    """A model as built, with the inputs that it ``takes``: passes of any batch can be prepared of it."""

    name: str
    model: models.Model
    takes: tuple[inputs.Input, ...]

    def prepared(self, batch: int, floating: torch.dtype = torch.float32) -> Prepared:
        """A pass on meta tensors."""
        args, kwargs = self._given(batch, lambda each, samples: each.tensor(samples, floating))
        one = self._given(1, lambda each, samples: each.tensor(samples, floating))
        module = self.model.module
        module = module if floating == torch.float32 else module.to(floating)
        return Prepared(self.name, module, args, kwargs, batch, self.model.source, one)

    def drawn(self, batch: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What a pass takes, with random values; whole numbers can be looked up in any of its embeddings."""
        embeddings = (each for each in self.model.module.modules() if isinstance(each, nn.Embedding))
        words = min((each.num_embeddings for each in embeddings), default=2)
        return self._given(batch, lambda each, samples: each.drawn(samples, torch.float32, words))

    def _given(
        self, batch: int, make: Callable[[inputs.Input, int], torch.Tensor]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Batches, or for a detector a list of samples."""
        if not self.model.listed:
            return inputs.batched(self.takes, lambda each: make(each, batch))
        return ([make(each, 1)[0] for each in self.takes for _ in range(batch)],), {}


def split(name: str) -> tuple[str, dict[str, str], str]:
    """``"timm:vit@depth=2"`` → what the model is called, its factory's arguments, and their suffix."""
    called, mark, inline = name.partition("@")
    found = {}
    for part in inline.split(",") if inline else ():
        key, sign, value = part.partition("=")
        if not sign or not key.strip():
            raise CostcalcError(f"{name}: write arguments behind @ as KEY=VALUE, separated by commas")
        found[key.strip()] = value.strip()
    return called, found, f"{mark}{inline}" if inline else ""


def loaded(
    name: str,
    arguments: Mapping[str, str] | None = None,
    shapes: Sequence[str] = (),
    suffix: str = "",
    weights: bool = False,
) -> Loaded:
    """Build the model of that name, to take its usual input or those ``shapes``.

    ``suffix`` is what the name is shown with, to tell it from the same model with other ``arguments``.
    ``shapes`` are as :func:`costcalc.foreign.inputs.parse` reads them; ``weights`` are left out unless it
    is to be run. Raises :class:`CostcalcError`.
    """
    wanted = [inputs.parse(shape) for shape in shapes]
    model = models.load(name, arguments, weights)
    taken = tuple(wanted) or model.inputs
    if not taken:
        remedy = "--input 3x224x224, in a configuration input = ['3x224x224']"
        raise CostcalcError(f"what {name} takes is not known; say it, for example with {remedy}")
    return Loaded(f"{name}{suffix}", model, taken)


def prepared(
    name: str,
    arguments: Mapping[str, str] | None = None,
    shapes: Sequence[str] = (),
    batch: int = 1,
    dtype: str = "fp32",
    suffix: str = "",
) -> Prepared:
    """The model of that name with a batch of what it takes, to be counted: see :func:`loaded`."""
    floating = inputs.floating(dtype)
    if batch < 1:
        raise CostcalcError(f"--batch {batch}: a batch has one sample or more")
    return loaded(name, arguments, shapes, suffix).prepared(batch, floating)


def of_graph(graph: Graph) -> Prepared:
    """A spec's torch graph as a model, so that whatever is asked of a model can be asked of a spec."""
    sample = torchnet.sample(graph, "meta")
    return Prepared(graph.name, torchnet.build(graph), (sample,), {}, 1, graph.about.source)
