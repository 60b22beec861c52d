"""Foreign models at the front door: names, options, errors, verdicts, conventions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nets
import pytest
import torch
from torch import nn

import costcalc
from costcalc import cli, conventions
from costcalc.api import checking, counting, subjects
from costcalc.api.subjects import Options
from costcalc.errors import CostcalcError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(line: str) -> tuple[int, str, str]:
        code = cli.main(line.split())
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("show torchvision:resnet5", 2, "torchvision has no model 'resnet5'; did you mean 'resnet50'?"),
        ("show timm:convnext_tny", 2, "did you mean 'convnext_tiny'?"),
        ("show torchvison:resnet50", 2, "did you mean 'torchvision'?"),
        ("show nots:Words", 2, "there is no module 'nots'"),
        ("show nets:Wrds", 2, "nets has no 'Wrds'; did you mean 'Words'?"),
        ("show nets:number", 2, "nets:number is int, neither a factory nor a torch.nn.Module"),
        ("show nets:broken", 2, "nets:broken: the factory raised OSError: no weights here"),
        ("show nets:built -k a=1", 2, "already built; -k has nothing to set"),
        ("show nets:Words", 2, "what nets:Words takes is not known; say it, for example with --input"),
        ("show nets:Words --input 4:int64 -k wdth=3", 2, "unexpected keyword argument 'wdth'"),
        ("show nets:Words --input 4:int64 --input msk=4", 2, "unexpected keyword argument 'msk'"),
        ("show nets:Words --input a=4 --input a=4", 2, "--input a= is given twice"),
        ("show nets:Picky --input 5", 2, "the model (Picky) raised ValueError: three features, please"),
        ("show nets:Deciding --input 5", 3, "needs the values of a tensor"),
        ("show nets:Picky --input 3x-1", 2, "is no input; write a shape without batch"),
        ("show nets:Picky --input 3x0", 2, "every axis is a whole number from 1 on"),
        ("show nets:Picky --input 99999999x9999999", 2, "is too large"),
        ("show nets:Picky --input 3:floaty", 2, "no dtype 'floaty'; did you mean 'float"),
        ("show nets:Picky --input 3 --dtype int64", 2, "is no floating-point type"),
        ("show nets:Picky --input 3 --batch 0", 2, "a batch has one sample or more"),
        ("show nets:Picky --input 3 --convention thopp", 2, "did you mean 'thop'?"),
        ("show nets:Picky --input 3 --by formula", 2, "the closed form is of specs"),
        ("show nets:Picky --input 3 --layers --depth 2", 2, "give one of them"),
        ("show nets:Picky@width --input 3", 2, "write arguments behind @ as KEY=VALUE"),
        ("show torchvision:resnet18 --set a=1", 2, "-k KEY=VALUE gives its factory arguments"),
        ("show googlenet -k a=1", 2, "-k is for foreign models"),
        ("show googlenet --batch 2", 2, "--batch is for foreign models"),
        ("show googlenet --input 3 --input 4", 2, "takes one input, not 2"),
        ("compare torchvision:resnet18 nets:built --set a=1", 2, "none of these is a spec"),
        ("budget nets:Picky --input 3 --limit 1 --block secnd=3", 2, "has no block 'secnd'"),
        ("reconcile nets:Picky --input 3 --with fvcor", 2, "did you mean 'fvcore'?"),
    ],
)
def test_errors_say_what_and_what_to_do(line: str, code: int, message: str, run: Run) -> None:
    found, out, err = run(line)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_missing_extra_names_its_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from costcalc.foreign import models

    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)
    for name, extra in (("torchvision:resnet18", "vision"), ("timm:resnet18", "vision")):
        code, out, err = run(f"show {name}")
        assert (code, out) == (3, "")
        assert f"pip install 'costcalc[{extra}]'" in err


def test_a_model_and_a_preset_are_one_network(run: Run) -> None:
    code, out, _ = run("compare googlenet-torchvision torchvision:googlenet --json")
    assert code == 0
    found = json.loads(out)
    totals = {row["metric"]: row["values"] for row in found["result"]["totals"]["rows"]}
    for metric in ("macs", "params", "weights", "activations", "other_ops", "peak_activations"):
        assert len(set(totals[metric].values())) == 1, metric
    assert totals["macs"]["torchvision:googlenet"] == 1_498_376_192
    assert any("SAME LAYERS" in line and "58 with weights" in line for line in found["result"]["summary"])
    code, out, _ = run("compare googlenet torchvision:googlenet --by trace")
    assert code == 0
    assert "SAME LAYERS" not in out


def test_an_input_may_be_given_to_a_spec(run: Run) -> None:
    assert run("show googlenet --input 3x448x448 --json") == run(
        "show googlenet --set input=3x448x448 --json"
    )


def test_an_unknown_operator_forbids_a_verdict(run: Run) -> None:
    line = "budget nets:Spectral --input 3x8x8 --limit 1M"
    code, out, err = run(line)
    assert (code, out) == (3, "")
    assert "aten::_fft_c2c (1×, in (Spectral))" in err
    assert "--allow-uncounted aten::_fft_c2c" in err
    code, out, _ = run(f"{line} --allow-uncounted aten::_fft_c2c")
    assert code == 0
    assert "AT LEAST: the cost of some operators is not known: aten::_fft_c2c" in out
    assert run("budget nets:Spectral --input 3x8x8 --params 1M")[0] == 0  # which do not depend on it
    with pytest.raises(CostcalcError, match="no verdict"):
        costcalc.budget(costcalc.count(nets.Spectral(), torch.zeros(1, 3, 8, 8)), "1M")


def test_conventions_are_printed_and_say_so(run: Run) -> None:
    _, out, _ = run("show torchvision:googlenet --convention fvcore --json")
    found = json.loads(out)
    assert found["result"]["macs"] == 1_504_878_688
    assert sum(row["macs"] for row in found["result"]["parts"]["rows"]) == 1_504_878_688
    assert "NOT MACs" in found["provenance"]["convention"]
    assert "operators" not in found["result"]
    assert run("budget torchvision:googlenet --limit 1.5e9")[0] == 0
    code, out, _ = run("budget torchvision:googlenet --limit 1.5e9 --convention fvcore")
    assert code == 1
    assert "has 1.505 G fvcore flops" in out
    code, out, _ = run("compare googlenet torchvision:googlenet --convention flopcounter --json")
    (macs,) = (
        row["values"] for row in json.loads(out)["result"]["totals"]["rows"] if row["metric"] == "macs"
    )
    assert list(macs.values()) == [2 * 1_498_677_248, 2 * 1_498_376_192]


@pytest.mark.parametrize("key", conventions.KEYS)
def test_every_convention_can_be_asked_for(key: str, run: Run) -> None:
    code, out, err = run(f"show nets:Picky --input 3 --convention {key} --json")
    assert (code, err) == (0, "")
    assert json.loads(out)["result"]["macs"] >= 0


def test_a_batch_is_divided_where_it_can_be(run: Run) -> None:
    totals = [
        json.loads(run(f"show torchvision:resnet50 --batch {batch} --json")[1])["result"] for batch in (1, 32)
    ]
    assert totals[0]["macs"] == totals[1]["macs"] == 4_089_184_256
    assert totals[0]["activations"] == totals[1]["activations"]
    assert totals[0]["peak_activations"] == totals[1]["peak_activations"]
    swin = [
        json.loads(run(f"show torchvision:swin_v2_t --batch {batch} --json")[1])["result"] for batch in (1, 4)
    ]
    for key in ("macs", "activations", "params"):  # some of which do not depend on the batch
        assert swin[0][key] == swin[1][key]
    assert "per sample of a batch of 4" in " ".join(run("show torchvision:swin_v2_t --batch 4")[1].split())


def test_training_counts_the_backward_pass(run: Run) -> None:
    _, out, _ = run("show nets:Picky --input 3 --train --batch 2 --json")
    found = json.loads(out)["result"]
    assert found["macs"] == 3 * 4 + 3 * 4  # the input needs no gradient, so only that of the weight
    assert sum(row["backward_macs"] for row in found["operators"]["rows"]) == 3 * 4
    code, out, _ = run("show reduced --train --json")  # a spec as well
    inference = counting.costs("reduced").total.macs
    assert code == 0
    assert 2 * inference < json.loads(out)["result"]["macs"] <= 3 * inference


def test_count_and_what_it_gives() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5))
    found = costcalc.count(model, torch.zeros(8, 3))
    assert found.total.macs == 8 * (3 * 4 + 4 * 5)
    assert found.per_sample(8).total.macs == 3 * 4 + 4 * 5
    assert found.part("2").cost.macs == 8 * 4 * 5
    assert found.part("0").cost.params == 3 * 4 + 4
    assert found.parameters.trainable == 3 * 4 + 4 + 4 * 5 + 5
    assert found.uncounted == ()
    assert "Counted Sequential" in repr(found)
    assert "| aten::linear" in found._repr_markdown_()
    training = costcalc.count_training(model, torch.zeros(8, 3))
    assert training.total.macs == 8 * (2 * 3 * 4 + 3 * 4 * 5)
    assert costcalc.budget(found, 256)
    assert not costcalc.budget(found, 255)
    compared = costcalc.compare(found, "conv5x5")
    assert [part.name for part in compared.comparison.wholes] == ["Sequential", "conv5x5"]


def test_keyword_arguments_reach_the_model() -> None:
    tokens, mask = torch.zeros(2, 5, dtype=torch.int64), torch.ones(2, 5)
    with_mask = costcalc.count(nets.Words(), tokens, mask=mask)
    without = costcalc.count(nets.Words(), tokens)
    assert with_mask.total.macs == without.total.macs == 10 * (2 * 4 * 8 * 8 + 8 * 100)
    assert with_mask.total.other_ops - without.total.other_ops == 10 * 8
    assert with_mask.parameters.shared == 800
    assert with_mask.parameters.never_executed == 4 * 4 + 4


def test_the_same_name_with_other_arguments(run: Run) -> None:
    code, out, _ = run("compare torchvision:resnet18 torchvision:resnet18@num_classes=10 --json")
    rows = json.loads(out)["result"]["totals"]["rows"]
    (params,) = (list(row["values"].values()) for row in rows if row["metric"] == "params")
    assert code == 0
    assert params[0] - params[1] == 990 * 513


def test_check_and_reconcile_ask_others(run: Run) -> None:
    code, out, _ = run("check torchvision:vit_b_16")
    assert code == 0
    assert "AGREE: FlopCounterMode and fvcore" in out
    assert "16,867,412,736" in out  # fvcore's, without the attention
    code, out, _ = run("reconcile torchvision:googlenet --with fvcore,flopcounter,thop,torchinfo --json")
    found = json.loads(out)["result"]
    assert code == 0
    said = {row["counter"]: (row["total"], row["measured"]) for row in found["counters"]["rows"]}
    assert said["fvcore"] == (1_504_878_688, 1_504_878_688)
    assert said["thop"] == (1_511_332_032, 1_511_332_032)
    terms = {row["term"]: row["amount"] for row in found["terms"]["rows"] if row["counter"] == "fvcore"}
    assert sorted(terms.values()) == [50_176, 6_452_320, 1_498_376_192, 1_504_878_688]


def test_a_counter_that_disagrees_is_a_finding(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from costcalc.foreign import opinions

    monkeypatch.setattr(opinions, "total", lambda *args: 1)
    code, out, _ = run("reconcile nets:Picky --input 3 --with fvcore")
    assert code == 1
    assert "DISAGREE: fvcore" in out
    monkeypatch.setattr(opinions, "fvcore", lambda *args: {"": 1, "first": 12})
    code, out, _ = run("check nets:Picky --input 3")
    assert code == 1
    assert "DISAGREE: on total (fvcore)" in out


def test_an_upper_bound_exceeds_nothing_for_sure(run: Run) -> None:
    line = "budget nets:Sparse --input 4x8 --batch 2"
    code, out, _ = run(f"{line} --limit 1M")
    assert code == 0
    assert "AT MOST: how much aten::index keeps depends on values" in out
    code, out, err = run(f"{line} --limit 1")
    assert (code, out) == (3, "")
    assert "what is counted is the most it can be" in err


def test_doubts_are_warnings_in_json(run: Run) -> None:
    (warning,) = json.loads(run("show nets:Spectral --input 3x8x8 --json")[1])["warnings"]
    assert warning.startswith("AT LEAST: the cost of some operators is not known: aten::_fft_c2c")
    (warning,) = json.loads(run("show nets:Sparse --input 4x8 --json")[1])["warnings"]
    assert warning.startswith("AT MOST")
    assert json.loads(run("show nets:Picky --input 3 --json")[1])["warnings"] == []


def test_what_a_model_prints_is_no_result(run: Run) -> None:
    code, out, err = run("show nets:Chatty --input 3 --json")
    assert code == 0
    assert json.loads(out)["result"]["macs"] == 3 * 4
    assert err == "I am built\nI run\n"


def test_check_holds_a_batch(run: Run) -> None:
    code, out, _ = run("check nets:Picky --input 3 --batch 4 --json")
    found = json.loads(out)["result"]
    assert code == 0
    assert found["passed"]
    assert found["modules"]["total"]["macs"] == 4 * 3 * 4


def test_a_model_too_large_to_run_has_one_opinion_less(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "TRACE_MACS", 20)
    code, out, _ = run("check nets:Picky --input 3 --batch 4")
    assert code == 0
    assert "fvcore has no opinion: it would compute 4.8e+01 multiply-adds" in out


def test_a_note_is_said_once(run: Run) -> None:
    notes = json.loads(run("compare nets:Picky nets:Picky --input 3 --json")[1])["result"]["notes"]
    assert sum("1 MAC = " in note for note in notes) == 1


def test_a_comparison_says_who_counted_what(run: Run) -> None:
    found = json.loads(run("compare googlenet-torchvision torchvision:googlenet --json")[1])
    assert found["provenance"]["by"] == {
        "googlenet-torchvision": "trace",
        "torchvision:googlenet": "operators",
    }
    mixed = costcalc.count(nets.Picky(), torch.zeros(1, 3))
    other = subjects.costed("nets:Picky", Options(inputs=("3",), convention="torchinfo"))
    with pytest.raises(CostcalcError, match="several conventions"):
        costcalc.compare(mixed, other)


def test_what_the_users_module_lacks_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacking.py").write_text("import nosuchthing\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    code, out, err = run("show lacking:Net --input 3")
    assert (code, out) == (3, "")
    assert "lacking does not import: No module named 'nosuchthing'" in err
    assert sys.path == before


def test_a_transformer_takes_the_image_it_was_built_for() -> None:
    from costcalc.foreign import models

    found = models.load("torchvision:vit_b_16", {"image_size": "384"})
    assert found.inputs[0].shape == (3, 384, 384)


def test_a_batch_that_was_not_given_divides_nothing() -> None:
    found = costcalc.count(nn.Linear(3, 4), torch.zeros(32, 3))
    for samples in (-1, 0, 2, 7):
        with pytest.raises(CostcalcError, match=f"was not given a batch of {samples}"):
            found.per_sample(samples)
    model = nets.Deciding()
    for wrong in (lambda: costcalc.budget(model, "1M"), lambda: costcalc.compare(model, model)):
        with pytest.raises(CostcalcError, match=r"costcalc.count\(model, \*inputs\)"):
            wrong()


def test_an_instance_can_be_checked_and_reconciled() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    assert checking.check(model, torch.zeros(2, 3)).passed
    assert costcalc.reconcile(model, torch.zeros(2, 3), using=["fvcore", "torchinfo"])


def test_what_others_have_no_formula_for_is_no_disagreement() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair = nn.Bilinear(3, 3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            paired: torch.Tensor = self.pair(x, x)
            return paired

    found = checking.check(Both(), torch.zeros(2, 3))
    assert found.passed
    assert "AGREE: FlopCounterMode" in str(found)


def test_a_failed_import_of_torchvision_leaves_nothing_in_the_way() -> None:
    """`doctor` tries the plain import, which fails beside a torch of another index, and then counts."""
    code = (
        "from costcalc import cli, machine; machine.examine();"
        "exit(cli.main(['show', 'torchvision:alexnet', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
