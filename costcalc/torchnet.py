"""Graph → a real ``torch.fx`` module whose submodules bear the graph's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import fx, nn

from costcalc.graph import INPUT, Graph, Node
from costcalc.records import Shape


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
    with torch.device(device):
        for node in graph.nodes:
            modules[node.name] = _module(node.layer.module(torch, *node.input_shapes))
    wiring = _wired(graph.nodes, [INPUT], graph.outputs)
    return fx.GraphModule(modules, wiring, graph.name).eval()


def pieces(net: fx.GraphModule, graph: Graph, most: int) -> Iterator[tuple[fx.GraphModule, tuple[str, ...]]]:
    """The net in runs of at most so many layers, and from which layers (or the input) each takes its tensors.

    A piece gives all that later ones or the outputs take; the layers in it are those of the net.
    """
    if len(graph.nodes) <= most:
        yield net, (INPUT,)
        return
    last = {source: step for step, node in enumerate(graph.nodes) for source in node.sources}
    last |= dict.fromkeys(graph.outputs, len(graph.nodes))
    for start in range(0, len(graph.nodes), most):
        nodes = graph.nodes[start : start + most]
        inside = {node.name for node in nodes}
        taken = dict.fromkeys(source for node in nodes for source in node.sources if source not in inside)
        given = [node.name for node in nodes if last[node.name] >= start + len(nodes)]
        yield fx.GraphModule(net, _wired(nodes, list(taken), given), graph.name).eval(), tuple(taken)


def _wired(nodes: Sequence[Node], taken: Sequence[str], given: Sequence[str]) -> fx.Graph:
    """Calls of the layers in order, from what is taken to what is given."""
    wiring = fx.Graph()
    values = {name: wiring.placeholder(f"{INPUT}{index or ''}") for index, name in enumerate(taken)}
    for node in nodes:
        sources = tuple(values[source] for source in node.sources)
        values[node.name] = wiring.create_node("call_module", node.name, sources)
    wiring.output(tuple(values[name] for name in given))
    return wiring


def sample(graph: Graph, device: str) -> torch.Tensor:
    """A batch of one, all zeros: counts depend on shapes only."""
    return zeros(graph.input_shape, device)


def zeros(shape: Shape, device: str) -> torch.Tensor:
    """The same of another shape, which is without batch."""
    return torch.zeros(1, *shape, device=device, dtype=torch.float32)


def _module(found: Any) -> nn.Module:
    return found if isinstance(found, nn.Module) else _Function(found)
