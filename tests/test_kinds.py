"""Every layer kind in awkward cases: closed form, fvcore trace and FlopCounterMode agree exactly."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
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
    built = [KINDS[kind](**fields) for fields, _ in CASES[kind]]
    for name in KINDS[kind].fields():
        values = {getattr(layer, name) for layer in built}
        assert values - {getattr(KINDS[kind], name, None)}, f"no case of {kind} sets {name}"


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_frozen_and_final(kind: str) -> None:
    layer = KINDS[kind](**CASES[kind][0][0])
    assert hash(layer) == hash(KINDS[kind](**CASES[kind][0][0]))
    for name in KINDS[kind].fields():
        with pytest.raises(AttributeError, match="frozen"):
            setattr(layer, name, 1)
        with pytest.raises(AttributeError, match="frozen"):
            delattr(layer, name)
    assert all(not issubclass(other, KINDS[kind]) for other in KINDS.values() if other is not KINDS[kind])


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ([6], "there is no channel 6; the input has 6, counted from 0"),
        ([0, 9], "there is no channel 9"),
        ([], "should be a list of channels like [0, 2], counted from 0, not []"),
        (2, "should be a list of channels like [0, 2], counted from 0, not 2"),
        ([-1], "should be a whole number from 0 to"),
        ([1.5], "should be a whole number from 0 to"),
        ([True], "should be a whole number from 0 to"),
    ],
)
def test_channels_that_cannot_be_selected(channels: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        KINDS["select"](channels=channels).output_shape((6, 9, 13))


def test_distances_to_codes_are_squared() -> None:
    module = KINDS["rbf"](out=2).module(torch, (3,))
    module.codes.copy_(torch.tensor([[0.0, 0.0, 0.0], [1.0, -1.0, 2.0]]))
    found = module(torch.tensor([[1.0, 2.0, 2.0], [1.0, -1.0, 2.0]]))
    assert found.tolist() == [[9.0, 9.0], [6.0, 0.0]]


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
    right = KINDS[kind].is_view
    monkeypatch.setattr(KINDS[kind], "is_view", lambda self, *xs: not right(self, *xs))
    assert any(disagreements(kind, case) for case in CASES[kind])


def run(
    kind: str, case: Case
) -> tuple[torch.nn.Module | Callable[..., torch.Tensor], list[torch.Tensor], torch.Tensor]:
    """The torch operation itself, its inputs and its output, with every parameter 1."""
    fields, shapes = case
    module = KINDS[kind](**fields).module(torch, *shapes)
    if isinstance(module, torch.nn.Module):
        module.eval()
        for parameter in module.parameters():
            torch.nn.init.ones_(parameter)
    torch.manual_seed(0)
    inputs = [torch.rand(1, *shape) + 0.5 for shape in shapes]
    for tensor in inputs:
        tensor.requires_grad_()
    return module, inputs, module(*inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_weighted_layers_multiply_by_a_matrix(kind: str) -> None:
    module, _, _ = run(kind, CASES[kind][0])
    parameters = module.parameters() if isinstance(module, torch.nn.Module) else []
    assert KINDS[kind].weighted == any(parameter.dim() > 1 for parameter in parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_nonlinear_layers_are_torchs_activations(kind: str) -> None:
    module, _, _ = run(kind, CASES[kind][0])
    is_activation = type(module).__module__ == torch.nn.modules.activation.__name__
    assert KINDS[kind].nonlinear == (is_activation and not isinstance(module, torch.nn.Softmax))


@pytest.mark.parametrize("kind", KINDS)
def test_in_place_layers_need_nothing_but_the_element_they_overwrite(kind: str) -> None:
    """By the gradient: an element of the output depends on one element of the first input only."""
    found = set()
    for case in CASES[kind]:
        _, inputs, output = run(kind, case)
        elementwise = output.shape == inputs[0].shape and len(case[1]) >= KINDS[kind].inputs[0]
        at = output.numel() // 2
        (gradient,) = torch.autograd.grad(output.flatten()[at], inputs[0])
        hit = (gradient.flatten() != 0).nonzero().flatten().tolist()
        found.add(elementwise and hit == [at])
    if KINDS[kind].in_place:
        assert found == {True}
    elif False not in found:
        pytest.fail(f"{kind} could be in place")


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("kind", "case"), ALL, ids=IDS)
def test_what_every_position_sees_is_what_the_gradient_sees(kind: str, case: Case, axis: int) -> None:
    fields, shapes = case
    if len(shapes[0]) != 3 or kind == "maxpool":  # a maximum has one gradient, whatever it looked at
        return
    layer = KINDS[kind](**fields)
    _, inputs, output = run(kind, case)
    sizes = output.shape[2:] if output.dim() == 4 else (1, 1)
    for position in range(sizes[axis]):
        line = output.select(axis + 2, position).sum() if output.dim() == 4 else output.sum()
        (gradient,) = torch.autograd.grad(line, inputs[0], retain_graph=True)
        hit = (gradient.abs().sum(dim=(0, 1, 3 - axis)) > 1e-4).nonzero().flatten().tolist()
        first, last = layer.sees((position, position), axis, *shapes)
        if first >= 0 and last < shapes[0][axis + 1] and hit:
            assert (hit[0], hit[-1]) == (first, last)
        else:  # at the border dilation may skip what is left of the window
            assert all(first <= at <= last for at in hit)


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
