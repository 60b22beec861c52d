"""Which process measures what, and in which order; what they tell becomes a run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from costcalc.bench import possible, workers
from costcalc.bench.collecting import Collected, Progress
from costcalc.bench.messages import Began, Event, Job, Placed, Probed, Refused, Subject
from costcalc.errors import CostcalcError
from costcalc.latency.runs import Environment, Run, Settings
from costcalc.spec.catalogue import is_foreign


@dataclass(frozen=True, slots=True)
class Probe:
    """What a device does at its best: seconds to start a tiny operator (of the host; of the device in a
    CUDA graph), bytes copied (read and written) and FLOP of matrix products a second; on the device and
    in the surroundings named.
    """

    launch_s: float
    copy_bytes_s: float
    dense_flop_s: float
    device: str
    environment: Environment


def run(
    subjects: Sequence[Subject],
    batches: tuple[int, ...] | None,
    how: Settings,
    command: str,
    tell: Callable[[Progress], None],
) -> Run:
    """Measure every subject at every batch (None: double it while that pays), in processes of their own.

    Several subjects take turns, forwards and backwards (ABBA), so that what drifts meets all alike. Ctrl-C
    gives what was measured until then, marked as interrupted. Raises :class:`CostcalcError` for what is
    refused before anything is measured; what is refused later stands in the run.
    """
    possible.check(how)
    started, found = now(), Collected(how, tell)
    try:
        _check(subjects, batches, how)
        for index, number in turns(how.processes, len(subjects)):
            _process(found, index, number, subjects[number], batches)
    except KeyboardInterrupt:
        if not found.measurements:
            raise
        found.interrupt()
    assert found.environment is not None
    return Run(
        command=command,
        started=started,
        ended=now(),
        interleaved=len(subjects) > 1,
        settings=found.how,
        environment=found.environment,
        measurements=tuple(found.measurements.values()),
        refused=found.refused,
    )


def _check(subjects: Sequence[Subject], batches: tuple[int, ...] | None, how: Settings) -> None:
    """Build and describe the models that come later: a mistyped one should not cost what was measured.

    The first needs no such check, and a spec was read before.
    """
    later = tuple(each for each in subjects[1:] if is_foreign(each.name) and each != subjects[0])
    if later:
        _told(Job(task="check", settings=how, subjects=later, batches=batches))


def _process(
    found: Collected, index: int, number: int, subject: Subject, batches: tuple[int, ...] | None
) -> None:
    """One process for one subject; one that breaks down is followed by another for the batches left.

    What the first process could not measure is not tried again, and what it doubled to is what is measured.
    """
    wanted = batches if index == 0 else found.measured(number)
    while wanted is None or wanted:
        load, pressure = busy()
        job = Job(
            task="measure",
            settings=found.how,
            subject=subject,
            batches=wanted,
            index=index,
            load=load,
            pressure=pressure,
        )
        begun: set[int] = set()
        try:
            with closing(workers.events(job)) as events:
                for event in events:
                    found.take(number, index, event)
                    begun |= {event.measurement.batch} if isinstance(event, Began) else set()
            if found.measuring or not begun:
                raise workers.WorkerDiedError("the process that measured ended without a word")
        except CostcalcError as error:
            found.refuse(error, str(error), subject.name)
            return
        except workers.WorkerDiedError as died:
            left = tuple(batch for batch in wanted or () if batch not in begun)
            if found.measuring or left:  # else it was done: what it dies of at its end is nobody's concern
                found.die(died, subject.name)
            if not begun:
                return
        wanted = tuple(batch for batch in wanted or () if batch not in begun)


def turns(processes: int, subjects: int) -> Iterator[tuple[int, int]]:
    """Process and subject, in order: 0 1 2, 2 1 0, 0 1 2 …"""
    for index in range(processes):
        numbers = range(subjects)
        for number in numbers if index % 2 == 0 else reversed(numbers):
            yield index, number


def probe(how: Settings) -> Probe:
    """What the device does at its best, under these settings."""
    possible.check(how)
    placed, probed = _told(Job(task="probe", settings=how))
    assert isinstance(placed, Placed)
    assert isinstance(probed, Probed)
    return Probe(probed.launch_s, probed.copy_bytes_s, probed.dense_flop_s, placed.device, placed.environment)


def _told(job: Job) -> list[Event]:
    """All that a worker tells; its errors are raised as ours."""
    try:
        with closing(workers.events(job)) as events:
            found = list(events)
    except workers.WorkerDiedError as died:
        raise died.error() from died
    for event in found:
        if isinstance(event, Refused):
            raise event.error()
    return found


def now() -> str:
    """The time, in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def busy() -> tuple[float | None, float | None]:
    """The host's load average, and the share of time (percent) that some task waited for a CPU."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    try:
        found = re.search(r"some avg10=([\d.]+)", Path("/proc/pressure/cpu").read_text())
    except OSError:  # a kernel without it, or no Linux
        found = None
    return load, float(found[1]) if found else None
