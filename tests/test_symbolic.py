"""Closed forms on symbols: the same code, held against plain counts at settings of its own."""

from __future__ import annotations

import operator
from collections.abc import Mapping

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from costcalc import api, formula, layers, spec, symbolic
from costcalc.errors import CostcalcError
from costcalc.layers.linear import Conv
from costcalc.symbolic import Symbolic

OPERATIONS = [operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod]
X, Y = (sympy.Symbol(name, integer=True, positive=True) for name in "xy")


@given(
    st.integers(1, 99),
    st.integers(1, 99),
    st.lists(
        st.tuples(st.sampled_from(OPERATIONS), st.integers(1, 9), st.booleans(), st.booleans()), max_size=6
    ),
)
def test_an_integer_remembers_how_it_was_computed(
    x: int, y: int, steps: list[tuple[object, int, bool, bool]]
) -> None:
    value: int = Symbolic(x, X)
    for operation, constant, with_y, mirrored in steps:
        other = Symbolic(y, Y) if with_y else constant
        left, right = (other, value) if mirrored else (value, other)
        if int(right) == 0:
            continue
        value = operation(left, right)  # type: ignore[operator]
    value = -value
    assert isinstance(value, Symbolic)
    assert symbolic.of(value).subs({X: x, Y: y}) == int(value)


def test_divmod_and_strangers() -> None:
    seven, two = Symbolic(7, X), Symbolic(2, Y)
    for quotient, rest in (divmod(seven, 2), divmod(7, two), divmod(seven, two)):
        assert (int(quotient), int(rest)) == (3, 1)
        assert isinstance(quotient, Symbolic)
        assert isinstance(rest, Symbolic)
    with pytest.raises(TypeError):
        seven + "1"  # type: ignore[operator]


NAMES = [*spec.presets(), *spec.shipped_blocks(), *layers.KINDS]
WITHOUT = {"concat", "add", "multiply", "select"}  # several inputs, or a list where a number would be
NO_PARAMETER = {"lenet5", "lenet5-full"}


def evaluated(text: str, at: Mapping[str, int]) -> int:
    symbols = {name: sympy.Symbol(name) for name in at}
    return int(sympy.sympify(text, locals=symbols).subs({symbols[name]: value for name, value in at.items()}))


@pytest.mark.parametrize("name", sorted(set(NAMES) - WITHOUT))
def test_every_closed_form_is_what_is_counted(name: str) -> None:
    if name in NO_PARAMETER:
        with pytest.raises(CostcalcError, match="no whole-number parameter"):
            api.closed_form(name)
        return
    found = api.closed_form(name)
    for metric, text in found.expressions.items():
        assert evaluated(text, found.at) == found.values[metric]
    if spec.is_spec(name):
        total = formula.costs(spec.load(name, dict(found.at))).total
        assert [found.values["macs"], found.values["params"]] == [total.macs, total.params]
    assert list(found.expressions) == ["macs", "weights", "params", "activations"]


def test_formulas_of_the_papers() -> None:
    def macs(name: str, symbols: str) -> str:
        return api.closed_form(name, symbols).expressions["macs"]

    assert macs("conv3x3-pair", "c,size") == "18*c**2*size**2"
    assert macs("dense", "units") == "units**2"
    assert macs("bottleneck", "units,bottleneck") == "2*bottleneck*units"
    assert macs("bottleneck", "units=10*u") == "2000*u"


def test_a_lost_symbol_is_noticed() -> None:
    right = Conv.macs

    def wrong(self: Conv, *xs: tuple[int, ...]) -> int:
        return int(right(self, *xs))  # a plain number: the formula would be a constant

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Conv, "macs", wrong)
        with pytest.raises(CostcalcError, match="no one expression of c, size"):
            api.closed_form("conv3x3-pair", "c,size")


@pytest.mark.parametrize(
    ("name", "symbols", "message"),
    [
        ("conv5x5", "q", "no whole-number parameter 'q'"),
        ("conv5x5", "c=", "write --symbols d,k"),
        ("conv5x5", "c,c", "write --symbols d,k"),
        ("conv5x5", "2c", "write --symbols d,k"),
        ("conv5x5", "c=__import__('os')", "is not arithmetic"),
        ("conv5x5", "c=2**999999", "exponent"),
        ("conv5x5", "c=m/0", "divides by zero"),
        ("conv5x5", "c=m/1000003", "hardly any values"),
        ("gogglenet", "", "did you mean 'googlenet'"),
        ("concat", "", "takes at least 2 inputs"),
    ],
)
def test_what_cannot_be_derived_is_said(name: str, symbols: str, message: str) -> None:
    with pytest.raises(CostcalcError, match=message):
        api.closed_form(name, symbols)


def test_parameters_that_repeat_are_no_symbols() -> None:
    found = api.closed_form("vgg16")
    assert not any(name.startswith("n") for name in found.at)
    with pytest.raises(CostcalcError, match="how often something is repeated"):
        api.closed_form("vgg16", "n1")
