"""Many settings at once: equal to each by itself, to the last integer, however the code decides on them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costcalc
from costcalc import cli, formula, spec, structure, sweeping
from costcalc.api.sweeping import Swept
from costcalc.errors import CostcalcError
from costcalc.graph import Graph
from costcalc.sweeping import COUNTED, Sweep, filling, ways
from costcalc.sweeping.programs import Program
from costcalc.sweeping.recording import Greatest, Recorded, Recording
from costcalc.units import is_whole

Trace = list[tuple[object, ...]]
Written = Callable[..., str]


def alone(name: str, setting: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The counts of one setting as `show` has them, None where the spec refuses it."""
    try:
        graph = spec.load(name, setting)
    except CostcalcError:
        return None
    whole = structure.whole(graph, formula.costs(graph))
    cost = whole.cost
    return cost.macs, cost.params, cost.writes, whole.structure.peak_activations


def each(found: Sweep) -> Any:
    """Every setting of a sweep, and its counts, None where it was refused."""
    for at in product(*(range(len(axis.values)) for axis in found.axes)):
        setting = {axis.path: axis.given(axis.values[i]) for axis, i in zip(found.axes, at, strict=True)}
        yield setting, tuple(found.counts[key][at] for key in COUNTED) if found.counted[at] else None


def agrees(name: str, over: Mapping[str, Any]) -> Swept:
    """The sweep, if every setting of it is what it is by itself."""
    found = costcalc.sweep(name, over)
    for setting, counts in each(found.found):
        assert counts == alone(name, setting), setting
    assert sum(refusal.times for refusal in found.refusals) == (~found.found.counted).sum()
    for refusal in found.refusals:
        with pytest.raises(CostcalcError, match=r".") as error:
            spec.load(name, refusal.example)
        assert error.value.problems[0].message in refusal.why
    return found


