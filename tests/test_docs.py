"""The documents are true: every console block is run, every example works, every report is current."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from costcalc import cli

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
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
    (tmp_path / "broken.yaml").write_text(BROKEN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(command: str) -> str:
    """What a command prints, errors included, as on a screen."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        cli.main(shlex.split(command)[1:])
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
    found = typer.main.get_command(cli.app).commands[name]  # type: ignore[attr-defined]
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


@pytest.mark.usefixtures("desk")
def test_the_example_spec_is_right() -> None:
    assert "AGREE" in ran("costcalc check tiny-resnet.yaml")
    assert "Published figures: 1 of 1 hold." in ran("costcalc check tiny-resnet.yaml")
    assert cli.main(["check", "tiny-resnet.yaml", "--training", "--set", "body.kernel=5"]) == 0


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    "command",
    sorted({code for code in re.findall(r"`(costcalc [^`]+)`", README.read_text()) if "…" not in code}),
)
def test_commands_in_the_text_work(command: str) -> None:
    assert cli.main(shlex.split(command)[1:]) == 0


def test_every_command_stands_in_the_readme() -> None:
    text = README.read_text()
    for name in typer.main.get_command(cli.app).commands:  # type: ignore[attr-defined]
        assert f"costcalc {name}" in text


def test_two_commands_do_all_the_set_up() -> None:
    main, tests = "".join(blocks("sh")).splitlines()
    assert main.endswith("costcalc compare naive reduced")
    assert "pytest" in tests


REPORTS = dict(
    re.findall(
        r"\[([\w.-]+\.md)\]\([\w.-]+\) \| `(costcalc [^`]+)`", (ROOT / "reports/README.md").read_text()
    )
)


def test_every_report_is_listed() -> None:
    assert {path.name for path in (ROOT / "reports").glob("*.md")} == {*REPORTS, "README.md"}


@pytest.mark.parametrize("name", REPORTS)
def test_reports_are_current(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"../reports/{name}", ran(REPORTS[name]))


def test_links_resolve() -> None:
    for page in [README, *(ROOT / "reports").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
