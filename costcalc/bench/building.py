"""From a subject to networks that really compute: described without memory first, then built and moved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol

import torch
from torch import nn
from torch.utils import _pytree as pytree

from costcalc import foreign, formula, spec, structure, torchnet
from costcalc.attribution import Attribution
from costcalc.bench.marks import Boundaries
from costcalc.bench.messages import Subject
from costcalc.execution import Execution
from costcalc.foreign import asfound
from costcalc.latency.runs import Measurement, Settings
from costcalc.roofline import work
from costcalc.spec.catalogue import is_foreign

CONVENTION = "conv+linear+matmul/1"  # what is a MAC, see the README; counted anew, the number changes
HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}
Inputs = tuple[tuple[Any, ...], Mapping[str, Any]]


class NotFiniteError(RuntimeError):
    """A network gave infinities or no numbers: what it is measured at is no computation of use."""


@dataclass(frozen=True)
class Network:
    """A network with inputs, on its device; ``weights`` are the bytes of parameters and buffers."""

    module: nn.Module
    inputs: Inputs
    where: Boundaries

    def run(self) -> object:
        """One pass."""
        args, kwargs = self.inputs
        return self.module(*args, **kwargs)

    def tried(self) -> Network:
        """Itself, after one pass whose output was finite; raises what the model raises."""
        for tensor in asfound.tensors(self.run()):
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise NotFiniteError(
                    "the output is not finite: with these weights the numbers leave the dtype"
                )
        return self

    @property
    def weights(self) -> int:
        """Bytes of parameters and buffers, shared ones once."""
        held = {id(each): each for each in [*self.module.parameters(), *self.module.buffers()]}
        return sum(each.numel() * each.element_size() for each in held.values())


class Source(Protocol):
    """An architecture that can be described and built at any batch."""

    def described(self, batch: int) -> Measurement:
        """What is to be measured, without processes."""

    def network(self, measurement: Measurement) -> Network:
        """It, with weights and random inputs, where and as the settings want it."""


def source(subject: Subject, how: Settings) -> Source:
    """The architecture that a subject means; raises :class:`CostcalcError`."""
    if not is_foreign(subject.name):
        return _Spec(subject, how)
    called, inline, suffix = foreign.split(subject.name)
    arguments = {**subject.arguments, **inline}
    return _Foreign(foreign.loaded(called, arguments, subject.inputs, suffix, weights=True), how)


class _Spec:
    """A graph, built as a module of torch's own layers."""

    def __init__(self, subject: Subject, how: Settings) -> None:
        settings = {**({"input": subject.inputs[0]} if subject.inputs else {}), **subject.settings}
        self.graph = spec.load(subject.name, settings)
        self.how = how

    def described(self, batch: int) -> Measurement:
        table = formula.costs(self.graph)
        peak = structure.whole(self.graph, table).structure.peak_activations
        return Measurement(
            name=self.graph.name,
            source=self.graph.about.source,
            spec=_digest(
                (node.name, node.layer.kind, node.layer.values(), node.sources, node.input_shapes)
                for node in self.graph.nodes
            ),
            batch=batch,
            params=table.total.params,
            macs=table.total.macs * batch,
            peak_activations=peak * batch,
            convention=CONVENTION,
            work=work.of_graph(self.graph, batch),
        )

    @cached_property
    def module(self) -> nn.Module:
        return _moved_module(torchnet.build(self.graph, "cpu"), self.how)

    def network(self, measurement: Measurement) -> Network:
        entrances = {each.part: each.block for each in measurement.work}
        inputs: Inputs = (torch.randn(measurement.batch, *self.graph.input_shape),), {}
        return Network(self.module, _moved(inputs, self.how), Boundaries(entrances))


class _Foreign:
    """A model of a zoo or of the user's own."""

    def __init__(self, loaded: foreign.Loaded, how: Settings) -> None:
        self.loaded = replace(loaded, model=replace(loaded.model, module=loaded.model.module.eval()))
        self.how = how

    def described(self, batch: int) -> Measurement:
        floating = HALVES.get(self.how.dtype, torch.float32)
        self.execution = self.loaded.prepared(batch, floating).whole()
        attribution = Attribution(self.execution)
        return Measurement(
            name=self.loaded.name,
            source=self.loaded.model.source,
            spec=_modules(self.loaded.model.module, attribution),
            batch=batch,
            params=attribution.table.total.params,
            macs=attribution.table.total.macs,
            peak_activations=attribution.whole.structure.peak_activations,
            convention=CONVENTION,
            work=work.of_execution(self.execution),
        )

    @cached_property
    def module(self) -> nn.Module:
        return _moved_module(self.loaded.model.module, self.how)

    def network(self, measurement: Measurement) -> Network:
        inputs = self.loaded.drawn(measurement.batch)
        return Network(self.module, _moved(inputs, self.how), entered(self.execution, measurement))


def entered(execution: Execution, measurement: Measurement) -> Boundaries:
    """Where a model's blocks are entered: at the outermost modules in them that it calls.

    A block itself may be a mere list of modules, which nothing calls.
    """
    attribution = Attribution(execution)
    blocks = {each.block for each in measurement.work}
    called = dict.fromkeys(call.module for call in execution.calls if call.module not in execution.by_hand)
    inside = {path: attribution.block(path) for path in called if path}
    entrances = {
        path: block
        for path, block in inside.items()
        if block in blocks and not any(inside.get(outer) == block for outer in _outer(path))
    }
    return Boundaries(entrances, attribution.label(""))


def _outer(path: str) -> list[str]:
    """The paths of the modules that a module is a part of."""
    steps = path.split(".")[:-1]
    return [".".join(steps[: end + 1]) for end in range(len(steps))]


def _moved_module(module: nn.Module, how: Settings) -> nn.Module:
    module = module.eval().to(device=how.device, dtype=HALVES.get(how.dtype))
    if how.layout == "channels_last":
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def _moved(inputs: Inputs, how: Settings) -> Inputs:
    """Inputs of the settings' type and layout, on their device."""

    def moved(tensor: torch.Tensor) -> torch.Tensor:
        floating = HALVES.get(how.dtype) if tensor.is_floating_point() else None
        tensor = tensor.to(device=how.device, dtype=floating or tensor.dtype)
        is_image = how.layout == "channels_last" and tensor.dim() == 4
        return tensor.contiguous(memory_format=torch.channels_last) if is_image else tensor

    found: Inputs = pytree.tree_map_only(torch.Tensor, moved, inputs)
    return found


def _modules(module: nn.Module, attribution: Attribution) -> str:
    """What tells models apart: modules with their settings, the shapes they take, operators in order."""
    execution = attribution.execution
    parts = [
        (path, *execution.modules[path].classes[:1], part.extra_repr())
        for path, part in module.named_modules()
    ]
    held = [(each.module, each.name, each.elements) for each in execution.holdings]
    return _digest(
        [parts, held, attribution.inputs, [(ran.operator, ran.module) for ran in execution.operations]]
    )


def _digest(parts: Any) -> str:
    return sha256(json.dumps(list(parts), sort_keys=True, default=str).encode()).hexdigest()
