"""The pytest plugin, as the test-suite of somebody's models has it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from guards import MACS, Repository

import costcalc

SUITE = """
import pytest
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1, self.layer2 = nn.Linear(3, 4), nn.Linear(4, 100)

    def forward(self, x, scale=None):
        return self.layer2(self.layer1(x))


def test_within(cost_budget):
    found = cost_budget(Net(), torch.randn(1, 3), scale=1, macs=412, params="1K", blocks={"layer1": 12})
    assert found and [each.actual for each in found.verdicts] == [412, 516, 12]


def test_above(cost_budget):
    cost_budget(Net(), torch.randn(1, 3), macs=411, blocks={"layer1:params": 1, "layer2": 400})


def test_spec(cost_budget):
    assert cost_budget("nets/tiny.yaml", macs="6M")


def test_spec_above(cost_budget):
    cost_budget("nets/tiny.yaml", macs=1)


def test_configured(cost_budget):
    assert len(cost_budget("nets/tiny.yaml").findings) == 2


def test_configured_above(cost_budget):
    cost_budget("nets/big.yaml")


def test_not_configured(cost_budget):
    cost_budget("nets/other.yaml")


def test_not_a_limit(cost_budget):
    cost_budget("googlenet", macs="3 GFLOPs")


def test_not_a_spec(cost_budget):
    cost_budget("gogglenet", macs=1)


def test_not_a_pass(cost_budget):
    cost_budget(Net(), torch.randn(1, 5), macs=1)


def test_inputs_of_a_name(cost_budget):
    cost_budget("googlenet", torch.randn(1, 3), macs=1)


def test_slip_in_a_limit(cost_budget):
    cost_budget("nets/tiny.yaml", mac="6M")


def test_limit_that_is_none(cost_budget):
    cost_budget("nets/tiny.yaml", macs="6M", weights="1K")


def test_module_without_limits(cost_budget):
    cost_budget(Net(), torch.randn(1, 3))
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path)
    found.net()
    found.net("nets/big.yaml", kernel=5)
    found.budget('macs = "10M"', 'params = {warn = "1K"}', models='"nets/tiny.yaml", "nets/big.yaml"')
    found.write("test_cost.py", SUITE)
    return found


def test_one_line_asserts_a_budget(repository: Repository) -> None:
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "-rA",
        "--tb=short",
    ]
    argv += ["-W", "ignore::DeprecationWarning:torch"]
    done = subprocess.run(argv, cwd=repository.root, capture_output=True, text=True)
    out = done.stdout
    assert done.returncode == 1, out + done.stderr
    assert "11 failed, 3 passed" in out
    for name in ("within", "spec", "configured"):
        assert f"PASSED test_cost.py::test_{name}\n" in out
    for line in (
        "EXCEEDED: Net has 412 MACs, limit 411: 1 too many (0.24 % of the limit), most in layer2 (97.1 %).",
        "EXCEEDED: Net layer1 has 16 params, limit 1: 15 too many",
        f"EXCEEDED: tiny has 5.161 M MACs, limit 1: {MACS[3] - 1:,} too many",
        "most in conv2 (91.4 %, nets/tiny.yaml:4).",
        "nets/big.yaml has 13.55 M MACs, limit 10.00 M: 3,549,888 too many (35.50 % of the limit), most in "
        "conv2 (96.7 %, nets/big.yaml:4); the limit stands in costcalc.toml:3;",
        "no budget is for 'nets/other.yaml'",
        "1 MAC = 2 FLOPs",
        "no preset or file 'gogglenet'; did you mean 'googlenet'?",
        "Net: layer1 (Linear) raised RuntimeError: ",
        "inputs are for an nn.Module; a name has its own",
        "no limit 'mac'; did you mean 'macs'?",
        "no limit 'weights'; there are macs, params, activations, peak_activations, blocks",
        "no limit given, and the configuration has those of names alone",
    ):
        assert line in out, line
    for word in ("1K", "warned", "Traceback", "costcalc/testing.py", "During handling", "cost_budget("):
        assert word not in out.partition("FAILURES")[2]


def test_the_plugin_loads_nothing(tmp_path: Path) -> None:
    (plugin,) = [each for each in entry_points(group="pytest11") if each.name == "costcalc"]
    assert plugin.value == "costcalc.testing"
    heavy = ("torch", "pydantic", "yaml", "typer", "costcalc.api", "costcalc.spec", "costcalc.guard")
    (tmp_path / "test_x.py").write_text(
        f"import sys\n\n\ndef test_x(request):\n    assert 'costcalc.testing' in sys.modules\n"
        f"    assert not [name for name in {heavy!r} if name in sys.modules]\n"
    )
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_name_of_the_package_is_there_when_asked_for() -> None:
    for name in costcalc.__all__:
        assert getattr(costcalc, name) is not None
    assert set(costcalc.__all__) <= set(dir(costcalc))
    assert costcalc.__version__
    with pytest.raises(AttributeError, match="module 'costcalc' has no attribute 'gone'"):
        _ = costcalc.gone
    script = "import sys, costcalc; print([name for name in sys.modules if name.startswith('costcalc')])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "['costcalc']\n"
