"""The spec language: sources, blocks, repeats, parameters, overrides, training, bases and parts."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from costcalc import spec
from costcalc.api import checking
from costcalc.errors import CostcalcError, Misfit, Place
from costcalc.graph import Graph
from costcalc.spec import catalogue, names
from costcalc.spec.arithmetic import Bound, evaluate
from costcalc.spec.source import Item, read

Load = Callable[..., Graph]


def wiring(graph: Graph) -> dict[str, tuple[str, ...]]:
    return {node.name: node.sources for node in graph.nodes}


def test_layers_take_the_one_above_unless_they_say_from(loaded: Load) -> None:
    graph = loaded(
        """
        input: [4, 8, 8]
        layers:
          a: {kind: relu}
          b: {kind: relu, from: input}
          c: {kind: add, from: [a, b, input]}
          d: {kind: relu6}
        """
    )
    assert wiring(graph) == {"a": ("input",), "b": ("input",), "c": ("a", "b", "input"), "d": ("c",)}
    assert graph.outputs == ("d",)


def test_blocks_take_arguments_and_use_blocks(loaded: Load) -> None:
    graph = loaded(
        """
        input: [4, 8, 8]
        params: {w: 6}
        layers:
          x: {kind: outer, width: $w}
          y: {kind: outer, width: 2, kernel: [1, 3]}
        blocks:
          inner:
            args: [out, kernel]
            layers: {conv: {kind: conv, out: $out, kernel: $kernel, pad: same}}
          outer:
            args: {width: , kernel: 3, twice: 2*$width}
            output: b
            layers:
              a: {kind: inner, out: $twice, kernel: $kernel}
              b: {kind: inner, out: $width, kernel: 1}
              c: {kind: relu, from: a, training: true}
        """
    )
    assert [node.name for node in graph.nodes] == ["x.a.conv", "x.b.conv", "y.a.conv", "y.b.conv"]
    assert [node.output_shape[0] for node in graph.nodes] == [12, 6, 4, 2]
    assert graph.node("y.a.conv").layer.kernel == (1, 3)  # type: ignore[attr-defined]
    assert graph.groups["x"].kind == "outer"
    assert graph.groups["x.a"].kind == "inner"
    assert graph.groups["y"].source == "x.b.conv"


def test_a_path_into_an_earlier_block(loaded: Load) -> None:
    graph = loaded(
        """
        input: [4, 8, 8]
        layers:
          x: {kind: conv_relu, out: 4, kernel: 1}
          y: {kind: add, from: [x, x.conv]}
        """
    )
    assert wiring(graph)["y"] == ("x.relu", "x.conv")


def test_repeat_stands_one_behind_the_other(loaded: Load) -> None:
    graph = loaded(
        """
        input: [4, 8, 8]
        params: {n: 2}
        layers:
          a: {kind: relu, repeat: $n+1}
          b: {kind: res, repeat: $n}
        blocks:
          res:
            layers:
              conv: {kind: conv, out: 4, kernel: 3, pad: 1}
              add: {kind: add, from: [conv, input]}
        """
    )
    assert wiring(graph) == {
        "a.1": ("input",),
        "a.2": ("a.1",),
        "a.3": ("a.2",),
        "b.1.conv": ("a.3",),
        "b.1.add": ("b.1.conv", "a.3"),
        "b.2.conv": ("b.1.add",),
        "b.2.add": ("b.2.conv", "b.1.add"),
    }
    assert graph.groups["b"].kind == "res ×2"


def test_training_only_branches_are_left_out_and_do_not_feed(loaded: Load) -> None:
    text = """
    input: [4, 8, 8]
    layers:
      a: {kind: relu}
      head: {kind: global_avgpool, training: true}
      head2: {kind: flatten, training: true}
      b: {kind: relu6}
    """
    assert wiring(loaded(text)) == {"a": ("input",), "b": ("a",)}
    trained = loaded(text, training=True)
    assert wiring(trained) == {"a": ("input",), "head": ("a",), "head2": ("head",), "b": ("a",)}
    assert trained.outputs == ("b", "head2")


def test_several_outputs(loaded: Load) -> None:
    graph = loaded(
        """
        input: [4, 8, 8]
        layers:
          a: {kind: conv_relu, out: 8, kernel: 1}
          box: {kind: conv, from: a, out: 4, kernel: 1}
          cls: {kind: conv, from: a, out: 9, kernel: 1}
        outputs: [box, cls]
        """
    )
    assert graph.outputs == ("box", "cls")


def test_an_output_that_exists_only_in_training_is_left_out_with_it(loaded: Load) -> None:
    text = """
    input: [4, 8, 8]
    layers:
      a: {kind: relu}
      aux: {kind: relu6, training: true}
    outputs: [a, aux, a]
    """
    assert loaded(text).outputs == ("a",)
    assert loaded(text, training=True).outputs == ("a", "aux")
    assert checking.check(loaded(text)).passed
    assert checking.check(loaded(text, training=True)).passed


@pytest.mark.parametrize("outputs", ["[input]", "[a, input]"])
def test_the_input_is_no_output(outputs: str, loaded: Load) -> None:
    with pytest.raises(CostcalcError, match="the input is no output"):
        loaded(f"input: [4, 8, 8]\nlayers: {{a: {{kind: relu}}}}\noutputs: {outputs}\n")


SETTABLE = """
input: [$c, 8, 8]
params: {c: 4, width: 2*$c}
layers:
  a: {kind: conv_relu, out: $width, kernel: 3, pad: 1}
  b: {kind: relu, repeat: 2}
