"""Every layer kind in awkward cases: closed form, fvcore trace and FlopCounterMode agree exactly."""

from __future__ import annotations

import pytest
from cases import ALL, CASES, IDS, Case, graph_of

from costcalc import checks, formula, trace
from costcalc.layers import KINDS, Layer


def disagreements(kind: str, case: Case) -> list[str]:
    graph = graph_of(kind, case)
    found = checks.agreement(formula.costs(graph), trace.costs(graph), trace.third_opinion(graph))
    return [f"{d.layer} {d.quantity} {dict(d.values)}" for d in found]


@pytest.mark.parametrize(("kind", "case"), ALL, ids=IDS)
def test_three_counts_agree(kind: str, case: Case) -> None:
    assert disagreements(kind, case) == []


def test_every_kind_has_cases() -> None:
    assert CASES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_takes_another_value_than_its_default(kind: str) -> None:
    built = [KINDS[kind].model_validate(fields) for fields, _ in CASES[kind]]
    for name, field in KINDS[kind].model_fields.items():
        values = {getattr(layer, name) for layer in built}
        assert values - {field.default}, f"no case of {kind} sets {name}"


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_frozen_and_final(kind: str) -> None:
    layer = KINDS[kind].model_validate(CASES[kind][0][0])
    assert hash(layer) == hash(KINDS[kind].model_validate(CASES[kind][0][0]))
    for name in KINDS[kind].model_fields:
        with pytest.raises(ValueError, match="frozen"):
            setattr(layer, name, 1)
    assert all(not issubclass(other, KINDS[kind]) for other in KINDS.values() if other is not KINDS[kind])


RULES = ("output_shape", "weights", "biases", "norm", "macs", "other_ops")
MUTANTS = [(kind, rule) for kind in KINDS for rule in RULES]


@pytest.mark.parametrize(("kind", "rule"), MUTANTS, ids=[f"{kind}-{rule}" for kind, rule in MUTANTS])
def test_a_slip_in_any_rule_shows(kind: str, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off by one in a closed form must make some case disagree."""
    right = getattr(KINDS[kind], rule)

    def wrong(self: Layer, *xs: tuple[int, ...]) -> object:
        found = right(self, *xs)
        return (*found[:-1], found[-1] + 1) if isinstance(found, tuple) else found + 1

    monkeypatch.setattr(KINDS[kind], rule, wrong)
    assert any(disagreements(kind, case) for case in CASES[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_slip_in_view_shows(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KINDS[kind], "view", not KINDS[kind].view)
    assert any(disagreements(kind, case) for case in CASES[kind])


@pytest.mark.parametrize("operator", {**trace.PAID, **trace.COUNTED_APART, **trace.FREE})
def test_a_slip_in_any_operator_shows(operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry of the operator table is reached by some case, and billing it wrongly shows."""
    right = trace.HANDLES[operator]

    def wrong(inputs: trace.Values, outputs: trace.Values) -> object:
        found = right(inputs, outputs)
        found[trace.OTHER] += 1
        return found

    monkeypatch.setitem(trace.HANDLES, operator, wrong)
    assert any(disagreements(kind, case) for kind, case in ALL)
