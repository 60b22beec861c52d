"""Graph → a real ``torch.fx`` module whose submodules bear the graph's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from costcalc.graph import INPUT, Graph


class _Function(nn.Module):
    """A layer that is no ``nn.Module`` of torch's own, as one."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        return self.function(*tensors)


def build(graph: Graph, device: str = "meta") -> fx.GraphModule:
    """The graph as a module in inference mode: by default on the meta device, shapes without memory.

    Takes a batch of inputs, gives a tuple with one tensor per output of the graph.
    """
    modules: dict[str, nn.Module] = {}
    wiring = fx.Graph()
    values = {INPUT: wiring.placeholder(INPUT)}
    with torch.device(device):
        for node in graph.nodes:
            modules[node.name] = _module(node.layer.module(torch, *node.input_shapes))
    for node in graph.nodes:
        sources = tuple(values[source] for source in node.sources)
        values[node.name] = wiring.create_node("call_module", node.name, sources)
    wiring.output(tuple(values[name] for name in graph.outputs))
    return fx.GraphModule(modules, wiring, graph.name).eval()


def sample(graph: Graph, device: str) -> torch.Tensor:
    """A batch of one, all zeros: counts depend on shapes only."""
    return torch.zeros(1, *graph.input_shape, device=device, dtype=torch.float32)


def _module(found: Any) -> nn.Module:
    return found if isinstance(found, nn.Module) else _Function(found)
