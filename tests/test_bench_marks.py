"""Marks at the blocks of a network: where they go, what they say, that they leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from costcalc import foreign, torchnet
from costcalc.bench.building import entered
from costcalc.bench.marks import END, Boundaries, Timeline, hooked, marked, samples
from costcalc.graph import Graph
from costcalc.latency.runs import Measurement
from costcalc.roofline import work


def seen(module: nn.Module, where: Boundaries, x: torch.Tensor) -> list[str]:
    """The names that a pass marks, in order."""
    timeline = Timeline(count().__next__)
    with hooked(module, where, timeline.mark):
        marked(lambda: module(x), where, timeline.mark)()
    assert not any(each._forward_pre_hooks or each._forward_hooks for each in module.modules())
    return timeline.names


def test_a_spec_is_marked_where_the_block_changes(loaded: Callable[..., Graph]) -> None:
    graph = loaded(
        """
        name: two
        input: [3, 8, 8]
        layers:
          stem: {kind: conv, out: 4, kernel: 3}
          mix: {kind: cell}
          head: {kind: relu}
        blocks:
          cell: {layers: {a: {kind: conv, out: 4, kernel: 1}, b: {kind: relu}, c: {kind: add, from: [a, b]}}}
        """
    )
    entrances = {each.part: each.block for each in work.of_graph(graph)}
    net = torchnet.build(graph, "cpu")
    assert seen(net, Boundaries(entrances), torch.randn(2, 3, 8, 8)) == ["stem", "mix", "head", END]


class Own(nn.Module):
    """Code of its own before, between and after modules; lists that nothing calls; a module used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(4, 4)
        self.stages = nn.ModuleList(
            [nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.ModuleList([nn.ReLU(), nn.Linear(4, 4)])]
        )
        self.again = nn.Tanh()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.again(self.stem(x * 2)) + 1
        for part in (self.stages[0], *self.stages[1]):  # type: ignore[misc]
            x = part(x)
        given: torch.Tensor = self.again(x)
        return given


def boundaries(module: nn.Module, *shape: int) -> Boundaries:
    """Where its blocks are entered."""
    execution = foreign.run(module, (torch.empty(2, *shape, device="meta"),), samples=2)
    found = Measurement(
        name="it",
        source="",
        spec="",
        batch=2,
        params=0,
        macs=0,
        peak_activations=0,
        convention="",
        work=work.of_execution(execution),
    )
    return entered(execution, found)


def test_a_model_is_marked_where_its_modules_are_entered_and_left() -> None:
    model = Own()
    where = boundaries(model, 4)
    assert where.own == "(Own)"
    # the outermost modules that are called: the first stage, and what the second, a mere list, holds
    called = dict.fromkeys(("stages.0", "stages.1.0", "stages.1.1"), "stages")
    assert where.entrances == {"stem": "stem", "again": "again", **called}
    own = "(Own)"
    names = seen(model, where, torch.randn(2, 4))
    assert names[:5] == [own, "stem", own, "again", own]
    assert names[-4:] == [own, "again", own, END]
    assert names[5:-4] == ["stages", own, "stages", own, "stages"]


def test_a_block_inside_a_block_gives_back_to_the_outer_one() -> None:
    inner = nn.Linear(2, 2)
    outer = nn.Sequential(inner, nn.ReLU())
    where = Boundaries({"0": "outer", "0.0": "inner"}, "(own)")
    names = seen(nn.Sequential(outer, nn.Tanh()), where, torch.ones(1, 2))
    assert names == ["(own)", "outer", "inner", "outer", "(own)", END]


def test_hooks_are_removed_when_the_model_raises() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(3, 3))
    where = Boundaries({"0": "0", "1": "1"}, "(Sequential)")
    with pytest.raises(RuntimeError, match="shape"), hooked(model, where, lambda _: None):
        model(torch.ones(1, 2))
    assert not any(each._forward_pre_hooks or each._forward_hooks for each in model.modules())


def test_hooks_that_cannot_all_be_placed_are_removed() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(AttributeError), hooked(model, Boundaries({"0": "a", "9": "b"}), lambda _: None):
        pass
    assert not model[0]._forward_pre_hooks


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1), min_size=1), st.data())
def test_the_times_of_blocks_sum_up_to_the_pass(passes: list[list[str]], data: Any) -> None:
    now = 0
    timeline = Timeline(lambda: now)
    lengths = []
    for blocks in passes:
        began = now
        for name in blocks:
            timeline.mark(name)
            now += data.draw(st.integers(0, 100))
        lengths.append(now - began)
        timeline.mark(END)
        now += 1000  # between passes: of no block
    found = timeline.passes(lambda start, end: end - start)
    assert [sum(each.values()) for each in found] == lengths
    assert [set(each) for each in found] == [set(blocks) for blocks in passes]


def test_a_block_that_a_pass_did_not_come_by_took_no_time_in_it() -> None:
    assert samples([{"a": 1.0}, {"b": 2.0, "a": 3.0}]) == {"a": (1.0, 3.0), "b": (0.0, 2.0)}
