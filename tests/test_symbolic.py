"""Closed forms on symbols: the same code, held against plain counts at settings of its own."""

from __future__ import annotations

import operator
import random
import re
from collections.abc import Callable, Mapping

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from costcalc import formula, layers, spec, symbolic
from costcalc.api import formulating
from costcalc.errors import CostcalcError
from costcalc.layers.linear import Conv
from costcalc.records import COUNTS
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
    for forgetful in (lambda: seven**2, lambda: 2**seven, lambda: seven / 2, lambda: seven << 1):
        with pytest.raises(TypeError, match="symbolic"):
            forgetful()
    assert symbolic.of(abs(-seven)) == X


NAMES = [*spec.presets(), *spec.shipped_blocks(), *layers.KINDS]
WITHOUT = {"concat", "add", "multiply", "select"}  # several inputs, or a list where a number would be


def evaluated(text: str, at: Mapping[str, int]) -> int:
    symbols = {name: sympy.Symbol(name) for name in at}
    return int(sympy.sympify(text, locals=symbols).subs({symbols[name]: value for name, value in at.items()}))


@pytest.mark.parametrize("name", sorted(set(NAMES) - WITHOUT))
def test_every_closed_form_is_what_is_counted(name: str) -> None:
    """At settings drawn anew, and not where the formula says that it does not hold."""
    found, source, draw = formulating.closed_form(name), symbolic.source(name, {}), random.Random(name)
    assert list(found.expressions) == ["macs", "weights", "params", "activations"]
    fitting = 0
    for _ in range(15 if spec.is_spec(name) else 40):
        at = {
            key: draw.choice((draw.randint(2, 40), value + draw.randint(0, 50)))
            for key, value in found.at.items()
        }
        tied = not any(re.search(rf"\b{source.tied}\b", text) for text in found.expressions.values())
        if tied and source.tied in at:  # it follows another, as an identity shortcut wants it
            other = draw.choice([key for key in at if key != source.tied])
            at[source.tied] = at[other] * max(1, found.at[source.tied] // found.at[other])
        try:
            total = formula.costs(source.build({key: at[key] for key in at if key in source.defaults})).total
        except CostcalcError:
            continue
        fitting += 1
        for metric, text in found.expressions.items():
            exempt = any(edge.startswith(f"{metric} at") for edge in found.exceptions)
            assert exempt or evaluated(text, at) == COUNTS[metric](total), (metric, at)
    assert fitting or not found.at


def test_formulas_of_the_papers() -> None:
    def macs(name: str, symbols: str) -> str:
        return formulating.closed_form(name, symbols).expressions["macs"]

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
            formulating.closed_form("conv3x3-pair", "c,size")


@pytest.mark.parametrize(
    ("name", "symbols", "message"),
    [
        ("conv5x5", "q", "'q' is no whole-number parameter"),
        ("conv5x5", "c=", "write --symbols d,k"),
        ("conv5x5", "c,c", "write --symbols d,k"),
        ("conv5x5", "2c", "write --symbols d,k"),
        ("conv5x5", "c=__import__('os')", "is not arithmetic"),
        ("conv5x5", "c=2**999999", "exponent"),
        ("conv5x5", "c=((h**64)**64)**64", "power of a power"),
        ("conv5x5", "c=1e999*h", "no number here"),
        ("conv5x5", "c=m/0", "divides by zero"),
        ("conv5x5", "c=m/1000003", "hardly any values"),
        ("gogglenet", "", "did you mean 'googlenet'"),
        ("concat", "", "takes at least 2 inputs"),
    ],
)
def test_what_cannot_be_derived_is_said(name: str, symbols: str, message: str) -> None:
    with pytest.raises(CostcalcError, match=message):
        formulating.closed_form(name, symbols)


def test_what_holds_only_here_is_not_said_to_hold(written: Callable[..., str]) -> None:
    """A formula is tried with every symbol moved alone, and at the edges of what is possible."""
    equal = """
        input: [8, 4, 4]
        params: {a: 5, b: 5}
        layers:
          one: {kind: conv, from: input, out: $a, kernel: 1}
          two: {kind: conv, from: input, out: $b, kernel: 1}
          sum: {kind: add, from: [one, two]}
    """
    with pytest.raises(CostcalcError, match="can hardly be anything but 5"):
        formulating.closed_form(written(equal), "a,b")
    ceiling = """
        input: [2, $s, $s]
        params: {s: 17}
        layers:
          pool: {kind: maxpool, kernel: 1, stride: 7, ceil: true}
    """
    with pytest.raises(CostcalcError, match="activations is no one expression of s"):
        formulating.closed_form(written(ceiling), "s")
    found = formulating.closed_form("channel_shuffle")
    assert "activations at groups = 1" in found.exceptions
    assert "Otherwise at an edge" in str(found)


def test_an_identity_shortcut_ties_the_channels() -> None:
    assert formulating.closed_form("residual_basic").expressions["weights"] == "18*c**2"
    assert formulating.closed_form("residual_bottleneck").expressions["weights"] == "17*c**2"


def test_what_every_stage_rounds_stays_a_number() -> None:
    found = formulating.closed_form("mobilenet-v1")
    assert "size" not in found.at
    assert found.kept["size"] == 224
    assert "floor" in formulating.closed_form("mobilenet-v1", "size").expressions["macs"]
    assert "floor" not in formulating.closed_form("mobilenet-v1", "size=32*s").expressions["macs"]


def test_a_network_without_parameters_is_a_number() -> None:
    assert formulating.closed_form("lenet5").expressions["params"] == "60000"


def test_equal_expressions() -> None:
    assert symbolic.equal(symbolic.parsed("(a + b)**2"), symbolic.parsed("a**2 + 2*a*b + b**2"))
    assert not symbolic.equal(symbolic.parsed("2*a"), symbolic.parsed("3*a"))


def test_latex() -> None:
    assert formulating.closed_form("conv3x3-pair", "c,size", latex=True).expressions["macs"] == (
        r"18 \cdot c^{2} \cdot \mathrm{size}^{2}"
    )


def test_settings_and_symbols_do_not_meet() -> None:
    assert formulating.closed_form("conv5x5", "c", settings={"size": "10"}).expressions["macs"] == "2500*c**2"
    with pytest.raises(CostcalcError, match="'size' has a number by --set"):
        formulating.closed_form("conv5x5", "size", settings={"size": "10"})
    with pytest.raises(CostcalcError, match="a block has symbols instead"):
        formulating.closed_form("conv_relu", settings={"out": "10"})


def test_a_broken_spec_is_told_as_such(written: Callable[..., str]) -> None:
    text = "input: [3, 8, 8]\nparams: {f: 2}\nlayers:\n  a: {kind: upsample, factor: $f}\n"
    with pytest.raises(CostcalcError, match="upsample needs 'scale'"):
        formulating.closed_form(written(text))


def test_parameters_that_repeat_are_no_symbols() -> None:
    found = formulating.closed_form("vgg16")
    assert not any(name.startswith("n") for name in found.at)
    with pytest.raises(CostcalcError, match=r"no symbol can stand at conv1\.repeat"):
        formulating.closed_form("vgg16", "n1")
