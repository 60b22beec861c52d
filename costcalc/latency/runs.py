"""A run file: all that was measured, sample by sample, and how; nothing that can be computed from it.

Times are seconds. What is missing is None, with a reason beside it; never 0.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from costcalc.errors import CostcalcError, shortened
from costcalc.latency import files
from costcalc.latency.work import Work

SCHEMA = "costcalc.run/1"

Dtype = Literal["fp32", "tf32", "fp16", "bf16"]
Layout = Literal["nchw", "channels_last"]
Mode = Literal["eager", "graph", "compile"]
Status = Literal["ok", "oom", "error", "interrupted", "unsupported", "throttled"]
Stopped = Literal["precision", "timeout", "throttled", "interrupted"]


Seconds = Annotated[float, Field(ge=1e-12, le=1e9, allow_inf_nan=False)]  # that a pass can take
Known = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Record(BaseModel):
    """A frozen part of a run file; keys of later versions are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null", defer_build=True)


class Rules(Record):
    """How long to warm up, when to stop: ``precision`` is the relative half-width of the 95 % interval of
    round medians that is enough; times in seconds.
    """

    precision: float = Field(default=0.01, gt=0, lt=1)
    min_time: float = Field(default=0.5, ge=0)
    max_time: float = Field(default=15.0, gt=0)
    warmup: float = Field(default=1.0, ge=0)


class Settings(Record):
    """How a run was measured: ``device`` is ``cpu`` or ``cuda:0``, ``threads`` are those of a CPU."""

    device: str
    dtype: Dtype = "fp32"
    layout: Layout = "nchw"
    mode: Mode = "eager"
    threads: int = 1
    processes: int = 1
    blocks: bool = True
    seed: int = 0
    rules: Rules = Rules()


class Telemetry(Record):
    """What the GPU's driver says between rounds; ``reasons`` are why its clocks are not higher."""

    sm_mhz: int | None = None
    default_sm_mhz: int | None = None
    memory_mhz: int | None = None
    temperature_c: int | None = None
    power_w: Known | None = None
    reasons: tuple[str, ...] = ()
    other_processes: int | None = None


class Round(Record):
    """Passes back to back between two synchronisations.

    ``gpu_s``: one sample per event pair, of ``calls`` passes each, divided by them; None on a CPU.
    ``wall_s`` and ``cpu_s``: on a CPU one sample per pass (``cpu_s`` on one thread only, for of several it
    is the sum and no latency); on a GPU ``wall_s`` is one number, the mean per pass (throughput).
    ``enqueue_s``: what the host took to enqueue a pass, the queue being empty; None on a CPU.
    A ``discarded`` round was throttled and repeated.
    """

    gpu_s: tuple[Seconds, ...] | None = None
    wall_s: tuple[Seconds, ...] = Field(min_length=1)
    cpu_s: tuple[Seconds, ...] | None = None
    enqueue_s: Seconds | None = None
    calls: int = Field(default=1, ge=1)
    telemetry: Telemetry | None = None
    discarded: bool = False


class Blocks(Record):
    """Time per block, in situ, in passes of their own; None ``method`` with a ``reason`` where there is none.

    ``seconds`` maps the name of a block (the model's own code is in parentheses) to one sample per pass.
    """

    method: Literal["graph events", "events", "CPU time", "wall clock"] | None
    reason: str = ""
    seconds: Mapping[str, Annotated[tuple[Known, ...], Field(min_length=1)]] = Field(default_factory=dict)


class Memory(Record):
    """Bytes: of weights and buffers, and the measured peak during one pass with them, None if unknown.

    ``approximate``: by the resident set of the process and not by torch's allocator.
    """

    weights: int
    peak: int | None
    reserved: int | None = None
    approximate: bool = False


