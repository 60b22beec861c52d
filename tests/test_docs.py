"""The documents are true: every console block is run, every example works, every report is current."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.speed import __main__ as speed
from costcalc import cli
from costcalc.cli import app

ROOT = Path(__file__).resolve().parent.parent
SPEED = "python -m benchmarks.speed"
README = ROOT / "README.md"
PROSE = re.sub(r"```.*?```", "", README.read_text(), flags=re.DOTALL)  # without what commands print
BROKEN = """input: [3, 32, 32]
layers:
  conv1: {kind: conv, out: 64, kernal: 7}
  pool1: {kind: maxpol, kernel: 3}
  fc:    {kind: linear, out: $classes}
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the README speaks of."""
    (spec,) = blocks("yaml")
    (tmp_path / "tiny-resnet.yaml").write_text(spec)
    (tmp_path / "costcalc.toml").write_text("".join(blocks("toml")))
    (tmp_path / "broken.yaml").write_text(BROKEN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(command: str) -> str:
    """What a command prints, errors included, as on a screen."""
    out = io.StringIO()
    main = speed.main if command.startswith(SPEED) else cli.main
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        main(shlex.split(command.removeprefix(SPEED).removeprefix("costcalc")))
    return out.getvalue()


def updated(text: str, block: str, right: str, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        README.write_text(text.replace(block, right))
    assert right in README.read_text()


@pytest.mark.parametrize("index", range(len(blocks("console"))))
@pytest.mark.usefixtures("desk")
def test_console_blocks(index: int, request: pytest.FixtureRequest) -> None:
    block = blocks("console")[index]
    command = block.splitlines()[0].removeprefix("$ ")
    assert command.startswith("costcalc ")
    right = f"$ {command}\n{ran(command)}"
    updated(README.read_text(), f"```console\n{block}```", f"```console\n{right}```", request)


@pytest.mark.parametrize("command", "".join(blocks("shell")).splitlines())
def test_commands_that_measure_are_spelt_right(command: str) -> None:
    """They take a device or minutes, so that only their options are read here."""
    _, name, *argv = shlex.split(command)
    found = app.loaded(name)
    if hasattr(found, "commands"):  # bench, and what it may be followed by
        name, argv = (argv[0], argv[1:]) if argv[0] in found.commands else ("run", argv)
        found = found.commands[name]
    with found.make_context(name, list(argv)) as context:
        assert context.params


@pytest.mark.usefixtures("desk")
def test_the_python_example(request: pytest.FixtureRequest) -> None:
    (code,), (shown,) = blocks("python"), blocks("text")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "README.md", "exec"), {})
    updated(README.read_text(), f"```text\n{shown}```", f"```text\n{out.getvalue()}```", request)
    assert len(code.strip().splitlines()) <= 12


def test_the_example_of_a_test_passes(desk: Path) -> None:
    (code,) = blocks("py")
    (desk / "test_costs.py").write_text(f"import torch\n\n\n{code}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_costs.py"], cwd=desk, capture_output=True, text=True
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.usefixtures("desk")
def test_the_example_spec_is_right() -> None:
    assert "AGREE" in ran("costcalc check tiny-resnet.yaml")
    assert "Published figures: 1 of 1 hold." in ran("costcalc check tiny-resnet.yaml")
    assert cli.main(["check", "tiny-resnet.yaml", "--training", "--set", "body.kernel=5"]) == 0


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    "command",
    sorted({code for code in re.findall(r"`(costcalc [^`]+)`", PROSE) if "…" not in code}),
)
def test_commands_in_the_text_work(command: str) -> None:
    finding = command.startswith("costcalc guard")  # the README's network is above one of its limits
    assert cli.main(shlex.split(command)[1:]) in ((0, 1) if finding else (0,))


def test_every_command_stands_in_the_readme() -> None:
    text = README.read_text()
    for name in app.COMMANDS:
        assert f"costcalc {name}" in text


def test_two_commands_do_all_the_set_up() -> None:
    main, tests = "".join(blocks("sh")).splitlines()
    assert main.endswith("costcalc compare naive reduced")
    assert "pytest" in tests


REPORTS = dict(
    re.findall(
        rf"\[([\w.-]+\.(?:md|html))\]\([\w.-]+\) \| `((?:costcalc|{SPEED}) [^`]+)`",
        (ROOT / "reports/README.md").read_text(),
    )
)
WRITING = sorted({it for it in REPORTS.values() if it.startswith(("costcalc report ", SPEED))})
PAGES = sorted((ROOT / "reports").glob("*.md"))


def test_every_report_is_listed() -> None:
    pages = {path.name for ending in ("md", "html") for path in (ROOT / "reports").glob(f"*.{ending}")}
    assert pages == {*REPORTS, "README.md"}


@pytest.mark.parametrize("name", [name for name, command in REPORTS.items() if command not in WRITING])
def test_reports_are_current(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"../reports/{name}", ran(REPORTS[name]))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like that of the repository, with the reports' entrance and runs and nothing else."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/README.md").write_text((ROOT / "reports/README.md").read_text())
    (tmp_path / "reports/runs").symlink_to(ROOT / "reports/runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "reports"


def versionless(text: str) -> str:
    return re.sub(r"\b(costcalc|torch|fvcore) [0-9][\w.+]*(?= ·|\s*$|<)", r"\1 …", text, flags=re.MULTILINE)


@pytest.mark.parametrize("command", WRITING)
def test_written_reports_are_current(command: str, folder: Path, request: pytest.FixtureRequest) -> None:
    """Every file that the command writes, charts included, and each page that is said to come of it."""
    told = ran(command).splitlines()
    written = {line.removeprefix("reports/") for line in told if line.startswith("reports/")}
    assert {name for name, its in REPORTS.items() if its == command} == {
        name for name in written if not name.endswith(".svg")
    }
    for name in sorted(written):
        committed = ROOT / "reports" / name
        found = (folder / name).read_text()
        if request.config.getoption("--update-golden"):
            committed.parent.mkdir(exist_ok=True)
            committed.write_text(found)
        assert versionless(found) == versionless(committed.read_text()), name


def test_every_chart_is_shown() -> None:
    """None is left behind by a page that no longer shows it."""
    shown = {name for page in PAGES for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text())}
    assert shown == {f"charts/{path.name}" for path in (ROOT / "reports").rglob("*.svg")}


def test_links_and_images_resolve() -> None:
    for page in [README, *PAGES]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def tables(text: str) -> list[list[list[str]]]:
    """The cells of every table of a page, headers first."""
    found = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in line[1:-2].split(" |")] for line in table.splitlines(True)]
        for table in found
    ]


def totalled(text: str) -> list[list[list[str]]]:
    """The tables whose last row is their total."""
    return [rows for rows in tables(text) if [row[0] for row in rows if row[0] == "total"] == [rows[-1][0]]]


TOTALLED = [page for page in PAGES if totalled(page.read_text())]


@pytest.mark.parametrize("page", TOTALLED, ids=lambda page: page.name)
def test_columns_sum_to_the_totals(page: Path) -> None:
    checked = 0
    for headers, _, *rows in totalled(page.read_text()):
        for index, header in enumerate(headers):
            cells = [row[index].replace(",", "") for row in rows]
            if header != "output" and all(map(str.isdigit, cells)):
                *numbers, total = map(int, cells)
                assert sum(numbers) == total, header
                checked += 1
    assert checked > 1


def test_some_reports_have_totals() -> None:
    assert {f"{name}.md" for name in ("googlenet", "vgg16", "resnet50", "paper-googlenet")} <= {
        page.name for page in TOTALLED
    }