def nearby(value: int) -> st.SearchStrategy[list[int]]:
    """Some values of a parameter: its own, its neighbours, what does not divide, what is too small."""
    tried = sorted({1, 2, 3, max(value - 1, 1), value, value + 1, value + value // 2, 2 * value})
    return st.lists(st.sampled_from(tried), min_size=1, max_size=3, unique=True)


@pytest.mark.parametrize("name", spec.presets())
@settings(max_examples=2, deadline=None, derandomize=True)
@given(data=st.data())
def test_every_preset_at_any_setting_is_what_it_is_by_itself(name: str, data: st.DataObject) -> None:
    whole = {key: value for key, value in spec.parameters(name).items() if is_whole(value)}
    shape = spec.load(name).input_shape
    over: dict[str, Any] = {}
    for key in data.draw(st.permutations(sorted(whole)))[:3]:
        over[key] = data.draw(nearby(whole[key]))
    if not over:
        sides = data.draw(nearby(shape[-1]))
        over["input"] = [(shape[0], side, side) for side in sides] if len(shape) == 3 else sides
    try:
        agrees(name, over)
    except CostcalcError:
        for values in product(*over.values()):
            assert alone(name, dict(zip(over, values, strict=True))) is None


def test_a_layers_field_and_the_input_are_varied_too() -> None:
    found = agrees("googlenet", {"input": "3x60:300:60", "conv1.out": "32,64", "inception_3a.n1x1": "1:3"})
    assert found.columns["input"].tolist()[:2] == ["3x240x240", "3x240x240"]
    assert {key: len(values) for key, values in found.columns.items()} == dict.fromkeys(found.columns, 12)
    agrees("conv5x5", {"input": ["8x9x7", (3, 5, 5), "[1, 4, 9]"]})
    agrees("reduced", {"module": ["inception_3a", "inception_4e"]})
    agrees("vgg16", {"pool1.ceil": [True, False], "input": "3x32:33"})


def test_settings_on_both_sides_of_a_decision(written: Written) -> None:
    """Rounding up, divisibility, equal shapes, several counts of a repeat, a field that becomes nothing."""
    net = written(
        """
        input: [$c, $size, $size]
        params: {c: 4, size: 8, groups: 2, n: 1, cut: 2}
        layers:
          conv:  {kind: conv, out: 2*$c, kernel: 3, pad: 1, groups: $groups, repeat: $n}
          pool:  {kind: maxpool, kernel: 3, stride: 2, ceil: true}
          even:  {kind: conv, out: $c/2, kernel: 1}
          grid:  {kind: adaptive_avgpool, size: 3}
          add:   {kind: conv, out: $size//$cut % 3 + 1, kernel: 1}
        """
    )
    over = {"c": "1:6", "size": "1:9", "groups": "1:3", "n": "0:2", "cut": "0:2"}
    found = agrees(net, over)
    assert found.found.counted.any()
    assert len(found.refusals) > 4


def test_the_code_that_counts_is_run_once_a_way(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Graph] = []
    load = spec.load

    def counted(*given: Any) -> Graph:
        built.append(load(*given))
        return built[-1]

    monkeypatch.setattr(spec, "load", counted)
    assert costcalc.sweep("mobilenet-v1", {"width": "1:100", "size": "1:1000"}).found.ways == len(built) == 1
    found = costcalc.sweep("resnet50", {"size": "33:232", "n3": "2:5", "classes": "10:20"})
    assert found.found.ways == 4
    assert len(built) == 1 + 4 + 1  # and once to see that the number of blocks is read


def test_what_several_settings_decide_together_is_no_reason_to_take_each_alone(written: Written) -> None:
    net = written(
        """
        input: [3, 9, 9]
        params: {a: 4, b: 1}
        layers:
          conv: {kind: conv, out: 3, kernel: 1, repeat: $a - $b}
        """
    )
    assert agrees(net, {"a": "6:9", "b": "1:4"}).found.ways == 7  # 2 … 8 layers
    assert agrees(net, {"a": "4:9", "b": "1"}).found.ways == 6


def test_what_is_more_than_64_bits_is_exact(written: Written) -> None:
    net = written(
        """
        input: [$c, $size, $size]
        params: {c: 4, size: 8}
        layers:
          conv: {kind: conv, out: $c, kernel: 1, repeat: 9, bias: false}
        """
    )
    found = agrees(net, {"c": [1, 999_983, 1_000_003], "size": [1, 1000, 1013, 1019]})
    assert found.found.counts["macs"].max() > 2**63
    assert found.found.counts["macs"].dtype == object
    assert found.found.counts["params"].dtype == np.int64
    assert agrees(net, {"c": "1:9", "size": "1:9"}).found.counts["macs"].dtype == np.int64
    edge = 9 * 1000**2 * 1012_000**2  # the same counts as text, from a limit on them
    assert not costcalc.sweep(net, {"c": [1_012_000], "size": [1000]}, edge - 1)
    assert costcalc.sweep(net, {"c": [1_012_000], "size": [1000]}, edge)


def test_pieces_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    over = {"input": "3x16:90", "groups": "1:4", "classes": "1:5"}
    whole = costcalc.sweep("alexnet", over).found
    monkeypatch.setattr(filling, "AT_ONCE", 7)
    pieces = costcalc.sweep("alexnet", over).found
    assert (whole.counted == pieces.counted).all()
    assert all((whole.counts[key] == pieces.counts[key]).all() for key in COUNTED)
    assert whole.refusals == pieces.refusals
    assert whole.ways == pieces.ways


def test_too_many_ways_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "MOST_WAYS", 3)
    assert costcalc.sweep("plain34", {"n2": "1:3"})
    with pytest.raises(CostcalcError, match="more than 3 different ways"):
        costcalc.sweep("plain34", {"n2": "1:4"})


def test_what_must_go_too_many_ways_is_refused_before_they_are_gone() -> None:
    gone: list[object] = []

    def build(setting: Mapping[str, Any]) -> Graph:
        gone.append(setting)
        return spec.load("plain34", setting)

    with pytest.raises(CostcalcError, match="more than 4,000 different ways"):
        sweeping.swept(build, sweeping.axes({"n2": "1:4001"}))
    assert len(gone) < 5


def test_what_refuses_numbers_that_record_is_asked_with_integers() -> None:
    def build(setting: Mapping[str, Any]) -> Graph:
        if type(setting["c"]) is not int:
            raise CostcalcError("takes an int and nothing else")
        return spec.load("conv5x5", setting)

    found = sweeping.swept(build, sweeping.axes({"c": "0:3"}))
    assert [counts for _, counts in each(found)] == [alone("conv5x5", {"c": c}) for c in range(4)]
    assert found.ways == 4
    assert [refusal.times for refusal in found.refusals] == [1]


def test_a_recording_is_held_against_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Program.__init__

    def wrong(self: Program, recording: Recording, counts: Any) -> None:
        right(self, recording, [{**terms, (): 1} for terms in counts])

    monkeypatch.setattr(Program, "__init__", wrong)
    with pytest.raises(RuntimeError, match="does not hold"):
        costcalc.sweep("conv5x5", {"c": "1:3"})


# numbers that record, by themselves: programs are drawn at random and run on them and on integers

OPERATIONS: dict[str, Callable[..., Any]] = {
    name: getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "mod")
} | {
    "divmod": lambda a, b: sum(divmod(a, b)),
    "neg": lambda a, _: -a,
    "abs": lambda a, _: abs(a),
    "even": lambda a, b: a * b // b,
    "sum": lambda a, b: sum((a, b, 3)),
    "prod": lambda a, b: math.prod((a, 2, b)),
}
DECISIONS: dict[str, Callable[..., Any]] = {
    name: getattr(operator, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")
} | {
    "bool": lambda a, _: bool(a),
    "in": lambda a, b: a in (1, b),
    "tuples": lambda a, b: (a, 1) == (b, 1),
    "max": lambda a, b: max(a, b) is a,
}
READ: dict[str, Callable[..., Any]] = {
    "index": lambda a, _: operator.index(a),
    "int": lambda a, _: int(a),
    "hash": lambda a, _: hash(a),
    "set": lambda a, b: len({a, b}),
    "gcd": math.gcd,
    "range": lambda a, _: len(range(a % 5)),
    "list": lambda a, _: [3, 1, 4][a % 3],
    "float": lambda a, _: math.floor(float(a % 7)),
}
Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from([*OPERATIONS, *DECISIONS, *READ]), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=8,
)
CORNERS = [-3, -1, 0, 1, 2, 5, 8]


