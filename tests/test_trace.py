"""The tracer: what it refuses, what it leaves as found, and what it does when torch disagrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from fvcore.nn.jit_analysis import _IGNORED_OPS

from costcalc import formula, meta, spec, torchnet, trace
from costcalc.api import counting
from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.graph import Graph, Step, wire
from costcalc.layers import Layer
from costcalc.records import Shape


class Strange(Layer):
    """A kind whose operator stands in no table."""

    kind = "strange"

    def output_shape(self, *xs: Shape) -> Shape:
        return xs[0]

    def module(self, torch: Any, *xs: Shape) -> Any:
        return lambda x: torch.erfinv(x)


class Failing(Strange):
    """A kind that torch cannot run."""

    def module(self, torch: Any, *xs: Shape) -> Any:
        return lambda x: x @ x[..., :1, :]


class Clamped(Strange):
    """A kind whose operator fvcore would pass over."""

    def module(self, torch: Any, *xs: Shape) -> Any:
        return lambda x: x.clamp(0, 1) + x.max()


def alone(layer: Layer) -> Graph:
    return wire("strange", (3, 4, 5), [Step("layer", layer, ("input",))])


def test_an_unknown_operator_is_an_error_that_names_it() -> None:
    with pytest.raises(CostcalcError, match=r"aten::erfinv \(1×\)") as caught:
        trace.costs(alone(Strange()))
    assert caught.value.exit_code == ENVIRONMENT


def test_an_operator_that_fvcore_passes_over_is_an_error_too() -> None:
    with pytest.raises(CostcalcError, match=r"aten::clamp \(1×\), aten::max \(1×\)"):
        trace.costs(alone(Clamped()))


def test_nothing_is_passed_over_by_fvcore() -> None:
    assert set(_IGNORED_OPS) <= trace.HANDLES.keys()


def test_what_torch_refuses_names_the_layer() -> None:
    with pytest.raises(CostcalcError, match="torch cannot run layer 'layer'"):
        trace.costs(alone(Failing()))


def state() -> tuple[object, ...]:
    return (
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        torch.get_rng_state().tolist(),
        torch.get_default_device(),
        torch.are_deterministic_algorithms_enabled(),
        torch.jit.is_tracing(),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_process_is_left_as_found(dtype: torch.dtype) -> None:
    graph = spec.load("reduced")
    torch.set_default_dtype(dtype)
    try:
        for run in (trace.costs, trace.third_opinion):
            for enabled in (True, False):
                with torch.set_grad_enabled(enabled):
                    before = state()
                    run(graph)
                    assert state() == before
            before = state()
            with pytest.raises((CostcalcError, RuntimeError)):
                run(alone(Failing()))
            assert state() == before
    finally:
        torch.set_default_dtype(torch.float32)


def test_counts_do_not_depend_on_the_process() -> None:
    graph = spec.load("reduced")
    expected = trace.costs(graph)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode():
            assert trace.costs(graph) == expected
        with torch.device("meta"):
            assert trace.costs(graph) == expected
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", ["googlenet-torchvision-aux", "naive"])
def test_names_are_paths_of_the_torch_module(name: str) -> None:
    graph = spec.load(name)
    net = torchnet.build(graph)
    assert isinstance(net, torch.fx.GraphModule)
    assert not net.training
    for node in graph.nodes:
        assert net.get_submodule(node.name) is not None
    outputs = net(torchnet.sample(graph, "meta"))
    assert [tuple(out.shape[1:]) for out in outputs] == [graph.shape_of(name) for name in graph.outputs]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("input: [2, 4, 4]\nlayers:\n  a: {kind: conv, out: 16_000_000, kernel: 9, pad: 4}", "GiB"),
        (
            "input: [4096, 128, 128]\nlayers:\n  a: {kind: conv, out: 4096, kernel: 3, pad: 1, repeat: 9}",
            "multiply-adds",
        ),
    ],
)
def test_what_is_too_large_to_compute_is_refused(
    text: str, reason: str, loaded: Callable[..., Graph], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = loaded(text)
    assert not counting.costs(graph).disagreements  # on meta tensors nothing is computed
    monkeypatch.setattr(meta, "records", lambda: False)
    with pytest.raises(CostcalcError, match=reason) as caught:
        counting.costs(graph)
    assert caught.value.exit_code == ENVIRONMENT
    assert counting.costs(graph, by="formula").total.macs > 10**9


def test_why_fvcores_own_total_is_another() -> None:
    """As the README says: its defaults add batch norm and adaptive pooling to the multiply-adds."""
    graph = spec.load("googlenet-torchvision")
    net = torchnet.build(graph).to_empty(device="cpu")
    table = formula.costs(graph)

    def other_ops(kind: str) -> int:
        return sum(row.cost.other_ops for row in table.rows if row.kind == kind)

    assert (other_ops("batchnorm"), other_ops("global_avgpool")) == (6_452_320, 50_176)
    theirs = FlopCountAnalysis(net, (torchnet.sample(graph, "cpu"),)).total()
    assert theirs == 1_504_878_688 == table.total.macs + 6_452_320 + 50_176
