"""Frozen records that check their fields: every fault at once, nothing loaded for it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.errors import Misfit
from costcalc.layers import KINDS
from costcalc.spec.schema import FileEntry
from costcalc.validated import Faults, Missing, Unknown, Validated


def positive(value: object) -> int:
    if isinstance(value, int) and value > 0:
        return value
    raise Misfit("should be positive")


def doubled(value: int) -> int:
    return 2 * value


class Part(Validated):
    """A part of a whole."""

    size: Annotated[int, positive]
    sort: Literal["a", "b", "c"] = "a"


class Whole(Validated):
    """One field of each sort of annotation."""

    shared: ClassVar[int] = 7
    count: Annotated[int, positive, doubled]
    flag: bool = False
    text: str | None = None
    part: Part | None = None
    parts: tuple[Part, ...] = ()
    named: Mapping[str, Part] | None = None
    anything: Any = None


class Longer(Whole):
    """One field more."""

    length: Annotated[int, positive] = 1


def faults(kind: type[Validated], **given: object) -> dict[str, str]:
    with pytest.raises(Faults) as caught:
        kind(**given)
    return {".".join(map(str, path)): str(fault) for path, fault in caught.value.found}


def test_fields_are_what_is_annotated_and_no_class_variable() -> None:
    assert list(Whole.fields()) == ["count", "flag", "text", "part", "parts", "named", "anything"]
    assert list(Longer.fields()) == [*Whole.fields(), "length"]
    assert Longer.required() == {"count"}


def test_values_are_kept_as_the_checks_give_them() -> None:
    whole = Whole(count=2, parts=[{"size": 1}], named={"x": {"size": 2, "sort": "b"}}, part=None)
    assert (whole.count, whole.flag, whole.text) == (4, False, None)
    assert whole.parts == (Part(size=1),)
    assert whole.named == {"x": Part(size=2, sort="b")}
    assert whole.given() == {"count", "parts", "named", "part"}
    assert repr(Part(size=1)) == "Part(size=1, sort='a')"
    assert Part(size=1).values() == {"size": 1, "sort": "a"}


def test_every_fault_is_told_at_once_in_the_order_of_the_fields_and_unknown_ones_last() -> None:
    found = faults(
        Whole,
        self=3,
        anything=object(),
        named={"x": {"sort": "d"}, "y": 1},
        parts=[{"size": 1}, {"size": 0, "sise": 2}],
        part=[],
        text=1,
        flag=1,
    )
    assert list(found.items()) == [
        ("count", "needs 'count'"),
        ("flag", "should be true or false, not 1"),
        ("text", "should be a text, not 1"),
        ("part", "should be a mapping, `key: value`, not []"),
        ("parts.1.size", "should be positive"),
        ("parts.1.sise", "has no 'sise'"),
        ("named.x.size", "needs 'size'"),
        ("named.x.sort", "should be 'a', 'b' or 'c', not 'd'"),
        ("named.y", "should be a mapping, `key: value`, not 1"),
        ("self", "has no 'self'"),
    ]
    assert faults(Whole, count=1, parts=3) == {"parts": "should be a list, not 3"}


def test_nothing_but_a_field_that_is_missing() -> None:
    assert faults(Part) == {"size": "needs 'size'"}


def test_a_fault_says_what_sort_it_is_of() -> None:
    with pytest.raises(Faults, match="size: needs 'size'") as caught:
        Part(sise=1)
    assert [type(fault) for _, fault in caught.value.found] == [Missing, Unknown]


def test_records_are_frozen() -> None:
    part = Part(size=1)
    with pytest.raises(AttributeError, match="Part is frozen: 'size' cannot be set"):
        part.size = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="Part is frozen: 'size' cannot be removed"):
        del part.size


def test_a_default_given_or_not_is_the_same_record() -> None:
    assert Part(size=1) == Part(size=1, sort="a")
    assert hash(Part(size=1)) == hash(Part(size=1, sort="a"))
    assert Part(size=1) != Part(size=2)
    assert KINDS["relu"]() != KINDS["relu6"]()
    assert Part(size=1) != Whole(count=1)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not KINDS[kind].required()])
def test_copies_are_equal(kind: str) -> None:
    layer = KINDS[kind]()
    assert copy.deepcopy(layer) == layer == pickle.loads(pickle.dumps(layer))


pairs = st.one_of(st.integers(1, 9), st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(st.integers(1, 99), pairs, st.booleans(), pairs)
def test_a_layer_with_other_values_is_the_layer_of_those(
    out: int, kernel: Any, bias: bool, stride: Any
) -> None:
    conv = KINDS["conv"](out=out, kernel=kernel, bias=bias)
    changed = conv.replace(stride=stride)
    assert changed == KINDS["conv"](out=out, kernel=kernel, bias=bias, stride=stride)
    assert changed.replace(stride=1) == conv == KINDS["conv"](**conv.values())
    usual = {"stride", "pad", "dilation", "groups"} | ({"bias"} if bias else set())
    assert conv.values().keys() - conv.unusual().keys() == usual
    with pytest.raises(Faults, match="stride: should be a whole number of at least 1"):
        conv.replace(stride=0)


@pytest.mark.parametrize("p", [0, 0.5, 0.999])
def test_probabilities(p: float) -> None:
    assert KINDS["dropout"](p=p).values() == {"p": float(p)}


@pytest.mark.parametrize("p", [1, -0.5, float("nan"), True, "0.5"])
def test_numbers_that_are_no_probability(p: object) -> None:
    assert faults(KINDS["dropout"], p=p) == {"p": f"should be a number from 0 to below 1, not {p!r}"}


def test_a_text_that_is_too_long() -> None:
    (message,) = faults(FileEntry, name="x" * 2001).values()
    assert message.startswith("should have at most 2000 characters, not ")
    assert FileEntry(name="x" * 2000).name == "x" * 2000
