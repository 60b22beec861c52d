"""The benchmarks without a clock: what is left to do, what is said of made-up measurements, what fails."""

from __future__ import annotations

import itertools
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed import __main__ as speed
from benchmarks.speed import drivers, environment, figures, goals, page, plan, running, tables, worker
from benchmarks.speed.figures import Data, Run
from benchmarks.speed.plan import Case
from costcalc import cli, formula, spec

HERE = Path(__file__).parent
FOLDER = HERE.parent / "benchmarks" / "speed"
ENVIRONMENT = {
    "date": "2031-02-03 04:05 UTC",
    "cpu": "Abacus 9000",
    "cores": 2,
    "memory": 8 * 2**30,
    "virtual": False,
    "system": "Linux",
    "python": "CPython 3.11.7",
    "libraries": {"costcalc": "0.1.0", "torchvision": None},
    "counters": {"count": "0.1.0", "fvcore": "0.1.5"},
    "sources": "0123456789ab",
    "rounds": 3,
    "quick": False,
    "groups": "",
    "load": {"1": 0.25, "2": 0.5},
}
# the commands that need no torch, but for the one that opens every preset
QUICK = [it for it, (base, _) in plan.PROMPTS.items() if base == plan.CLOSED_FORM and it != "claims"]
MS = 10**6  # nanoseconds


def made_up(**changes: float) -> Data:
    """Every case of a full run: peers take 100 ms, costcalc a thousandth; ``changes`` in ms by subject."""
    series = {}
    for case in plan.full():
        took = 0.04 if case.subject in plan.OURS else 100.0
        if case.group == "depth":
            took *= case.size
        took = changes.get(case.subject.replace("-", "_"), took)
        exact = 10**9 * plan.per_mac(case.subject) if case.subject in (*plan.OURS, *plan.PEERS) else None
        again = None if case.subject in (plan.COMMAND, plan.BASE) else round(took * MS)
        series[case] = (Run(round(2 * took * MS), again, 1000, 1000 + case.size, exact),) * 3
    return Data(ENVIRONMENT, series)


def zoo(subject: str, model: str = "googlenet") -> Case:
    return Case("zoo", subject, model, plan.side(model))


def of(*runs: Run) -> Data:
    return Data(ENVIRONMENT, {zoo("fvcore"): runs})


def test_a_file_holds_all_that_was_measured(tmp_path: Path) -> None:
    data = made_up()
    path = tmp_path / "data.json"
    path.write_text(figures.written(data))
    assert figures.read(path) == data
    assert path.read_text().count("\n") < len(data.series) + 50  # a line a case
    path.write_text("{}")
    with pytest.raises(ValueError, match="holds no"):
        figures.read(path)


def test_medians_are_of_rounds_and_failures_are_none() -> None:
    data = of(Run(9, 3, 0, 4, 7), Run(8, 1, 0, 6, 7), Run(7, 2, 0, 8, 7), Run(error="fell over"))
    assert data.seconds(zoo("fvcore")) == 2e-9
    assert data.seconds(zoo("fvcore"), first=True) == 8e-9
    assert data.peak(zoo("fvcore")) == 6 * 1024
    assert data.count(zoo("fvcore")) == 7
    assert data.error(zoo("fvcore")) == "fell over"


def test_a_call_too_long_to_be_repeated_is_its_own_repetition() -> None:
    assert of(Run(9, None), Run(5, 1)).times(zoo("fvcore")) == [9e-9, 1e-9]


def test_what_was_not_measured_is_nothing() -> None:
    data = of(Run(error="no"))
    case = zoo("fvcore")
    assert (data.seconds(case), data.peak(case), data.count(case), data.own(case)) == (None,) * 4
    assert data.error(zoo("thop")) == ""


def test_counts_that_differ_between_rounds_are_no_count() -> None:
    assert of(Run(1, count=1), Run(1, count=2)).count(zoo("fvcore")) is None


def test_memory_above_the_model() -> None:
    data = of(Run(1, model=10, peak=14))
    assert (data.peak(zoo("fvcore")), data.own(zoo("fvcore"))) == (14 * 1024, 4 * 1024)


