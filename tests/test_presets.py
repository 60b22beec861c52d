"""Every preset: three counts agree, totals are the reference, published figures come out as recorded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from costcalc import api, checks, formula, spec, structure, trace
from costcalc.records import Figure

DATA = Path(__file__).parent / "data"
TOTALS = yaml.safe_load((DATA / "totals.yaml").read_text())
MODULES = yaml.safe_load((DATA / "modules.yaml").read_text())


@pytest.mark.parametrize("name", spec.presets())
def test_closed_form_trace_and_flop_counter_agree(name: str) -> None:
    found = api.check(name)
    assert found.disagreements == ()
    assert found.passed
    assert sum(found.third.values()) == found.formula.total.macs
    assert found.trace.total == found.formula.total


@pytest.mark.parametrize("name", spec.presets())
def test_totals(name: str) -> None:
    total = formula.costs(spec.load(name)).total
    assert [total.weights, total.biases, total.norm, total.macs] == TOTALS[name]


def test_every_preset_has_a_reference() -> None:
    assert TOTALS.keys() == set(spec.presets())


@pytest.mark.parametrize("name", spec.presets())
def test_every_preset_says_what_it_is(name: str) -> None:
    graph = spec.load(name)
    assert graph.name == name
    assert graph.about.summary
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


@pytest.mark.parametrize(("name", "depth"), [("googlenet", 23), ("googlenet-caffe", 22), ("alexnet", 8)])
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


def test_ratios_of_the_papers() -> None:
    def macs(name: str) -> int:
        return formula.costs(spec.load(name)).total.macs

    assert Fraction(macs("conv5x5"), macs("conv3x3-pair")) == Fraction(25, 18)
    assert Fraction(macs("dense"), macs("bottleneck")) == 50