def ran(steps: Sequence[Step], first: Any, second: Any) -> tuple[list[Any], Trace]:
    """What a program gives, and what it decided on the way; values above that are as good as settings."""
    values, trace = [first, second, 2, -3], list[tuple[object, ...]]()
    for name, one, two in steps:
        a, b = values[one % len(values)], values[two % len(values)]
        try:
            if name in OPERATIONS:
                values.append(OPERATIONS[name](a, b))
            elif name in DECISIONS:
                outcome = DECISIONS[name](a, b)
                assert type(outcome) is bool
                trace.append((name, outcome))
                values.append(a + 1 if outcome else b)
            else:
                trace.append((name, found := READ[name](a, b)))
                values.append(found)
        except ZeroDivisionError:
            trace.append(("zero",))
    return values, trace


@settings(max_examples=600, deadline=None, derandomize=True)
@given(steps=STEPS, start=st.tuples(st.sampled_from(CORNERS), st.sampled_from(CORNERS)))
def test_a_recording_is_right_wherever_it_holds(steps: list[Step], start: tuple[int, int]) -> None:
    recording = Recording([(min(CORNERS), max(CORNERS))] * 2)
    values, trace = ran(steps, *recording.inputs(start))
    plain, decided = ran(steps, *start)
    assert [int(getattr(value, "value", value)) for value in values] == plain
    assert trace == decided
    program = Program(recording, [ways._terms(value) for value in (*values, recording.greatest(values))])
    assert program.holds(*start)
    holds = np.broadcast_to(program.holds_on([CORNERS, CORNERS]), (len(CORNERS), len(CORNERS)))
    counts = [np.broadcast_to(found, holds.shape) for found in program.counts_on([CORNERS, CORNERS])]
    for place, setting in zip(np.ndindex(holds.shape), product(CORNERS, CORNERS), strict=True):
        assert program.holds(*setting) == holds[place]
        if holds[place]:
            right, also = ran(steps, *setting)
            assert also == decided
            assert program.counts(*setting) == [*right, max(right)] == [found[place] for found in counts]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([*OPERATIONS, *DECISIONS]), st.integers(0, 9), st.integers(0, 9)),
        min_size=1,
        max_size=6,
    )
)
def test_bounds_are_kept_by_every_value(steps: list[Step]) -> None:
    recording = Recording([(min(CORNERS), max(CORNERS))] * 2)
    ran(steps, *recording.inputs((2, 5)))
    bounds = [(min(CORNERS), max(CORNERS))] * 2
    inner = [{(recording.settings + index,): 1} for index in range(len(recording.atoms))]
    program = Program(recording, inner)
    for setting in product(CORNERS, CORNERS):
        if program.holds(*setting):
            for (low, high), value in zip(recording.bounds[2:], program.counts(*setting), strict=True):
                assert low <= value <= high
    assert recording.bounds[:2] == bounds
    assert program.fits(bounds)
    assert not program.fits([(0, 2**63)] * 2) or not inner


