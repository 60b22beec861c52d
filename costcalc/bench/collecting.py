"""What workers tell, event by event, gathered into measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from costcalc.bench.messages import Began, Done, Event, Failed, Measured, Phase, Placed, Refused
from costcalc.bench.workers import WorkerDiedError
from costcalc.latency import harness
from costcalc.latency.runs import Environment, Measurement, Process, Round, Settings, Status
from costcalc.latency.series import kept, round_medians, steering
from costcalc.latency.statistics import reached

Key = tuple[int, int]  # number of the subject, batch


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: ``rounds`` and the ``precision`` reached are of this process at this batch."""

    name: str
    batch: int
    process: int
    processes: int
    phase: str
    rounds: int
    precision: float | None


class Collected:
    """A run in the making."""

    def __init__(self, how: Settings, tell: Callable[[Progress], None]) -> None:
        self.how = how
        self.environment: Environment | None = None
        self.measurements: dict[Key, Measurement] = {}
        self.refused: tuple[str, ...] = ()
        self._tell = tell
        self._open: Key | None = None  # being measured, in this process:
        self._index = 0
        self._rounds: list[Measured] = []

    def take(self, number: int, index: int, event: Event) -> None:
        """Make what is to be made of an event; raises the :class:`CostcalcError` that one may carry."""
        if isinstance(event, Refused):
            raise event.error()
        if isinstance(event, Placed):
            self.how = self.how.model_copy(update={"device": event.device})
            self.environment = self.environment or event.environment
        elif isinstance(event, Began):
            self._open, self._index, self._rounds = (number, event.measurement.batch), index, []
            self.measurements.setdefault(self._open, event.measurement)
        elif isinstance(event, Phase):
            self._progress(event.phase)
        elif isinstance(event, Measured):
            self._rounds.append(event)
            self._progress("measuring")
        elif isinstance(event, Done):
            self._add(event.process)
            self._open = None
        elif isinstance(event, Failed):
            self._fail(event.status, event.reason)

    def measured(self, number: int) -> tuple[int, ...]:
        """The batches at which a subject could be measured."""
        found = self.measurements.items()
        return tuple(batch for (each, batch), one in found if each == number and one.status == "ok")

    @property
    def measuring(self) -> bool:
        """Whether a measurement has begun and not ended."""
        return self._open is not None

    def die(self, died: WorkerDiedError, name: str) -> None:
        """A worker broke down: that is a result if it was measuring, however it ended."""
        if self._open is None:
            self.refuse(died.error(), died.reason, name)
        else:
            self._fail(died.status, died.reason)

    def refuse(self, error: Exception, reason: str, name: str) -> None:
        """A subject could not be measured: that is an error, unless it would take what was measured along."""
        if not any(key != self._open for key in self.measurements):
            raise error
        if self._open is not None:
            self._fail("error", reason)
        elif (told := reason if reason.startswith(name) else f"{name}: {reason}") not in self.refused:
            self.refused += (told,)

    def interrupt(self) -> None:
        """Keep what there is, and mark what is not complete; at least the last, as others may be missing."""
        if self._open and self._rounds:
            self._add(_cut_off(self._index, self._rounds, self.how))
        for key, found in self.measurements.items():
            complete = sum(process.stopped != "interrupted" for process in found.processes)
            is_short = complete < self.how.processes or key == list(self.measurements)[-1]
            if found.status == "ok" and is_short:
                reason = f"interrupted after {complete} of {self.how.processes} processes"
                self._change(key, status="interrupted", reason=reason)

    def _add(self, process: Process) -> None:
        """A process more; where none of them has a round that counts, that is what became of it."""
        assert self._open is not None
        processes = (*self.measurements[self._open].processes, process)
        self._change(self._open, processes=processes)
        if process.stopped == "throttled" and not kept(processes):
            reason = f"every round was throttled; {len(process.rounds)} were discarded"
            self._change(self._open, status="throttled", reason=reason)

    def _fail(self, status: Status, reason: str) -> None:
        assert self._open is not None
        self._change(self._open, status=status, reason=reason)
        self._open = None

    def _change(self, key: Key, **fields: object) -> None:
        self.measurements[key] = self.measurements[key].model_copy(update=fields)

    def _progress(self, phase: str) -> None:
        """Nothing is told before the first measurement has a name."""
        if self._open is None:
            return
        found = self.measurements[self._open]
        rounds = [each.round for each in self._rounds if not each.round.discarded]
        self._tell(
            Progress(
                name=found.name,
                batch=found.batch,
                process=self._index + 1,
                processes=self.how.processes,
                phase=phase,
                rounds=len(rounds),
                precision=reached(round_medians(rounds, steering(rounds))),
            )
        )


def _cut_off(index: int, told: list[Measured], how: Settings) -> Process:
    """A process that was interrupted, as far as it came."""
    first = told[0]
    warmup = max(0.0, first.elapsed - _seconds(first.round))
    return Process(
        index=index,
        started=first.started,
        warmup_s=warmup,
        settled=warmup < harness.warmup_cap(how.rules),
        rounds=tuple(each.round for each in told),
        stopped="interrupted",
    )


def _seconds(each: Round) -> float:
    """How long a round took."""
    passes = len(each.gpu_s or each.wall_s) * each.calls
    return passes * sum(each.wall_s) / len(each.wall_s)