def test_spread_is_of_the_median() -> None:
    assert figures.spread([1.0, 2.0, 4.0]) == 1.5


@pytest.mark.parametrize(
    ("value", "least", "verdict"),
    [
        (1.0, False, "met"),
        (1.01, False, "missed"),
        (1.0, True, "met"),
        (0.99, True, "missed"),
        (None, True, "not measured"),
    ],
)
def test_verdicts(value: float | None, least: bool, verdict: str) -> None:
    assert goals.Goal(1, "", 1.0, value, least=least).verdict == verdict


def verdicts(data: Data) -> dict[str, str]:
    return {goal.what: goal.verdict for goal in goals.judged(data)}


def test_goals_on_a_run_in_which_costcalc_is_fast() -> None:
    data = made_up(costcalc=40, python=100)
    found = verdicts(data)
    missed = {what for what, verdict in found.items() if verdict != "met"}
    assert missed == set()
    assert {goal.number for goal in goals.judged(data)} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        (
            {"costcalc": 131},
            "costcalc show googlenet --by formula ÷ import typer, rich.table, pydantic, yaml",
        ),
        ({"costcalc": 5001, "python": 5000}, "mobilenet-v1: a million settings, from the prompt"),
        ({"setting": 0.0501}, "googlenet: fvcore ÷ recorded closed form"),
        ({"trace": 10.1}, "vgg16: trace of the spec ÷ fvcore"),
        ({"trace": 100.1}, "resnet50: trace of the spec ÷ fvcore"),
        ({"count": 15.1}, "vit_b_16: any model ÷ FlopCounterMode on meta"),
        ({"thop": 0.03}, "swin_t: any model ÷ the fastest peer, thop"),
    ],
)
def test_a_goal_is_missed_just_beyond_its_bound(changes: dict[str, float], missed: str) -> None:
    assert verdicts(made_up(**changes))[missed] == "missed"


def test_reasons_are_of_goals_that_there_are() -> None:
    assert goals.FLOORS.keys() <= verdicts(made_up()).keys()


def test_without_options_everything_is_measured() -> None:
    options = speed._options().parse_args(["run"])
    assert (options.only, options.rounds, options.peers, options.quick) == ("", 3, None, False)


def test_growth_is_held_against_the_smallest() -> None:
    data = made_up()
    for group, size, most in (("depth", 5000, 1.3), ("resolution", 2048, 1.2)):
        model = {"depth": "chain", "resolution": "vgg16"}[group]
        case = Case(group, "trace", model, size)
        start = case if group == "resolution" else Case(group, "trace", model, 100)
        grown = data.seconds(start)
        assert grown
        for times, verdict in ((most - 0.01, "met"), (most + 0.01, "missed")):
            taken = round(grown * times * (50 if group == "depth" else 1) * 1e9)
            changed = replace(data, series={**data.series, case: (Run(taken, taken, 1000, 3000, 10**9),)})
            (goal,) = [
                goal
                for goal in goals.judged(changed)
                if "trace" in goal.what
                and f"{size:,}" in goal.what.replace("2048", "2,048")
                and "memory" not in goal.what
            ]
            assert goal.verdict == verdict, goal


def test_memory_at_the_worst_resolution_counts() -> None:
    data = made_up()
    case = Case("resolution", "trace", "vgg16", 448)
    what = "vgg16: memory of the trace above the imports, at any resolution"
    for kib, verdict in ((20 * 1024, "met"), (20 * 1024 + 1, "missed")):
        changed = replace(data, series={**data.series, case: (Run(1, 1, 0, kib, 1),)})
        assert verdicts(changed)[what] == verdict
    assert verdicts(replace(data, series={**data.series, case: (Run(error="no"),)}))[what] == "not measured"


def texts(data: Data) -> str:
    return page.files(data, Path("reports/benchmarks.md"))["reports/benchmarks.md"]


