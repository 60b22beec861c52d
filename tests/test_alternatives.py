"""Known changes: every one on every preset where it applies; what they save, and that no less is enough."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costcalc
from costcalc import alternatives, checks, cli, formula, spec, structure, trace
from costcalc.alternatives import CHANGES, Change, Choices
from costcalc.api import explaining
from costcalc.errors import CostcalcError, Misfit
from costcalc.graph import INPUT, Graph
from costcalc.layers.linear import Conv, Linear
from costcalc.verdicts import Limit

Loaded = Callable[..., Graph]
SMALL = ("naive", "reduced", "alexnet", "squeezenet1.1", "inception-a", "residual-bottleneck", "lenet5-caffe")
FIRST_OF_A_KIND = 3  # layers of each preset on which a change is traced


@cache
def load(name: str) -> Graph:
    return spec.load(name)


def total(graph: Graph, metric: str = "macs") -> int:
    return alternatives.counted(graph, Limit(metric, 0))


def choices(key: str, graph: Graph, name: str) -> Choices | None:
    try:
        return CHANGES[key].choices(graph, name)
    except Misfit:
        return None


def made(key: str, graph: Graph, name: str, value: int | None = None) -> Graph:
    found = CHANGES[key].choices(graph, name)
    return found.made(found.usual if value is None else value)


def applied(key: str, name: str) -> list[tuple[str, Graph]]:
    """The change in its usual strength on every layer of a preset that it fits."""
    graph, found = load(name), []
    for layer in (INPUT, *(node.name for node in graph.nodes)):
        if (given := choices(key, graph, layer)) is not None:
            try:
                found.append((layer, given.made(given.usual)))
            except (CostcalcError, Misfit):
                continue  # a sum, say, of which one side would be thinner
    return found


@pytest.mark.parametrize("key", CHANGES)
def test_every_change_applies_somewhere_and_says_what_it_is(key: str) -> None:
    known = CHANGES[key]
    assert known.key == key
    assert known.summary
    assert "section" in known.source
    assert any(applied(key, name) for name in ("alexnet", "vgg11", "resnet18"))


@pytest.mark.parametrize("name", spec.presets())
@pytest.mark.parametrize("key", CHANGES)
def test_on_every_preset_what_is_given_stays(key: str, name: str) -> None:
    graph = load(name)
    field = structure.whole(graph, formula.costs(graph)).structure.receptive_field
    for layer, changed in applied(key, name)[:40]:
        assert [changed.shape_of(end) for end in changed.outputs] == [
            graph.shape_of(end) for end in graph.outputs
        ]
        assert formula.costs(changed) != formula.costs(graph)
        if CHANGES[key].keeps_field and len(graph.nodes) < 60:
            found = structure.whole(changed, formula.costs(changed)).structure.receptive_field
            assert found == field, layer


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("key", CHANGES)
def test_formula_and_trace_agree_on_changed_graphs(key: str, name: str) -> None:
    found = applied(key, name)
    for _, changed in [*found[:FIRST_OF_A_KIND], *found[-1:]]:
        assert not checks.agreement(formula.costs(changed), trace.costs(changed))


@pytest.mark.parametrize(
    "name", ["googlenet", "resnet50", "mobilenet-v2", "vgg16", "alexnet", "squeezenet1.1"]
)
@pytest.mark.parametrize("metric", ["macs", "params", "weights", "activations", "peak_activations"])
def test_savings_are_old_minus_new_and_ranked(name: str, metric: str) -> None:
    graph = load(name)
    limit = Limit(metric, total(graph, metric) * 9 // 10)
    found = alternatives.changes(graph, limit)
    assert found
    for change in found:
        for each, saved in change.saved.items():
            whole = [structure.whole(g, formula.costs(g)) for g in (graph, change.graph)]
            old, new = (checks.JUDGED[each](part) for part in whole)
            assert saved == old - new
        assert change.saving == change.saved[metric] > 0
        assert change.left == total(change.graph, metric)
        assert change.meets == (change.left <= limit.most)
        assert change.source == CHANGES[change.key].source
    enough, others = ([change for change in found if change.meets == meets] for meets in (True, False))
    assert list(found) == [*enough, *others]
    assert others == sorted(others, key=lambda change: -change.saving)
    sorts = {key: [change for change in enough if change.key == key] for key in CHANGES}
    for each in sorts.values():  # the mildest of each sort leads
        assert each == sorted(each, key=lambda change: (-change.mildness, change.saving))
    leading = sorted((each[0] for each in sorts.values() if each), key=lambda change: change.saving)
    assert enough == [change for lead in leading for change in sorts[lead.key]]


def test_a_mild_cut_of_a_large_layer_leads_a_severe_one_of_a_small() -> None:
    graph = load("googlenet-caffe")
    found = alternatives.changes(graph, Limit("macs", 1_500_000_000))
    filters = [change for change in found if change.key == "filters" and change.meets]
    assert filters[0].title == "conv2.conv.conv: 192 → 144 filters"
    assert filters[0].mildness == Fraction(144, 192)
    assert min(change.saving for change in filters) < filters[0].saving
    groups = next(change for change in found if change.key == "groups")
    assert groups.mildness == Fraction(1, 2)  # twice as many


def test_a_thinner_network_says_what_rounding_leaves() -> None:
    graph = load("googlenet")
    width = next(each for each in alternatives.changes(graph, Limit("macs", 10**9)) if each.key == "width")
    before, after = (
        sum(node.layer.out for node in each.nodes if isinstance(node.layer, Conv))
        for each in (graph, width.graph)
    )
    assert width.title.endswith(f"% of their filters, in multiples of 8: {before:,} → {after:,}")
    assert width.mildness > Fraction(1, 2)


# --- each formula by hand ---


def conv(graph: Graph, name: str) -> tuple[Conv, int, int]:
    """A convolution, its input channels, and the positions of its output."""
    node = graph.node(name)
    assert isinstance(node.layer, Conv)
    return node.layer, node.input_shapes[0][0], prod(node.output_shape[1:])


def test_a_5x5_as_two_3x3_is_the_pair_of_the_presets() -> None:
    changed = made("stack", load("conv5x5"), "conv.conv")
    assert total(changed) == total(load("conv3x3-pair"))
    assert total(load("conv5x5")) * 18 == total(changed) * 25
    assert total(changed, "weights") == total(load("conv3x3-pair"), "weights")
    assert [node.layer.kind for node in changed.nodes] == ["conv", "relu", "conv", "relu"]
    assert [node.name for node in changed.nodes][:3] == ["conv.conv.1", "conv.conv.1_relu", "conv.conv.2"]


def test_a_7x7_as_three_3x3_is_the_triple_of_the_presets() -> None:
    size = load("conv3x3-triple").input_shape[1]
    changed = made("stack", spec.load("conv7x7", {"size": size}), "conv.conv")
    assert total(changed) == total(load("conv3x3-triple"))


def test_asymmetric_is_the_preset() -> None:
    assert total(made("asymmetric", load("conv-nxn"), "conv.conv")) == total(load("conv-1xn-nx1"))


def test_a_reduction_by_hand() -> None:
    graph = load("naive")
    layer, channels, area = conv(graph, "5x5.conv")
    changed = made("reduction", graph, "5x5.conv", 16)
    saved = layer.out * channels * 25 * area - (channels * 16 + 16 * layer.out * 25) * area
    assert total(graph) - total(changed) == saved == 107_978_752
    reduced = load("reduced")
    of = {row.name: row.cost.macs for row in formula.costs(reduced).rows}
    assert total(changed) - total(graph) + of_layer(graph, "5x5.conv") == sum(
        of[f"5x5.{name}.conv"] for name in ("reduce", "conv")
    )


def of_layer(graph: Graph, name: str) -> int:
    return next(row.cost.macs for row in formula.costs(graph).rows if row.name == name)


def test_a_reduction_that_is_there_is_made_narrower() -> None:
    graph = load("reduced")
    found = CHANGES["reduction"].choices(graph, "5x5.conv.conv")
    assert found.values == (8,)
    changed = found.made(8)
    assert changed.node("5x5.reduce.conv").layer == Conv(out=8, kernel=(1, 1))
    assert len(changed.nodes) == len(graph.nodes)


def test_a_1x1_that_others_take_too_is_no_reduction(loaded: Loaded) -> None:
    graph = loaded(
        "input: [32, 8, 8]\nlayers:\n  a: {kind: conv, out: 32, kernel: 1}\n"
        "  b: {kind: conv, out: 32, kernel: 3, pad: 1}\n  c: {kind: add, from: [a, b]}"
    )
    assert "b.1" in [node.name for node in made("reduction", graph, "b", 8).nodes]


@pytest.mark.parametrize(("name", "layer"), [("naive", "3x3.conv"), ("googlenet", "conv2.conv.conv")])
def test_depthwise_separable_by_hand(name: str, layer: str) -> None:
    graph = load(name)
    kind, channels, area = conv(graph, layer)
    changed = made("separable", graph, layer)
    saved = 9 * channels * kind.out * area - (9 * channels * area + channels * kind.out * area)
    assert total(graph) - total(changed) == saved


def test_groups_divide() -> None:
    graph = load("naive")
    for groups in CHANGES["groups"].choices(graph, "5x5.conv").values:
        changed = made("groups", graph, "5x5.conv", groups)
        assert of_layer(changed, "5x5.conv") * groups == of_layer(graph, "5x5.conv")


def test_fewer_filters_reach_whoever_takes_them() -> None:
    graph = load("alexnet")
    changed = made("filters", graph, "conv3.conv", 192)
    shares = {name: of_layer(changed, name) / of_layer(graph, name) for name in ("conv3.conv", "conv4.conv")}
    assert shares == {"conv3.conv": 0.5, "conv4.conv": 0.5}
    with pytest.raises(Misfit, match="something else"):
        made("filters", graph, "fc8", 8)


def test_pooling_instead_of_a_flattened_map() -> None:
    graph = load("alexnet")
    changed = made("pooling", graph, "fc6.linear")
    assert total(graph, "weights") - total(changed, "weights") == 256 * (36 - 1) * 4096
    assert choices("pooling", changed, "fc6.linear") is None  # it is one position already


def test_low_rank_by_hand() -> None:
    graph = load("alexnet")
    node = graph.node("fc7.linear")
    assert isinstance(node.layer, Linear)
    changed = made("rank", graph, "fc7.linear", 1024)
    assert total(graph, "params") - total(changed, "params") == 4096 * 4096 - 2 * 4096 * 1024


def test_a_stride_instead_of_a_pooling() -> None:
    graph = load("vgg11")
    first = next(node.name for node in graph.nodes if node.layer.kind == "conv")
    changed = made("stride", graph, first)
    assert of_layer(changed, first) == of_layer(graph, first) // 4
    assert "pool1" not in [node.name for node in changed.nodes]


def test_a_smaller_input_and_a_thinner_network() -> None:
    graph = load("resnet18")
    smaller = made("resolution", graph, INPUT, 128)
    assert total(smaller) == total(spec.load("resnet18", {"input": "3x128x128"}))
    thinner = made("width", graph, INPUT, 50)
    assert thinner.shape_of(thinner.outputs[0]) == (1000,)
    for node in thinner.nodes:
        layer, old = node.layer, graph.node(node.name).layer
        if isinstance(layer, Conv) and isinstance(old, Conv):
            assert layer.out * 2 == old.out


def test_what_does_not_fit_is_refused(loaded: Loaded) -> None:
    graph = load("residual-basic")
    first, second = (node.name for node in graph.nodes if node.layer.kind == "conv")
    assert made("filters", graph, first)
    with pytest.raises(CostcalcError, match="one shape"):
        made("filters", graph, second)
    for text in ("stride: 2", "dilation: 2", "pad: 3"):
        one = loaded(f"input: [8, 32, 32]\nlayers: {{c: {{kind: conv, out: 8, kernel: 5, {text}}}}}")
        assert choices("stack", one, "c") is None
    for text in ("{kind: conv, out: 16, kernel: [1, 5]}", "{kind: conv, out: 16, kernel: 1}", "{kind: relu}"):
        one = loaded(f"input: [16, 32, 32]\nlayers: {{c: {text}}}")
        assert not {"stack", "asymmetric"} & {
            change.key for change in alternatives.changes(one, Limit("macs", 0))
        }
    pair = loaded(
        "input: [16, 8, 8]\nlayers:\n  a: {kind: conv, out: 16, kernel: 3, pad: 1}\n"
        "  b: {kind: maxpool, kernel: 3, stride: 2}\n  c: {kind: global_avgpool}"
    )
    with pytest.raises(Misfit, match="another grid"):
        made("stride", pair, "a")


@settings(max_examples=60, deadline=None)
@given(
    kernel=st.sampled_from([3, 4, 5, 7]),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pad=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    groups=st.sampled_from([1, 2, 4]),
    bias=st.booleans(),
    out=st.sampled_from([8, 16, 24, 48]),
)
def test_awkward_convolutions_keep_shape_and_field(
    kernel: int, stride: tuple[int, int], pad: tuple[int, int], dilation: tuple[int, int],
    groups: int, bias: bool, out: int,
) -> None:  # fmt: skip
    layer = Conv(
        out=out, kernel=(kernel, kernel), stride=stride, pad=pad, dilation=dilation, groups=groups, bias=bias
    )
    from costcalc.graph import Step, wire

    graph = wire("one", (16, 29, 31), [Step("c", layer, (INPUT,))])
    field = structure.whole(graph, formula.costs(graph)).structure.receptive_field
    for key in ("stack", "asymmetric", "reduction", "separable", "groups"):
        if (found := choices(key, graph, "c")) is not None:
            changed = found.made(found.usual)
            assert changed.shape_of(changed.outputs[0]) == graph.shape_of("c")
            assert structure.whole(changed, formula.costs(changed)).structure.receptive_field == field


# --- the least that is enough ---


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["naive", "alexnet", "squeezenet1.1", "lenet5-caffe", "resnet18"]),
    metric=st.sampled_from(["macs", "params", "activations", "peak_activations"]),
    share=st.floats(0.05, 1.0),
)
def test_a_change_is_the_least_that_meets_the_limit(name: str, metric: str, share: float) -> None:
    graph = load(name)
    limit = Limit(metric, int(total(graph, metric) * share))
    for change in alternatives.changes(graph, limit):
        assert change.meets == (total(change.graph, metric) <= limit.most)
        found = CHANGES[change.key].choices(graph, change.layer)
        value = next(each for each in found.values if found.said(each) in change.title)
        index = found.values.index(value)
        if change.meets and index:
            weaker = found.made(found.values[index - 1])
            assert total(weaker, metric) > limit.most
        if not change.meets:
            assert value == found.usual
            assert total(found.made(found.values[-1]), metric) > limit.most


def test_a_limit_on_a_block_looks_into_the_block() -> None:
    graph = load("googlenet")
    limit = Limit("macs", 100_000_000, "inception_3a")
    for change in alternatives.changes(graph, limit):
        assert change.layer == INPUT or change.block == "inception_3a"
        inside = structure.part(change.graph, formula.costs(change.graph), "inception_3a")
        assert change.left == inside.cost.macs


def test_a_limit_that_is_just_met_is_met() -> None:
    exact = total(made("groups", load("naive"), "3x3.conv", 8))
    found = alternatives.changes(load("naive"), Limit("macs", exact))
    assert (found[0].title, found[0].left, found[0].meets) == ("3x3.conv: in 8 groups", exact, True)


def test_a_block_is_not_another_whose_name_begins_alike(loaded: Loaded) -> None:
    graph = loaded(
        "input: [16, 8, 8]\nlayers:\n  a: {kind: conv, out: 16, kernel: 3}\n"
        "  ab: {kind: conv, out: 16, kernel: 3}"
    )
    assert alternatives.counted(graph, Limit("macs", 0, "a")) == 9 * 16 * 16 * 36
    assert {change.layer for change in alternatives.changes(graph, Limit("macs", 0, "a"))} <= {"a", INPUT}


def test_twice_the_same_change_is_no_pair() -> None:
    remedies = alternatives.remedies(load("nin"), Limit("activations", 100_000))
    assert remedies.pair is not None
    assert [change.key for change in remedies.pair] == ["resolution", "width"]


def test_two_changes_where_one_is_not_enough() -> None:
    graph = load("naive")
    limit = Limit("macs", 100_000_000)
    remedies = alternatives.remedies(graph, limit)
    assert not remedies.changes[0].meets
    assert remedies.pair is not None
    first, second = remedies.pair
    assert first == remedies.changes[0]
    assert second.left == total(second.graph) < first.left
    assert (first.key, first.layer) != (second.key, second.layer)
    assert alternatives.remedies(graph, Limit("macs", 250_000_000)).pair is None


# --- what is shown ---


def test_why_names_the_cheapest_change_and_what_it_leaves() -> None:
    found = explaining.explained(costcalc.budget("googlenet-caffe", "1.5G", by="formula"))
    (reason,) = found.reasons
    assert reason.remedies is not None
    cheapest = reason.remedies.changes[0]
    (sentence,) = found.view().summary
    assert sentence.startswith("Cheapest known change that meets the limit on googlenet-caffe MACs: ")
    assert cheapest.title in sentence
    assert f"saves {cheapest.saving:,} MACs" in sentence
    assert f"leaves {cheapest.left:,}" in sentence
    assert cheapest.left <= 1_500_000_000


def test_why_of_a_pair_of_nothing_and_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["budget", "naive", "--limit", "100M", "--why", "--by", "formula"]) == 1
    assert (
        "No single known change meets the limit on naive MACs; the best pair found: "
        in capsys.readouterr().out
    )
    assert cli.main(["budget", "naive", "--limit", "1", "--why", "--by", "formula"]) == 1
    assert "too many." in capsys.readouterr().out
    assert cli.main(["budget", "head-gap", "--activations", "1", "--why", "--by", "formula"]) == 1
    assert "No known change lowers head-gap activations." in capsys.readouterr().out
    assert cli.main(["budget", "torchvision:resnet18", "--limit", "1G", "--why"]) == 1
    assert "its blocks are ranked; known changes are computed for specs" in capsys.readouterr().out


def test_why_says_nothing_more_where_all_is_within(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["budget", "googlenet", "--limit", "1.5G", "--by", "formula"]
    assert cli.main(argv) == 0
    plain = capsys.readouterr().out
    assert cli.main([*argv, "--why"]) == 0
    assert capsys.readouterr().out == plain


def test_what_a_block_would_have_to_lose() -> None:
    found = explaining.explained(costcalc.budget("naive", "300M", by="formula")).view()
    rows = next(grid for grid in found.grids if grid.key == "why").rows
    over = 303_464_448 - 300_000_000
    assert [row[4] for row in rows] == [173_408_256, 120_422_400, 9_633_792]
    assert [row[6] for row in rows] == [pytest.approx(over / row[4]) for row in rows]  # type: ignore[operator]


def test_changes_are_frozen() -> None:
    change: Change = alternatives.changes(load("naive"), Limit("macs", 1))[0]
    with pytest.raises(AttributeError):
        change.left = 0  # type: ignore[misc]


def test_more_groups_are_measured_against_those_that_are_there() -> None:
    grouped = CHANGES["groups"].choices(load("alexnet"), "conv2.conv")
    assert grouped.values[0] == 4  # of two
    assert grouped.mildness(4) == Fraction(1, 2)
