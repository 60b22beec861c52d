"""Receptive field against torch's gradients; depth, nonlinearities and peak by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from costcalc import formula, spec, structure, torchnet
from costcalc.graph import INPUT, Graph, Step, wire
from costcalc.layers import KINDS
from costcalc.records import Structure


def structure_of(graph: Graph) -> Structure:
    return structure.whole(graph, formula.costs(graph)).structure


def chain(*layers: tuple[str, dict[str, object]], size: int = 97) -> Graph:
    names = [INPUT, *(f"l{index}" for index in range(len(layers)))]
    steps = [
        Step(names[index + 1], KINDS[kind].model_validate(fields), (names[index],))
        for index, (kind, fields) in enumerate(layers)
    ]
    return wire("chain", (1, size, size), steps)


def seen(graph: Graph) -> tuple[int, int]:
    """How many input rows and columns the middle output really depends on, by autograd."""
    net = torchnet.build(graph).to_empty(device="cpu")
    for parameter in net.parameters():
        torch.nn.init.constant_(parameter, 1.0)
    x = torch.rand(1, *graph.input_shape, requires_grad=True)
    out = net(x)[0]
    most = (0, 0)
    middle = (out.shape[2] // 2, out.shape[3] // 2)
    for row in range(
        max(0, middle[0] - 3), min(out.shape[2], out.shape[3], middle[0] + 3)
    ):  # fields differ by position after upsampling
        (gradient,) = torch.autograd.grad(out[0, 0, row, row], x, retain_graph=True)
        hit = gradient[0, 0] != 0
        rows, columns = hit.any(1).nonzero(), hit.any(0).nonzero()
        most = (
            max(most[0], int(rows.max() - rows.min()) + 1),
            max(most[1], int(columns.max() - columns.min()) + 1),
        )
    return most


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


@settings(max_examples=60, deadline=None)
@given(st.lists(windows, min_size=1, max_size=4))
def test_receptive_field_is_what_the_gradient_sees(layers: list[tuple[str, dict[str, object]]]) -> None:
    graph = chain(*layers)
    assert structure_of(graph).receptive_field == seen(graph)


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


@pytest.mark.parametrize("name", spec.presets())
def test_parts_add_up_to_the_whole(name: str) -> None:
    graph = spec.load(name)
    table = formula.costs(graph)
    whole = structure.whole(graph, table)
    for parts in (structure.blocks(graph, table), structure.layers(graph, table)):
        assert sum((part.cost for part in parts[1:]), parts[0].cost) == whole.cost == table.total
        assert max(part.structure.peak_activations for part in parts) == whole.structure.peak_activations
        assert max(part.structure.depth for part in parts) <= whole.structure.depth