def test_the_page_says_it_all_and_alike_each_time() -> None:
    data = made_up(costcalc=40, python=100)
    found = page.files(data, Path("reports/benchmarks.md"))
    assert found == page.files(data, Path("reports/benchmarks.md"))
    text = found["reports/benchmarks.md"]
    assert text.startswith("<!-- generated: `python -m benchmarks.speed render`")
    total = len(goals.judged(data))
    assert f"Of {total} goals: **{total} met**." in text
    for heading in (
        "In short",
        "Goals",
        "At the prompt",
        "A million settings",
        "Ten models",
        "Growth in depth",
    ):
        assert f"\n## {heading}\n" in text
    for words in (
        "Abacus 9000, 2 cores, 8.0 GiB",
        "0.25 and 0.50",
        "hash `0123456789ab`",
        "fvcore 0.1.5",
        "A/A"[:0],
    ):
        assert words in text
    for peer in plan.PEERS.values():
        assert peer in text
    assert text.split("## How noisy")[1].count(" 1× |") == len(data.cases("again"))
    assert set(found) - {"reports/benchmarks.md"} == {
        f"reports/charts/benchmarks-{name}.svg"
        for name in (
            *(f"time-{model}" for model in ("googlenet", "resnet50", "vit_b_16")),
            *(f"{group}-growth" for group in ("resolution", "batch", "depth")),
        )
    }


def test_a_tool_that_fails_is_told_and_the_others_stand() -> None:
    data = made_up()
    failing = {
        case: (Run(error="does not start: *no* `module`"),)
        for case in data.series
        if case.subject == "deepspeed"
    }
    text = texts(replace(data, series={**data.series, **failing}))
    assert "- DeepSpeed: does not start: \\*no\\* \\`module\\`" in text
    row = next(line for line in text.splitlines() if line.startswith("| DeepSpeed"))
    assert set(row.replace("DeepSpeed", "").replace("|", "").split()) == {"–"}
    assert "Exact on 10 models" in text


def test_a_wrong_count_is_told_by_how_much() -> None:
    data = made_up()
    wrong = {
        zoo("thop"): (Run(1, 1, 0, 0, 1_100_000_000),),
        zoo("torchinfo"): (Run(1, 1, 0, 0, 10**9 + 15),),
        zoo("flopcounter"): (Run(1, 1, 0, 0, 2 * 10**9 - 1),),
    }
    text = texts(replace(data, series={**data.series, **wrong})).split("**what they count**")[1]
    for counter, said in (
        ("thop", "+10.00&nbsp;%"),
        ("torchinfo", "+15"),
        ("FlopCounterMode (meta)", "-0.5"),
    ):
        assert (
            next(line for line in text.splitlines() if line.startswith(f"| {counter} ")).split()[-1:] or said
        )
        assert said in next(line for line in text.splitlines() if line.startswith(f"| {counter} "))
    exact = page.document(data, "x").sections[0]
    assert "thop" in str(exact)


def test_what_was_not_measured_twice_has_no_noise() -> None:
    data = made_up()
    kept = {case: runs for case, runs in data.series.items() if case.group in ("again", "prompt")}
    assert len(tables.noise(data).rows) == len(data.cases("again"))
    assert [row[0] for row in tables.noise(replace(data, series=kept)).rows] == [
        "python: import typer, rich.table, pydantic, yaml"
    ]


def test_some_groups_only() -> None:
    found = plan.only(plan.full(), ["prompt", "depth"])
    assert {case.group for case in found} == {"prompt", "depth", "again"}
    assert {case.subject for case in found if case.group == "again"} == {plan.BASE}


def test_a_quick_run_says_so() -> None:
    kept = {case: made_up().series.get(case, (Run(1, 1, 1, 1, 1),)) for case in plan.quick()}
    text = texts(Data({**ENVIRONMENT, "quick": True}, kept))
    assert "A quick run" in text
    assert "not measured" in text
    assert "A quick run" not in texts(made_up())


class Scripted:
    """Subjects without processes: what each measurement gives, or an interruption."""

    def __init__(self, give: Callable[[Case], Run]) -> None:
        self.give, self.asked = give, list[Case]()
        self.versions = {"fvcore": "1"}

    def measure(self, case: Case) -> Run:
        self.asked.append(case)
        return self.give(case)


CASES = [zoo(subject) for subject in ("count", "fvcore", "thop")]


