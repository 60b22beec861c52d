"""A third opinion on every preset: its torch module, watched operator by operator, and the closed form."""

from __future__ import annotations

from functools import cache

import pytest

from costcalc import formula, spec, structure, torchnet
from costcalc.attribution import Attribution
from costcalc.execution import divided
from costcalc.foreign import Prepared, dispatch
from costcalc.records import NOTHING, Cost, CostTable, Row

# several operators in torch: what passes between them is written and read as well
COMPOSITE = {"lrn", "select", "scale", "rbf"}
# and at once more is alive than in one operator
PEAKS_HIGHER = {"lrn"}


@cache
def watched(name: str) -> Attribution:
    """The preset's torch module, as any other module."""
    graph = spec.load(name)
    return Attribution(
        dispatch.run(torchnet.build(graph), (torchnet.sample(graph, "meta"),), samples=1, name=graph.name)
    )


def moved(cost: Cost) -> tuple[int, int]:
    return cost.reads, cost.writes


def counted(row: Row) -> tuple[object, ...]:
    """What either producer says of a layer, whatever it is made of."""
    cost = row.cost
    return row.name, row.output_shape, cost.macs, cost.weights, cost.biases, cost.norm, cost.other_ops


@pytest.mark.parametrize("name", spec.presets())
def test_a_preset_costs_layer_by_layer_what_its_formulas_say(name: str) -> None:
    graph = spec.load(name)
    found, expected = watched(name), formula.costs(graph)
    rows = {row.name: row for row in found.table.rows}
    # a layer that only renames may have no row of its own; there is no other row
    assert rows.keys() <= {row.name for row in expected.rows}
    for row in expected.rows:
        if row.name not in rows:
            assert row.cost == NOTHING, row.name
            continue
        assert counted(rows[row.name]) == counted(row)
        if row.kind not in COMPOSITE:
            assert moved(rows[row.name].cost) == moved(row.cost), row.name
    assert not found.uncounted
    assert not found.execution.assumed


@pytest.mark.parametrize("name", spec.presets())
def test_as_much_is_alive_at_once(name: str) -> None:
    graph = spec.load(name)
    expected = structure.whole(graph, formula.costs(graph)).structure.peak_activations
    found = watched(name).whole.structure.peak_activations
    if any(node.layer.kind in PEAKS_HIGHER for node in graph.nodes):
        assert found >= expected
    else:
        assert found == expected


def test_a_batch_costs_as_many_times_as_much() -> None:
    graph = spec.load("reduced")
    module, sample = torchnet.build(graph), torchnet.sample(graph, "meta")
    tables: list[CostTable] = []
    for batch in (1, 3, 32):
        inputs = (sample.expand(batch, *graph.input_shape).contiguous(),)
        prepared = Prepared(graph.name, module, inputs, {}, batch, "", ((sample,), {}))
        found = Attribution(prepared.run())
        whole = prepared.whole()
        assert sum(ran.macs for ran in whole.operations) == batch * found.table.total.macs
        by_hand = divided(whole, batch)
        assert by_hand is not None
        assert Attribution(by_hand).table == found.table
        tables.append(found.table)
    assert tables[0] == tables[1] == tables[2]
