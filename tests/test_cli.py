"""The command line: every command in every format, exit codes, streams, and what is not imported."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from costcalc import cli, schema, spec
from costcalc.cli import app

Run = Callable[..., tuple[int, str, str]]
Capture = pytest.CaptureFixture[str]

MADE_UP = Path(__file__).parent / "data" / "made-up"  # runs that nobody measured; see made_up.py
GUARDED = Path(__file__).parent / "data" / "guard"  # a repository of somebody's networks
COMMANDS: dict[str, list[str]] = {
    "list": ["list"],
    "show": ["show", "googlenet", "--by", "formula"],
    "show-layers": ["show", "reduced", "--layers", "--metrics", "macs,intensity,receptive_field,norm"],
    "compare": ["compare", "naive", "reduced"],
    "compare-pair": ["compare", "conv5x5", "conv3x3-pair"],
    "compare-dense": ["compare", "dense", "bottleneck", "--by", "formula"],
    "compare-three": ["compare", "googlenet", "googlenet-caffe", "googlenet-torchvision", "--by", "formula"],
    "budget": ["budget", "googlenet", "--limit", "1.5e9"],
    "budget-exceeded": [
        *["budget", "googlenet-caffe", "--limit", "1.5G", "--params", "7M", "--activations", "9M"],
        *["--peak-activations", "1M", "--block", "inception_3a=130M", "--block", "linear:params=1M"],
    ],
    "budget-why": [
        *["budget", "googlenet-caffe", "--limit", "1.5G", "--params", "1M", "--block", "inception_3a=100M"],
        *["--why", "--by", "formula"],
    ],
    "diff": ["diff", "googlenet-caffe", "googlenet"],
    "diff-input": ["diff", "vgg16", "vgg16@input=3x192x192", "--by", "formula"],
    "check": ["check", "reduced"],
    "claims": ["claims", "--paper", "rethinking"],
    "claims-all": ["claims", "--why"],
    "claim": ["claims", "R02"],
    "claim-table": ["claims", "G02"],
    "formula": ["formula", "grid-conv-pool", "--symbols", "d=2*h,k"],
    "formula-block": ["formula", "inception"],
    "formula-latex": ["formula", "conv3x3-pair", "--latex"],
    "sweep": [
        *["sweep", "mobilenet-v1", "--over", "width=8:40:8", "--over", "size=128:224:32"],
        *["--limit", "300M", "--top", "5"],
    ],
    "sweep-refused": ["sweep", "alexnet", "--over", "groups=1:4", "--over", "input=3x40:240:50"],
    "sweep-none": ["sweep", "naive", "--over", "module=inception_3a,inception_4a", "--params", "300K"],
    "kinds": ["kinds"],
    "show-model": ["show", "torchvision:resnet18", "--layers"],
    "show-tokens": ["show", "nets:Words", "--input", "16:int64", "--input", "mask=16", "-k", "width=8"],
    "show-unknown": ["show", "nets:Spectral", "--input", "3x8x8"],
    "show-train": ["show", "torchvision:alexnet", "--train"],
    "show-convention": ["show", "torchvision:squeezenet1_1", "--convention", "fvcore", "--depth", "2"],
    "compare-model": ["compare", "googlenet-torchvision", "torchvision:googlenet"],
    "budget-model": ["budget", "torchvision:googlenet", "--limit", "1.5e9", "--convention", "fvcore"],
    "check_model": ["check", "torchvision:squeezenet1_1"],
    "reconcile": ["reconcile", "torchvision:vit_b_16", "--no-run"],
    "compare-on": ["compare", "naive", "reduced", "--on", "h200,t4", "--batch", "32", "--by", "formula"],
    "budget-on": [
        "budget",
        "googlenet",
        "--limit",
        "1.5G",
        "--latency",
        "9ms",
        "--on",
        "t4",
        "--by",
        "formula",
    ],
    "predict": ["predict", "googlenet", "--on", "h200", "--batch", "64", "--dtype", "fp16"],
    "predict-many": ["predict", "vgg16", "resnet50", "googlenet", "--on", "h200,t4,a100", "--batch", "1,64"],
    "predict-layers": ["predict", "reduced", "--on", "rtx4090", "--mode", "compile", "--layers"],
    "bench": ["bench", "show", f"{MADE_UP}-gpu.json"],
    "bench-cpu": ["bench", "show", f"{MADE_UP}-cpu.json"],
    "bench-poor": ["bench", "show", f"{MADE_UP}-poor.json"],
    "bench_compare": ["bench", "compare", f"{MADE_UP}-gpu.json", f"{MADE_UP}-slower.json"],
    "guard": ["guard", "--config", f"{GUARDED}/costcalc.toml", "--why"],
    "guard-kept": ["guard", "--config", f"{GUARDED}/costcalc.toml", "reduced"],
    "validate": ["validate", f"{MADE_UP}-gpu.json", f"{MADE_UP}-slower.json"],
}
EXITS = {
    "sweep-none": 1,
    "guard": 1,
    "budget-exceeded": 1,
    "budget-why": 1,
    "budget-model": 1,
    "bench_compare": 1,
}
ENDINGS = {"text": "txt", "markdown": "md", "csv": "csv", "json": "json"}


def names_of_commands() -> list[str]:
    return list(app.COMMANDS)


@pytest.fixture
def run(capsys: Capture) -> Run:
    def call(*argv: str) -> tuple[int, str, str]:
        code = cli.main(list(argv))
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.mark.parametrize("format", ENDINGS)
@pytest.mark.parametrize("name", COMMANDS)
def test_output(name: str, format: str, run: Run, golden: Callable[[str, str], None]) -> None:
    code, out, err = run(*COMMANDS[name], "--format", format)
    assert code == EXITS.get(name, 0)
    assert err == ""
    if format == "json":
        out = re.sub(r'("(?:costcalc|torch|fvcore|torchvision|timm)": )"[^"]*"', r'\1"…"', out)
    golden(f"golden/{name}.{ENDINGS[format]}", out)


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("name", COMMANDS)
def test_on_a_terminal(
    name: str, width: int, run: Run, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = run(*COMMANDS[name], "--format", "rich")
    assert code == EXITS.get(name, 0)
    assert max(map(len, out.splitlines())) <= width
    assert out.count("…") == run(*COMMANDS[name], "--format", "text")[1].count("…")  # nothing is cut
    golden(f"golden/{name}.{width}.rich", out)


@pytest.mark.parametrize("name", COMMANDS)
def test_json_keeps_its_schema(name: str, run: Run) -> None:
    _, out, _ = run(*COMMANDS[name], "--json")
    found = json.loads(out)
    kind = name.partition("-")[0]
    assert found["schema"] == f"costcalc.{kind}/1"
    jsonschema.validate(found, schema.of(kind))
    assert found["provenance"]["versions"]["costcalc"]


@pytest.mark.parametrize("kind", schema.KINDS)
def test_schemas_are_strict_enough(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema.of(kind))
    empty = {"schema": f"costcalc.{kind}/1", "result": {}, "provenance": {}, "warnings": []}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(empty, schema.of(kind))


def test_every_command_that_shows_has_a_schema_a_golden_file_and_help(run: Run) -> None:
    shown = set(names_of_commands()) - {"schema", "report"}  # which write documents
    assert set(schema.KINDS) == {*shown, "claim", "check_model", "bench_compare"}  # other views of a command
    assert {name.partition("-")[0] for name in COMMANDS} == set(schema.KINDS) - {
        "doctor",
        "calibrate",
    }  # of the machine
    for name in names_of_commands():
        for flag in ("-h", "--help"):
            code, out, err = run(name, flag)
            assert (code, err) == (0, "")
            assert f"Usage: costcalc {name}" in out


def test_first_screen(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out == run("--help")[1]
    assert "costcalc compare naive reduced" in out
    assert len(out.splitlines()) < 45


def test_version(run: Run) -> None:
    code, out, _ = run("--version")
    assert code == 0
    assert re.fullmatch(r"costcalc \S+ · torch \S+ · fvcore \S+\n", out)


def test_help_promises_no_model_where_none_is_taken(run: Run) -> None:
    assert "torchvision:NAME" in run("show", "--help")[1]
    assert "torchvision:NAME" not in run("sweep", "--help")[1]
    assert "is a model" in run("sweep", "torchvision:resnet18", "--over", "width=1:3")[2]


@pytest.mark.parametrize("name", ["show", "compare", "budget", "check"])
def test_columns_sum_to_the_printed_totals(name: str, run: Run) -> None:
    argv = {
        "show": ["googlenet"],
        "compare": ["naive", "reduced"],
        "budget": ["googlenet", "--limit", "1"],
        "check": ["naive"],
    }
    _, out, _ = run(name, *argv[name], "--json")
    result = json.loads(out)["result"]
    for grid in result.values():
        if isinstance(grid, dict) and "total" in grid:
            for key, total in grid["total"].items():
                if key in ("params", "macs", "activations", "reads", "writes", "other_ops"):
                    assert sum(row[key] for row in grid["rows"]) == total


def test_the_figures_of_the_papers(run: Run) -> None:
    _, out, _ = run("compare", "naive", "reduced")
    assert "303,464,448 → 128,049,152 MACs, 2.370× fewer" in out
    assert "387,072 → 163,328 weights" in out
    assert re.search(r"output channels +416 +256", out)
    _, out, _ = run("compare", "conv5x5", "conv3x3-pair")
    assert re.search(r"MACs +80,281,600 +57,802,752 +25/18 = 1\.389× +28\.0 %", out)
    _, out, _ = run("compare", "dense", "bottleneck")
    assert "100,000,000 → 2,000,000 weights, 50× fewer" in out


@pytest.mark.parametrize(
    ("limit", "code"),
    [("1498677248", 0), ("1498677247", 1), ("1.5G", 0), ("1.4 GMACs", 1), ("1_500_000_000", 0), ("0", 1)],
)
def test_a_budget_is_kept_to_the_last_mac(limit: str, code: int, run: Run) -> None:
    assert run("budget", "googlenet", "--limit", limit, "--by", "formula")[0] == code


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["budget", "googlenet", "--limit", "3 GFLOPs"], "1 MAC = 2 FLOPs"),
        (["budget", "googlenet", "--limit", "-1"], "is not a count"),
        (["budget", "googlenet", "--limit", "1.5"], "not a whole number"),
        (["budget", "googlenet"], "no limit given"),
        (["budget", "googlenet", "--block", "inception_3c=1G"], "did you mean 'inception_4c'"),
        (["budget", "googlenet", "--block", "inception_3a:weight=1G"], "did you mean 'weights'"),
        (["budget", "googlenet", "--block", "inception_3a"], "write --block NAME=LIMIT"),
        (["show", "gogglenet"], "did you mean 'googlenet'"),
        (["show", "googlenet", "--metrics", "mac"], "did you mean 'macs'"),
        (["show", "googlenet", "--set", "classes"], "write --set PATH=VALUE"),
        (["show", "googlenet", "--set", "classes=1", "--set", "classes=2"], "given twice"),
        (["compare", "naive"], "two specs or more"),
        (["compare", "naive", "reduced", "--set", "modul=inception_3b"], "did you mean 'module'"),
        (["schema", "shew"], "did you mean 'show'"),
        (["sweep", "mobilenet-v1"], "--over"),
        (["sweep", "mobilenet-v1", "--over", "width"], "write --over PATH=VALUES"),
        (["sweep", "mobilenet-v1", "--over", "width=1:3", "--limit", "3 GFLOPs"], "1 MAC = 2 FLOPs"),
        (["sweep", "mobilenet-v1", "--over", "width=1:3", "--set", "width=3"], "both give 'width'"),
        (["sweep", "mobilenet-v1", "--over", "widht=1:3"], "did you mean 'width'"),
        (["shew"], "show"),
        (["show", "googlenet", "--fromat", "text"], "--format"),
        (["show"], "SPEC"),
        (["show", "json"], "no preset or file 'json'"),
        (["show", "googlenet", "--spec", "-f", "csv"], "--spec prints the YAML"),
        (["show", "googlenet", "--spec", "--set", "clases=1"], "--spec prints the YAML"),
        (["show", "googlenet", "-f", "jsn"], "did you mean 'json'"),
        (["budget", "googlenet", "--block", "conv1:macc=1G"], "did you mean 'macs'"),
        (["show", "googlenet", "--by", "guess"], "guess"),
    ],
)
def test_usage_errors(argv: list[str], message: str, run: Run) -> None:
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("costcalc: ")


@pytest.mark.parametrize(
    "flags", [["--json"], ["--format", "json"], ["--format=json"], ["-f", "json"], ["-fjson"]]
)
def test_errors_are_json_where_json_was_asked_for(flags: list[str], run: Run) -> None:
    code, out, err = run("show", "gogglenet", *flags)
    assert (code, out) == (2, "")
    found = json.loads(err)
    jsonschema.validate(found, schema.of("error"))
    assert found["exit_code"] == 2
    assert "did you mean 'googlenet'" in found["errors"][0]["message"]


def test_settings_of_a_comparison_go_to_those_that_have_them(run: Run) -> None:
    _, out, _ = run(
        "compare", "naive", "reduced", "--set", "module=inception_5a", "--by", "formula", "--json"
    )
    (macs,) = [row for row in json.loads(out)["result"]["totals"]["rows"] if row["metric"] == "macs"]
    assert (macs["values"]["naive"], macs["values"]["reduced"]) == (258_306_048, 51_079_168)
    code, out, _ = run("compare", "dense", "bottleneck", "--set", "bottleneck=10", "--by", "formula")
    assert code == 0
    assert "500×" in out


def test_names_may_be_words_of_the_output(run: Run, tmp_path: Path) -> None:
    for name in ("metric", "ratio"):
        (tmp_path / f"{name}.yaml").write_text(f"base: conv5x5\nparams: {{c: {len(name)}}}\n")
    _, out, _ = run("compare", *(str(tmp_path / f"{name}.yaml") for name in ("metric", "ratio")), "--json")
    row = json.loads(out)["result"]["totals"]["rows"][0]
    assert (row["metric"], row["ratio_exact"]) == ("macs", "36/25")
    assert row["values"] == {"metric": 25 * 36 * 784, "ratio": 25 * 25 * 784}


def test_claims_are_judged_as_the_spec_stands(run: Run) -> None:
    for argv in (["reduced", "--set", "module=inception_4e"], ["dense", "--set", "units=8"]):
        code, out, _ = run("check", *argv)
        assert code == 0
        assert "not judged under other settings" in out
    assert "Published figures: 1 of 1 hold" in run("check", "dense")[1]


def test_one_architecture_twice_keeps_two_columns(run: Run) -> None:
    _, out, _ = run("compare", "naive", "naive", "naive@module=inception_4a", "--by", "formula", "--json")
    (macs,) = [row for row in json.loads(out)["result"]["totals"]["rows"] if row["metric"] == "macs"]
    assert macs["values"]["naive (1)"] == macs["values"]["naive (2)"] == 303_464_448
    assert macs["values"]["naive@module=inception_4a"] == 307_077_120


def test_csv_has_plain_numbers(run: Run) -> None:
    _, out, _ = run("show", "naive", "--by", "formula", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert rows[1]["name"] == "3x3"
    assert int(rows[1]["macs"]) == 173_408_256
    assert rows[1]["output"] == "128x28x28"


def test_the_printed_spec_is_a_spec(run: Run, tmp_path: Path) -> None:
    _, text, _ = run("show", "googlenet-torchvision", "--spec")
    (tmp_path / "mine.yaml").write_text(text)
    _, mine, _ = run("show", str(tmp_path / "mine.yaml"), "--by", "formula", "--json")
    _, theirs, _ = run("show", "googlenet-torchvision", "--by", "formula", "--json")
    assert json.loads(mine)["result"] == json.loads(theirs)["result"]


def test_disagreement_is_a_finding(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from costcalc.layers.linear import Conv

    right = Conv.macs
    monkeypatch.setattr(Conv, "macs", lambda self, *xs: right(self, *xs) + 1)
    code, out, _ = run("check", "conv5x5", "--json")
    assert code == 1
    result = json.loads(out)["result"]
    jsonschema.validate(json.loads(out), schema.of("check"))
    assert result["agree"] is False
    assert result["disagreements"]["rows"] == [
        {
            "layer": "conv.conv",
            "quantity": "macs",
            "formula": 80_281_601,
            "trace": 80_281_600,
            "FlopCounterMode": 80_281_600,
        }
    ]
    assert [result["layers"]["rows"][0][key] for key in ("macs", "trace_macs", "third_macs", "agree")] == (
        [80_281_601, 80_281_600, 80_281_600, "no"]
    )
    for argv in (
        ["show", "conv5x5"],
        ["compare", "conv5x5", "conv3x3-pair"],
        ["budget", "conv5x5", "--limit", "1G"],
    ):
        code, out, _ = run(*argv)
        assert code == 1
        assert "DISAGREE" in out


def test_a_bug_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(spec, "load", broken)
    code, out, err = run("show", "googlenet")
    assert (code, out) == (70, "")
    assert len(err.splitlines()) == 1
    with pytest.raises(ZeroDivisionError):
        cli.main(["--debug", "show", "googlenet"])


def test_interrupted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(spec, "load", interrupted)
    assert run("show", "googlenet")[0] == 130


def test_doctor(run: Run) -> None:
    code, out, _ = run("doctor", "--json")
    jsonschema.validate(json.loads(out), schema.of("doctor"))
    assert code == 0
    names = {row["name"] for row in json.loads(out)["result"]["parts"]["rows"]}
    assert {"python", "torch", "fvcore", "pydantic"} <= names


HEAVY = ("torch", "fvcore", "numpy", "sympy", "networkx")
LIGHT = [
    ["--version"],
    ["--help"],
    ["list"],
    ["kinds"],
    ["show", "googlenet", "--by", "formula"],
    ["show", "googlenet", "--by", "formula", "--format", "markdown"],
    ["show", "googlenet", "--by", "formula", "--format", "rich"],
    ["show", "googlenet", "--spec"],
    ["compare", "naive", "reduced", "--by", "formula", "--json"],
    ["budget", "googlenet", "--limit", "1.5e9", "--by", "formula"],
    ["claims", "G05"],
    ["claims", "--verdict", "over-stated"],
    ["schema", "show"],
    ["show", "gogglenet"],
]


@pytest.mark.parametrize("argv", LIGHT, ids=" ".join)
def test_the_closed_form_needs_no_torch(argv: list[str]) -> None:
    script = (
        "import sys; from costcalc import cli; code = cli.main(sys.argv[1:])\n"
        f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script, *argv], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "loaded []"


def test_tracing_needs_no_more_than_it_must() -> None:
    script = (
        "import sys; from costcalc import cli; cli.main(['show', 'naive'])\n"
        "print('loaded', [name for name in ('torchvision', 'typer.rich_utils') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "loaded []"
    assert found.stderr == ""


@pytest.mark.parametrize("format", ["text", "rich", "json"])
def test_a_closed_pipe_is_no_error(format: str) -> None:
    command = f"{sys.executable} -m costcalc show googlenet --layers --by formula --format {format} | head -1"
    found = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout


def test_nobody_reads_the_version() -> None:
    read, write = os.pipe()
    os.close(read)
    argv = [sys.executable, "-m", "costcalc", "--version"]
    found = subprocess.run(argv, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_no_error(closed: str) -> None:
    found = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m costcalc list {closed}"], capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("word", ["list", "--version", "--help"])
def test_a_full_disk_is_said(word: str) -> None:
    with open("/dev/full", "w") as full:
        argv = [sys.executable, "-m", "costcalc", word]
        found = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True)
    assert found.returncode == 3
    assert found.stderr == "costcalc: cannot write: No space left on device\n"


def on_a_terminal(argv: list[str], **environment: str) -> str:
    """What a terminal gets: stdout and stderr are a pseudo-terminal."""
    parent, child = pty.openpty()
    env = {
        key: value
        for key, value in os.environ.items()
        if key not in ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "costcalc", *argv], stdout=child, stderr=child, env={**env, **environment}
    )
    os.close(child)
    found = b""
    while True:
        try:
            chunk = os.read(parent, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        found += chunk
    process.wait()
    os.close(parent)
    return found.decode()


def test_colour_follows_the_environment() -> None:
    argv = ["budget", "googlenet", "--limit", "1.5G", "--by", "formula"]
    assert "\x1b[" in on_a_terminal(argv, TERM="xterm-256color")
    assert "\x1b[32m" not in on_a_terminal(argv, TERM="xterm-256color", NO_COLOR="1")
    assert "\x1b[" not in on_a_terminal(argv, TERM="dumb")


def test_help_in_a_pipe_has_no_escape_codes() -> None:
    env = {**os.environ, "GITHUB_ACTIONS": "true", "FORCE_COLOR": "1"}
    found = subprocess.run(
        [sys.executable, "-m", "costcalc", "show", "--help"],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )
    assert "\x1b" not in found.stdout + found.stderr
