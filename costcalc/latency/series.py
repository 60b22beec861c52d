"""Which samples a run file holds, one series at a time. Discarded rounds count for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Literal

from costcalc.latency.runs import Measurement, Process, Round

Series = Literal["gpu", "wall", "cpu", "single", "enqueue"]


def of_round(each: Round, series: Series) -> tuple[float, ...]:
    """The samples of one round, in seconds per pass."""
    if series == "wall":
        return each.wall_s
    if series == "gpu":
        return each.gpu_s or ()
    if series == "cpu":
        return each.cpu_s or ()
    return () if series == "single" or each.enqueue_s is None else (each.enqueue_s,)


def kept(processes: Iterable[Process]) -> tuple[Round, ...]:
    """The rounds of processes that were not discarded."""
    return tuple(each for process in processes for each in process.rounds if not each.discarded)


def of_process(process: Process, series: Series) -> tuple[float, ...]:
    """All samples of one process."""
    if series == "single":
        return process.single_s
    return tuple(sample for each in kept([process]) for sample in of_round(each, series))


def round_medians(rounds: Iterable[Round], series: Series) -> tuple[float, ...]:
    """One median per round that has samples."""
    found = (of_round(each, series) for each in rounds)
    return tuple(median(samples) for samples in found if samples)


def steering(rounds: Sequence[Round]) -> Series:
    """What tells how long a pass takes: events where there are any; on one thread of a CPU the time of the
    process, as the wall clock also counts what other programs took; else the wall clock.
    """
    if any(each.gpu_s for each in rounds):
        return "gpu"
    return "cpu" if any(each.cpu_s for each in rounds) else "wall"


def deciding(measurement: Measurement) -> Series:
    """What its time is shown by, and comparisons are made on."""
    return steering(kept(measurement.processes))


def medians(measurement: Measurement, series: Series) -> tuple[float, ...]:
    """One median per process that has samples."""
    found = (of_process(process, series) for process in measurement.processes)
    return tuple(median(samples) for samples in found if samples)
