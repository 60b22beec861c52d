"""What a network asks of a device: by pen, and by two producers that know nothing of each other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import get_args

import pytest
import torch
from cases import ALL, IDS, Case, graph_of
from hypothesis import given
from hypothesis import strategies as st
from rooflines import ROUND
from torch import nn

from costcalc import foreign, formula, spec, structure, torchnet
from costcalc.attribution import Attribution
from costcalc.execution import Execution, divided
from costcalc.graph import Graph
from costcalc.latency.runs import Mode
from costcalc.latency.work import Work
from costcalc.roofline import model, work

Counts = dict[str, tuple[int, ...]]


def watched(graph: Graph, batch: int = 1) -> Execution:
    sample = torchnet.sample(graph, "meta").expand(batch, *graph.input_shape)
    return foreign.run(torchnet.build(graph), (sample,), samples=batch, name=graph.name)


def predictions(found: Iterable[Work]) -> list[tuple[float, int]]:
    """In every mode: what fuses with what makes a difference too."""
    made = [model.predicted(tuple(found), ROUND, "fp16", mode) for mode in get_args(Mode)]
    return [(pytest.approx(each.seconds), each.launches) for each in made]


def folded(found: Iterable[Work], key: str = "part") -> Counts:
    """All counts by part or block, without those that do nothing."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for each in found:
        fields = (each.macs, each.macs * each.matrix, each.weights, each.reads, each.writes, each.launches)
        counts[getattr(each, key)].update(dict(enumerate(fields)))
    return {name: tuple(sums.values()) for name, sums in counts.items() if any(sums.values())}


def only(kind: str, loaded: Graph) -> Work:
    return next(each for each in work.of_graph(loaded, 8) if each.operator == kind)


@pytest.fixture(scope="module")
def stem() -> Graph:
    return spec.load("resnet50")


def test_a_convolution_by_pen(stem: Graph) -> None:
    # 64 filters of 3·7·7 = 147 on 112·112 = 12,544 positions, from 3·224·224 = 150,528 elements; no bias
    assert work.of_graph(stem, 8)[0] == Work(
        part="conv1.conv",
        block="conv1",
        operator="conv",
        macs=8 * 118_013_952,
        weights=9_408,
        reads=8 * 150_528,
        writes=8 * 802_816,
        matrix=True,
        launches=1,
        pointwise=False,
    )


def test_a_bias_is_added_to_what_a_convolution_gave() -> None:
    # GoogLeNet's first 1×1 reduction: 64 → 64 on 56·56 = 3,136 positions
    product, bias, relu = (
        each for each in work.of_graph(spec.load("googlenet"), 2) if each.part.startswith("conv2.reduce")
    )
    assert (product.macs, product.weights) == (2 * 64 * 64 * 3136, 64 * 64)
    assert (product.matrix, product.launches, product.pointwise) == (True, 1, False)
    assert (bias.operator, bias.weights, bias.macs) == ("bias", 64, 0)
    assert bias.reads == bias.writes == product.writes == relu.reads == 2 * 64 * 3136
    assert (bias.matrix, bias.launches, bias.pointwise) == (False, 1, True)


def test_a_normalisation_reads_its_running_statistics_too(stem: Graph) -> None:
    found = only("batchnorm", stem)
    # scale, shift, mean and variance of 64 channels
    assert (found.macs, found.weights, found.reads, found.writes) == (0, 4 * 64, 8 * 802_816, 8 * 802_816)
    assert (found.matrix, found.launches, found.pointwise) == (False, 1, True)


def test_a_linear_layer_by_pen(stem: Graph) -> None:
    found = only("linear", stem)
    assert (found.macs, found.weights) == (8 * 2048 * 1000, 2048 * 1000 + 1000)
    assert (found.reads, found.writes, found.matrix) == (8 * 2048, 8 * 1000, True)


def test_views_do_nothing_but_keep_their_place(stem: Graph) -> None:
    found = only("flatten", stem)
    assert (found.reads, found.writes, found.launches, found.weights) == (0, 0, 0, 0)


@pytest.mark.parametrize(("kind", "case"), ALL, ids=IDS)
def test_a_kind_asks_for_what_torch_is_seen_to_do(kind: str, case: Case) -> None:
    graph = graph_of(kind, case)
    for batch in (1, 3):
        by_formula, by_watching = work.of_graph(graph, batch), work.of_execution(watched(graph, batch))
        assert folded(by_formula) == folded(by_watching)
        assert predictions(by_formula) == predictions(by_watching)


@pytest.mark.parametrize("name", spec.presets())
def test_a_preset_asks_for_what_torch_is_seen_to_do(name: str) -> None:
    graph = spec.load(name)
    by_formula, by_watching = work.of_graph(graph), work.of_execution(watched(graph))
    assert folded(by_formula) == folded(by_watching)
    assert folded(by_formula, "block") == folded(by_watching, "block")
    assert predictions(by_formula) == predictions(by_watching)
    assert sum(each.macs for each in by_formula) == formula.costs(graph).total.macs