def measured(subjects: Any, data: Data, kept: list[Data] | None = None) -> Data:
    kept = [] if kept is None else kept
    return running.measured(CASES, 3, data, subjects, kept.append, lambda line: None)


def test_subjects_take_turns() -> None:
    subjects = Scripted(lambda case: Run(1, 1))
    data = measured(subjects, Data({}, {}))
    assert [
        case.subject for case in subjects.asked
    ] == "count fvcore thop fvcore thop count thop count fvcore".split()
    assert {len(runs) for runs in data.series.values()} == {3}
    assert data.environment["counters"] == {"fvcore": "1"}
    assert set(data.environment["load"]) == {"1", "2", "3"}


def test_what_fails_or_takes_long_is_measured_once() -> None:
    given = {"count": Run(6 * 10**9), "fvcore": Run(error="no"), "thop": Run(4 * 10**9)}
    data = measured(Scripted(lambda case: given[case.subject]), Data({}, {}))
    assert [len(runs) for runs in data.series.values()] == [1, 1, 3]


def test_an_interrupted_run_goes_on_where_it_stopped() -> None:
    answers: Iterator[Run] = iter([Run(1, 1)] * 4)

    def give(case: Case) -> Run:
        try:
            return next(answers)
        except StopIteration:
            raise KeyboardInterrupt from None

    kept: list[Data] = []
    first = Scripted(give)
    with pytest.raises(KeyboardInterrupt):
        measured(first, Data({}, {}), kept)
    second = Scripted(lambda case: Run(2, 2))
    data = measured(second, kept[-1])
    assert [*first.asked[:4], *second.asked] == [
        case for number in range(3) for case in plan.turned(CASES, number)
    ]
    assert sum(run == Run(2, 2) for runs in data.series.values() for run in runs) == 5


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("--only promt", "no group 'promt'; there are prompt, sweep, zoo, resolution, batch, depth"),
        ("--only prompt,", "no group ''; there are prompt"),
        ("--rounds 0", "'0' is no number of rounds, 1 or more"),
        ("--rounds many", "'many' is no number of rounds, 1 or more"),
        ("--peers nowhere", "no folder 'nowhere'; `python -m benchmarks.speed peers` makes one"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_written(
    asked: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "kept.json"
    data.write_text("measured for an hour")
    with pytest.raises(SystemExit) as end:
        speed.main(["run", "--data", str(data), "-o", str(tmp_path / "page.md"), *asked.split()])
    assert end.value.code == 2
    assert told in capsys.readouterr().err
    assert data.read_text() == "measured for an hour"


def test_a_page_without_measurements_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert speed.main(["render", "--data", str(tmp_path / "none.json"), "-o", str(tmp_path / "page.md")]) == 2
    assert "none.json is not there; `python -m benchmarks.speed run` measures" in capsys.readouterr().err


def test_only_the_same_surroundings_go_on() -> None:
    here = environment.found(3, False, "")
    assert environment.same(here, {**here, "date": "another", "load": {}})
    for key in ("sources", "python", "rounds", "libraries"):
        assert not environment.same(here, {**here, key: "another"})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], dict[str, Any]]:
    """Measure a function in a fork, as if a subject counted so."""

    def measure(call: Callable[[], int]) -> dict[str, Any]:
        monkeypatch.setattr(drivers, "call", lambda case: call)
        monkeypatch.setattr(worker, "ENOUGH", 0)
        monkeypatch.setattr(worker, "BRIEF", 0)
        return dict(worker.json.loads(worker._apart(zoo("fvcore"), 30)))

    return measure


