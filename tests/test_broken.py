"""Broken and hostile specs: every error at once, at its place, with a remedy, at little cost."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costcalc import cli, spec
from costcalc.errors import CostcalcError
from costcalc.spec import catalogue, expand

BROKEN = Path(__file__).parent / "broken"
FILES = sorted(path.name for path in BROKEN.glob("*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_messages(
    name: str,
    golden: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(BROKEN)
    assert cli.main(["show", name, "--by", "formula"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    golden(f"broken/{name.removesuffix('.yaml')}.txt", err)


@pytest.mark.parametrize("name", FILES)
def test_every_problem_says_where_and_what(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BROKEN)
    with pytest.raises(CostcalcError) as caught:
        spec.load(name)
    for problem in caught.value.problems:
        assert problem.message
        assert problem.place is not None or name in str(problem)
        if problem.place is not None and problem.place.text:
            assert problem.excerpt().splitlines()[-1].endswith("^")


MOST_WORK = 2  # times the calls that a harmless network makes
GENERATED = {
    "huge": "x: " + "a" * 300_000,
    "wide": "input: [" + "1," * 60_000 + "]",
    "nested": "input: " + "[" * 100_000,
    "nested_maps": "\n".join("  " * depth + "a:" for depth in range(300)),
    "doubling": "input: [3, 8, 8]\nlayers: {x: {kind: b20}}\nblocks:\n  b0: {layers: {x: {kind: relu}}}\n"
    + "".join(
        f"  b{n}: {{layers: {{x: {{kind: b{n - 1}}}, y: {{kind: b{n - 1}}}}}}}\n" for n in range(1, 21)
    ),
    "fan": "input: [3, 8, 8]\nlayers:\n"
    + "".join(f"  b{n}: {{kind: fan, repeat: 9999}}\n" for n in range(99))
    + "blocks: {fan: {layers: {x: {kind: nothing}}}}",
    "digits": "input: [3, 8, " + "9" * 100_000 + "]\nlayers: {a: {kind: relu}}",
    "exponent": "input: [3, 8, 1e999999999]\nlayers: {a: {kind: relu}}",
    "deep_sum": "input: [3, 8, 8]\nlayers: {a: {kind: conv, kernel: 1, out: '"
    + "(" * 90
    + "$x"
    + ")" * 90
    + "'}}",
    "list_bomb": "input: [3, 8, 8]\nparams:\n  p0: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    + "".join(f"  p{n}: [{', '.join([f'$p{n - 1}'] * 10)}]\n" for n in range(1, 12))
    + "layers: {a: {kind: conv, out: 3, kernel: $p11}}",
    "typos": "input: [3, 8, 8]\nlayers:\n"
    + "".join(f"  layer{n}: {{kind: relu, from: lager{n}}}\n" for n in range(5000)),
    "unknown_kinds": "input: [3, 8, 8]\nlayers:\n"
    + "".join(f"  l{n}: {{kind: blokc{n}}}\n" for n in range(3000))
    + "blocks:\n"
    + "".join(f"  block{n}: {{layers: {{x: {{kind: relu}}}}}}\n" for n in range(3000)),
    "broken_repeat": "input: [3, 8, 8]\nlayers: {a: {kind: b, repeat: 9999}}\nblocks:\n  b:\n    layers:\n"
    + "".join(f"      l{n}: {{kind: relu, from: nowhere}}\n" for n in range(1000)),
    "many_arguments": "input: [3, 8, 8]\nlayers: {a: {kind: b, repeat: 5000}}\nblocks:\n  b:\n    args:\n"
    + "".join(f"      a{n}: {n}\n" for n in range(5000))
    + "    layers: {x: {kind: relu}}\n",
    "many_sources": "input: [3, 8, 8]\nlayers: {a: {kind: b, repeat: 4000}}\nblocks:\n  b:\n    layers:\n"
    + f"      a: {{kind: add, from: [{', '.join(['input'] * 10_000)}]}}\n",
    "control": "input: [3, 8, 8]\nname: a\u0007b\n",
    "aliases": "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(50)),
}


@pytest.mark.parametrize("name", GENERATED)
def test_hostile_specs_cost_little(name: str, tmp_path: Path) -> None:
    """Against a run on a harmless network of half the size that is allowed."""
    hostile = tmp_path / "hostile.yaml"
    hostile.write_text(GENERATED[name])
    calls, code, memory, _ = harmless()
    assert code == 0
    hostile_calls, hostile_code, hostile_memory, error = run(hostile)
    assert hostile_code == 2, error
    assert "Traceback" not in error
    assert len(error) < 20_000
    assert hostile_memory - memory < 100_000
    assert hostile_calls < MOST_WORK * calls


@cache
def harmless() -> tuple[int, int, int, str]:
    """The same of a network that anybody may write."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "harmless.yaml"
        path.write_text(f"input: [3, 8, 8]\nlayers: {{a: {{kind: relu, repeat: {expand.MAX_LAYERS // 2}}}}}")
        return run(path)