"""


@pytest.mark.parametrize(
    ("overrides", "look"),
    [
        ({"c": "6"}, lambda g: g.input_shape == (6, 8, 8) and g.node("a.conv").output_shape == (12, 8, 8)),
        ({"width": "5"}, lambda g: g.node("a.conv").output_shape == (5, 8, 8)),
        ({"width": "$c + 1"}, lambda g: g.node("a.conv").output_shape == (5, 8, 8)),
        ({"input": "[3, 16, 12]"}, lambda g: g.input_shape == (3, 16, 12)),
        ({"input": "3x16x12"}, lambda g: g.input_shape == (3, 16, 12)),
        ({"a.kernel": "[1, 5]", "a.pad": "[0, 2]"}, lambda g: g.node("a.conv").layer.kernel == (1, 5)),
        ({"a.conv.bias": "false"}, lambda g: g.node("a.conv").layer.bias is False),
        ({"b.repeat": "3"}, lambda g: len(g.nodes) == 5),
        ({"a.kind": "conv_bn_relu"}, lambda g: len(g.nodes) == 5),
    ],
)
def test_overrides(overrides: dict[str, str], look: Callable[[Graph], bool], loaded: Load) -> None:
    assert look(loaded(SETTABLE, overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"widht": "5"}, "did you mean 'width'"),
        ({"a.kernle": "5"}, "has no 'kernle'; did you mean 'kernel'"),
        ({"d.kernel": "5"}, "nothing to set at 'd.kernel'"),
        ({"a": "5"}, "nothing to set at 'a'"),
        ({"width": "x"}, "should be a whole number"),
        ({"width": ""}, "write --set PATH=VALUE"),
        ({"width": "[1, 2"}, "not YAML"),
        ({"width": "*x"}, "anchors and aliases are not read"),
        ({"input": "3x16"}, r"should be \[channels, height, width\]"),
    ],
)
def test_overrides_that_do_not_fit(overrides: dict[str, str], message: str, loaded: Load) -> None:
    with pytest.raises(CostcalcError, match=message) as caught:
        loaded(SETTABLE, overrides)
    assert any("--set" in str(problem) for problem in caught.value.problems)


def test_parameters_in_the_name() -> None:
    graph = spec.load("conv5x5@c=3,size=7")
    assert graph.input_shape == (3, 7, 7)
    assert graph.name == "conv5x5@c=3,size=7"
    assert spec.load("alexnet@input=[3,255,255],classes=7").nodes[-1].output_shape == (7,)


@pytest.mark.parametrize(
    "name",
    ["conv5x5@c=3,c=4", "conv5x5@widht=3", "@c=3", "conv5x5@c"],
    ids=["twice", "unknown", "nameless", "valueless"],
)
def test_parameters_in_the_name_that_do_not_fit(name: str) -> None:
    with pytest.raises(CostcalcError):
        spec.load(name)


def test_a_name_and_an_override_may_not_contradict() -> None:
    with pytest.raises(CostcalcError, match="both give 'c'"):
        spec.load("conv5x5@c=3", {"c": "4"})


def test_overrides_reach_every_declared_path() -> None:
    settable = spec.settable("reduced")
    assert {"module", "n5x5", "input", "3x3.out", "3x3.conv.conv.dilation"} <= settable
    assert spec.load("reduced", {"n5x5": "48"}).node("5x5.conv.conv").output_shape[0] == 48


def test_bases_are_laid_over(written: Callable[..., str]) -> None:
    written(
        "input: [3, 8, 8]\nparams: {c: 4}\nlayers:\n  a: {kind: conv_relu, out: $c, kernel: 1}\n"
        "  b: {kind: relu}\n  c: {kind: relu6}\n",
        "base.yaml",
    )
    path = written(
        "base: base.yaml\nparams: {c: 5}\nlayers: {b: null, c: {kind: tanh}, d: {kind: gelu}}\n"
        "blocks: {conv_relu: conv_bn_relu}\n"
    )
    graph = spec.load(path)
    assert [node.name for node in graph.nodes] == ["a.conv", "a.bn", "a.relu", "c", "d"]
    assert [node.layer.kind for node in graph.nodes][3:] == ["tanh", "gelu"]
    assert graph.node("a.conv").output_shape == (5, 8, 8)


PARTED = """
input: [3, 8, 8]
params: {c: 64, width: 4}
layers:
  first: {kind: conv_relu, out: $width, kernel: 1}
  a: {kind: own, c: $c, k: [1, 3]}
  b: {kind: own, c: 2}
  head: {kind: aux, training: true}