@pytest.mark.parametrize("name", ["googlenet", "resnet18", "naive", "conv3x3", "lenet5"])
def test_blocks_are_those_of_the_tables(name: str) -> None:
    graph = spec.load(name)
    table = formula.costs(graph)
    for depth in (None, 1, 2):
        wanted = [part.name for part in structure.blocks(graph, table, depth)]
        assert list(dict.fromkeys(each.block for each in work.of_graph(graph, 1, depth))) == wanted
    execution = watched(graph)
    names = [part.name for part in Attribution(execution).blocks()]
    found = dict.fromkeys(each.block for each in work.of_execution(execution))
    assert [name for name in names if name in found] == list(found)


@given(st.sampled_from(["googlenet", "mobilenet-v2", "lenet5-full"]), st.integers(1, 4096))
def test_work_is_affine_in_the_batch(name: str, batch: int) -> None:
    graph = spec.load(name)
    for one, many in zip(work.of_graph(graph), work.of_graph(graph, batch), strict=True):
        assert (many.macs, many.reads, many.writes) == (
            batch * one.macs,
            batch * one.reads,
            batch * one.writes,
        )
        assert (many.weights, many.launches, many.matrix) == (one.weights, one.launches, one.matrix)


class Foreign(nn.Module):
    """What specs do not have: tokens, tables, weights that are computed, convolutions over time."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(1000, 8)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.twice = nn.Parameter(torch.zeros(8, 8))
        self.grouped = nn.Conv1d(8, 16, 3, groups=4)
        self.up = nn.ConvTranspose1d(16, 16, 2, groups=16)
        self.dense = nn.Conv1d(16, 4, 1)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.token.expand(len(words), -1, -1), self.table(words)], dim=1)
        x = x @ (2 * self.twice.t())
        scratch = torch.empty_like(x)
        return self.dense(self.up(self.grouped(x.transpose(1, 2)))) + scratch.sum()


def test_a_model_is_read_as_torch_reads_it() -> None:
    words = torch.zeros(5, 7, dtype=torch.int64)
    ran = work.of_execution(foreign.run(Foreign(), (words,), samples=5))
    by_part = {each.part: each for each in ran if each.macs}
    found = {each.operator: each for each in ran}
    # seven rows of eight for each of five, not the whole table; the indices are activations
    assert (found["aten::embedding"].weights, found["aten::embedding"].reads) == (5 * 7 * 8, 5 * 7)
    # the token is read as stored, however often it is repeated
    assert (found["aten::cat"].weights, found["aten::cat"].writes) == (8, 5 * 8 * 8)
    # weights that are computed are read once, and are activations from then on
    assert (found["aten::mul"].weights, found["aten::mul"].writes) == (64, 64)
    assert (found["aten::matmul"].weights, found["aten::matmul"].reads) == (0, 5 * 8 * 8 + 64)
    assert found["aten::matmul"].matrix
    assert [by_part[name].matrix for name in ("grouped", "up", "dense")] == [False, False, True]
    assert by_part["grouped"].weights == 16 * 2 * 3
    # room that is made is not filled, and a view is no work at all
    assert not {"aten::empty_like", "aten::expand", "aten::transpose", "aten::t"} & found.keys()
    assert all(each.launches == 1 for each in found.values())
    assert (found["aten::mul"].part, found["aten::mul"].block) == ("(Foreign)", "(Foreign)")
    # and so is the bias of a convolution, over what it gave: 16 channels of 6 for each of five
    assert next(each for each in ran if each.part == "grouped" and not each.macs) == Work(
        "grouped", "grouped", "bias", 0, 16, 5 * 16 * 6, 5 * 16 * 6, False, 1, True
    )


class General(nn.Module):
    """The convolution that all others end in."""

    def forward(self, x: torch.Tensor, w: torch.Tensor, groups: int) -> torch.Tensor:
        return torch.convolution(x, w, None, [1], [0], [1], False, [0], groups)


@pytest.mark.parametrize("groups", [1, 2])
def test_groups_are_seen_whatever_the_convolution_is_called(groups: int) -> None:
    x, w = torch.zeros(3, 4, 9), torch.zeros(6, 4 // groups, 3)
    (found,) = work.of_execution(foreign.run(General(), (x, w, groups)))
    assert (found.operator, found.matrix) == ("aten::convolution", groups == 1)


class InPlace(nn.Module):
    """A product that lands in one of its inputs: that is no pointwise operator."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x).addmm_(x, x).add_(1)


def test_a_product_in_place_is_not_pointwise() -> None:
    found = work.of_execution(foreign.run(InPlace(), (torch.zeros(4, 4),)))
    told = {each.operator: (each.macs, each.matrix, each.pointwise) for each in found}
    assert told["aten::addmm_"] == (64, True, False)
    assert told["aten::add_"] == (0, False, True)


def test_the_backward_pass_is_left_out() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    trained = foreign.run(model, (torch.zeros(2, 4),), samples=2, training=True, backward=True)
    assert sum(each.macs for each in work.of_execution(trained)) == 2 * 4 * 3


def test_what_is_held_is_held_for_each_sample_of_a_batch() -> None:
    graph = spec.load("lenet5-caffe")
    found = divided(watched(graph, 6), 6)
    assert found is not None
    assert folded(work.of_execution(found)) == folded(work.of_graph(graph))
