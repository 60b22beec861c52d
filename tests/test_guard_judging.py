"""Limits held against models: what is kept, what is not, and what is said of it."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest
from guards import CONV2, MACS, PARAMS, Repository
from hypothesis import given
from hypothesis import strategies as st

import costcalc
import costcalc.cli
from costcalc import findings, guard
from costcalc.api import predicting
from costcalc.checks import JUDGED
from costcalc.errors import CostcalcError
from costcalc.findings import Amount, Finding, Growth, Predicted


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    found = Repository(tmp_path)
    found.net()
    return found


def words(found: guard.Guarded) -> list[tuple[str, str, str, str]]:
    return [(each.model, each.part, each.metric, each.verdict) for each in found.findings]


def told(found: guard.Guarded) -> list[Finding]:
    return [each for each in found.findings if each.level]


@pytest.mark.parametrize(
    ("limit", "verdict", "level", "over"),
    [
        (f"{MACS[3]}", "within", "", 0),
        (f"{MACS[3] - 1}", "exceeded", "error", 1),
        (f"{{warn = {MACS[3]}}}", "within", "", 0),
        (f"{{warn = {MACS[3] - 1}}}", "warned", "warning", 1),
        (f"{{warn = 1, error = {MACS[3]}}}", "warned", "warning", MACS[3] - 1),
        (f"{{warn = 1, error = {MACS[3] - 1}}}", "exceeded", "error", 1),
        (f"{{warn = {MACS[3] + 7}, error = '1G'}}", "within", "", -7),
    ],
)
def test_a_limit_is_kept_to_the_last_mac(
    limit: str, verdict: str, level: str, over: int, repository: Repository
) -> None:
    repository.budget(f"macs = {limit}")
    found = costcalc.guarded()
    (finding,) = found.findings
    assert (finding.verdict, finding.level) == (verdict, level)
    assert isinstance(finding.figures, Amount)
    assert (finding.figures.actual, finding.figures.over) == (MACS[3], over)
    assert found.code == (1 if level == "error" else 0)
    assert costcalc.guarded(strict=True).code == (1 if level else 0)
    assert bool(found) == found.passed == (level != "error")


@pytest.mark.parametrize("metric", JUDGED)
def test_every_metric_is_held_against_its_own_count(metric: str, repository: Repository) -> None:
    costs = costcalc.costs(str(repository.root / "nets/tiny.yaml"), by="formula")
    actual = JUDGED[metric](costs.whole)
    repository.budget(f"{metric} = {actual - 1}", "[budget.blocks.conv2]", f"{metric} = 0")
    whole, block = costcalc.guarded().findings
    assert whole.figures == Amount(actual - 1, actual)
    assert block.figures == Amount(0, JUDGED[metric](costs.part("conv2")))
    assert (whole.part, block.part) == ("", "conv2")


def test_what_is_said_of_an_overshoot(repository: Repository) -> None:
    repository.net(kernel=5)
    repository.budget(
        'reason = "the camera\'s chip"', "", 'macs = "10M"', "[budget.blocks.conv1]", "params = 100"
    )
    whole, block = costcalc.guarded().findings
    assert (str(whole.spot), str(whole.rule)) == ("nets/tiny.yaml:4:10", "costcalc.toml:5:1")
    assert whole.message == (
        "nets/tiny.yaml has 13.55 M MACs, limit 10.00 M: 3,549,888 too many (35.50 % of the limit), most in "
        "conv2 (96.7 %, nets/tiny.yaml:4); the limit stands in costcalc.toml:5 (the camera's chip); "
        "`costcalc guard --why nets/tiny.yaml` names what would lower it"
    )
    assert block.message == (
        "nets/tiny.yaml conv1 has 448 params, limit 100: 348 too many (348.00 % of the limit), written in "
        "nets/tiny.yaml:3; the limit stands in costcalc.toml:7 (the camera's chip); "
        "`costcalc guard --why nets/tiny.yaml` names what would lower it"
    )
    assert CONV2[5] * 100 // MACS[5] == 96


def test_two_counts_that_look_alike_are_told_apart(repository: Repository) -> None:
    repository.budget(f"macs = {{warn = {MACS[3] - 1}}}")
    (finding,) = costcalc.guarded().findings
    assert f"has {MACS[3]:,} MACs, warned above {MACS[3] - 1:,}: 1 too many (<0.0001 % of" in finding.message


def test_presets_have_no_line_but_that_of_the_limit(repository: Repository) -> None:
    repository.write("nets/mine.yaml", "base: googlenet\nlayers: {extra: {kind: relu}}\noutputs: [extra]\n")
    repository.budget("params = 1", models='"googlenet", "nets/mine.yaml"')
    preset, mine = costcalc.guarded().findings
    assert (preset.spot, preset.place) == (None, preset.rule)
    assert mine.spot is None or mine.spot.file == "nets/mine.yaml"
    assert ".yaml:" not in preset.message.partition("stands in")[0]


def test_a_repeated_block_leads_to_its_line(repository: Repository) -> None:
    repository.write(
        "nets/deep.yaml",
        "input: [4, 8, 8]\nlayers:\n  stem: {kind: conv, out: 4, kernel: 1}\n"
        "  body: {kind: conv_bn_relu, repeat: 3, out: 4, kernel: 3, pad: 1}\n",
    )
    repository.budget("macs = 1", '[budget.blocks."body.2.conv"]', "macs = 1", models='"nets/deep.yaml"')
    whole, layer = costcalc.guarded().findings
    assert (str(whole.spot), str(layer.spot)) == ("nets/deep.yaml:4:9",) * 2


def test_globs_over_blocks_stay_within_a_step(repository: Repository) -> None:
    repository.budget('[budget.blocks."inception_[34]a"]', "macs = 1", models='"googlenet"')
    assert [each.part for each in costcalc.guarded().findings] == ["inception_3a", "inception_4a"]
    repository.budget('[budget.blocks."inception_3?.3x3"]', "macs = 1", models='"googlenet"')
    assert [each.part for each in costcalc.guarded().findings] == ["inception_3a.3x3", "inception_3b.3x3"]
    repository.budget('[budget.blocks."*"]', "macs = 1", models='"googlenet"')
    assert not any("." in each.part for each in costcalc.guarded().findings)


def test_a_pattern_needs_a_block_in_one_model_of_its_budget(repository: Repository) -> None:
    repository.net("nets/other.yaml")
    repository.write("nets/flat.yaml", "input: [4]\nlayers: {fc: {kind: linear, out: 2}}\n")
    repository.budget("[budget.blocks.fc]", "macs = '1M'", "[budget.blocks.fcc]", "macs = '1M'")
    found = costcalc.guarded()
    kept, missing = found.findings
    assert (kept.model, kept.verdict) == ("nets/flat.yaml", "within")
    assert (missing.verdict, missing.level, found.code) == ("nothing matched", "error", 1)
    assert missing.message == ("costcalc.toml:6: no block 'fcc' in any of its 3 models; did you mean 'fc'?")
    repository.budget("[budget.blocks.zzz]", "macs = '1M'", "params = 1")
    (finding,) = costcalc.guarded().findings  # once, however many limits it has
    assert finding.message.endswith("models; `costcalc show` lists the blocks of a model")
    repository.budget("[budget.blocks.conv3]", "macs = '1M'")
    assert "did you mean 'conv" in costcalc.guarded().findings[0].message
    alone = costcalc.guarded(models=["nets/tiny.yaml"])
    assert alone.findings == ()  # another model may have it


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ('"nets/*.yml"', "nets/*.yml matches no spec"),
        (
            '"gogglenet"',
            "gogglenet is no file beside the configuration, and no preset; did you mean 'googlenet'?",
        ),
        ('"nets/tny.yaml"', "and no preset; did you mean 'nets/tiny.yaml'?"),
        ('"nets"', "nets is a folder; write nets/*.yaml"),
        ('"gogglenet*"', "gogglenet* matches no preset; for files write */… or ….yaml"),
    ],
)
def test_words_that_mean_nothing(models: str, message: str, repository: Repository) -> None:
    repository.budget("macs = '1G'", models=f'{models}, "googlenet@classes=10"')
    found = costcalc.guarded()
    assert [each.verdict for each in found.findings] == ["exceeded", "nothing matched"]
    assert found.findings[
        1
    ].message == f"costcalc.toml:2: {found.findings[1].model} {message.partition(' ')[2]}" or (
        message in found.findings[1].message
    )
    assert found.code == 1


def test_a_budget_that_limits_nothing(repository: Repository) -> None:
    repository.budget()
    (finding,) = costcalc.guarded().findings
    assert (finding.verdict, finding.level) == ("nothing matched", "error")
    assert "costcalc.toml:1: this budget limits nothing" in finding.message


def test_files_globs_and_presets(repository: Repository) -> None:
    odd = [
        "nets/a b.yaml",
        "nets/-x.yaml",
        "nets/é.yml",
        "nets/deep/c@d=1.yaml",
        "nets/[q].yaml",
        "nets/a:b.yaml",
    ]
    for name in [*odd, "nets/.hidden.yaml", ".github/workflows/ci.yaml"]:
        repository.net(name)
    repository.write("nets/deep/notes.y_ml", "")
    repository.write("nets/deep.y.html", "")
    (repository.root / "nets/link.yaml").symlink_to("tiny.yaml")
    repository.budget(
        "macs = '1G'", models='"**/*.y*ml", "./nets/tiny.yaml", "nets/[q].yaml", "googlenet-caff*"'
    )
    found = costcalc.guarded()
    names = [each.model for each in found.findings]
    assert names == [
        *sorted([*odd, "nets/link.yaml", "nets/tiny.yaml"]),
        "googlenet-caffe",
        "googlenet-caffe-aux",
    ]
    assert {each.figures.actual for each in found.findings[: len(odd)] if each.figures} == {MACS[3]}


def test_links_of_folders_in_a_circle_show_a_file_once(repository: Repository) -> None:
    (repository.root / "a").symlink_to(".")
    (repository.root / "nets/b").symlink_to("..")
    repository.net("nets/deep/more/x.yaml")
    for pattern in ("**/*.yaml", "**/**/*.yaml", "nets/**/*.yaml", "nets/**", f"{repository.root}/**/*.yaml"):
        repository.budget("macs = '1G'", models=f'"{pattern}"')
        names = [each.model for each in costcalc.guarded().findings]
        assert names == ["nets/deep/more/x.yaml", "nets/tiny.yaml"]
    repository.budget("macs = '1G'", models='"a/nets/*.yaml", "**/more/*.yaml"')
    names = [each.model for each in costcalc.guarded().findings]
    assert names == ["a/nets/tiny.yaml", "nets/deep/more/x.yaml"]


def test_an_absolute_name_is_that_of_the_file_in_the_repository(repository: Repository) -> None:
    inside = repository.root / "nets/tiny.yaml"
    outside = repository.root.parent / "tiny.yaml"
    outside.write_text(inside.read_text())
    repository.budget("macs = '1G'", models=f'"{inside}", "nets/tiny.yaml", "{outside}"')
    assert [each.model for each in costcalc.guarded().findings] == ["nets/tiny.yaml", str(outside)]


def test_the_remedy_is_a_command_that_works(repository: Repository) -> None:
    repository.net("-x.yaml")
    repository.budget("macs = 1", models='"-x.yaml", "torchvision:resnet18"')
    spec, model = costcalc.guarded().findings
    assert spec.message.endswith("`costcalc guard --why ./-x.yaml` names what would lower it")
    assert model.message.endswith("`costcalc guard --why torchvision:resnet18` ranks what is behind it")
    assert costcalc.cli.main(["guard", "--why", "./-x.yaml"]) == 1
    repository.write("own_nets.py", "from torch.nn import Linear\n\n\ndef net():\n    return Linear(4, 4)\n")
    repository.budget("macs = 1", 'input = ["4"]', models='"own_nets:net"')
    (own,) = costcalc.guarded(allow_code=True).findings
    assert "`costcalc guard --why --allow-code 'own_nets:net input=4'` ranks" in own.message


def test_names_that_cannot_be_printed(repository: Repository) -> None:
    (repository.root / "nets/a\nb.yaml").write_text("")
    (repository.root / "nets" / os.fsdecode(b"\xff.yaml")).write_text("")
    repository.budget("macs = 1")
    with pytest.raises(CostcalcError) as caught:
        costcalc.guarded()
    assert {each.message for each in caught.value.problems} == {
        r"'nets/a\nb.yaml' is no printable name",
        r"'nets/\udcff.yaml' is no printable name",
    }


def test_a_preset_and_a_file_of_its_name(repository: Repository) -> None:
    repository.net("googlenet")
    repository.budget("macs = 1", models='"googlenet"')
    (finding,) = costcalc.guarded().findings
    assert finding.figures == Amount(1, MACS[3])  # a file beside the configuration is meant first


def test_two_budgets_apply_both_and_count_once(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    right = guard.costed
    monkeypatch.setattr(guard, "costed", lambda name, how: counted.append(name) or right(name, how))
    first = '[[budget]]\nmodels = ["nets/tiny.yaml", "nets/*.yaml"]\nmacs = 1\n'
    second = '[[budget]]\nmodels = ["nets/t*.yaml"]\nparams = 1\n'
    other = '[[budget]]\nmodels = ["nets/tiny.yaml"]\nsettings = {classes = 20}\nparams = 1\n'
    repository.config(first + other + second)
    found = costcalc.guarded()
    assert words(found) == [
        ("nets/tiny.yaml", "", "macs", "exceeded"),
        ("nets/tiny.yaml", "", "params", "exceeded"),
        ("nets/tiny.yaml@classes=20", "", "params", "exceeded"),
    ]
    assert found.findings[2].figures == Amount(1, PARAMS[3] + 330)
    assert counted == ["nets/tiny.yaml", "nets/tiny.yaml"]


def test_from_a_folder_below(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.budget("macs = 1")
    (repository.root / "nets/deep").mkdir()
    monkeypatch.chdir(repository.root / "nets/deep")
    (finding,) = costcalc.guarded().findings
    assert (finding.model, str(finding.rule)) == ("nets/tiny.yaml", "../../costcalc.toml:3:1")
    assert str(finding.spot) == "../tiny.yaml:4:10"
    assert costcalc.guarded(models=["../tiny.yaml"]).findings == (finding,)
    assert costcalc.guarded(models=["nets/tiny.yaml"]).findings == (finding,)
    assert costcalc.guarded(repository.root / "costcalc.toml").findings[0].model == "nets/tiny.yaml"


def test_some_models_alone(repository: Repository) -> None:
    repository.net("nets/other.yaml")
    first = '[[budget]]\nmodels = ["nets/*.yaml", "gone.yaml"]\nmacs = 1\n'
    repository.config(f'{first}[[budget]]\nmodels = ["lenet5"]\nmacs = 1\n')
    assert {each.model for each in costcalc.guarded(models=["lenet5", "./nets/other.yaml"]).findings} == {
        "lenet5",
        "nets/other.yaml",
    }
    with pytest.raises(
        CostcalcError, match=r"no budget is for 'nets/othr\.yaml'; did you mean 'nets/other\.yaml'"
    ) as at:
        costcalc.guarded(models=["nets/othr.yaml"])
    assert at.value.exit_code == 2


def test_a_broken_spec_is_a_finding_among_others(repository: Repository) -> None:
    repository.write(
        "nets/broken.yaml",
        "input: [3, 8, 8]\nlayers:\n  a: {kind: cnv}\n  b: {kind: conv, out: 3, kernel: 1, pd: 1}\n",
    )
    repository.budget("macs = '1G'")
    found = costcalc.guarded()
    assert words(found) == [
        ("nets/tiny.yaml", "", "macs", "within"),
        ("nets/broken.yaml", "", "", "broken"),
        ("nets/broken.yaml", "", "", "broken"),
    ]
    assert found.code == 1
    assert [each.place.line for each in told(found)] == [3, 4]
    assert "nets/broken.yaml cannot be counted: nets/broken.yaml:3:" in told(found)[0].message


def test_what_the_environment_lacks_is_no_verdict(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object) -> None:
        raise CostcalcError("timm:x needs timm: pip install 'costcalc[timm]'", 3)

    monkeypatch.setattr(guard, "costed", lacking)
    repository.budget("macs = 1")
    found = costcalc.guarded()
    assert (found.findings[0].verdict, found.findings[0].level, found.code) == ("no verdict", "error", 3)
    with pytest.raises(CostcalcError) as caught:
        guard.locked()
    assert caught.value.exit_code == 3


def test_settings_that_do_not_fit(repository: Repository) -> None:
    repository.budget("macs = 1", "settings = {clases = 10}")
    (finding,) = costcalc.guarded().findings
    assert (finding.verdict, finding.spot) == ("broken", None)
    assert "did you mean 'classes'" in finding.message
    for line, message in {
        "settings = {a = 1}": "torchvision:resnet18 is no spec; it takes 'arguments'",
        "arguments = {a = 1}": "nets/tiny.yaml is a spec; 'arguments' is for foreign models",
        "batch = 8": "nets/tiny.yaml is a spec; 'batch' is for foreign models",
        "dtype = 'fp16'": "nets/tiny.yaml is a spec; 'dtype' is for foreign models",
    }.items():
        repository.budget("macs = 1", line, models='"./nets/tiny.yaml", "torchvision:resnet18"')
        with pytest.raises(CostcalcError, match=f"^costcalc.toml:2:[0-9]+: {line.split()[0]}: ") as caught:
            costcalc.guarded()
        assert message in str(caught.value).replace("./", "")


def test_inputs_of_specs(repository: Repository) -> None:
    repository.budget("macs = 1", 'input = ["3x64x64"]')
    (finding,) = costcalc.guarded().findings
    assert finding.model == "nets/tiny.yaml input=3x64x64"
    assert finding.figures == Amount(1, 4 * (MACS[3] - 320) + 320)


LATENCY = {  # the prediction of GoogLeNet on a T4, and what a limit at each place of its range gives
    (2.0, None): ("within", "", 0),
    (0.5, None): ("exceeded", "error", 1),
    (1.0, None): ("too close to call", "error", 3),
    (None, 2.0): ("within", "", 0),
    (None, 1.0): ("too close to call", "notice", 0),
    (None, 0.5): ("warned", "warning", 0),
    (2.0, 0.5): ("warned", "warning", 0),
    (1.0, 0.5): ("too close to call", "error", 3),
}


@pytest.mark.parametrize("factors", LATENCY)
def test_limits_on_latency(factors: tuple[float | None, float | None], repository: Repository) -> None:
    """2 lies above the range of the prediction, 1 within it, 0.5 below it."""
    guess = predicting.predict("googlenet", on="t4", batch=8).found[0].prediction
    times = {0.5: guess.low * 0.99, 1.0: guess.seconds, 2.0: guess.high * 1.01}
    given_ = {key: times[factor] for key, factor in zip(("error", "warn"), factors, strict=True) if factor}
    inside = ", ".join(f"{key} = '{seconds * 1e6:.0f}us'" for key, seconds in given_.items())
    repository.budget(f"latency = {{{inside}, on = 't4', batch = 8}}", models='"googlenet"')
    found = costcalc.guarded()
    (finding,) = found.findings
    assert (finding.verdict, finding.level, found.code) == LATENCY[factors]
    assert isinstance(finding.figures, Predicted)
    assert (finding.figures.seconds, finding.figures.low) == (guess.seconds, guess.low)
    if finding.verdict == "too close to call":
        assert "that lies in the range, so there is no verdict" in finding.message
        assert "`costcalc bench googlenet --batch 8`" in finding.message
    elif finding.level:
        assert "too long" in finding.message


def test_a_latency_of_a_file_leads_to_its_slowest_block(repository: Repository) -> None:
    repository.budget("latency = {error = '1ns', on = 'h200'}")
    (finding,) = costcalc.guarded().findings
    assert finding.spot is not None
    assert finding.spot.file == "nets/tiny.yaml"
    assert finding.spot.line == 4


def test_a_verdict_that_is_certain_is_worse_than_none(repository: Repository) -> None:
    repository.budget("latency = {error = '1066us', on = 't4'}", models='"googlenet"')
    assert costcalc.guarded().code == 3
    repository.budget("latency = {error = '1066us', on = 't4'}", "macs = 1", models='"googlenet"')
    assert costcalc.guarded().code == 1


def test_a_latency_that_cannot_be_predicted_is_no_verdict(repository: Repository) -> None:
    repository.budget("latency = {error = '9ms', on = 'cpu'}")
    found = costcalc.guarded()
    (finding,) = found.findings
    assert (finding.verdict, found.code) == ("no verdict", 3)
    assert "nets/tiny.yaml: no verdict on its latency: " in finding.message


def test_every_verdict_has_a_meaning() -> None:
    named = {value for key, value in vars(findings).items() if key.isupper() and isinstance(value, str)}
    assert named == set(findings.MEANINGS)
    assert set(findings.UNDECIDED) <= named


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_amounts_add_up(limit: int, actual: int) -> None:
    figures = Amount(limit, actual)
    assert limit + figures.over == actual
    assert figures.share is None or limit + figures.share * limit == actual


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.fractions(0, 3, max_denominator=1000))
def test_growth_is_exceeded_only_above_the_share(base: int, actual: int, allowed: Fraction) -> None:
    figures = Growth(base, actual, allowed)
    assert (figures.over > 0) == (actual > base * (1 + allowed))
    assert (figures.share is None) == (base == 0)
