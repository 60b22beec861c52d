"""The configuration: where every key stands, and every mistake at its line, all at once."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from costcalc import guard
from costcalc.checks import JUDGED
from costcalc.errors import CostcalcError
from costcalc.guard import config, entries, places

AWKWARD = '''\
# a comment with [[budget]] in it
"quoted key" = "a = b # no comment"   # "this" = is one
'literal\\key' = \'\'\'several
[lines] = here\'\'\'
dotted . "with space".key = {inline = {deep = 1}, "list" = [1, [2, {a = 3}]]} # end
many = [
  "one", # first
  # [not.a.header]
  "two, or ] three",
  """multi
line""",
]
when = 1979-05-27 07:32:00
float = 6.626e-34
[table . sub]
x=1
[table] # said late
[[budget]]
models = ["a"]
[budget.blocks."inception_*"]
macs = 1
[[budget]]
models = ["b", "c"]
  [[budget.inner]]
  deep = true
  [[budget.inner]]
  deep = """""quoted"""""
'''


def paths(value: object, here: places.Path = ()) -> set[places.Path]:
    """Every path of parsed TOML."""
    found = {here} if here else set[places.Path]()
    pairs: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in pairs:
        found |= paths(inner, (*here, key))
    return found


def located(text: str) -> dict[places.Path, tuple[int, int]]:
    found = places.places(text, "c.toml", config.loads)
    return {path: (place.line, place.column) for path, place in found.items()}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_awkward_toml_is_located(ends: str) -> None:
    text = AWKWARD.replace("\n", ends)
    found = located(text)
    assert set(found) == paths(config.loads(text))
    lines = AWKWARD.splitlines()

    def line(start: str, nth: int = 0) -> int:
        return [number for number, each in enumerate(lines, 1) if each.strip().startswith(start)][nth]

    assert found["quoted key",] == (2, 1)
    assert found["dotted", "with space", "key", "inline", "deep"] == (5, lines[4].index("deep") + 1)
    assert found["dotted", "with space", "key", "list", 1, 1, "a"] == (5, lines[4].index("a = 3") + 1)
    assert found["many", 1] == (line('"two'), 3)
    assert found["many", 2] == (line('"""multi'), 3)
    assert found["table",] == (line("[table]"), 1)
    assert found["table", "sub", "x"] == (line("x=1"), 1)
    assert found["budget", 0, "blocks", "inception_*", "macs"] == (line("macs"), 1)
    assert found["budget", 1] == (line("[[budget]]", 1), 1)
    assert found["budget", 1, "models", 1] == (line("models", 1), 16)
    assert found["budget", 1, "inner", 1, "deep"] == (line("deep", 1), 3)
    place = places.places(text, "c.toml", config.loads)["many", 1]
    assert (place.file, place.text) == ("c.toml", '  "two, or ] three",')


