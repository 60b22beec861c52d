"""The action for pull requests, run step by step as a runner does, with a `gh` that keeps comments."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
NET = """input: [3, 32, 32]
layers:
  conv1: {kind: conv, out: 16, kernel: 3, pad: 1}
  conv2: {kind: conv, out: 32, kernel: %d, pad: same}
  pool: {kind: global_avgpool}
"""
BUDGET = """[[budget]]
models = ["nets/*.yaml"]
macs = "6M"
"""
GH = """#!%s
import json, os, sys
from pathlib import Path
if os.environ.get("REFUSED"):
    sys.exit("gh: Resource not accessible by integration (HTTP 403)")
kept = Path(os.environ["COMMENTS_FILE"])
comments = json.loads(kept.read_text()) if kept.exists() else {"7": "from a person"}
argv = sys.argv[1:]
assert argv[0] == "api"
if "--jq" in argv:
    assert "/issues/12/comments" in " ".join(argv)
    print("\\n".join(id for id, body in comments.items() if body.startswith("<!-- costcalc guard -->")))
    sys.exit()
body = Path(next(word for word in argv if word.startswith("body=@")).removeprefix("body=@")).read_text()
if "PATCH" in argv:
    id = argv[argv.index("PATCH") + 1].rpartition("/")[2]
    assert id in comments
else:
    assert argv[argv.index("POST") + 1].endswith("/issues/12/comments")
    id = str(100 + len(comments))
comments[id] = body
kept.write_text(json.dumps(comments))
"""


@dataclass(frozen=True)
class Job:
    """A runner's folders and what the event says."""

    here: Path
    repository: Path

    def git(self, *argv: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", *who, *argv], cwd=self.repository, capture_output=True, text=True, check=True
        ).stdout.strip()

    def run(self, base: str, **environment: str) -> tuple[int, str]:
        """All steps but the installation, as a runner does them; the last code and all output."""
        said, outputs = "", dict[str, str]()
        for step in ACTION["runs"]["steps"][1:]:
            known = {
                "inputs.working-directory": ".",
                "inputs.config": "",
                "inputs.base": base,
                "inputs.arguments": ACTION["inputs"]["arguments"]["default"],
                "inputs.token": "secret",
                "runner.temp": str(self.here),
                "github.repository": "people/nets",
                "github.event.pull_request.number": "12",
                **{f"steps.guard.outputs.{key}": value for key, value in outputs.items()},
            }
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.repository,
                env=self.environment({**filled(step.get("env", {}), known), **environment}),
                capture_output=True,
                text=True,
            )
            said += done.stdout + done.stderr
            written = (self.here / "output").read_text() if (self.here / "output").exists() else ""
            outputs = dict(line.split("=", 1) for line in written.splitlines())
            if done.returncode:
                break
        return done.returncode, said

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": f"{self.here}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.here),
            "PYTHONPATH": str(ROOT),
            "GITHUB_WORKSPACE": str(self.repository),
            "GITHUB_OUTPUT": str(self.here / "output"),
            "GITHUB_STEP_SUMMARY": str(self.here / "summary.md"),
            "COMMENTS_FILE": str(self.here / "comments.json"),
            **more,
        }

    @property
    def comments(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.here / "comments.json").read_text())
        return found


def filled(given: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """What a runner makes of `${{ … }}`; one that is not known here is a KeyError."""
    return {
        key: re.sub(r"\$\{\{ *([^}]*?) *\}\}", lambda found: known[found[1]], text)
        for key, text in given.items()
    }


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A repository whose main branch keeps its budget."""
    here, repository = tmp_path / "runner", tmp_path / "a repository"
    here.mkdir()
    (repository / "nets").mkdir(parents=True)
    (here / "gh").write_text(GH % sys.executable)
    (here / "gh").chmod(stat.S_IRWXU)
    (repository / "nets/tiny.yaml").write_text(NET % 3)
    (repository / "costcalc.toml").write_text(BUDGET)
    (repository / "data.yaml").write_text("no: spec\n")
    found = Job(here, repository)
    found.git("init", "-q", "-b", "main")
    found.git("add", "-A")
    found.git("commit", "-qm", "a network within its budget")
    return found


def test_within_the_budget_it_passes_and_says_so(job: Job) -> None:
    code, said = job.run("main")
    assert code == 0, said
    assert "::error" not in said
    assert list(job.comments) == ["7", "101"]
    assert job.comments["7"] == "from a person"
    assert "tiny.yaml" in job.comments["101"]


def test_a_change_that_breaks_the_budget_fails_on_its_line(job: Job) -> None:
    (job.repository / "nets/tiny.yaml").write_text(NET % 5)
    (job.repository / "data.yaml").write_text("no: more\n")
    code, said = job.run("main")
    assert code == 1, said
    (error,) = re.findall(r"^::error .*$", said, re.MULTILINE)
    assert "file=nets/tiny.yaml,line=4" in error
    macs = 3 * 16 * 9 * 32 * 32 + 16 * 32 * 25 * 32 * 32
    assert f"{macs - 6_000_000:,}" in error  # by how much
    assert f"{macs:,}" in (job.here / "summary.md").read_text()
    told = job.comments["101"]
    assert "<summary>nets/tiny.yaml</summary>" in told
    assert "data.yaml" not in told
    assert "kernel" in told  # what was changed


def test_a_spec_that_was_renamed_is_compared_with_what_it_was(job: Job) -> None:
    job.git("mv", "nets/tiny.yaml", "nets/other name.yaml")
    (job.repository / "nets/other name.yaml").write_text(NET % 5)
    job.git("add", "-A")
    job.run("main")
    told = job.comments["101"]
    assert "<summary>nets/other name.yaml</summary>" in told
    assert "kernel 3 → 5" in told


def test_one_comment_is_kept_up_to_date(job: Job) -> None:
    (job.repository / "nets/tiny.yaml").write_text(NET % 5)
    job.run("main")
    before = job.comments
    (job.repository / "nets/tiny.yaml").write_text(NET % 3)
    code, said = job.run("main")
    assert code == 0, said
    assert before.keys() == job.comments.keys()
    assert before["101"] != job.comments["101"]
    assert before["7"] == job.comments["7"]


def test_a_comment_that_may_not_be_written_is_a_warning(job: Job) -> None:
    code, said = job.run("main", REFUSED="yes")
    assert code == 0, said
    assert "::warning title=costcalc::The comment could not be written" in said


@pytest.mark.parametrize("base", ["", "0" * 40])
def test_without_a_base_it_judges_what_there_is(job: Job, base: str) -> None:
    code, said = job.run(base)
    assert code == 0, said


def test_a_mistake_in_the_configuration_fails_with_its_place(job: Job) -> None:
    (job.repository / "costcalc.toml").write_text(BUDGET.replace("macs", "mcas"))
    code, said = job.run("main")
    assert code == 2, said
    assert "costcalc.toml:3" in said
    assert "did you mean 'macs'" in said


def test_every_input_is_described_and_used() -> None:
    text = (ROOT / "action.yml").read_text()
    for name, given in ACTION["inputs"].items():
        assert given["description"]
        assert f"inputs.{name}" in text


def test_hooks_are_commands_that_exist() -> None:
    from costcalc import cli

    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()):
        assert hook["language"] == "system"
        _, *argv = hook["entry"].split()
        assert cli.main([*argv, "--help"]) == 0
