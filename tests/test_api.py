"""What the commands do, from Python."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import pytest

import costcalc
from costcalc import CostcalcError, budget, check, checks, compare, costs, formula, load, structure
from costcalc.comparison import Aligned
from costcalc.graph import INPUT, Step, wire
from costcalc.layers import KINDS
from costcalc.records import NOTHING, Cost
from costcalc.spec.schema import CLAIMED
from costcalc.views.metrics import METRICS


def test_results_show_themselves() -> None:
    results = [
        costs("naive", by="formula"),
        compare("naive", "reduced", by="formula"),
        budget("naive", "1G", by="formula"),
        check("naive"),
    ]
    for result in results:
        assert "303,464,448" in str(result) == result.to("text")
        assert "303,464,448 |" in result._repr_markdown_() == result.to("markdown")
        assert "173408256" in result.to("csv")
        assert json.loads(result.to("json"))["schema"].startswith("costcalc.")
        with pytest.raises(CostcalcError, match="no format 'pdf'"):
            result.to("pdf")


def test_both_producers_say_the_same() -> None:
    traced, closed = costs("reduced"), costs("reduced", by="formula")
    assert (traced.table.by, closed.table.by) == ("trace", "formula")
    assert traced.table.rows == closed.table.rows
    assert traced.disagreements == ()
    assert traced.total == closed.total == traced.whole.cost


def test_a_budget_is_true_or_false() -> None:
    assert budget("naive", 303_464_448, by="formula")
    assert not budget("naive", 303_464_447, by="formula")
    assert not budget("naive", "1G", params="1K", by="formula")
    kept = budget("naive", blocks={"3x3": "173_408_256", "3x3.conv:params": 221_312}, by="formula")
    assert [verdict.headroom for verdict in kept.verdicts] == [0, 0]
    assert budget("naive", peak_activations="652_288", by="formula")
    assert not budget("naive", activations=827_903, by="formula")


def test_parameters_are_keywords() -> None:
    assert load("conv5x5", **{"conv.bias": True}).nodes[0].layer.bias is True  # type: ignore[attr-defined]
    assert load("alexnet", classes=10).nodes[-1].output_shape == (10,)
    assert load("conv5x5", input=[7, 9, 9], c=7).input_shape == (7, 9, 9)
    assert repr(load("naive")) == "<Graph naive: 8 layers, [192, 28, 28] -> [416, 28, 28]>"


def test_records_are_frozen() -> None:
    found = costs("naive", by="formula")
    for record, field in (
        (found, "table"),
        (found.table, "rows"),
        (found.total, "macs"),
        (found.graph, "name"),
    ):
        with pytest.raises((FrozenInstanceError, AttributeError)):
            setattr(record, field, None)


def test_what_is_wrong_is_one_exception() -> None:
    for wrong in (
        lambda: load("nowhere"),
        lambda: costs("dense", by="formula").view(metrics=["nothing"]),
        lambda: compare("naive"),
        lambda: budget("naive"),
        lambda: costs("naive", by="guess"),  # type: ignore[arg-type]
        lambda: budget("naive", "1.5 GFLOPs"),
        lambda: budget("naive", blocks={"nowhere": 1}, by="formula"),
    ):
        with pytest.raises(CostcalcError):
            wrong()


def test_representations_are_short() -> None:
    for found in (costs("naive", by="formula"), budget("naive", "1G", by="formula"), check("naive")):
        assert "303" in repr(found)
        assert len(repr(found)) < 250
    assert re.fullmatch(r"[0-9.]+", costcalc.__version__)


def test_what_can_be_limited_can_be_claimed() -> None:
    assert set(CLAIMED) == set(checks.JUDGED) <= METRICS.keys()


def test_everything_public_is_documented() -> None:
    for name in costcalc.__all__:
        assert getattr(costcalc, name).__doc__


def test_importing_is_light() -> None:
    heavy = ("torch", "fvcore", "numpy", "typer", "rich")
    script = f"import sys, costcalc; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"


def test_costs_add_up() -> None:
    one, two = Cost(1, 2, 3, 4, 5, 6, 7), Cost(10, 20, 30, 40, 50, 60, 70)
    assert one + two == Cost(11, 22, 33, 44, 55, 66, 77)
    assert one + NOTHING == one
    assert one.params == 6


@pytest.mark.parametrize("layers", [100, 2000])
def test_long_chains_cost_in_proportion(layers: int) -> None:
    """Two thousand layers take no recursion, and as many operations per layer as a hundred."""
    steps = [
        Step(
            f"l{i}",
            KINDS["conv"](out=3, kernel=3, pad=1),
            (f"l{i - 1}" if i else INPUT,),
        )
        for i in range(layers)
    ]
    graph = wire("chain", (3, 8, 8), steps)
    whole = structure.whole(graph, formula.costs(graph))
    assert whole.cost.macs == layers * 81 * 64
    assert whole.structure.receptive_field == (8, 8)
    assert whole.structure.depth == layers


def test_disagreement_needs_every_row() -> None:
    found = costs("naive", by="formula")
    short = type(found.table)("naive", "trace", found.table.rows[1:])
    missing = checks.agreement(found.table, short)
    assert {d.layer for d in missing} == {"1x1.conv"}
    assert checks.agreement(short, found.table)


def test_blocks_are_identical_in_all_but_what_is_alive_beside_them() -> None:
    part = costs("naive", by="formula").blocks[1]
    changes = [
        {"kind": "other"},
        {"output_shape": (1, 1, 1)},
        {"cost": part.cost + part.cost},
        {"structure": replace(part.structure, depth=9)},
        {"structure": replace(part.structure, nonlinearities=9)},
        {"structure": replace(part.structure, receptive_field=None)},
    ]
    for change in changes:
        assert not Aligned(part.name, (part, replace(part, **change))).identical  # type: ignore[arg-type]
    assert not Aligned(part.name, (part, None)).identical
    beside = replace(part, structure=replace(part.structure, peak_activations=9))
    assert Aligned(part.name, (part, beside)).identical