WORDS = st.sampled_from(["a", "b-1", "c_2", "7", "with space", 'q"', "t'", "[x]", "a.b", "é", "#", "=", ""])
SCALARS = st.one_of(
    st.integers(-(10**9), 10**9),
    st.booleans(),
    st.sampled_from(["", "x", "# no", "a = 1", "[t]", '"', "'", "\\", "two\nlines", '"""', "'''", "é"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


class Writer:
    """Writes the same data in many ways, as ``choose`` decides."""

    def __init__(self, choose: Any) -> None:
        self.choose = choose

    def one(self, *ways: str) -> str:
        return str(self.choose(st.sampled_from(ways)))

    def key(self, name: str) -> str:
        ways = [json.dumps(name, ensure_ascii=False)]
        ways += [name] if re.fullmatch("[A-Za-z0-9_-]+", name) else []
        ways += [f"'{name}'"] if "'" not in name else []
        return self.one(*ways)

    def text(self, value: str) -> str:
        ways = [json.dumps(value, ensure_ascii=False)]
        if "'" not in value and "\n" not in value:
            ways.append(f"'{value}'")
        if "'''" not in value and not value.endswith("'"):
            ways.append(f"'''\n{value}'''")
        ways.append('"""' + value.replace("\\", "\\\\").replace('"', '\\"') + '"""')
        return self.one(*ways)

    def value(self, value: Any) -> str:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            gap = self.one("", " ", "\n", " # ] \" '\n")
            parts = f",{gap}".join(self.value(each) for each in value)
            return f"[{gap}{parts}{self.one('', ',') if value else ''}{gap}]"
        if isinstance(value, dict):
            return (
                "{" + ", ".join(f"{self.key(key)} = {self.value(each)}" for key, each in value.items()) + "}"
            )
        return str(value).lower()

    def document(self, data: dict[str, Any]) -> str:
        """Plain keys first, then tables and arrays of tables under headers, or in line."""
        lines, later = [], []
        for key, value in data.items():
            tables = isinstance(value, list) and value and all(isinstance(each, dict) for each in value)
            way = self.one("line", "header")
            if way == "header" and isinstance(value, dict):
                later.append(f"[{self.key(key)}]{self.one('', ' # [x]')}")
                later += [f"  {self.key(name)}={self.value(each)}" for name, each in value.items()]
            elif way == "header" and tables:
                for each in value:
                    later.append(f"[[ {self.key(key)} ]]")
                    later += [f"{self.key(name)} = {self.value(inner)}" for name, inner in each.items()]
            else:
                lines.append(f"{self.key(key)} = {self.value(value)}{self.one('', ' # = ')}")
        gap = self.one("\n", "\n\n", "\n# a = 1\n")
        return gap.join([*lines, *later]) + self.one("", "\n")


@settings(max_examples=300, deadline=None)
@given(data=st.dictionaries(WORDS, VALUES, max_size=4), draw=st.data())
def test_whatever_is_written_is_located(data: dict[str, Any], draw: st.DataObject) -> None:
    text = Writer(draw.draw).document(data)
    assert config.loads(text) == data
    found = located(text)
    assert set(found) == paths(data)
    lines = text.split("\n")
    for path, (line, column) in found.items():
        rest, key = lines[line - 1][column - 1 :], path[-1]
        if isinstance(key, str) and not rest.startswith("["):
            quoted = (f'"{json.dumps(key, ensure_ascii=False)[1:-1]}"', f"'{key}'")
            assert rest.startswith((*quoted, *([key] if key else [])))


def read(text: str, tmp_path: Path, name: str = config.NAME) -> config.Config:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return config.read(path, name)


def problems(text: str, tmp_path: Path, name: str = config.NAME) -> list[str]:
    with pytest.raises(CostcalcError) as caught:
        read(text, tmp_path, name)
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


FULL = """\
lock = "error"
[[budget]]
models = ["nets/*.yaml", "googlenet"]
macs = "1.5G"
params = {warn = "6M", error = 7_000_000}
activations = "9M"
latency = {error = "9ms", warn = "8ms", on = "T4", batch = 8, dtype = "fp16", mode = "graph"}
settings = {classes = 10, conv1.kernel = [1, 7], name = "x", on = true}
reason = "the camera's chip"
growth = {macs = "1%", params = {warn = "0%", error = "5.5 %"}}

[budget.blocks."inception_*"]
macs = {warn = "300M", error = "360M"}
"""


def test_a_full_budget_is_read(tmp_path: Path) -> None:
    found = read(FULL, tmp_path)
    (budget,) = found.budgets
    assert found.lock == "error"
    assert [name for name, _ in budget.models] == ["nets/*.yaml", "googlenet"]
    assert str(budget.models[1][1]) == "costcalc.toml:3:26"
    limits = {
        (bound.pattern, bound.metric): {each.level: each.most for each in bound.thresholds}
        for bound in budget.bounds
    }
    assert limits == {
        ("", "macs"): {"error": 1_500_000_000},
        ("", "params"): {"error": 7_000_000, "warning": 6_000_000},
        ("", "activations"): {"error": 9_000_000},
        ("inception_*", "macs"): {"error": 360_000_000, "warning": 300_000_000},
    }
    assert budget.bounds[-1].thresholds[0].place.line == 13
    latency = budget.latency
    assert latency is not None
    assert (latency.device, latency.batch, latency.dtype, latency.mode) == ("t4", 8, "fp16", "graph")
    assert [each.most for each in latency.bound.thresholds] == pytest.approx([0.009, 0.008])
    assert budget.settings == {"classes": "10", "conv1.kernel": "[1, 7]", "name": "x", "on": "true"}
    assert budget.reason == "the camera's chip"
    macs, params = budget.growth
    assert [each.most for each in macs.thresholds] == [Fraction(1, 100)]
    assert [each.most for each in params.thresholds] == [Fraction(11, 200), 0]


def test_pyproject_holds_the_same(tmp_path: Path) -> None:
    nested = FULL.replace("[[budget]]", "[[tool.costcalc.budget]]").replace(
        "[budget.", "[tool.costcalc.budget."
    )
    text = "[project]\nname = 'x'\n[tool.costcalc]\n" + nested
    found, alone = read(text, tmp_path, config.SHARED), read(FULL, tmp_path)
    assert found.budgets[0].bounds[0].thresholds[0].place.line == 4 + 3
    assert found.budgets[0].settings == alone.budgets[0].settings
    assert problems("[project]\nname='x'", tmp_path, config.SHARED) == [
        "pyproject.toml: has no [tool.costcalc]; `costcalc guard init` shows one"
    ]


@pytest.mark.parametrize("metric", JUDGED)
def test_every_metric_can_be_limited_and_may_grow(metric: str, tmp_path: Path) -> None:
    text = f'[[budget]]\nmodels=["x"]\n{metric}="1K"\ngrowth.{metric}="2%"\n[budget.blocks.b]\n{metric}=3'
    (budget,) = read(text, tmp_path).budgets
    assert [(each.metric, each.pattern, each.thresholds[0].most) for each in budget.bounds] == [
        (metric, "", 1000),
        (metric, "b", 3),
    ]
    assert [each.metric for each in budget.growth] == [metric]


WRONG = {
    "macs = '3 GFLOPs'": "1 MAC = 2 FLOPs, so halve the number",
    "macs = 1.5e9": "should be a count such as '1.5G' or 1_500_000_000, not 1500000000.0",
    "macs = true": "should be a count",
    "macs = -1": "should be a count",
    "macs = '1.5'": "is not a whole number of macs",
    "macs = []": "should be a count",
    "macs = {}": "needs an 'error' or a 'warn'",
    "macs = {wran = 1}": "a limit on macs has no 'wran'; did you mean 'warn'?",
    "macs = {error = 5, warn = 5}": "warns no earlier than it fails; 'warn' should be below 'error'",
    "params = '3 GMACs'": "unknown unit",
    "mac = 1": "a budget has no 'mac'; did you mean 'macs'?",
    "growth = {macs = 5}": "should be a percentage such as '1%', or '0%' for none, not 5",
    "growth = {macs = '-1%'}": "should be a percentage",
    "growth = {latency = '1%'}": "growth has no 'latency'",
    "growth = '1%'": "should be a table, not '1%'",
    "latency = '9ms'": "needs a device: latency = {error = '9ms', on = 't4'}",
    "latency = {on = 't4'}": "needs an 'error' or a 'warn'",
    "latency = {error = '9ms', on = 'rtx409'}": "no device 'rtx409'; did you mean 'rtx4090'?",
    "latency = {error = '9 m', on = 't4'}": "is not a time",
    "latency = {error = 9, on = 't4'}": "should be a time such as '9ms', not 9",
    "latency = {error = '9ms', on = 't4', batch = 0}": "should be a whole number from 1 on, not 0",
    "latency = {error = '9ms', on = 't4', dtype = 'fp61'}": "no dtype 'fp61'; did you mean 'fp16'?",
    "latency = {error = '9ms', on = 't4', dtype = 'bf16'}": "no dtype 'bf16'",
    "latency = {error = '9ms', on = 't4', mode = 'eagre'}": "did you mean 'eager'?",
    "latency = {error = '9ms', no = 't4'}": "needs a device",
    "settings = 5": "should be a table of names and values, not 5",
    "settings = {a = 1979-05-27}": "should be a number, a word or a list of them",
    "settings = {a = nan}": "should be a number, a word or a list of them",
    "input = '3x8x8'": "should be a list of texts, not '3x8x8'",
    "batch = '8'": "should be a whole number from 1 on, not '8'",
    "dtype = 'fp8'": "no dtype 'fp8'",
    "allow_uncounted = 'fft'": "should be a list of texts",
    "reason = 5": "should be one line of text",
    'reason = "a\\u0007"': "should be one line of text",
    "blocks = 5": "should be tables of limits by block",
    "blocks.a = 5": "should be a table, not 5",
    "blocks.a = {}": "limits nothing",
    "blocks.a.growth = {}": "limits nothing",
    "blocks.a.growth.macs = 1": "should be a percentage",
    "blocks.a.growth.mac = '1%'": "did you mean 'macs'?",
    'blocks."".macs = 1': "needs the name of a block, or a glob",
    '"a\\nb" = 1': "budget.'a\\nb'",
    "blocks.a.latency = '1ms'": "a limit on blocks has no 'latency'",
    "blocks.a.macs = {error = '1X'}": "unknown unit",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_mistake_is_told_at_its_line(line: str, tmp_path: Path) -> None:
    (said,) = problems(f"[[budget]]\n# one\nmodels = ['googlenet']\n{line}\n", tmp_path)
    assert said.startswith("costcalc.toml:4:")
    assert WRONG[line] in said
    assert "budget." in said


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    first, second = 'lokc = "warn"\n[[budget]]\nmacs = "x"\n', '[[budget]]\nmodels = [""]\nparms = 1\n'
    text = f'{first}\n{second}[[budget]]\nmodels = ["-"]\n'
    assert [each.partition(": ")[0] for each in problems(text, tmp_path)] == [
        "costcalc.toml:1:1",
        "costcalc.toml:2:1",
        "costcalc.toml:3:1",
        "costcalc.toml:6:1",
        "costcalc.toml:7:1",
        "costcalc.toml:9:11",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "costcalc.toml:1:1: needs a [[budget]]; `costcalc guard init` shows how they look"),
        ("budget = []", "costcalc.toml:1:1: needs a [[budget]]"),
        ("budget = 5", "needs a [[budget]]"),
        ("[[budget]]", "costcalc.toml:1:1: budget: needs models, for example"),
        ("budget = [5]", "costcalc.toml:1:11: budget: should be a table, not 5"),
        ("lock = 'maybe'\n[[budget]]\nmodels=['a']", "costcalc.toml:1:1: lock: should be 'warn' or 'error'"),
        ("a = 1\nb = \n", "costcalc.toml:2:5: not TOML: Invalid value"),
        ("a = 1\na = 2\n", "costcalc.toml:2:6: not TOML: Cannot overwrite a value"),
        ("[[budget]]\nmacs = {a\n", "costcalc.toml:2:"),
        ('x = """', "costcalc.toml:1:1: not TOML: Unterminated string"),
        ("a = " + "[" * 100_000, "not TOML: nested too deeply"),
        ("<<<<<<< HEAD\n", "costcalc.toml:1:1: not TOML"),
    ],
)
def test_what_is_no_configuration(text: str, message: str, tmp_path: Path) -> None:
    said = problems(text, tmp_path)[0]
    assert message in said
    assert "\n" not in said


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    (tmp_path / "b").write_bytes(b"#" * (config.MAX_BYTES + 1))
    for name, reason in {"a": "not UTF-8 text", "b": "larger than 256 KiB", "c": "No such file"}.items():
        with pytest.raises(CostcalcError, match=reason):
            config.read(tmp_path / name)
    with_mark = b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode()
    (tmp_path / config.NAME).write_bytes(with_mark)
    assert config.read(tmp_path / config.NAME).budgets[0].bounds[-1].thresholds[1].place.line == 13


def test_the_nearest_upwards_is_found(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    with pytest.raises(CostcalcError, match="costcalc guard init"):
        config.find(deep)
    (tmp_path / config.SHARED).write_text("[tool.costcalc]\n")
    (deep / config.SHARED).write_text("[project]\nname = 'costcalc-user'\n")
    assert config.find(deep) == tmp_path / config.SHARED
    (tmp_path / "a" / config.NAME).symlink_to(tmp_path / "elsewhere.toml")
    assert config.find(deep) == tmp_path / config.SHARED  # a link to nothing
    (tmp_path / "elsewhere.toml").write_text("")
    assert config.find(deep) == tmp_path / "a" / config.NAME  # names are relative to where the link is
    (tmp_path / "a" / config.SHARED).write_text("[tool.costcalc]\n")
    assert config.find(deep) == tmp_path / "a" / config.NAME


@given(st.text(max_size=60))
@example("[budget]\nmodels = 1")
@example('[[budget]]\nmodels = [["x"]]')
def test_any_text_is_a_configuration_or_an_error(text: str) -> None:
    try:
        data = config._parsed(text, "c")
    except CostcalcError:
        return
    reader = entries.Reader(places.places(text, "c", config.loads), places.Place("c", 1, 1, ""))
    config._config(reader, data, ())
    assert reader.problems or data["budget"]


def test_a_key_of_very_many_steps_is_no_bug(tmp_path: Path) -> None:
    key = ".".join("a" * 3000)
    found = read(f"[[budget]]\nmodels = ['x']\nsettings.{key} = 1\n", tmp_path).budgets[0].settings
    assert found == {key: "1"}


def test_a_configuration_elsewhere_is_called_as_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there.toml").write_text("[[budget]]\nmodels = ['googlenet']\n")
    monkeypatch.chdir(tmp_path / "here")
    assert guard.configured(tmp_path / "there.toml").shown == str(tmp_path / "there.toml")
    assert guard.configured("../there.toml").shown == "../there.toml"
    monkeypatch.chdir(tmp_path)
    assert guard.configured(tmp_path / "there.toml").shown == "there.toml"
