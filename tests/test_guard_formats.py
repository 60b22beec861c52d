"""What continuous integration reads: GitHub's annotations and summary, JUnit's document, and tables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from guards import Repository
from hypothesis import given
from hypothesis import strategies as st

import costcalc
from costcalc import findings, guard, schema
from costcalc.errors import Place
from costcalc.findings import Amount, Finding
from costcalc.guard import github, junit
from costcalc.views import guarding

RULE = Place("costcalc.toml", 3, 1, "")
COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    found = Repository(tmp_path)
    found.net()
    return found


def finding(message: str = "too much", level: findings.Level = "error", **more: object) -> Finding:
    given_ = {"verdict": "exceeded", "model": "nets/a.yaml", "rule": RULE, "metric": "macs", **more}
    return Finding(level=level, message=message, **given_)  # type: ignore[arg-type]


def view(found: list[Finding]) -> guarding.View:
    return guarding.guard(found, "costcalc.toml", "", True, False, guarding.FAILED)


def commands(found: list[Finding], root: Path = Path("/r"), here: Path = Path("/r")) -> list[str]:
    text = github.written(view(found), found, root, here)
    return [line for line in text.splitlines() if line.startswith("::")]


def unescaped(text: str, properties: bool = False) -> str:
    """As the runner reads it: the percent sign last."""
    signs = {"%3A": ":", "%2C": ","} if properties else {}
    for code, sign in {**signs, "%0D": "\r", "%0A": "\n", "%25": "%"}.items():
        text = text.replace(code, sign)
    return text


@given(st.text(), st.text(st.characters(exclude_characters="\n\r\0", codec="utf-8"), min_size=1))
def test_annotations_come_back_as_they_were(message: str, name: str) -> None:
    each = finding(message, model=name, spot=Place(name, 7, 3, ""))
    line = github._command(each, Path("/r"), Path("/r"))
    assert not {"\n", "\r"} & set(line)
    match = COMMAND.fullmatch(line)
    assert match is not None
    assert unescaped(match[3]) == message
    pairs = dict(pair.split("=", 1) for pair in match[2].split(","))
    assert unescaped(pairs["title"], True) == f"{name} MACs exceeded"
    assert set(pairs) in ({"title"}, {"file", "line", "title"})


def test_at_most_ten_annotations_the_serious_first() -> None:
    levels: list[findings.Level] = ["notice", "", "warning", "error"]
    found = [finding(f"{level} {number}", level) for number in range(4) for level in levels]
    lines = commands(found)
    assert [line.partition(" ")[0] for line in lines] == ["::error"] * 4 + ["::warning"] * 4 + [
        "::notice"
    ] * 2
    assert [line.rpartition("::")[2] for line in lines[:2]] == ["error 0", "error 1"]
    text = github.written(view(found), found, Path("/r"), Path("/r"))
    assert text.endswith("\n2 more findings without annotation; the table lists all.\n")
    assert (
        github.written(view(found[:4]), found[:4], Path("/r"), Path("/r")).splitlines()[-1].startswith("::")
    )


@pytest.mark.parametrize(
    ("file", "here", "shown"),
    [
        ("nets/a.yaml", "/r", "file=nets/a.yaml,line=7,"),
        ("../nets/a.yaml", "/r/deep", "file=nets/a.yaml,line=7,"),
        ("a, b: 100%.yaml", "/r", "file=a%2C b%3A 100%25.yaml,line=7,"),
        ("../outside.yaml", "/r", ""),
    ],
)
def test_files_are_those_of_the_repository(file: str, here: str, shown: str) -> None:
    (line,) = commands([finding(spot=Place(file, 7, 3, ""))], here=Path(here))
    assert line.startswith(f"::error {shown}title=")


@pytest.mark.parametrize("name", ["::error::pwned.yaml", " ::add-mask::x", "##[error]x", "a\n::debug::"])
def test_a_name_in_the_log_is_no_command(name: str) -> None:
    found = [finding(model=name, figures=Amount(1, 2))]
    lines = github.written(view(found), found, Path("/r"), Path("/r")).splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    again = lines.index(f"::{token}::")
    assert lines[0] != token
    assert not any(token in line for line in lines[1:again])
    assert lines[again + 1] == ""
    assert all(COMMAND.fullmatch(line) for line in lines[again + 2 :])
    assert len(lines) == again + 3
    plain = github.written(view([finding()]), [finding()], Path("/r"), Path("/r"))
    assert "stop-commands" not in plain


def test_a_summary_fits_into_a_mebibyte() -> None:
    found = [finding(f"ü{number} " * 100, model=f"nets/{number}.yaml") for number in range(2000)]
    text = github.summary(view(found))
    assert 900_000 < len(text.encode()) <= github.MOST_BYTES < 2**20
    assert text.endswith("\n\nThe rest stands in the log of the job.\n")
    assert github.summary(view(found[:1])).startswith("### costcalc.toml: 0 of 1 limit kept, 1 exceeded\n")


LEVELS: list[tuple[Finding, str, str]] = [
    (finding("", "", verdict="within", figures=Amount(2, 1)), "", ""),
    (finding(), "failure", "failure"),
    (finding(level="warning", verdict="warned"), "", "failure"),
    (finding(verdict="no verdict"), "skipped", "skipped"),
    (finding(verdict="too close to call", metric="latency"), "skipped", "skipped"),
    (finding(level="notice", verdict="new"), "skipped", "skipped"),
    (finding(verdict="broken", metric=""), "error", "error"),
    (finding(verdict="nothing matched", model="", metric=""), "failure", "failure"),
    (finding(level="warning", verdict="out of date", metric=""), "", "failure"),
]


def test_every_verdict_has_its_element() -> None:
    said = {each.verdict for each, _, _ in LEVELS}
    assert said | {"no base"} == set(findings.MEANINGS)
    for strict in (False, True):
        for each, plain, strictly in LEVELS:
            root = ElementTree.fromstring(junit.written([each], "c.toml", strict).partition("\n")[2])
            (case,) = root.iter("testcase")
            tags = [child.tag for child in case if child.tag != "system-out"]
            assert tags == ([strictly] if strict and strictly else [plain] if not strict and plain else [])


def test_the_document_is_what_jenkins_and_gitlab_read() -> None:
    found = [each for each, _, _ in LEVELS] + [finding(), finding(model="nets/b.yaml", figures=Amount(1, 2))]
    text = junit.written(found, "costcalc.toml", False)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ')
    root = ElementTree.fromstring(text.partition("\n")[2])
    assert root.tag == "testsuites"
    suites = list(root)
    assert [suite.get("name") for suite in suites] == ["nets/a.yaml", "costcalc.toml", "nets/b.yaml"]
    for element in (root, *suites):
        cases = list(element.iter("testcase"))
        assert element.get("tests") == str(len(cases))
        for key, tag in junit.COUNTED.items():
            assert element.get(key) == str(sum(case.find(tag) is not None for case in cases))
        assert set(element.keys()) == {"name", "tests", "failures", "errors", "skipped"}
    for suite in suites:
        names = [case.get("name") for case in suite]
        assert len(set(names)) == len(names)  # a case is known by its name from one run to the next
        for case in suite:
            assert case.tag == "testcase"
            assert set(case.keys()) == {"classname", "name", "file", "line"}
            assert case.get("classname") == suite.get("name")
            assert {child.tag for child in case} <= {"failure", "error", "skipped", "system-out"}
            assert all(child.get("message") for child in case if child.tag != "system-out")
    assert text == junit.written(found, "costcalc.toml", False)


@given(st.text(), st.text())
def test_any_text_is_xml(message: str, name: str) -> None:
    each = finding(message, model=name, spot=Place(name, 1, 1, ""))
    (case,) = ElementTree.fromstring(junit.written([each], "c", False).partition("\n")[2]).iter("testcase")
    kept = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "?", message)
    assert case[0].get("message") == kept


def test_tables_hold_every_limit(repository: Repository) -> None:
    lines = ("macs = 1", 'params = "1M"', 'growth.macs = "0%"', "latency = {error = '1s', on = 't4'}")
    repository.budget(*lines)
    found = guard.locked()
    found.path.write_text(found.text)
    guarded = costcalc.guarded()
    data = json.loads(guarded.to("json"))
    jsonschema.validate(data, schema.of("guard"))
    result = data["result"]
    assert [row["verdict"] for row in result["limits"]["rows"]] == ["exceeded", "within"]
    assert result["growth"]["rows"][0]["grown"] == 0
    assert result["latency"]["rows"][0]["device"] == "t4"
    (row,) = result["findings"]["rows"]
    assert (row["at"], row["limit_at"], row["level"]) == ("nets/tiny.yaml:4", "costcalc.toml:3", "error")
    assert result["summary"] == [
        f"error: {guarded.findings[0].message}.",
        "FAILED: 3 of 4 limits kept, 1 exceeded.",
    ]
    assert (result["outcome"], result["passed"]) == ("FAILED", False)
    (row,) = [row for row in result["limits"]["rows"] if row["metric"] == "macs"]
    assert row["headroom"] == row["limit"] - row["actual"]


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (["within"], "1 limit kept"),
        (["within"] * 3, "all 3 limits kept"),
        (["exceeded", "within", "warned", "new"], "1 of 4 limits kept, 1 exceeded, 1 warned, 1 new"),
        (["too close to call", "no verdict"], "0 of 2 limits kept, 1 too close to call, 1 no verdict"),
    ],
)
def test_all_in_a_sentence(verdicts: list[str], sentence: str) -> None:
    assert guarding.concluded([finding(verdict=verdict) for verdict in verdicts]) == sentence


def test_why(repository: Repository) -> None:
    repository.net(kernel=5)
    repository.net("nets/b.yaml", kernel=5)
    repository.budget('macs = "10M"', 'params = {warn = "10K"}')
    found = costcalc.guarded()
    shown = found.view(why=True)
    keys = [grid.key for grid in shown.grids]
    assert keys == ["findings", "limits", "why", "changes"]
    why, changes = shown.grids[2:]
    assert (
        {row[0] for row in why.rows} == {row[0] for row in changes.rows} == {"nets/b.yaml", "nets/tiny.yaml"}
    )
    assert why.columns[0].key == changes.columns[0].key == "model"
    assert shown.summary[-1] == found.view().summary[-1]
    assert any("nets/tiny.yaml" in line and "5×5" in line for line in shown.summary)
    one = (repository.root / "costcalc.toml").read_text()
    for other in ('macs = "12M"', 'macs = "9999999"', 'growth.macs = "1%"'):
        repository.config(f'{one}[[budget]]\nmodels = ["nets/*.yaml"]\n{other}\n')
        both = costcalc.guarded().view(why=True).grids[2:]
        limit = {row[1:3]: row for row in both[1].rows}
        assert len({row[:4] for row in both[0].rows}) == len(both[0].rows)  # each count once
        assert (both[0].rows == why.rows) is ("9999999" not in other)
        assert set(limit) == {("total", "macs"), ("total", "params")}
    repository.budget('macs = "1G"')
    kept = costcalc.guarded()
    assert kept.view(why=True) == kept.view()
