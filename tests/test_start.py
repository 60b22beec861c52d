"""What a command loads, reads and runs before it answers: guarded without a clock.

What each command loads of this package and of others, and which shipped files it opens, stands in
``golden/start``: what makes a command slower to start is a line in a diff.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from inspect import getdoc
from pathlib import Path

import pytest
from test_cli import MADE_UP

import costcalc
from costcalc.cli import app

HERE = Path(__file__).parent
PACKAGE = Path(costcalc.__file__).parent
# of each command one call; what is measured or written is left to its help
CALLS: dict[str, str] = {
    "": "--version",
    "help": "--help",
    "list": "list",
    "show": "show googlenet --by formula",
    "show-trace": "show googlenet",
    "compare": "compare naive reduced --by formula",
    "budget": "budget googlenet --limit 1.5e9 --by formula",
    "budget-why": "budget googlenet --limit 1 --by formula --why",
    "check": "check naive",
    "reconcile": "reconcile naive --no-run",
    "claims": "claims G05",
    "sweep": "sweep mobilenet-v1 --over width=8:64:8",
    "formula": "formula dense",
    "diff": "diff naive reduced --by formula",
    "report": "report naive --by formula",
    "guard": "guard --config data/guard/costcalc.toml reduced",
    "bench": f"bench show {MADE_UP}-gpu.json",
    "predict": "predict googlenet --on h200",
    "calibrate": "calibrate --help",
    "validate": f"validate {MADE_UP}-gpu.json",
    "kinds": "kinds",
    "schema": "schema show",
    "doctor": "doctor --help",
}
PACKAGES = (
    *("torch", "torch._dynamo", "torchvision", "fvcore", "numpy", "sympy", "networkx", "jinja2"),
    *("pydantic", "yaml", "rich.console", "rich.table", "typer.rich_utils", "importlib.metadata"),
)
WATCHED = """
import io, json, sys
opened = set()
sys.addaudithook(lambda event, args: opened.add(str(args[0])) if event == "open" else None)
from costcalc.__main__ import main
out, sys.stdout, sys.stderr = sys.stdout, io.StringIO(), io.StringIO()
try:
    main()
except SystemExit as end:
    code = end.code or 0
json.dump([code, sorted(sys.modules), sorted(opened)], out)
"""


def watched(call: str) -> tuple[set[str], list[str]]:
    """The modules that a call loads, and the shipped files that it opens."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *call.split()],
        capture_output=True,
        text=True,
        check=True,
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    code, modules, opened = json.loads(done.stdout)
    assert code in (0, 1), done.stderr
    data = [path for path in opened if path.endswith((".yaml", ".toml", ".j2")) and str(PACKAGE) in path]
    return set(modules), [Path(path).relative_to(PACKAGE).as_posix() for path in data]


def told(call: str) -> str:
    """What a call loads and opens, as lines."""
    modules, data = watched(call)
    rooms = sorted(name.removeprefix("costcalc.") for name in modules if name.startswith("costcalc."))
    others = [name for name in PACKAGES if name in modules]
    parts = {"loads": rooms, "packages": others, "opens": data}
    lines = [f"{part} {name}" for part, found in parts.items() for name in found]
    return "\n".join([f"costcalc {call.replace(str(HERE) + os.sep, '')}", *lines, ""])


@pytest.mark.parametrize("name", CALLS)
def test_what_a_command_loads(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"golden/start/{name or 'version'}.txt", told(CALLS[name]))


def test_every_command_is_watched() -> None:
    assert {name.partition("-")[0] for name in CALLS} - {"", "help"} == set(app.COMMANDS)


@pytest.mark.parametrize("name", app.COMMANDS)
def test_a_command_is_listed_by_its_own_first_line(name: str) -> None:
    command = app.loaded(name)
    assert app.COMMANDS[name].summary == (command.help or getdoc(command.callback)).splitlines()[0]
