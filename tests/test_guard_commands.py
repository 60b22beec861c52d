"""`costcalc guard` as people, shells and runners call it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from guards import MACS, Repository

from costcalc import cli, guard, render, schema
from costcalc.cli import guarding
from costcalc.guard import config, starting
from costcalc.units import quantity

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    found = Repository(tmp_path)
    found.net()
    return found


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*argv: str) -> tuple[int, str, str]:
        code = cli.main(["guard", *argv])
        return (code, *capsys.readouterr())

    return call


def test_a_newcomer(repository: Repository, run: Run) -> None:
    code, out, err = run()
    assert (code, out) == (2, "")
    assert f"no costcalc.toml found from {repository.root} upwards; `costcalc guard init` writes one" in err
    code, out, err = run("init")
    assert (code, err) == (0, "")
    assert out.startswith(
        "Wrote costcalc.toml with limits for 1 model; set them as you need them.\nNext: `costcalc guard`"
    )
    assert run()[0] == 0
    code, out, err = run("lock")
    assert (code, out) == (0, "Wrote costcalc.lock with the counts of 1 model; commit it.\n")
    assert run("lock") == (0, "costcalc.lock is up to date.\n", "")
    assert run("lock", "--check") == (0, "costcalc.lock is up to date.\n", "")
    repository.net(kernel=5)
    code, out, _ = run("lock", "--check")
    assert code == 1
    assert out.startswith(
        f"error: nets/tiny.yaml: MACs {MACS[5]:,}, in costcalc.lock {MACS[3]:,}, and 5 more"
    )
    before = (repository.root / "costcalc.lock").read_text()
    code, out, err = run()
    assert (code, err) == (1, "")
    assert "FAILED: 1 of 3 limits kept, 2 exceeded, 1 out of date." in out
    code, out, _ = run("--why")
    assert code == 1
    assert "nets/tiny.yaml: Cheapest known change that meets the limit on total MACs: " in out
    assert (repository.root / "costcalc.lock").read_text() == before
    assert sorted(path.name for path in repository.root.iterdir()) == [
        "costcalc.lock",
        "costcalc.toml",
        "nets",
    ]


def test_what_init_writes(repository: Repository, run: Run, golden: Callable[[str, str], None]) -> None:
    repository.net("nets/deep/b c.yml", kernel=5)
    repository.write("data.yaml", "layers: of paint\n")
    for hidden in (".venv/a.yaml", "node_modules/b.yaml", "venv/c.yaml"):
        repository.net(hidden)
    assert run("init")[0] == 0
    text = (repository.root / "costcalc.toml").read_text()
    golden("golden/guard-init.toml", text)
    found = config.read(repository.root / "costcalc.toml")
    assert [budget.models[0][0] for budget in found.budgets] == ["nets/tiny.yaml", "nets/deep/b c.yml"]
    code, out, err = run("init")
    assert (code, out, err) == (
        2,
        "",
        "costcalc: costcalc.toml is there already; --force writes a costcalc.toml over it\n",
    )
    code, _, _ = run("init", "--force", "googlenet", "torchvision:resnet18", "googlenet")
    assert code == 0
    found = config.read(repository.root / "costcalc.toml")
    assert [budget.models[0][0] for budget in found.budgets] == ["googlenet", "torchvision:resnet18"]
    assert run()[0] == 0


def test_init_where_there_is_nothing_or_something_else(repository: Repository, run: Run) -> None:
    assert "no preset or file 'gogglenet'; did you mean 'googlenet'?" in run("init", "gogglenet")[2]
    assert (
        run("init", "nets:Words")[2]
        == "costcalc: nets:Words runs code of this repository; --allow-code allows that\n"
    )
    (repository.root / "nets/tiny.yaml").unlink()
    code, _, err = run("init")
    assert (code, err) == (
        2,
        f"costcalc: no spec found below {repository.root}; name a model: costcalc guard init googlenet\n",
    )
    repository.write("pyproject.toml", "[tool.costcalc]\n")
    assert "pyproject.toml is there already" in run("init", "googlenet")[2]
    assert not (repository.root / "costcalc.toml").exists()


@pytest.mark.parametrize("actual", [0, 1, 7, 95, 96, 999, 1000, 5088, 41_202_688, 1_498_677_248, 10**13 + 1])
def test_limits_are_rounded_up_to_two_digits(actual: int) -> None:
    text = starting.rounded_up(actual)
    limit = quantity(text)
    assert limit >= actual * 1.05
    assert limit <= max(actual * 1.05 * 1.1, actual + 1)
    assert len(str(limit).rstrip("0")) <= 2


FORMS = [*render.FORMATS, *guarding.FOR_CI, "rich"]


@pytest.mark.parametrize("form", FORMS)
def test_every_format(form: str, repository: Repository, run: Run) -> None:
    repository.net("nets/-ü b.yaml", kernel=5)
    repository.budget('macs = {warn = "1M", error = "10M"}')
    code, out, err = run("--format", form)
    assert (code, err) == (1, "")
    assert out == run("--format", form)[1]
    assert "nets/-ü b.yaml" in out
    code, _, err = run("--format", "jsn")
    assert (code, err) == (2, "costcalc: no format 'jsn'; did you mean 'json'?\n")
    if form == "json":
        jsonschema.validate(json.loads(out), schema.of("guard"))
        assert json.loads(run("--json", "--why")[1])["result"]["changes"]["rows"]
        assert json.loads(run("--json")[1]) == json.loads(out)
    if form == "junit":
        ElementTree.fromstring(out.partition("\n")[2])


def test_github_gets_annotations_and_a_summary(
    repository: Repository, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.budget("macs = 1")
    repository.git("init", "-q")
    summary = repository.root / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.chdir(repository.root / "nets")
    code, out, err = run("--format", "github")
    assert (code, err) == (1, "")
    assert (
        "\n::error file=nets/tiny.yaml,line=4,title=nets/tiny.yaml MACs exceeded::nets/tiny.yaml has 5.161 M"
        in out
    )
    assert summary.read_text().startswith("before\n### ../costcalc.toml: 0 of 1 limit kept, 1 exceeded\n")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(repository.root.parent))
    assert f"::error file={repository.root.name}/nets/tiny.yaml,line=4," in run("-f", "github")[1]
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(repository.root))
    code, _, err = run("-f", "github")
    assert code == 1
    assert err.startswith("costcalc: no step summary: ")


def test_github_outside_a_repository(repository: Repository, run: Run) -> None:
    repository.budget("macs = 1")
    assert "::error file=nets/tiny.yaml,line=4," in run("-f", "github")[1]


def test_exit_codes(repository: Repository, run: Run) -> None:
    repository.budget('macs = {warn = "1M"}')
    assert run()[0] == 0
    assert run("--strict")[0] == 1
    assert "FAILED" in run("--strict")[1]
    repository.budget("mac = 1", "latencyy = 2")
    code, out, err = run()
    assert (code, out) == (2, "")
    assert err.count("costcalc: costcalc.toml:") == 2
    assert "    3 | mac = 1\n" in err
    code, _, err = run("--json")
    assert code == 2
    jsonschema.validate(json.loads(err), schema.of("error"))
    repository.budget("latency = {error = '1066us', on = 't4'}", models='"googlenet"')
    code, out, _ = run()
    assert code == 3
    assert "NO VERDICT: 0 of 1 limit kept, 1 too close to call." in out


def test_code_runs_only_if_it_is_allowed(repository: Repository, run: Run) -> None:
    marker = repository.root / "ran"
    repository.write(
        "models/small.py",
        f"from pathlib import Path\nfrom torch import nn\nPath({str(marker)!r}).touch()\n"
        "def build(width=4):\n    return nn.Sequential(nn.Linear(3, width), nn.ReLU())\n",
    )
    lines = ("macs = 12", 'input = ["3"]', "arguments = {width = 4}")
    repository.budget(*lines, models='"models.small:build"')
    code, out, err = run()
    assert (code, out) == (2, "")
    assert "costcalc.toml:2:11: models: models.small:build runs code of this repository; --allow-code" in err
    assert run("init", "--force", "models.small:build")[0] == 2
    assert not marker.exists()
    code, _, err = run("init", "--force", "--allow-code", "models.small:build")
    assert (code, "in a configuration input = ['3x224x224']" in err) == (2, True)
    assert run("init", "--force", "--allow-code", "--input", "3", "models.small:build", "lenet5")[0] == 0
    written = config.read(repository.root / "costcalc.toml").budgets
    assert [each.inputs for each in written] == [("3",), ()]
    assert run("--allow-code")[0] == 0
    repository.budget(*lines, models='"models.small:build"')
    code, out, _ = run("--allow-code", "--json")
    assert code == 0
    (row,) = json.loads(out)["result"]["limits"]["rows"]
    assert (row["model"], row["actual"]) == ("models.small:build@width=4 input=3", 12)
    repository.budget(*lines, models='"models.small:build", "nets/none.yaml"')
    repository.write("more.toml", '[[budget]]\nmodels = ["lenet5", "models.small:build"]\nmacs = "1M"\n')
    assert run("--config", "more.toml", "lenet5")[0] == 0  # of which none runs code


def test_modules_beside_the_configuration_are_found_from_anywhere(
    repository: Repository, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("beside.py", "from torch import nn\n\n\ndef build():\n    return nn.Linear(3, 4)\n")
    repository.budget("macs = 12", 'input = ["3"]', models='"beside:build"')
    monkeypatch.chdir(repository.root / "nets")
    for argv, code in {("--allow-code",): 0, ("lock",): 2, ("lock", "--allow-code"): 0}.items():
        monkeypatch.delitem(sys.modules, "beside", raising=False)
        assert run(*argv)[0] == code
    assert not any(str(repository.root) == path for path in sys.path)


def test_operators_of_unknown_cost(repository: Repository, run: Run) -> None:
    repository.write(
        "spectral.py",
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.mix = nn.Conv2d(3, 3, 3)\n\n    def forward(self, x):\n"
        "        return torch.fft.fft2(self.mix(x)).real\n",
    )
    lines = ('input = ["3x8x8"]', "params = 84", "macs = '1G'", "growth.macs = '0%'")
    repository.budget(*lines, models='"spectral:Net"')
    assert run("lock", "--allow-code")[0] == 0
    assert "macs" not in (repository.root / "costcalc.lock").read_text().partition("version")[2]
    code, out, _ = run("--allow-code", "--json")
    assert code == 3
    result = json.loads(out)["result"]
    assert [row["verdict"] for row in result["findings"]["rows"]] == ["no verdict", "no verdict"]
    assert 'allow_uncounted = ["aten::' in result["summary"][0]
    word = result["summary"][0].partition('allow_uncounted = ["')[2].partition('"')[0]
    repository.budget(*lines, f'allow_uncounted = ["{word.removeprefix("aten::")}"]', models='"spectral:Net"')
    assert run("lock", "--allow-code")[0] == 0
    assert run("--allow-code")[0] == 0


def test_counts_that_depend_on_values(repository: Repository, run: Run) -> None:
    """What is counted is the most it can be: within a limit for sure, above one perhaps."""
    layers = "        super().__init__()\n        self.expert = nn.Linear(8, 8)\n\n"
    forward = "    def forward(self, x):\n        return self.expert(x[x.sum(-1) > 0])\n"
    net = f"class Net(nn.Module):\n    def __init__(self):\n{layers}{forward}"
    repository.write("sparse.py", f"from torch import nn\n\n\n{net}")
    repository.budget('input = ["8"]', "macs = 64", "params = 71", models='"sparse:Net"')
    code, out, _ = run("--allow-code", "--json")
    assert code == 1
    assert [each["verdict"] for each in json.loads(out)["result"]["limits"]["rows"]] == ["within", "exceeded"]
    repository.budget('input = ["8"]', "macs = 63", models='"sparse:Net"')
    code, out, _ = run("--allow-code")
    assert code == 3
    assert "keeps depends on values, and the most it can be is above" in out


def test_two_hundred_models_in_a_moment(repository: Repository, run: Run) -> None:
    for number in range(200):
        repository.net(f"nets/n{number}.yaml")
    repository.budget(
        'macs = "6M"', 'params = "1M"', 'growth.macs = "1%"', '[budget.blocks."conv*"]', "macs = '6M'"
    )
    assert run("lock")[0] == 0
    code, out, _ = run("--json")
    assert code == 0
    assert json.loads(out)["result"]["summary"] == [f"PASSED: all {201 * 5} limits kept."]


def test_ctrl_c_leaves_nothing_half_written(
    repository: Repository, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.budget("macs = 1")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(guard, "costed", interrupted)
    for argv in ([], ["lock"]):
        code, out, err = run(*argv)
        assert (code, out, err) == (130, "", "costcalc: interrupted\n")
    assert sorted(path.name for path in repository.root.iterdir()) == ["costcalc.toml", "nets"]


HEAVY = ("torch", "fvcore", "numpy", "sympy", "networkx", "jinja2")


@pytest.mark.parametrize("argv", [["--why", "-f", "github"], ["lock"], ["init", "--force"], ["-f", "junit"]])
def test_specs_need_no_torch(argv: list[str], repository: Repository) -> None:
    repository.budget("macs = 1", 'growth.macs = "0%"')
    script = (
        "import sys; from costcalc import cli; code = cli.main(sys.argv[1:])\n"
        f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, "guard", *argv], capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-1] == "loaded []"
    assert found.stderr == ""
