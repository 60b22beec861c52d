"""The check of published zoos: what holds, what does not, and what cannot be read."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
HEADER = "model,source,input_size,params,gmacs,macts,params_tol,gmacs_tol,macts_tol,convention\n"


@pytest.fixture(scope="module")
def zoo() -> ModuleType:
    """The benchmark as a module."""
    place = importlib.util.spec_from_file_location("zoo_benchmark", HERE.parent / "benchmarks" / "zoo.py")
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    sys.modules[place.name] = module  # where its records look for their types
    place.loader.exec_module(module)
    return module


Check = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def check(zoo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Run it on a text; exit code and streams."""

    def run(text: str) -> tuple[int, str, str]:
        path = tmp_path / "zoo.csv"
        path.write_text(text, encoding="utf-8")
        code = zoo.main([str(path)])
        said = capsys.readouterr()
        return code, said.out, said.err.replace(str(path), "FILE")

    return run


def test_what_fvcore_said_of_timm_is_reproduced(zoo: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    path = HERE / "data" / "zoo_timm.csv"
    assert zoo.main([str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = path.read_text().splitlines()[1:]
    assert lines[-1] == f"{len(rows)} of {len(rows)} rows hold"
    assert "resnet18 at 224: params 11689512 = 11,689,512, gmacs 1.819065856 = 1,819,065,856" in lines[0]


def test_a_row_of_torchvision_holds_at_its_precision(check: Check) -> None:
    code, out, err = check(HEADER + "resnet18,torchvision,224,11689512,1.814,,0,0.0006,,tv_ops\n")
    assert (code, err) == (0, "")
    assert out == (
        "resnet18 at 224: params 11689512 = 11,689,512, gmacs 1.814 = 1,814,073,344 (MACs): holds\n"
        "1 of 1 rows hold\n"
    )


@pytest.mark.parametrize(
    ("params", "gmacs", "missed"),
    [("11689512", "1.815", "gmacs"), ("11689513", "1.814", "params"), ("11.68", "1.82", "params, gmacs")],
)
def test_a_figure_that_is_off_by_one_is_missed(check: Check, params: str, gmacs: str, missed: str) -> None:
    code, out, _ = check(HEADER + f"resnet18,torchvision,224,{params},{gmacs},,0,0,,tv_ops\n")
    assert code == 1
    assert out.splitlines()[0].endswith(f"MISSED {missed}")
    assert out.endswith("0 of 1 rows hold\n")


def test_a_tolerance_is_no_wider_than_stated(check: Check) -> None:
    row = "resnet18,torchvision,224,11689512,1.8150,,0,{},,tv_ops\n"
    assert check(HEADER + row.format("0.0010"))[0] == 0
    assert check(HEADER + row.format("0.0009"))[0] == 1


def test_attention_is_read_either_way_unless_the_row_says(check: Check) -> None:
    row = "vit_tiny_patch16_224,timm,224,5717416,{},{},0,0,0,{}\n"
    fused, unfused = ("1.08", "4.12"), ("1.26", "5.97")
    for figures, convention in (
        (fused, "fvcore"),
        (unfused, "fvcore"),
        (unfused, "fvcore+attention_unfused"),
    ):
        assert check(HEADER + row.format(*figures, convention))[0] == 0
    assert check(HEADER + row.format(*fused, "fvcore+attention_unfused"))[0] == 1
    assert check(HEADER + row.format(fused[0], unfused[1], "fvcore"))[0] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            HEADER + "resnet19,torchvision,224,1,1,,0,0,,tv_ops\n",
            "FILE:2: torchvision:resnet19: torchvision has no model 'resnet19'",
        ),
        (
            HEADER + "resnet19,timm,224,1,1,,0,0,,fvcore\n",
            "FILE:2: timm:resnet19: timm has no model 'resnet19'",
        ),
        (
            HEADER + "resnet18,torchvision,big,1,1,,0,0,,tv_ops\n",
            "FILE:2: input_size 'big' is no side of an image, such as 224",
        ),
        (HEADER + "resnet18,torchvision,224,many,1,,0,0,,tv_ops\n", "FILE:2: params 'many' is no number"),
        (HEADER + "resnet18,torchvision,224,1,nan,,0,0,,tv_ops\n", "FILE:2: gmacs 'nan' is no number"),
        (HEADER + "resnet18,torchvision\n", "FILE:2: a row has 10 fields"),
        (HEADER + 'resnet18,"torchvision\n', "FILE:2: unexpected end of data"),
        (
            "model,gmacs\nresnet18,1\n",
            "FILE:1: no column source, input_size, params, convention; there must be",
        ),
        ("", "FILE:1: no column model"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(check: Check, text: str, said: str) -> None:
    code, _, err = check(text)
    assert code == 2
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_no_file_is_one_clear_line(zoo: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert zoo.main(["nowhere.csv"]) == 2
    assert capsys.readouterr().err == "nowhere.csv: No such file or directory\n"
    assert zoo.main([]) == 2
    assert capsys.readouterr().err == "usage: python benchmarks/zoo.py FILE.csv\n"
