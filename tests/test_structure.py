"""Receptive field against torch's gradients; depth, nonlinearities and peak by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from costcalc import formula, spec, structure, torchnet
from costcalc.errors import CostcalcError
from costcalc.graph import INPUT, Graph, Step, wire
from costcalc.layers import KINDS
from costcalc.records import Structure


def structure_of(graph: Graph) -> Structure:
    return structure.whole(graph, formula.costs(graph)).structure


def chain(*layers: tuple[str, dict[str, object]], size: int = 97) -> Graph:
    names = [INPUT, *(f"l{index}" for index in range(len(layers)))]
    steps = [
        Step(names[index + 1], KINDS[kind](**fields), (names[index],))
        for index, (kind, fields) in enumerate(layers)
    ]
    return wire("chain", (1, size, size), steps)


def fitting(layers: list[tuple[str, dict[str, object]]], size: int) -> Graph:
    """A chain, if every window of it fits."""
    try:
        return chain(*layers, size=size)
    except CostcalcError:
        reject()


def seen(graph: Graph) -> tuple[int, int]:
    """The most input rows and columns that a position of the output really depends on, by autograd."""
    net = torchnet.build(graph).to_empty(device="cpu")
    for parameter in net.parameters():
        torch.nn.init.constant_(parameter, 1.0)
    x = torch.rand(1, *graph.input_shape, requires_grad=True)
    out = net(x)[0]
    lines = [out.sum((0, 1, 3)), out.sum((0, 1, 2))] if out.dim() == 4 else [out.sum(1), out.sum(1)]
    return _most(lines[0], x, 3), _most(lines[1], x, 2)


def _most(lines: torch.Tensor, x: torch.Tensor, other: int) -> int:
    found = 0
    for line in lines:
        (gradient,) = torch.autograd.grad(line, x, retain_graph=True)
        hit = (gradient.abs().sum(dim=(0, 1, other)) > 1e-6).nonzero().flatten()
        found = max(found, int(hit[-1] - hit[0]) + 1 if len(hit) else 0)
    return found


windows = st.one_of(
    st.builds(
        lambda k, s, d: ("conv", {"out": 1, "kernel": k, "stride": s, "dilation": d, "bias": False}),
        st.tuples(st.integers(1, 4), st.integers(1, 4)),
        st.integers(1, 2),
        st.integers(1, 2),
    ),
    st.builds(lambda k, s: ("avgpool", {"kernel": k, "stride": s}), st.integers(1, 3), st.integers(1, 2)),
    st.just(("relu", {})),
)


resampling = st.one_of(
    st.builds(
        lambda s, mode: ("upsample", {"scale": s, "mode": mode}),
        st.integers(1, 3),
        st.sampled_from(["nearest", "bilinear"]),
    ),
    st.builds(
        lambda k, s, p: (
            "transposed_conv",
            {"out": 1, "kernel": k, "stride": s, "pad": min(p, k - 1), "bias": False},
        ),
        st.integers(1, 4),
        st.integers(1, 2),
        st.integers(0, 1),
    ),
    st.builds(lambda s: ("adaptive_avgpool", {"size": s}), st.integers(1, 12)),
    st.builds(lambda k: ("conv", {"out": 1, "kernel": k, "pad": "same", "bias": False}), st.integers(1, 4)),
    st.builds(
        lambda k, p: ("avgpool", {"kernel": k, "stride": 2, "pad": min(p, k // 2), "ceil": True}),
        st.integers(2, 3),
        st.integers(0, 1),
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(windows, min_size=1, max_size=4))
def test_receptive_field_is_what_the_gradient_sees(layers: list[tuple[str, dict[str, object]]]) -> None:
    graph = fitting(layers, size=61)
    assert structure_of(graph).receptive_field == seen(graph)


@settings(max_examples=80, deadline=None)
@example(
    [
        ("adaptive_avgpool", {"size": 12}),  # 17 positions onto 12: all twelve windows differ
        ("avgpool", {"kernel": 2, "stride": 1}),
        ("upsample", {"scale": 6}),
        ("upsample", {"scale": 3, "mode": "bilinear"}),
    ]
)
@given(st.lists(st.one_of(windows, resampling), min_size=1, max_size=5))
def test_receptive_field_behind_resampling(layers: list[tuple[str, dict[str, object]]]) -> None:
    graph = fitting(layers, size=17)
    assert structure_of(graph).receptive_field == seen(graph)


BRANCHED = {
    "a gate sees everything": (
        """
        a: {kind: conv, out: 2, kernel: 3, pad: 1, bias: false}
        b: {kind: global_avgpool}
        c: {kind: multiply, from: [a, b]}
        d: {kind: conv, out: 2, kernel: 3, pad: 1, bias: false}
        """,
        (24, 24),
    ),
    "a row of gates": (
        """
        a: {kind: adaptive_avgpool, size: [1, 24]}
        b: {kind: multiply, from: [input, a]}
        c: {kind: conv, out: 2, kernel: 3, bias: false}
        """,
        (24, 3),
    ),
    "branches that lie beside each other": (
        """
        a: {kind: conv, from: input, out: 2, kernel: 3, stride: 2, pad: 1, bias: false}
        b: {kind: avgpool, from: input, kernel: 3, stride: 2, ceil: true}
        c: {kind: concat, from: [a, b]}
        """,
        (4, 4),
    ),
    "up and down": (
        """
        a: {kind: avgpool, from: input, kernel: 2}
        b: {kind: avgpool, from: a, kernel: 2}
        c: {kind: upsample, from: b, scale: 2}
        d: {kind: conv, from: c, out: 2, kernel: 3, pad: 1, bias: false}
        e: {kind: concat, from: [d, a]}
        f: {kind: upsample, from: e, scale: 2}
        g: {kind: conv, from: f, out: 2, kernel: 3, pad: 1, bias: false}
        """,
        (12, 12),
    ),
}


@pytest.mark.parametrize("name", BRANCHED)
def test_receptive_field_of_branches(name: str, loaded: Callable[..., Graph]) -> None:
    layers, field = BRANCHED[name]
    graph = loaded(f"input: [2, 24, 24]\nlayers:{layers}")
    assert structure_of(graph).receptive_field == field == seen(graph)


@pytest.mark.parametrize(
    ("layer", "field"),
    [
        (("transposed_conv", {"out": 1, "kernel": 4, "stride": 2, "bias": False}), (2, 2)),
        (("transposed_conv", {"out": 1, "kernel": 3, "stride": 3, "bias": False}), (1, 1)),
        (("upsample", {"scale": 2}), (1, 1)),
        (("upsample", {"scale": 2, "mode": "bilinear"}), (2, 2)),
        (("adaptive_avgpool", {"size": 8}), (13, 13)),
        (("global_avgpool", {}), (97, 97)),
    ],
)
def test_receptive_field_of_resampling(layer: tuple[str, dict[str, object]], field: tuple[int, int]) -> None:
    graph = chain(layer)
    assert structure_of(graph).receptive_field == field == seen(graph)


def test_the_widest_path_gives_field_depth_and_nonlinearities(loaded: Callable[..., Graph]) -> None:
    graph = loaded(
        """
        input: [4, 32, 32]
        layers:
          a: {kind: conv_relu, from: input, out: 4, kernel: 3, pad: 1, repeat: 3}
          b: {kind: conv, from: input, out: 4, kernel: [1, 9], pad: [0, 4]}
          add: {kind: add, from: [a, b]}
          relu: {kind: relu}
        """
    )
    assert structure_of(graph) == Structure((7, 9), 3, 4, 3 * 4 * 32 * 32)


def test_flatten_sees_the_whole_map() -> None:
    graph = chain(("conv", {"out": 1, "kernel": 3}), ("flatten", {}), ("linear", {"out": 2}), size=20)
    assert structure_of(graph).receptive_field == (20, 20)


def test_vectors_have_no_receptive_field() -> None:
    assert structure_of(spec.load("dense")).receptive_field is None


@pytest.mark.parametrize(
    ("layers", "peak"),
    [
        # in elements, of an input of 100: a convolution needs its input and its output
        ("a: {kind: conv, out: 3, kernel: 1}", 100 + 300),
        # a ReLU overwrites what nobody else needs
        ("a: {kind: conv, out: 3, kernel: 1}\n  b: {kind: relu}", 100 + 300),
        # … but not the graph's input while a later layer still wants it
        ("a: {kind: relu}\n  b: {kind: add, from: [a, input]}", 100 + 100),
        # the input is freed before the second convolution
        ("a: {kind: conv, out: 3, kernel: 1}\n  b: {kind: conv, out: 4, kernel: 1}", 300 + 400),
        # a view keeps its source alive
        ("a: {kind: conv, out: 3, kernel: 1}\n  b: {kind: flatten}\n  c: {kind: linear, out: 7}", 100 + 300),
        # concat: both sources and the copy
        (
            "a: {kind: conv, from: input, out: 3, kernel: 1}\n"
            "  b: {kind: conv, from: input, out: 2, kernel: 1}\n"
            "  c: {kind: concat, from: [a, b]}",
            300 + 200 + 500,
        ),
        # a gate is freed with the product, which takes the map's place
        (
            "a: {kind: global_avgpool, from: input}\n  b: {kind: sigmoid}\n"
            "  c: {kind: multiply, from: [input, b]}",
            100 + 1,
        ),
    ],
)
def test_peak_activations_by_hand(layers: str, peak: int, loaded: Callable[..., Graph]) -> None:
    graph = loaded(f"input: [1, 10, 10]\nlayers:\n  {layers}\n")
    assert structure_of(graph).peak_activations == peak


def test_every_output_stays_alive(loaded: Callable[..., Graph]) -> None:
    text = """
    input: [1, 10, 10]
    layers:
      a: {kind: conv, out: 9, kernel: 1}
      b: {kind: conv, out: 1, kernel: 1}
      c: {kind: conv, out: 1, kernel: 1}
    """
    assert structure_of(loaded(text)).peak_activations == 900 + 100
    assert structure_of(loaded(text + "outputs: [a, c]\n")).peak_activations == 900 + 100 + 100


def test_a_block_gives_what_its_output_gives(loaded: Callable[..., Graph]) -> None:
    """Also where a training-only branch, or a layer that only others take, stands last in it."""
    graph = loaded(
        """
        input: [4, 8, 8]
        layers:
          b: {kind: forked}
          c: {kind: add, from: [b, b.y]}
        blocks:
          forked:
            output: x
            layers:
              x: {kind: conv, from: input, out: 4, kernel: 3, pad: 1}
              y: {kind: conv, from: input, out: 4, kernel: 1}
              aux: {kind: conv, out: 99, kernel: 5, training: true}
        """,
        training=True,
    )
    table = formula.costs(graph)
    (block, _) = structure.blocks(graph, table)
    assert block.output_shape == (4, 8, 8)
    assert block.structure.receptive_field == (3, 3)
    assert block == structure.part(graph, table, "b")


@pytest.mark.parametrize("name", spec.presets())
def test_parts_add_up_to_the_whole(name: str) -> None:
    graph = spec.load(name)
    table = formula.costs(graph)
    whole = structure.whole(graph, table)
    for parts in (structure.blocks(graph, table), structure.layers(graph, table)):
        assert sum((part.cost for part in parts[1:]), parts[0].cost) == whole.cost == table.total
        assert max(part.structure.peak_activations for part in parts) == whole.structure.peak_activations
        assert max(part.structure.depth for part in parts) <= whole.structure.depth
