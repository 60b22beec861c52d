"""Tracing without arithmetic: the same counts as with it, no memory, and torch left as found."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tracemalloc
from typing import Any

import pytest
import torch
from torch import nn

from costcalc import formula, meta, spec, torchnet, trace
from costcalc.checks import agreement


def test_it_works_on_this_torch() -> None:
    assert meta.records()


@pytest.mark.parametrize("name", spec.presets())
def test_a_trace_that_computes_counts_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fallback; that on meta tensors is held against the closed form by the tests of presets."""
    monkeypatch.setattr(meta, "records", lambda: False)
    graph = spec.load(name)
    assert agreement(formula.costs(graph), trace.costs(graph)) == ()


def test_where_torch_does_otherwise_it_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later torch may record another operator, or none, or refuse."""

    def failing(*_: Any) -> Any:
        raise RuntimeError("changed")

    for broken in (lambda self, func, types, args=(), kwargs=None: func(*args, **(kwargs or {})), failing):
        monkeypatch.setattr(meta.Recorded, "__torch_dispatch__", broken)
        meta.records.cache_clear()
        assert not meta.records()
    monkeypatch.undo()
    meta.records.cache_clear()
    assert meta.records()


@pytest.mark.parametrize("size", [224, 2048])
def test_nothing_is_computed_or_held(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """vgg16 at 2048 pixels would take gigabytes; no tensor with memory is larger than one number."""
    graph = spec.load("vgg16", {"input": f"3x{size}x{size}"})
    seen: list[int] = []

    class Watching(meta.Recorded):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = super().__torch_dispatch__(func, types, args, kwargs)
            tensors = given if isinstance(given, tuple) else (given,)
            seen.extend(0 if tensor.is_meta else tensor.numel() for tensor in tensors)
            return given

    monkeypatch.setattr(meta, "Recorded", Watching)
    tracemalloc.start()
    trace.costs(graph)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen
    assert max(seen) == 0
    assert peak < 8 * 2**20


def test_as_many_operators_at_any_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    def operators(size: int) -> int:
        count = 0

        class Counting(meta.Recorded):
            def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                nonlocal count
                count += 1
                return super().__torch_dispatch__(func, types, args, kwargs)

        monkeypatch.setattr(meta, "Recorded", Counting)
        trace.costs(spec.load("vgg16", {"input": f"3x{size}x{size}"}))
        return count

    assert operators(224) == operators(1024) > 0


def test_the_compiler_stays_out_and_works_afterwards() -> None:
    code = """
import sys, torch
from costcalc import costs, count
costs("reduced")
net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
count(net, torch.zeros(1, 3, 8, 8))
assert "torch._dynamo" not in sys.modules, "loaded"
f = torch.compile(lambda x: torch.relu(x) + 1, backend="eager")
assert f(torch.ones(2)).tolist() == [2, 2]
assert sys.modules["torch._dynamo"].__file__
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_who_asks_for_the_compiler_gets_it() -> None:
    code = """
import sys, torch
from costcalc import meta
with meta.without_compiler():
    torch.relu(torch.empty(2, device="meta"))
    import torch._dynamo.config
    assert torch._dynamo.config.cache_size_limit
assert sys.modules["torch._dynamo"].__file__
assert not hasattr(torch._refs.nn.functional.relu, "__dynamo_disable")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_where_the_compiler_is_loaded_nothing_is_replaced() -> None:
    importlib.import_module("torch._dynamo")

    before = sys.modules["torch._dynamo"]
    with meta.without_compiler():
        assert sys.modules["torch._dynamo"] is before
    assert sys.modules["torch._dynamo"] is before


def test_a_trace_inside_the_mode_sees_the_convolution_of_the_cpu() -> None:
    """Operator by operator, with sizes, as on the CPU."""
    graph = spec.load("reduced")

    def seen(net: nn.Module, device: str) -> list[tuple[str, list[int]]]:
        traced, _ = torch.jit._get_trace_graph(net, (torchnet.sample(graph, device),))
        nodes = [node for node in traced.nodes() if node.kind().startswith("aten::")]
        return [(node.kind(), node.output().type().sizes()) for node in nodes]

    with torch.no_grad():
        expected = seen(torchnet.build(graph, "cpu"), "cpu")
        with meta.Recorded(), meta.without_compiler():
            assert seen(torchnet.build(graph), "meta") == expected