def run(path: Path) -> tuple[int, int, int, str]:
    """Calls of functions, exit code, peak memory in KiB and stderr of `costcalc show`."""
    script = (
        "import re, sys; from costcalc import cli\n"
        "calls = 0\n"
        "def count(frame, event, _):\n"
        "    global calls; calls += event in ('call', 'c_call')\n"
        "sys.setprofile(count)\n"
        "code = cli.main(['show', sys.argv[1], '--by', 'formula'])\n"
        "sys.setprofile(None)\n"
        # not ru_maxrss, which a process has from the one that started it
        "peak = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"
        "print('used', code, peak, calls)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    _, code, memory, calls = found.stdout.splitlines()[-1].split()
    return int(calls), int(code), int(memory), found.stderr


texts = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="abc:{}[]&*!|>-,#'\"$ \n\t0123456789.", max_size=200),
)
GOOGLENET = catalogue.text_of(catalogue.find("googlenet"))


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The preset's text with a few stretches cut, doubled or overwritten."""
    text = GOOGLENET
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        text = text[:start] + draw(st.one_of(st.just(text[start:end] * 2), texts)) + text[end:]
    return text


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(texts, damaged()))
def test_any_text_loads_or_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(CostcalcError):  # anything else is a bug
        spec.load(str(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"\x00", "not YAML"),
        (b"\x89PNG\r\n\x1a\n", "is not UTF-8 text"),
    ],
)
def test_files_that_are_no_text(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_bytes(content)
    with pytest.raises(CostcalcError, match=reason):
        spec.load(str(path))


@pytest.mark.parametrize("name", ["missing.yaml", ".", "no\0name.yaml", "a/b"])
def test_files_that_cannot_be_read(name: str) -> None:
    with pytest.raises(CostcalcError, match="cannot be read"):
        spec.load(name)


HUGE_BUT_FINE = {
    "adaptive": "input: [3, 8, 8]\nlayers: {a: {kind: adaptive_avgpool, size: [1000000, 1], repeat: 50}}",
    "strides": "input: [1, 1, 1]\n"
    "layers: {a: {kind: conv, out: 1, kernel: 3, stride: 16777216, pad: 1, repeat: 2000}}",
}


@pytest.mark.parametrize("name", HUGE_BUT_FINE)
@pytest.mark.parametrize("flags", [["--json"], ["--metrics", "receptive_field,other_ops"]], ids=" ".join)
def test_huge_values_are_no_trouble(name: str, flags: list[str], written: Callable[..., str]) -> None:
    assert cli.main(["show", written(HUGE_BUT_FINE[name]), "--by", "formula", *flags]) == 0


def test_a_pipe_is_no_base(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    path = tmp_path / "net.yaml"
    for base in ("pipe.yaml", "-", "missing.yaml", "."):
        path.write_text(f"base: '{base}'\n")
        with pytest.raises(CostcalcError, match=r"net.yaml:1:7: base: .* is not a file"):
            spec.load(str(path))


def test_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_bytes(b"\xef\xbb\xbfinput: [3, 8, 8]\r\nlayers:\r\n  a: {kind: relu}\r\n")
    assert spec.load(str(path)).outputs == ("a",)


def test_a_name_that_is_nearly_a_preset() -> None:
    with pytest.raises(CostcalcError, match="did you mean 'googlenet'"):
        spec.load("gogglenet")