def test_what_would_be_too_long_is_read() -> None:
    recording = Recording([(0, 19)] * 20)
    numbers = recording.inputs(range(20))
    assert len((sum(numbers[:16]) * sum(numbers[:16])).terms) == 16 * 17 // 2
    assert not recording.guards
    assert type(sum(numbers[:18]) * sum(numbers[2:])) is int
    assert [guard.relation for guard in recording.guards] == ["==", "=="]
    assert not recording.read


@pytest.mark.parametrize("step", ["$a * $a", "($a * $a + 1) // 2", "$a * $a // $b"])
def test_what_grows_without_end_is_neither_a_hang_nor_a_memory_full(step: str, written: Written) -> None:
    lines = [f"  p{index}: {step.replace('$a', f'$p{index - 1}')}" for index in range(1, 90)]
    net = written(
        "\n".join(["input: [3, 9, 9]", "params:", "  p0: 1", "  b: 1", *lines, "layers:"])
        + """
  conv: {kind: conv, out: $p89, kernel: $b}
"""
    )
    found = agrees(net, {"p0": "1:3", "b": "1:2"})
    assert found.found.counted.any()


def test_a_long_way_is_a_long_program_and_no_deep_one() -> None:
    recording = Recording([(0, 10**9)])
    (number,) = recording.inputs([10**6])
    parts, chained = [], number
    for step in range(2, 3000):
        assert number > step
        parts.append((number + 1) // step)
        chained = (chained + 1) // 2 * 2 + 1
    program = Program(recording, [recording.summed(parts).terms, chained.terms])
    assert program.holds(10**6)
    assert not program.holds(2000)
    for value in (10**6, 3000):
        right = value
        for _ in range(2, 3000):
            right = (right + 1) // 2 * 2 + 1
        assert program.counts(value) == [sum((value + 1) // step for step in range(2, 3000)), right]


@pytest.mark.parametrize("sides", [(-(2**40), 0), (0, 2**40)])
@pytest.mark.parametrize("factor", [1, -1])
def test_whatever_is_more_than_64_bits_on_the_way_is_seen(sides: tuple[int, int], factor: int) -> None:
    """In a result, in a decision, and before it is divided."""
    small = [(0, 2**10)] * 2
    large = Recording(small)
    assert Program(large, [{(0, 1): factor}]).fits(small)
    assert not Program(large, [{(0, 1): factor}]).fits([sides] * 2)
    decided = Recording([sides] * 2)
    width, size = decided.inputs((sides[0] + sides[1], sides[0] + sides[1]))
    assert width * size * factor != factor * 2**60
    assert Program(decided, []).fits(small)
    assert not Program(decided, []).fits([sides] * 2)
    divided = Recording([sides] * 2)
    width, size = divided.inputs((1, 1))
    terms = (width * size // 2**60).terms
    assert Program(divided, [terms]).fits(small)
    assert not Program(divided, [terms]).fits([sides] * 2)


def test_the_largest_of_several_lies_between_the_largest_bounds() -> None:
    assert Greatest(({(0,): 1}, {(1,): 1})).within([(1, 5), (2, 4)]) == (2, 5)


def test_numbers_of_two_recordings_do_not_mix() -> None:
    (one,), (other,) = Recording([(1, 9)]).inputs([3]), Recording([(1, 9)]).inputs([3])
    with pytest.raises(RuntimeError, match="another"):
        one + other


def test_a_number_that_records_passes_for_an_int_and_is_none() -> None:
    (number,) = Recording([(1, 9)]).inputs([3])
    assert isinstance(number, int)
    assert type(number) is Recorded
    assert is_whole(number)
    assert f"{number} {number:>3} {number!r}" == "3   3 3"
    assert number != "same"
    assert number != 3.5
    for operation in (operator.truediv, operator.pow, operator.lshift, operator.and_):
        with pytest.raises(TypeError):
            operation(number, 2)
    with pytest.raises(TypeError):
        number + 0.5


def test_what_needs_no_decision_makes_no_guard() -> None:
    recording = Recording([(1, 100), (1, 100)])
    width, size = recording.inputs((8, 30))
    assert (2 * width + 4) // 2 == width + 2
    assert width * size // size == width
    assert (width * 6) % 3 == 0
    assert width + size > 1
    assert size - size == 0
    assert not recording.guards
    assert width < size
    assert width + 3 < size + 3
    assert len(recording.guards) == 1


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({}, "nothing to vary"),
        ({"width": "8:4"}, "leads nowhere"),
        ({"width": "8:40:0"}, "leads nowhere"),
        ({"width": "8:"}, "write PATH=A:B"),
        ({"width": "8,,9"}, "write PATH=A:B"),
        ({"width": "8,8"}, "8 is given twice"),
        ({"width": "1:2000000,1000000"}, "1000000 is given twice"),
        ({"width": []}, "no value"),
        ({"width": [None]}, "is a number, a text or a list, not None"),
        ({"width": "1:9999", "size": "1:9999"}, "99,980,001 settings are more than 4,000,000"),
        ({"width": "1:999999999999"}, "more than 4,000,000 values"),
        ({"width": "1:3000000,1:3000000"}, "more than 4,000,000 values"),
        ({"widht": "1:3"}, "did you mean 'width'"),
        ({"size": [0, -1]}, "should be"),
        ({"size": [2**70, 2**71]}, "should be"),
    ],
)
def test_what_is_asked_wrongly(over: Mapping[str, Any], message: str) -> None:
    with pytest.raises(CostcalcError, match=message):
        costcalc.sweep("mobilenet-v1", over)


def test_models_and_settings_given_twice_are_refused() -> None:
    with pytest.raises(CostcalcError, match="is a model"):
        costcalc.sweep("torchvision:resnet18", {"size": "1:3"})
    with pytest.raises(CostcalcError, match="both give 'size'"):
        costcalc.sweep("mobilenet-v1", {"size": "1:3"}, settings={"size": "3"})
    with pytest.raises(CostcalcError, match="sort by 'mac'; did you mean 'macs'"):
        costcalc.sweep("mobilenet-v1", {"size": "32:40"}).view("mac")


def test_the_settings_within_limits_come_largest_first() -> None:
    found = costcalc.sweep(
        "mobilenet-v1",
        {"width": range(4, 40), "size": (96, 128)},
        "100M",
        params="1M",
        settings={"classes": "10"},
    )
    columns = found.columns
    assert found
    assert (columns["macs"] <= 100_000_000).all()
    assert (columns["params"] <= 1_000_000).all()
    assert len(columns["macs"]) == found.within.sum() < 72
    rows = found.view().grids[0].rows
    assert rows[0][2] == columns["macs"].max()
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)
    assert [row[3] for row in found.view("params", top=0).grids[0].rows] == sorted(
        columns["params"], reverse=True
    )
    assert rows[0][2:4] == alone("mobilenet-v1", {"classes": 10, "width": rows[0][0], "size": rows[0][1]})[:2]  # type: ignore[index]
    none = costcalc.sweep("mobilenet-v1", {"width": range(4, 40)}, 1)
    assert not none
    assert none.view().grids[0].rows[0][0] == 4
    assert "NONE within 1 MACs; the smallest is width=4" in none.view().summary[0]


def test_a_depth_a_width_and_a_resolution_of_ones_own(tmp_path: Path) -> None:
    net = tmp_path / "net.yaml"
    net.write_text(
        "input: [3, $size, $size]\nparams: {width: 16, depth: 3, size: 64}\nlayers:\n"
        "  stem: {kind: conv_bn_relu, out: $width, kernel: 3, stride: 2, pad: 1}\n"
        "  body: {kind: residual_basic, c: $width, repeat: $depth}\n"
    )
    found = agrees(str(net), {"width": "1:4", "depth": "1:3", "size": "5:7"})
    assert found.found.ways == 3


def test_what_cannot_be_sorted_by_is_said_before_anything_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["sweep", "nowhere", "--over", "classes=1:2", "--sort", "mac"]) == 2
    assert capsys.readouterr().err == "costcalc: cannot sort by 'mac'; did you mean 'macs'?\n"