blocks:
  own:
    args: {mid: 2, c: , half: $c//2, k: 1}
    layers:
      one: {kind: conv, out: $half, kernel: $k}
      two: {kind: conv, out: $c, kernel: $mid}
  aux: {layers: {pool: {kind: global_avgpool}}}
"""


@pytest.mark.parametrize(
    ("part", "overrides", "shapes"),
    [
        ("a", {}, [(4, 8, 8), (32, 8, 6), (64, 7, 5)]),
        ("a", {"c": "10"}, [(4, 8, 8), (5, 8, 6), (10, 7, 5)]),
        ("a", {"half": "3", "mid": "1"}, [(4, 8, 8), (3, 8, 6), (64, 8, 6)]),
        ("b", {}, [(64, 7, 5), (1, 7, 5), (2, 6, 4)]),
        ("head", {}, [(2, 6, 4), (2, 1, 1)]),
        ("b", {"width": "6"}, [(64, 7, 5), (1, 7, 5), (2, 6, 4)]),
    ],
)
def test_a_part_stands_alone(
    part: str, overrides: dict[str, str], shapes: list[tuple[int, ...]], written: Callable[..., str]
) -> None:
    written(PARTED, "whole.yaml")
    graph = spec.load(written(f"base: whole.yaml\npart: {part}\n"), overrides)
    assert [graph.input_shape, *(node.output_shape for node in graph.nodes)] == shapes


def test_a_part_is_fed_what_the_settings_make_reach_it(written: Callable[..., str]) -> None:
    written(PARTED, "whole.yaml")
    part = written("base: whole.yaml\npart: a\n", "part.yaml")
    assert spec.load(part, {"width": "7"}).input_shape == (7, 8, 8)
    assert spec.load(written("base: whole.yaml\npart: a\nparams: {width: 9}\n")).input_shape == (9, 8, 8)
    derived = written("base: part.yaml\nparams: {width: 5}\n", "derived.yaml")
    assert spec.load(derived).input_shape == (5, 8, 8)
    assert spec.load(derived, {"width": "6"}).input_shape == (6, 8, 8)


def test_a_derived_file_chooses_another_part(written: Callable[..., str]) -> None:
    for text, overrides in (
        ("base: reduced\n", {"module": "inception_4e"}),
        ("base: reduced\nparams: {module: inception_4e}\n", {}),
    ):
        assert spec.load(written(text), overrides).input_shape == (528, 14, 14)


def test_a_repeated_block_is_no_part(written: Callable[..., str]) -> None:
    text = "input: [3, 8, 8]\nlayers: {a: {kind: conv_relu, out: 3, kernel: 1, repeat: 3}}\n"
    written(text, "whole.yaml")
    with pytest.raises(CostcalcError, match="'a' is repeated"):
        spec.load(written("base: whole.yaml\npart: a\n"))


def test_a_setting_that_nothing_reads_is_an_error(loaded: Load) -> None:
    text = "input: [3, 8, 8]\nparams: {c: 4, d: 2*$c, unread: 1}\n"
    text += "layers: {a: {kind: conv, out: $d, kernel: 1}}\n"
    assert loaded(text, {"c": "5"}).shape_of("a") == (10, 8, 8)
    with pytest.raises(CostcalcError, match="setting 'unread' changes nothing"):
        loaded(text, {"unread": "2"})
    with pytest.raises(CostcalcError, match="setting 'd' changes nothing"):
        loaded(text, {"d": "2", "a.out": "3"})


def test_layers_may_be_called_by_numbers(loaded: Load) -> None:
    graph = loaded("input: [3, 8, 8]\nlayers:\n  1: {kind: relu}\n  2: {kind: add, from: [1, input]}\n")
    assert wiring(graph)["2"] == ("1", "input")


def test_a_part_of_a_preset_that_exists_only_in_training(written: Callable[..., str]) -> None:
    graph = spec.load(written("base: googlenet\npart: aux1\n"), {"classes": "10"})
    assert graph.nodes[-1].output_shape == (10,)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.TextIOWrapper(io.BytesIO(b"base: conv5x5\nparams: {c: 2}\n"))
    monkeypatch.setattr("sys.stdin", text)
    catalogue._stdin.cache_clear()
    assert spec.load("-").input_shape == (2, 28, 28)
    assert spec.load("-", {"size": "7"}).input_shape == (2, 7, 7)  # read once, used twice


def test_yaml_is_read_as_written() -> None:
    def value(text: str) -> object:
        return read(text, "x").plain()

    assert value("1.5e9") == 1.5e9
    assert value("1_000") == 1000
    assert value("[yes, no, on, off, 1:30, 010, 0x10, 1e5, .5, +3, -2]") == (
        ["yes", "no", "on", "off", "1:30", "010", "0x10", 1e5, 0.5, 3, -2]
    )
    assert value("['1', \"true\", true, null, ~, 2024-01-01]") == [
        "1",
        "true",
        True,
        None,
        None,
        "2024-01-01",
    ]
    assert value("{1: a, true: b}") == {"1": "a", "true": "b"}


def test_items_know_their_place() -> None:
    item = read("a: 1\nb:\n  - c\n  - {d: 2}\n", "net.yaml")
    d = item.at(("b", 1, "d"))
    assert isinstance(d, Item)
    assert (str(d.place), str(d.key), d.value) == ("net.yaml:4:9", "net.yaml:4:6", 2)


def bound(**values: int) -> dict[str, Bound]:
    return {name: Bound(value, Place("x", 1, 1, "")) for name, value in values.items()}


expressions = st.recursive(
    st.one_of(st.integers(0, 99).map(str), st.sampled_from(["$a", "$b"])),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner).map(
        lambda t: f"({t[0]} {t[1]} {t[2]})"
    ),
    max_leaves=8,
)


@given(expressions, st.integers(-9, 99), st.integers(0, 99))
def test_arithmetic_is_pythons(text: str, a: int, b: int) -> None:
    python = text.replace("$a", f"({a})").replace("$b", f"({b})")
    env = bound(a=a, b=b)
    try:
        expected = eval(python)
    except ZeroDivisionError:
        with pytest.raises(Misfit, match="divides by zero"):
            evaluate(text + " + 0*$b", env)
        return
    if abs(expected) < 10**18:
        with contextlib.suppress(Misfit):  # too large on the way
            assert evaluate(f"{text} + 0*$b", env) == expected


@given(st.text(max_size=60).map(lambda text: f"{text}$a"))
def test_arithmetic_never_runs_anything(text: str) -> None:
    try:
        found = evaluate(text, bound(a=3))
    except Misfit:
        return
    assert type(found) is int


def test_exact_division() -> None:
    assert evaluate("$a/2", bound(a=6)) == 3
    with pytest.raises(Misfit, match="7/2 is not a whole number"):
        evaluate("$a/2", bound(a=7))


def test_reserved_names_are_torchs() -> None:
    """Every attribute that a submodule's name could collide with is refused."""
    attributes = {
        name
        for name in dir(torch.fx.GraphModule(torch.nn.Module(), torch.fx.Graph()))
        if names.NAME.fullmatch(name)
    }
    assert attributes - names.RESERVED == set()


def test_every_allowed_name_is_a_path_of_the_torch_module(loaded: Load) -> None:
    allowed = [
        "1x1",
        "a-b",
        "_x"[1:],
        "7",
        "Conv",
        "self_",
        "x" * 64,
        "range",
        "torch",
        "print",
        "len",
        "None_",
    ]
    layers = "".join(f'  "{name}": {{kind: conv, out: 2, kernel: 1}}\n' for name in allowed)
    graph = loaded(f"input: [2, 4, 4]\nlayers:\n{layers}")
    assert checking.check(graph).passed


def test_half_a_surrogate_is_named_before_yaml_sees_it() -> None:
    with pytest.raises(CostcalcError, match=r"f:2:4: not YAML: the control character '\\ud800'"):
        read("a: 1\nb: \ud800", "f")