def test_a_fork_measures_or_says_why_not(calls: Callable[[Callable[[], int]], dict[str, Any]]) -> None:
    found = calls(lambda: sum(range(1000)))
    assert found["count"] == 499500
    assert set(found) == {"first", "again", "count", "model", "peak"}
    numbers = itertools.count()
    assert calls(lambda: next(numbers))["error"].startswith("counts 0 at first, and ")
    assert calls(lambda: 1 // 0) == {"error": "ZeroDivisionError: integer division or modulo by zero"}
    assert calls(lambda: os.kill(os.getpid(), signal.SIGALRM) or 0) == {"error": "not done after 30 s"}
    assert calls(lambda: os.kill(os.getpid(), signal.SIGKILL) or 0) == {
        "error": "its process ended with signal 9"
    }


def test_a_fork_has_so_much_time(calls: Callable[[Callable[[], int]], dict[str, Any]]) -> None:
    assert calls(lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0)["count"] is True


def test_memory_at_the_peak_is_seen() -> None:
    """In a process of its own: a fork of a large one shares what it then frees."""
    script = (
        "from benchmarks.speed import drivers, plan, worker\n"
        "drivers.call = lambda case: lambda: len(b'x' * 2**26)\n"
        "worker.ENOUGH = worker.BRIEF = 0\n"
        "print(worker._apart(plan.full()[-1], 30))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=running.ROOT
    )
    assert worker.json.loads(done.stdout)["peak"] > 63 * 1024  # the kernel counts in batches


def test_a_missing_counter_names_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "distribution", lambda subject: "no-such-counter")
    assert worker._ready("fvcore") == {"error": "not installed: pip install no-such-counter"}


def test_processes_answer_and_may_end() -> None:
    subjects = running.Subjects(None)
    try:
        assert subjects.measure(zoo("formula")).count == 1_498_376_192
        assert subjects.versions.keys() == {"formula"}
        assert subjects.measure(zoo("formula", "swin_t")).error.startswith("KeyError")
        subjects.processes["formula"].kill()
        assert subjects.measure(zoo("formula")).error == "its process ended"
        assert subjects.measure(zoo("formula")).count == 1_498_376_192
    finally:
        subjects.close()


def test_a_subject_that_does_not_start_is_not_asked_again() -> None:
    subjects = running.Subjects(None)
    try:
        said = [subjects.measure(Case("zoo", "abacus", "googlenet")).error for _ in range(2)]
    finally:
        subjects.close()
    assert said == ["does not start: its process ended"] * 2


def test_command_lines_are_processes_of_their_own() -> None:
    run = running.prompted(Case("prompt", plan.BASE, "print('unheard')"))
    assert run.first
    assert run.peak
    assert (
        running.prompted(Case("prompt", plan.BASE, "raise SystemExit('too bad')")).error
        == "exit code 1: too bad"
    )


@pytest.mark.parametrize("command", QUICK)
@pytest.mark.usefixtures("capsys")
def test_commands_that_are_measured_work(command: str) -> None:
    assert cli.main(shlex.split(command)) in running.DONE[plan.COMMAND]


def test_specs_are_the_networks_they_stand_for() -> None:
    ours, preset = (spec.load(name) for name in (str(FOLDER / "vgg16.yaml"), "vgg16"))
    assert formula.costs(ours).total.macs == formula.costs(preset).total.macs
    assert formula.costs(ours).total.params == formula.costs(preset).total.params
    larger = spec.load(str(FOLDER / "vgg16.yaml"), {"input": "[3, 448, 448]"})
    assert larger.shape_of("average") == ours.shape_of("average")


def test_the_chain_is_one_network_for_all() -> None:
    case = Case("depth", "count", plan.CHAIN, 10)
    assert drivers.call(case)() == drivers.call(replace(case, subject="formula"))() > 0
    assert drivers.call(replace(case, subject="load"))() == 10


def test_every_counter_can_be_installed() -> None:
    lists = {path.stem: path.read_text() for path in (FOLDER / "peers").glob("*.txt")}
    assert set(lists) == {plan.distribution(peer) for peer in plan.PEERS} - {"torch", "fvcore"}
    for name, text in lists.items():
        wanted = [line.partition("#")[0].strip() for line in text.splitlines()]
        assert wanted[0].startswith(f"{name}==")
        assert all("==" in line for line in wanted if line)


def test_the_committed_measurements_agree_with_each_other() -> None:
    data = figures.read(HERE.parent / speed.RUNS)
    models = {case.model for case in data.cases("zoo")}
    for model in models & plan.SPECS.keys():
        counts = {data.count(zoo(subject, model)) for subject in ("formula", "trace", "count")}
        assert len(counts) == 1, model
