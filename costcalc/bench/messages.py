"""What parent and worker tell each other: one job to the worker, then one event a line back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from costcalc.errors import CostcalcError, Place, Problem
from costcalc.latency.runs import Environment, Measurement, Process, Record, Round, Settings, Status


@dataclass(frozen=True, slots=True)
class Subject:
    """An architecture to be measured: the name of a spec, file or foreign model, and what was said of it.

    ``settings`` are those of a spec, ``arguments`` those of a model's factory, ``inputs`` shapes as
    ``3x224x224`` or ``128:int64``, ``text`` a spec that was read from standard input (named ``-``).
    """

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    text: str = ""


class Job(Record):
    """What a worker is to do: ``measure`` a subject at its batches (None: double them), ``check`` that
    ``subjects`` can be built and described, or ``probe`` the device. ``index`` is that of the process,
    ``load`` and ``pressure`` what the host was busy with before it.
    """

    task: Literal["measure", "check", "probe"]
    settings: Settings
    subject: Subject | None = None
    subjects: tuple[Subject, ...] = ()
    batches: tuple[int, ...] | None = None
    index: int = 0
    load: float | None = None
    pressure: float | None = None


class Placed(Record):
    """First of all: on which device, in which surroundings."""

    event: Literal["placed"] = "placed"
    device: str
    environment: Environment


class Began(Record):
    """What is measured next: all of its record that stands before the first pass."""

    event: Literal["began"] = "began"
    measurement: Measurement


class Phase(Record):
    """What is being done now."""

    event: Literal["phase"] = "phase"
    phase: str


class Measured(Record):
    """A round, kept or discarded; ``elapsed`` seconds since warming up began."""

    event: Literal["measured"] = "measured"
    round: Round
    started: str
    elapsed: float


class Done(Record):
    """The process at this batch, complete."""

    event: Literal["done"] = "done"
    process: Process


class Failed(Record):
    """Nothing can be measured at this batch, and why."""

    event: Literal["failed"] = "failed"
    status: Status
    reason: str


class Probed(Record):
    """What the device does at its best: see :class:`costcalc.bench.Probe`."""

    event: Literal["probed"] = "probed"
    launch_s: float
    copy_bytes_s: float
    dense_flop_s: float


class Refused(Record):
    """A :class:`CostcalcError`, to be raised by the parent."""

    event: Literal["refused"] = "refused"
    problems: tuple[tuple[str, str, Place | None], ...]
    exit_code: int

    @classmethod
    def of(cls, error: CostcalcError) -> Refused:
        """The error as an event."""
        problems = tuple((each.message, each.path, each.place) for each in error.problems)
        return cls(problems=problems, exit_code=error.exit_code)

    def error(self) -> CostcalcError:
        """The event as the error it was."""
        return CostcalcError([Problem(*problem) for problem in self.problems], self.exit_code)


Event = Placed | Began | Phase | Measured | Done | Failed | Probed | Refused
_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def line(event: Event) -> str:
    """An event on the wire."""
    return event.model_dump_json() + "\n"


def event(line: str | bytes) -> Any:
    """The event in a line."""
    return _EVENTS.validate_json(line)
