"""The lock file, and growth against it or against a revision."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from guards import CONV2, MACS, PARAMS, Repository
from hypothesis import given
from hypothesis import strategies as st

import costcalc
import costcalc.cli
from costcalc import guard
from costcalc.api import subjects
from costcalc.api.subjects import Options
from costcalc.checks import JUDGED
from costcalc.errors import CostcalcError
from costcalc.findings import Growth
from costcalc.guard import config, lock

GROWTH = 'growth = {macs = "1%", params = {warn = "0%", error = "200%"}}'


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    found = Repository(tmp_path)
    found.net()
    found.budget(GROWTH)
    return found


def write_lock() -> str:
    found = guard.locked()
    found.path.write_text(found.text, encoding="utf-8")
    return found.text


def verdicts(found: guard.Guarded) -> list[tuple[str, str, str]]:
    return [(each.model, each.metric, each.verdict) for each in found.findings]


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
COUNTS = st.dictionaries(st.sampled_from(list(JUDGED)), st.integers(0, 10**18))
ENTRIES = st.builds(lock.Entry, COUNTS, st.dictionaries(NAMES, COUNTS, max_size=3))


@given(st.dictionaries(NAMES, ENTRIES, max_size=3))
def test_what_is_written_is_read(entries: dict[str, lock.Entry]) -> None:
    text = lock.written(entries)
    assert lock.read(text, "costcalc.lock") == entries
    assert lock.written(dict(reversed(entries.items()))) == text
    for label, entry in entries.items():
        assert list(lock.read(text, "x")[label].blocks) == list(entry.blocks)  # graph order
        assert config.loads(lock.place(text, "x", label).text + "\n")["models"].keys() == {label}


def test_a_lock_file_is_made_for_diffs(repository: Repository) -> None:
    text = write_lock()
    assert text == write_lock()
    entry = text.partition("version = 1\n\n")[2].splitlines()
    assert entry[0] == '[models."nets/tiny.yaml"]'
    assert entry[1:3] == [f"macs = {MACS[3]:_}", f"params = {PARAMS[3]:_}"]
    assert entry[1 + len(JUDGED)] == '[models."nets/tiny.yaml".blocks]'
    assert [line.partition(" ")[0] for line in entry[2 + len(JUDGED) :]] == [
        *("conv1", "conv2", "pool", "flat", "head")
    ]
    assert entry[3 + len(JUDGED)].startswith(f"conv2 = {{macs = {CONV2[3]:_}, params = 4_640, ")
    repository.net(kernel=5)
    after = guard.locked().text.splitlines()
    changed = [line for line in after if line not in text.splitlines()]
    assert [line.partition(" ")[0] for line in changed] == ["macs", "params", "weights", "conv2"]


def test_growth_against_the_lock_file(repository: Repository) -> None:
    write_lock()
    assert verdicts(costcalc.guarded()) == [
        ("nets/tiny.yaml", "macs", "within"),
        ("nets/tiny.yaml", "params", "within"),
    ]
    repository.net(kernel=5)
    found = costcalc.guarded()
    macs, params, stale = found.findings
    assert (macs.verdict, params.verdict, stale.verdict) == ("exceeded", "warned", "out of date")
    assert macs.figures == Growth(MACS[3], MACS[5], Fraction(1, 100))
    more = MACS[5] - MACS[3]
    assert macs.message == (
        f"nets/tiny.yaml has 13.55 M MACs, {more:,} more than in costcalc.lock, 162.53 % (limit 1.0 %), most "
        "in conv2 (+8.389 M, nets/tiny.yaml:4); the limit stands in costcalc.toml:3; if it is meant: "
        "`costcalc guard lock`"
    )
    assert "(warned above none)" in params.message
    assert str(macs.spot) == "nets/tiny.yaml:4:10"
    assert stale.level == "warning"
    write_lock()
    assert costcalc.guarded().passed


@pytest.mark.parametrize(
    ("share", "verdict"), [("1%", "exceeded"), ("162.52%", "exceeded"), ("162.54%", "within")]
)
def test_growth_is_judged_exactly(share: str, verdict: str, repository: Repository) -> None:
    write_lock()
    repository.budget(f'growth.macs = "{share}"')
    repository.net(kernel=5)
    assert costcalc.guarded().findings[0].verdict == verdict


def test_growth_without_a_base_is_a_finding(repository: Repository) -> None:
    found = costcalc.guarded()
    (finding,) = found.findings
    assert (finding.verdict, found.code) == ("nothing matched", 1)
    assert finding.message == (
        "costcalc.toml:3: there is no costcalc.lock to measure growth against; `costcalc guard lock` "
        "writes it, or give --base REVISION"
    )


def test_what_is_new_has_not_grown(repository: Repository) -> None:
    write_lock()
    repository.net("nets/new.yaml", kernel=5)
    found = costcalc.guarded()
    assert verdicts(found)[:3] == [
        ("nets/new.yaml", "macs", "new"),
        ("nets/new.yaml", "params", "new"),
        ("nets/new.yaml", "", "out of date"),
    ]
    assert [each.level for each in found.findings[:3]] == ["notice", "", "warning"]
    assert found.findings[0].message == "nets/new.yaml is not in costcalc.lock: nothing of it can have grown"
    assert (
        found.findings[2].message == "nets/new.yaml is not in costcalc.lock; `costcalc guard lock` writes it"
    )
    assert found.passed


def test_a_lock_file_out_of_date(repository: Repository) -> None:
    repository.net("nets/gone.yaml")
    write_lock()
    (repository.root / "nets/gone.yaml").unlink()
    repository.net(kernel=5)
    told = [each for each in costcalc.guarded().findings if each.verdict == "out of date"]
    assert [each.message for each in told] == [
        f"nets/tiny.yaml: MACs {MACS[5]:,}, in costcalc.lock {MACS[3]:,}, and 5 more counts differ; "
        "`costcalc guard lock` writes it anew",
        "nets/gone.yaml is in costcalc.lock, but no longer a model of costcalc.toml; "
        "`costcalc guard lock` writes it anew",
    ]
    assert told[0].rule.text == f"macs = {MACS[3]:_}"
    assert told[1].rule.text == '[models."nets/gone.yaml"]'
    assert [each.level for each in told] == ["warning", "warning"]
    repository.config('lock = "error"\n' + (repository.root / "costcalc.toml").read_text())
    found = costcalc.guarded(models=["nets/tiny.yaml"])  # of the others nothing is said
    assert [each.level for each in found.findings if each.verdict == "out of date"] == ["error"]


def test_a_broken_model_is_still_one_of_the_configuration(repository: Repository) -> None:
    write_lock()
    repository.write("nets/tiny.yaml", "input: [3, 8, 8]\nlayers: {a: {kind: cnv}}\n")
    budgets = (repository.root / "costcalc.toml").read_text()
    repository.config(f"{budgets}\n{budgets}")
    assert [each.verdict for each in costcalc.guarded().findings] == ["broken"]


def test_a_change_within_blocks_alone_is_seen(repository: Repository) -> None:
    text = write_lock()
    moved = text.replace("conv2 = {", "conv9 = {")
    (repository.root / "costcalc.lock").write_text(moved)
    (finding,) = [each for each in costcalc.guarded().findings if each.level]
    assert finding.message.startswith(
        f"nets/tiny.yaml: MACs of conv9 none, in costcalc.lock {CONV2[3]:,}, and 9 "
    )
    (repository.root / "costcalc.lock").write_text(text.replace("\n", "\r\n"))
    assert guard.locked().current


BROKEN = {
    "<<<<<<< HEAD\nversion = 1\n": "costcalc.lock:1:1: a merge left its marks here; `costcalc guard lock`",
    "version = 1\n[models.a]\nmacs = 1\n>>>>>>> b\n": "costcalc.lock:4:1: a merge left its marks here",
    "version = 1\n[models.a]\nmacs = 1\nmacs = 2\n": "costcalc.lock: is no lock file: Cannot overwrite",
    "version = 2\n": "costcalc.lock: is no lock file of this version of costcalc",
    "": "is no lock file of this version",
    "version = 1\nmodels = 5\n": "is no lock file of this version",
    "version = 1\n[models.a]\nmacs = 1.5\n": "costcalc.lock:2:1: the entry of a is not what was written",
    "version = 1\n[models.a]\nmacs = -1\n": "costcalc.lock:2:1: the entry of a is not",
    "version = 1\n[models]\na = 5\n": "costcalc.lock:3:1: the entry of a is not",
    "version = 1\n[models.a]\nblocks = 5\n": "the entry of a is not",
    "version = 1\n[models.a]\nblocks.b.mac = 5\n": "the entry of a is not",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_lock_file_that_nobody_wrote(text: str, repository: Repository) -> None:
    (repository.root / "costcalc.lock").write_text(text)
    with pytest.raises(CostcalcError) as caught:
        costcalc.guarded()
    assert BROKEN[text] in str(caught.value)
    assert caught.value.exit_code == 2
    found = guard.locked()  # is written anew all the same
    assert not found.current
    assert [each.level for each in found.differing] == ["error"]
    write_lock()
    assert costcalc.guarded().passed


def test_a_lock_file_is_whole_or_not_written(repository: Repository) -> None:
    repository.write("nets/broken.yaml", "input: [3, 8, 8]\nlayers: {a: {kind: cnv}}\n")
    repository.budget("macs = 1", models='"nets/*.yaml", "gone*"')
    with pytest.raises(CostcalcError) as caught:
        guard.locked()
    assert [str(each).partition(": ")[0] for each in caught.value.problems] == [
        "costcalc.toml:2:26",
        "nets/broken.yaml:2:14",
    ]
    assert caught.value.exit_code == 2


def test_growth_against_a_revision(repository: Repository) -> None:
    repository.commit()
    repository.net(kernel=5)
    repository.net("nets/new.yaml")
    found = costcalc.guarded(base="main")
    assert verdicts(found) == [
        ("nets/new.yaml", "macs", "new"),
        ("nets/new.yaml", "params", "new"),
        ("nets/tiny.yaml", "macs", "exceeded"),
        ("nets/tiny.yaml", "params", "warned"),
    ]
    assert f"{MACS[5] - MACS[3]:,} more than in main" in found.findings[2].message
    assert "if it is meant" not in found.findings[2].message
    assert found.base == "main"
    assert costcalc.guarded(base=repository.git("rev-parse", "HEAD")).code == 1
    with pytest.raises(CostcalcError, match="mian") as caught:
        costcalc.guarded(base="mian")
    assert caught.value.exit_code == 2
    with pytest.raises(CostcalcError, match="begin with '-'"):
        costcalc.guarded(base="--output=x")


def test_the_base_of_a_folder_below_and_of_settings(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("deep/costcalc.toml", '[[budget]]\nmodels = ["../nets/*.yaml"]\ngrowth.params = "0%"\n')
    repository.commit()
    monkeypatch.chdir(repository.root / "nets")
    repository.budget('growth.params = "0%"', "settings = {classes = 20}")
    found = costcalc.guarded(base="HEAD")
    assert found.findings[0].figures == Growth(
        PARAMS[3] + 330, PARAMS[3] + 330, found.findings[0].figures.allowed
    )  # type: ignore[union-attr]
    monkeypatch.chdir(repository.root / "deep")
    (finding,) = costcalc.guarded(base="HEAD").findings
    assert (finding.model, finding.verdict) == ("../nets/tiny.yaml", "within")


def test_the_base_of_settings_in_a_name_and_behind_a_link(repository: Repository) -> None:
    repository.write("deep/costcalc.toml", '[[budget]]\nmodels = ["*.yaml"]\ngrowth.params = "0%"\n')
    repository.net("deep/a.yaml")
    repository.commit()
    (repository.root / "link").symlink_to("deep")
    (finding,) = costcalc.guarded("link/costcalc.toml", base="HEAD").findings
    assert (finding.model, finding.verdict) == ("a.yaml", "within")
    repository.budget('growth.params = "0%"', models='"nets/tiny.yaml@classes=20"')
    (finding,) = costcalc.guarded(base="HEAD").findings
    assert (finding.model, finding.verdict) == ("nets/tiny.yaml@classes=20", "within")
    repository.budget('growth.params = "0%"', models='"nets/tiny.yaml"')
    (repository.root / "nets/tiny.yaml").write_text("base: ../deep/a.yaml\nparams: {classes: 20}\n")
    assert costcalc.guarded(base="HEAD").findings[0].figures == Growth(
        PARAMS[3], PARAMS[3] + 330, Fraction(0)
    )


def test_what_was_broken_at_the_base_has_no_base(repository: Repository) -> None:
    repository.write("nets/tiny.yaml", "input: [3]\nlayers: {a: {kind: cnv}}\n")
    repository.commit()
    repository.net()
    found = costcalc.guarded(base="HEAD")
    assert [each.verdict for each in found.findings] == ["no base", "no base"]
    assert found.findings[0].level == "notice"
    assert "nets/tiny.yaml cannot be counted at HEAD (" in found.findings[0].message
    assert "no kind or block 'cnv'" in found.findings[0].message
    assert found.passed


def test_what_is_no_file_has_the_lock_file_of_the_revision(repository: Repository) -> None:
    repository.budget(GROWTH, models='"lenet5"')
    without = repository.commit()
    text = write_lock()
    repository.commit()
    (repository.root / "costcalc.lock").write_text(text.replace("macs = ", "macs = 1", 1))
    found = costcalc.guarded(base="HEAD")
    assert [each.verdict for each in found.findings] == ["within", "within", "out of date"]
    assert [each.verdict for each in costcalc.guarded(base=without).findings[:2]] == ["new", "new"]
    (repository.root / "costcalc.lock").write_text("<<<<<<< HEAD\n")
    broken = repository.commit()
    (repository.root / "costcalc.lock").write_text(text)
    assert costcalc.guarded(base=broken).findings[0].verdict == "new"


def test_a_base_without_git(repository: Repository) -> None:
    with pytest.raises(CostcalcError):
        costcalc.guarded(base="main")


def test_growth_of_a_count_that_nobody_wrote_down(repository: Repository) -> None:
    text = write_lock()
    (repository.root / "costcalc.lock").write_text(text.replace(f"macs = {MACS[3]:_}\n", "", 1))
    found = costcalc.guarded()
    assert found.findings[0].verdict == "no verdict"
    assert found.findings[0].message == (
        "nets/tiny.yaml: no verdict on the growth of MACs: costcalc.lock does not say what it was"
    )
    assert found.code == 3


def test_entries_are_the_counts(repository: Repository) -> None:
    costs = subjects.costed("googlenet", Options(by="formula"))
    entry = lock.entry(costs, ())
    assert entry.counts["macs"] == sum(counts["macs"] for counts in entry.blocks.values()) == 1_498_677_248
    assert list(lock.differences(entry, entry)) == []
    other = lock.Entry({**entry.counts, "macs": 1}, {**entry.blocks, "x": {"macs": 2}})
    assert list(lock.differences(entry, other)) == [
        lock.Difference("", "macs", 1_498_677_248, 1),
        lock.Difference("x", "macs", None, 2),
    ]


def test_growth_of_blocks(repository: Repository) -> None:
    repository.budget('[budget.blocks."conv*"]', 'growth = {macs = "1%", params = {warn = "0%"}}')
    write_lock()
    repository.net(kernel=5)
    found = costcalc.guarded()
    told = [(each.part, each.metric, each.verdict) for each in found.findings if each.metric and each.figures]
    assert told == [
        ("conv1", "macs", "within"),
        ("conv2", "macs", "exceeded"),
        ("conv1", "params", "within"),
        ("conv2", "params", "warned"),
    ]
    figures = found.findings[1].figures
    assert figures == Growth(CONV2[3], CONV2[5], Fraction(1, 100))
    assert found.findings[1].message == (
        f"nets/tiny.yaml conv2 has 13.11 M MACs, {CONV2[5] - CONV2[3]:,} more than in costcalc.lock, "
        "177.78 % (limit 1.0 %), written in nets/tiny.yaml:4; the limit stands in costcalc.toml:4; "
        "if it is meant: `costcalc guard lock`"
    )
    assert "conv2" in "\n".join(found.view(why=True).summary)


def test_growth_of_a_block_that_is_new_or_none(repository: Repository) -> None:
    repository.budget('[budget.blocks."conv*"]', 'growth.macs = "1%"')
    write_lock()
    text = (repository.root / "nets/tiny.yaml").read_text()
    third = "  conv3: {kind: conv, out: 32, kernel: 1}\n  pool:"
    repository.write("nets/tiny.yaml", text.replace("  pool:", third))
    found = costcalc.guarded().findings[2]
    assert (found.part, found.verdict, found.level) == ("conv3", "new", "notice")
    assert found.message == ("nets/tiny.yaml conv3 is not in costcalc.lock: nothing of it can have grown")
    repository.budget("[budget.blocks.nope]", 'growth.macs = "1%"')
    assert ("", "macs", "nothing matched") in verdicts(costcalc.guarded())
    repository.budget('[budget.blocks."3x3.conv"]', 'growth.macs = "1%"', models='"reduced"')
    write_lock()
    (finding,) = costcalc.guarded().findings
    assert (finding.verdict, costcalc.guarded().code) == ("no verdict", 3)
    assert finding.message == (
        "reduced: no verdict on the growth of MACs of 3x3.conv: growth is of whole blocks, and that is a "
        "part of one"
    )


def test_a_file_that_was_renamed_is_measured_against_what_it_was(repository: Repository) -> None:
    repository.commit()
    repository.git("mv", "nets/tiny.yaml", "nets/other name.yaml")
    repository.net("nets/other name.yaml", kernel=5)
    repository.git("add", "-A")
    assert verdicts(costcalc.guarded(base="main")) == [
        ("nets/other name.yaml", "macs", "exceeded"),
        ("nets/other name.yaml", "params", "warned"),
    ]


def test_growth_against_a_revision_says_how_to_see_what_changed(repository: Repository) -> None:
    repository.budget('growth.macs = "0%"', "settings = {classes = 20}")
    repository.commit()
    repository.net(kernel=5)
    (finding,) = costcalc.guarded(base="main").findings
    command = "costcalc diff nets/tiny.yaml --from main --set classes=20"
    assert finding.message.endswith(f"; `{command}` says what changed")
    assert costcalc.cli.main(command.split()[1:]) == 0
