"""Which process measures what and what becomes of it, with workers that follow a script."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from benched import cpu

from costcalc import bench
from costcalc.bench import workers
from costcalc.bench.messages import (
    Began,
    Done,
    Event,
    Failed,
    Job,
    Measured,
    Phase,
    Placed,
    Probed,
    Refused,
    event,
    line,
)
from costcalc.bench.workers import WorkerDiedError
from costcalc.errors import CostcalcError, Place, Problem
from costcalc.latency import summary
from costcalc.latency.runs import Environment, Measurement, Process, Round, Run

WHERE = Environment(
    device_name="scripted",
    driver=None,
    torch="2",
    cuda=None,
    cudnn=None,
    python="3",
    costcalc="0",
    system="none",
)


def began(name: str, batch: int) -> Began:
    return Began(
        measurement=Measurement(
            name=name,
            source="",
            spec=name,
            batch=batch,
            params=1,
            macs=batch,
            peak_activations=1,
            convention="",
            work=(),
        )
    )


def measured(elapsed: float = 1.0) -> Measured:
    return Measured(round=Round(wall_s=(0.01,) * 20), started="then", elapsed=elapsed)


def done(index: int) -> Done:
    rounds = (Round(wall_s=(0.01,) * 20),)
    return Done(
        process=Process(
            index=index, started="", warmup_s=1.0, settled=True, rounds=rounds, stopped="precision"
        )
    )


Script = Callable[[Job], Iterator[Event]]


def obliging(job: Job) -> Iterator[Event]:
    """A worker that measures everything it is asked for, and doubles the batch up to 4."""
    yield Placed(device="cpu", environment=WHERE)
    assert job.subject is not None
    for batch in job.batches or (1, 2, 4):
        yield began(job.subject.name, batch)
        yield Phase(phase="warming up")
        yield measured()
        yield done(job.index)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Script], list[Job]]:
    """Workers that follow a script; gives the list of the jobs they got."""

    def script(of: Script) -> list[Job]:
        jobs: list[Job] = []

        def events(job: Job) -> Generator[Event, None, None]:
            jobs.append(job)
            yield from of(job)

        monkeypatch.setattr(workers, "events", events)
        return jobs

    return script


def ran(names: str, batches: tuple[int, ...] | None = (1,), tell: Any = lambda _: None, **how: Any) -> Run:
    subjects = [bench.Subject(name) for name in names.split()]
    return bench.run(subjects, batches, cpu(**how), "a command", tell)


def order(jobs: list[Job]) -> str:
    return " ".join(f"{job.subject.name}{job.index}" for job in jobs if job.subject)


def test_several_architectures_take_turns_forwards_and_backwards(
    scripted: Callable[[Script], list[Job]],
) -> None:
    jobs = scripted(obliging)
    run = ran("a b c", (1, 8), processes=3, device="auto")
    assert order(jobs) == "a0 b0 c0 c1 b1 a1 a2 b2 c2"
    assert [(each.name, each.batch) for each in run.measurements] == [
        *(("a", 1), ("a", 8), ("b", 1), ("b", 8), ("c", 1), ("c", 8))
    ]
    for each in run.measurements:
        assert [process.index for process in each.processes] == [0, 1, 2]
        assert (each.status, each.reason) == ("ok", "")
    assert run.interleaved
    assert (run.settings.device, run.environment, run.command) == ("cpu", WHERE, "a command")
    assert {job.settings.device for job in jobs[1:]} == {"cpu"}  # as the first one found


def test_one_architecture_against_itself_is_two(scripted: Callable[[Script], list[Job]]) -> None:
    scripted(obliging)
    run = ran("a a", processes=2)
    assert [len(each.processes) for each in run.measurements] == [2, 2]


def test_one_architecture_alone_takes_no_turns(scripted: Callable[[Script], list[Job]]) -> None:
    jobs = scripted(obliging)
    assert not ran("a", processes=2).interleaved
    assert order(jobs) == "a0 a1"
    assert all(job.load is None or job.load >= 0 for job in jobs)


def test_the_batches_that_the_first_process_doubled_to_are_those_of_all(
    scripted: Callable[[Script], list[Job]],
) -> None:
    jobs = scripted(obliging)
    run = ran("a", None, processes=2)
    assert [job.batches for job in jobs] == [None, (1, 2, 4)]
    assert [(each.batch, len(each.processes)) for each in run.measurements] == [(1, 2), (2, 2), (4, 2)]


def test_what_cannot_be_measured_is_a_result_and_not_tried_again(
    scripted: Callable[[Script], list[Job]],
) -> None:
    def full(job: Job) -> Iterator[Event]:
        yield Placed(device="cpu", environment=WHERE)
        for batch in job.batches or ():
            yield began("a", batch)
            yield Failed(status="oom", reason="no memory") if batch > 8 else done(job.index)

    jobs = scripted(full)
    run = ran("a", (1, 64, 8), processes=2)
    assert [job.batches for job in jobs] == [(1, 64, 8), (1, 8)]
    found = {each.batch: (each.status, each.reason, len(each.processes)) for each in run.measurements}
    assert found == {1: ("ok", "", 2), 64: ("oom", "no memory", 0), 8: ("ok", "", 2)}


@pytest.mark.parametrize(
    ("killed_by", "status"), [(signal.SIGKILL, "oom"), (signal.SIGSEGV, "error"), (signal.SIGABRT, "error")]
)
def test_a_worker_that_is_killed_is_a_result_and_the_rest_is_measured(
    scripted: Callable[[Script], list[Job]], killed_by: signal.Signals, status: str
) -> None:
    def dying(job: Job) -> Iterator[Event]:
        for told in obliging(job):
            yield told
            if isinstance(told, Began) and told.measurement.batch == 4:
                raise WorkerDiedError("killed", killed_by)

    jobs = scripted(dying)
    run = ran("a", (1, 4, 2), processes=2)
    assert [job.batches for job in jobs] == [(1, 4, 2), (2,), (1, 2)]
    found = {each.batch: (each.status, each.reason, len(each.processes)) for each in run.measurements}
    assert found == {1: ("ok", "", 2), 4: (status, "killed", 0), 2: ("ok", "", 2)}


def test_a_worker_that_ends_by_itself_while_it_measures_is_a_result_too(
    scripted: Callable[[Script], list[Job]],
) -> None:
    def ending(job: Job) -> Iterator[Event]:
        for told in obliging(job):
            yield told
            if isinstance(told, Began) and told.measurement.batch == 4:
                raise WorkerDiedError("ended with exit code 3", said="Traceback\nKeyError: 4")
            if isinstance(told, Began) and told.measurement.batch == 8:
                return  # os._exit(0)

    jobs = scripted(ending)
    run = ran("a", (1, 4, 8, 2))
    assert [job.batches for job in jobs] == [(1, 4, 8, 2), (8, 2), (2,)]
    found = {each.batch: (each.status, each.reason, len(each.processes)) for each in run.measurements}
    assert found == {
        1: ("ok", "", 1),
        4: ("error", "ended with exit code 3: KeyError: 4", 0),
        8: ("error", "the process that measured ended without a word", 0),
        2: ("ok", "", 1),
    }
    assert run.refused == ()


def test_a_worker_that_lost_its_device_is_followed_by_another(
    scripted: Callable[[Script], list[Job]],
) -> None:
    def lost(job: Job) -> Iterator[Event]:
        yield Placed(device="cuda:0", environment=WHERE)
        assert job.batches is not None
        yield began("a", job.batches[0])
        yield Failed(status="error", reason="CUDA error")

    jobs = scripted(lost)
    run = ran("a", (1, 4))
    assert [job.batches for job in jobs] == [(1, 4), (4,)]
    assert [each.status for each in run.measurements] == ["error", "error"]


def test_what_a_worker_dies_of_when_it_is_done_is_nobodys_concern(
    scripted: Callable[[Script], list[Job]],
) -> None:
    def crashing(job: Job) -> Iterator[Event]:
        yield from obliging(job)
        raise WorkerDiedError("killed (SIGSEGV)", signal.SIGSEGV)

    jobs = scripted(crashing)
    run = ran("a", (1, 4))
    assert [each.status for each in run.measurements] == ["ok", "ok"]
    assert run.refused == ()
    assert len(jobs) == 1


def test_a_worker_that_begins_nothing_is_an_error_and_not_tried_for_ever(
    scripted: Callable[[Script], list[Job]],
) -> None:
    def silent(job: Job) -> Iterator[Event]:
        if job.subject and job.subject.name == "b":
            yield from obliging(job)
        yield Placed(device="cpu", environment=WHERE)

    jobs = scripted(silent)
    with pytest.raises(RuntimeError, match="without a word"):
        ran("a")
    run = ran("b a a")  # once something was measured it is kept
    assert [each.name for each in run.measurements] == ["b"]
    assert run.refused == ("a: the process that measured ended without a word",)
    assert order(jobs) == "a0 b0 a0 a0"


def test_what_was_throttled_throughout_is_kept_and_not_tried_again(
    scripted: Callable[[Script], list[Job]],
) -> None:
    hot = Round(wall_s=(0.01,) * 20, discarded=True)
    spent = done(0).process.model_copy(update={"rounds": (hot,) * 11, "stopped": "throttled"})

    def throttled(job: Job) -> Iterator[Event]:
        yield Placed(device="cpu", environment=WHERE)
        for batch in job.batches or ():
            yield began("a", batch)
            is_hot = batch == 4 or job.index == 1
            yield Done(process=spent) if is_hot else done(job.index)

    jobs = scripted(throttled)
    one, four = ran("a", (1, 4), processes=2).measurements
    assert [job.batches for job in jobs] == [(1, 4), (1,)]
    assert (one.status, len(one.processes)) == ("ok", 2)  # the first process counts
    assert (four.status, four.processes) == ("throttled", (spent,))
    assert four.reason == "every round was throttled; 11 were discarded"


def test_what_is_refused_later_does_not_take_along_what_was_measured(
    scripted: Callable[[Script], list[Job]],
) -> None:
    error = CostcalcError("no such model")

    def refusing(job: Job) -> Iterator[Event]:
        if job.subject and job.subject.name == "b":
            yield Refused.of(error)
        elif job.subject and job.subject.name == "c":
            yield began("c", 1)
            yield Refused.of(error)
        else:
            yield from obliging(job)

    scripted(refusing)
    a, c = ran("a b c", processes=2).measurements
    assert (a.status, len(a.processes)) == ("ok", 2)
    assert (c.status, c.reason) == ("error", "no such model")
    assert ran("a b b", processes=2).refused == ("b: no such model",)
    for names in ("b a", "c a"):
        with pytest.raises(CostcalcError, match="no such model"):
            ran(names)


def test_models_that_come_later_are_checked_before_anything_is_measured(
    scripted: Callable[[Script], list[Job]],
) -> None:
    def checking(job: Job) -> Iterator[Event]:
        if job.task == "measure":
            yield from obliging(job)
        if any(each.name == "zoo:wrong" for each in job.subjects):
            yield Refused.of(CostcalcError("no such model"))

    jobs = scripted(checking)
    with pytest.raises(CostcalcError, match="no such model"):
        ran("a zoo:right zoo:wrong", (4,))
    (job,) = jobs
    assert (job.task, job.batches) == ("check", (4,))
    assert [each.name for each in job.subjects] == ["zoo:right", "zoo:wrong"]
    jobs.clear()
    for names in ("zoo:wrong", "zoo:wrong zoo:wrong", "zoo:wrong a"):
        ran(names)
    assert {job.task for job in jobs} == {"measure"}  # the first refuses before anything else


def test_a_worker_that_is_killed_before_it_measures_is_an_error(
    scripted: Callable[[Script], list[Job]],
) -> None:
    def dying(job: Job) -> Iterator[Event]:
        raise WorkerDiedError("killed (SIGKILL)", signal.SIGKILL)
        yield

    scripted(dying)
    with pytest.raises(CostcalcError, match="SIGKILL") as caught:
        ran("a")
    assert caught.value.exit_code == 3
    with pytest.raises(CostcalcError, match="SIGKILL"):
        bench.probe(cpu())


def test_what_a_worker_refuses_is_raised_with_all_its_problems(
    scripted: Callable[[Script], list[Job]],
) -> None:
    place = Place("net.yaml", 3, 7, "  conv: {kind: cnov}")
    error = CostcalcError([Problem("one"), Problem("two", "layers.conv", place)], 3)

    def refusing(job: Job) -> Iterator[Event]:
        told = event(line(Refused.of(error)))
        assert isinstance(told, Refused)
        yield told

    scripted(refusing)
    for call in (lambda: ran("a"), lambda: bench.probe(cpu())):
        with pytest.raises(CostcalcError) as caught:
            call()  # type: ignore[no-untyped-call]
        assert (caught.value.problems, caught.value.exit_code) == (error.problems, 3)


class Interrupting:
    """Presses Ctrl-C when so much progress was told."""

    def __init__(self, after: Callable[[bench.Progress], bool]) -> None:
        self.after = after

    def __call__(self, progress: bench.Progress) -> None:
        if self.after(progress):
            raise KeyboardInterrupt


def test_an_interruption_keeps_what_was_measured(scripted: Callable[[Script], list[Job]]) -> None:
    scripted(obliging)
    run = ran("a b", processes=2, tell=Interrupting(lambda told: told.process == 2 and told.rounds == 1))
    a, b = run.measurements  # b's second process came first, and was in its first round
    assert (a.status, a.reason) == ("interrupted", "interrupted after 1 of 2 processes")
    assert (b.status, b.reason) == ("interrupted", "interrupted after 1 of 2 processes")
    assert [process.stopped for process in a.processes] == ["precision"]
    assert [process.stopped for process in b.processes] == ["precision", "interrupted"]
    cut_off = b.processes[1]
    assert (cut_off.index, cut_off.started, len(cut_off.rounds)) == (1, "then", 1)
    assert cut_off.warmup_s == pytest.approx(1.0 - 20 * 0.01)
    assert not cut_off.settled  # it used up all the time that there is for warming up
    assert summary.summary(b, "wall") is not None


def test_an_interruption_between_measurements_shows_too(scripted: Callable[[Script], list[Job]]) -> None:
    scripted(obliging)
    run = ran("a b", tell=Interrupting(lambda told: told.name == "b"))
    assert [(each.name, each.status, len(each.processes)) for each in run.measurements] == [
        ("a", "ok", 1),
        ("b", "interrupted", 0),
    ]

    def slow(job: Job) -> Iterator[Event]:
        if job.subject and job.subject.name == "b":
            raise KeyboardInterrupt
        yield from obliging(job)

    scripted(slow)
    (only,) = ran("a b").measurements
    assert (only.status, len(only.processes)) == ("interrupted", 1)


def test_an_interruption_before_anything_was_measured_is_one(
    scripted: Callable[[Script], list[Job]],
) -> None:
    def slow(job: Job) -> Iterator[Event]:
        yield Placed(device="cpu", environment=WHERE)
        raise KeyboardInterrupt

    scripted(slow)
    with pytest.raises(KeyboardInterrupt):
        ran("a")


def test_progress_says_how_far(scripted: Callable[[Script], list[Job]]) -> None:
    def three(job: Job) -> Iterator[Event]:
        yield Placed(device="cpu", environment=WHERE)
        yield Phase(phase="building")  # of nothing yet
        yield began("a", 8)
        yield Phase(phase="warming up")
        for seconds in (0.010, 0.011, 0.012):
            yield Measured(round=Round(wall_s=(seconds,)), started="", elapsed=1.0)
        yield Measured(round=Round(wall_s=(9.0,), discarded=True), started="", elapsed=1.0)
        yield done(0)

    scripted(three)
    told: list[bench.Progress] = []
    ran("a", (8,), tell=told.append)
    assert [(each.phase, each.rounds) for each in told] == [
        *(("warming up", 0), ("measuring", 1), ("measuring", 2), ("measuring", 3), ("measuring", 3))
    ]
    assert [each.precision is None for each in told] == [True, True, False, False, False]
    assert (told[-1].name, told[-1].batch, told[-1].process, told[-1].processes) == ("a", 8, 1, 1)
    half = 4.303 * 0.001 / 3**0.5  # t(0.975, 2) × standard deviation / √3
    assert told[-1].precision == pytest.approx(half / 0.011, rel=1e-3)


def test_a_probe_is_what_the_worker_found(scripted: Callable[[Script], list[Job]]) -> None:
    def probing(job: Job) -> Iterator[Event]:
        assert (job.task, job.settings.dtype) == ("probe", "bf16")
        yield Placed(device="cpu", environment=WHERE)
        yield Probed(launch_s=1.0, copy_bytes_s=2.0, dense_flop_s=3.0)

    scripted(probing)
    assert bench.probe(cpu(dtype="bf16")) == bench.Probe(1.0, 2.0, 3.0, "cpu", WHERE)