class Process(Record):
    """One process that measured one configuration: what it found, round by round.

    ``warmup_s`` is how long it warmed up, ``settled`` whether that was enough; ``prepare_s`` is the time of
    capturing a CUDA graph or of compiling. ``single_s`` are passes one at a time on a GPU, from
    one synchronisation to the next. ``load`` and ``pressure`` are the host's load average and the share of
    time (in percent) that some task waited for a CPU, before it began.
    """

    index: int
    started: str
    warmup_s: Known
    settled: bool
    rounds: tuple[Round, ...]
    stopped: Stopped
    single_s: tuple[Seconds, ...] = ()
    prepare_s: Known | None = None
    blocks: Blocks | None = None
    memory: Memory | None = None
    load: Known | None = None
    pressure: Known | None = None


class Measurement(Record):
    """One architecture at one batch: its work, and every process that measured it.

    ``macs`` and ``work`` are of the whole batch, ``peak_activations`` its elements alive at once.
    ``status`` other than ok comes with a ``reason``.
    """

    name: str
    source: str
    spec: str  # sha256 of what is measured: layers or modules, their settings and shapes, in order
    batch: int = Field(ge=1)
    params: int
    macs: int
    peak_activations: int
    convention: str
    work: tuple[Work, ...]
    status: Status = "ok"
    reason: str = ""
    processes: tuple[Process, ...] = ()


class Environment(Record):
    """Where a run was measured: no name of host or user.

    ``device_name`` is the GPU's, or the model of the CPU. ``facts`` are the rest: cores, affinity, driver's
    limits, precision as torch was told, environment variables of an allow-list.
    """

    device_name: str
    driver: str | None
    torch: str
    cuda: str | None
    cudnn: str | None
    python: str
    costcalc: str
    system: str
    facts: Mapping[str, Any] = Field(default_factory=dict)


class Run(Record):
    """A run: what was asked for, where, and all measurements. ``interleaved``: processes took turns.

    ``refused`` says what could not be measured for want of a measurement that could say so itself.
    """

    command: str
    started: str
    ended: str
    interleaved: bool
    settings: Settings
    environment: Environment
    measurements: tuple[Measurement, ...] = Field(min_length=1)
    refused: tuple[str, ...] = ()

    def identifying(self) -> dict[str, Any]:
        """What must be equal for two runs to be comparable."""
        where, how = self.environment, self.settings
        return {
            **where.model_dump(include={"device_name", "driver", "torch", "cuda", "cudnn"}),
            **how.model_dump(include={"dtype", "layout", "mode", "threads"}),
            "convention": sorted({each.convention for each in self.measurements}),
        }

    def identity(self) -> str:
        """The same as one short hash."""
        return sha256(json.dumps(self.identifying(), sort_keys=True).encode()).hexdigest()[:12]


class _File(Run):
    """A run as it stands in a file."""

    format: Literal["costcalc.run/1"] = Field("costcalc.run/1", alias="schema")


def written(run: Run) -> str:
    """The text of a run file."""
    return _File(**{"schema": SCHEMA, **dict(run)}).model_dump_json(by_alias=True) + "\n"


def write(run: Run, path: str) -> None:
    """Write a run file whole or not at all; raises :class:`CostcalcError` where that cannot be done."""
    files.replace(Path(path), written(run))


def writable(path: str) -> None:
    """Raise :class:`CostcalcError` if a run could not be saved there, before anything is measured."""
    place = Path(path)
    if place.is_dir() or not os.access(place.parent, os.W_OK):
        raise CostcalcError(f"{path}: cannot be written; give a file in a folder that can be")


def schema() -> dict[str, Any]:
    """The JSON Schema of a run file."""
    return _File.model_json_schema()


def read(path: str) -> Run:
    """The run in a file; raises :class:`CostcalcError` for what is none."""
    try:
        found = json.loads(files.read(Path(path)))
    except OSError as error:
        raise CostcalcError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, ValueError) as error:
        raise CostcalcError(f"{path} is no run file: no JSON: {shortened(str(error))}") from None
    named = found.get("schema") if isinstance(found, dict) else None
    if named != SCHEMA:
        wanted = f"this costcalc reads {SCHEMA}, as written by `costcalc bench NAME --save FILE`"
        raise CostcalcError(f"{path} is no run file: its schema is {shortened(named)}; {wanted}")
    try:
        return Run.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CostcalcError(f"{path}: {where}: {first['msg']}") from None
