"""Every preset: three counts agree, totals are the reference, published figures come out as recorded."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from costcalc import checks, formula, spec, structure, trace
from costcalc.api import checking
from costcalc.layers.shape import Select
from costcalc.records import Figure

DATA = Path(__file__).parent / "data"
TOTALS = yaml.safe_load((DATA / "totals.yaml").read_text())
MODULES = yaml.safe_load((DATA / "modules.yaml").read_text())
LAYERS = yaml.safe_load((DATA / "layers.yaml").read_text())


@pytest.mark.parametrize("name", spec.presets())
def test_closed_form_trace_and_flop_counter_agree(name: str) -> None:
    found = checking.check(name)
    assert found.disagreements == ()
    assert found.passed
    assert sum(found.third.values()) == found.formula.total.macs
    assert found.trace.total == found.formula.total


@pytest.mark.parametrize("name", spec.presets())
def test_totals(name: str) -> None:
    total = formula.costs(spec.load(name)).total
    assert [total.weights, total.biases, total.norm, total.macs] == TOTALS[name]


@pytest.mark.parametrize("name", LAYERS)
def test_layer_by_layer(name: str) -> None:
    graph = spec.load(name)
    weighted = [
        ["x".join(map(str, row.output_shape)), row.cost.weights, row.cost.macs]
        for node, row in zip(graph.nodes, formula.costs(graph).rows, strict=True)
        if node.layer.weighted
    ]
    assert weighted == LAYERS[name]


def test_every_preset_has_a_reference() -> None:
    assert TOTALS.keys() == set(spec.presets())


@pytest.mark.parametrize("name", spec.presets())
def test_every_preset_says_what_it_is(name: str) -> None:
    graph = spec.load(name)
    assert graph.name == name
    assert 0 < len(graph.about.summary) <= 90
    assert graph.about.source
    assert graph.about.family


@pytest.mark.parametrize("module", MODULES)
def test_naive_and_reduced_modules(module: str) -> None:
    for name in ("naive", "reduced"):
        graph = spec.load(f"{name}@module=inception_{module}")
        whole = structure.whole(graph, formula.costs(graph))
        assert [whole.cost.macs, whole.output_shape[0]] == MODULES[module][name]


@pytest.mark.parametrize("module", MODULES)
def test_naive_modules_stacked(module: str) -> None:
    graph = spec.load("googlenet-naive")
    table = formula.costs(graph)
    channels = graph.shape_of(graph.groups[f"inception_{module}"].source)[0]
    assert [channels, structure.part(graph, table, f"inception_{module}").cost.macs] == MODULES[module][
        "stacked"
    ]


def test_a_part_costs_what_it_costs_in_the_whole() -> None:
    whole = spec.load("googlenet")
    table = formula.costs(whole)
    for module in MODULES:
        alone = formula.costs(spec.load("reduced", {"module": f"inception_{module}"})).total
        assert alone == structure.part(whole, table, f"inception_{module}").cost


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("googlenet", 23),
        ("googlenet-caffe", 22),
        ("alexnet", 8),
        ("vgg16", 16),
        ("vgg19", 19),
        ("resnet18", 18),
        ("resnet50", 50),
        ("resnet152", 152),
        ("plain34", 34),
        ("densenet121", 121),
        ("inception-v3", 48),
        ("lenet5-full", 5),
    ],
)
def test_depth_in_weighted_layers(name: str, depth: int) -> None:
    graph = spec.load(name)  # the separable stem of the published one is two layers
    assert structure.whole(graph, formula.costs(graph)).structure.depth == depth


def test_published_figures_are_judged_by_their_precision() -> None:
    graph = spec.load("googlenet")
    table = formula.costs(graph)

    def confirmed(published: str, within: Fraction | None = None) -> bool:
        figure = Figure("total", "macs", published, "", within, False, True, "")
        (verdict,) = checks.figures(replace(graph, about=replace(graph.about, figures=(figure,))), table)
        return verdict.confirmed

    assert confirmed("1.5G")
    assert confirmed("1.499G")
    assert not confirmed("1.498G")
    assert confirmed("1498677248")
    assert not confirmed("1498677247")
    assert confirmed("1.45G", Fraction(5, 100))
    assert not confirmed("1.4G", Fraction(5, 100))


CLAIMS = [(name, index) for name in spec.presets() for index in range(len(spec.load(name).about.figures))]


@pytest.mark.parametrize(("name", "index"), CLAIMS)
def test_a_claim_recorded_otherwise_is_a_finding(name: str, index: int) -> None:
    graph = spec.load(name)
    claim = graph.about.figures[index]
    other = replace(claim, holds=not claim.holds)
    right, wrong = (
        checks.figures(replace(graph, about=replace(graph.about, figures=(one,))), formula.costs(graph))[0]
        for one in (claim, other)
    )
    assert right.passed
    assert not wrong.passed


def test_auxiliary_heads_exist_only_in_training() -> None:
    for name in ("googlenet", "googlenet-caffe", "googlenet-torchvision"):
        plain, trained, preset = spec.load(name), spec.load(name, training=True), spec.load(f"{name}-aux")
        assert not any(node.name.startswith("aux") for node in plain.nodes)
        assert trained.nodes == preset.nodes
        assert len(plain.outputs) == 1
        assert len(trained.outputs) == 3
        assert trace.costs(trained).total == formula.costs(preset).total


def macs(name: str) -> int:
    return formula.costs(spec.load(name)).total.macs


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("dense", "bottleneck", Fraction(50)),
        # Szegedy et al. 2016, section 3: 25/18, 33 % and 11 % cheaper; 1 - 2/n for n = 7
        ("conv5x5", "conv3x3-pair", Fraction(25, 18)),
        ("conv3x3", "conv1x3-3x1", Fraction(3, 2)),
        ("conv3x3", "conv2x2-pair", Fraction(9, 8)),
        ("conv-nxn", "conv-1xn-nx1", Fraction(7, 2)),
        # Simonyan & Zisserman 2015, section 2.3: 81 % more
        ("conv7x7", "conv3x3-triple", Fraction(49, 27)),
    ],
)
def test_ratios_of_the_papers(one: str, other: str, ratio: Fraction) -> None:
    assert Fraction(macs(one), macs(other)) == ratio
    fields = [
        structure.whole(graph, formula.costs(graph)).structure.receptive_field
        for graph in (spec.load(one), spec.load(other))
    ]
    assert fields[0] == fields[1]


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("d", [34, 35])
def test_grid_reductions(d: int, kernel: int) -> None:
    """Szegedy et al. 2016, section 5, whose formulas are those of a 1×1 kernel."""
    k = 48
    settings = f"@d={d},k={k},kernel={kernel}"
    assert macs(f"grid-conv-pool{settings}") == kernel**2 * 2 * d**2 * k**2
    assert macs(f"grid-pool-conv{settings}") == kernel**2 * 2 * (d // 2) ** 2 * k**2
    assert macs(f"grid-parallel{settings}") == kernel**2 * ((d - kernel) // 2 + 1) ** 2 * k**2


@pytest.mark.parametrize(
    ("settings", "total"),
    [
        ("width=24", 325_400_448),
        ("width=16", 149_497_088),
        ("width=8", 41_030_272),
        ("size=192", 418_121_728),
        ("size=160", 290_675_200),
        ("size=128", 186_400_768),
        ("width=16,size=160", 76_524_800),
    ],
)
def test_mobilenet_thinner_and_smaller(settings: str, total: int) -> None:
    """Howard et al. 2017, Tables 6, 7 and 9."""
    assert macs(f"mobilenet-v1@{settings}") == total


def test_connection_table_of_lenet() -> None:
    """LeCun et al. 1998, Table I: 60 connections, each map of S2 seen by ten of C3, no two alike."""
    graph = spec.load("lenet5")
    table = [node.layer.channels for node in graph.nodes if isinstance(node.layer, Select)]
    assert [len(sees) for sees in table] == [3] * 6 + [4] * 9 + [6]
    assert Counter(channel for sees in table for channel in sees) == dict.fromkeys(range(6), 10)
    assert len(set(table)) == 16
    for index, sees in enumerate(table[:12]):
        assert set(sees) == {(index + step) % 6 for step in range(len(sees))}
