"""What the samples of a measurement say: of the whole pass, and of its blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from costcalc.latency.runs import Blocks, Measurement, Round
from costcalc.latency.series import (
    Series,
    deciding,
    kept,
    medians,
    of_process,
    of_round,
    round_medians,
    steering,
)
from costcalc.latency.statistics import deviation, outliers, percentile, quartiles, variation
from costcalc.latency.student import half_width

__all__ = [
    "HOST_BOUND",
    "Attributed",
    "BlockTime",
    "Series",
    "Summary",
    "attributed",
    "deciding",
    "host_share",
    "medians",
    "summary",
]

PERCENTILES = {"p90": 0.90, "p95": 0.95, "p99": 0.99}
LEAST_PROCESSES = 5  # for an interval that holds for the next process too
HOST_BOUND = 0.8  # of the GPU's time, spent by the host to enqueue a pass: trtexec's threshold
CLOSED = 0.95  # the share of the undisturbed time that blocks must explain, and not exceed


@dataclass(frozen=True, slots=True)
class Summary:
    """One series of a measurement, in seconds per pass, over the kept rounds of all processes.

    ``percentiles`` are None where there are too few samples, or where a sample is the mean of several
    passes, which hides the tail. ``interval`` is of the mean of process medians (``process``), or of
    round medians where processes are too few (``within``): that one says nothing about the next process.
    ``outliers`` are those of each process: processes differ without any sample being out of line.
    ``precision`` is half of it, relative to the median.
    """

    n: int
    rounds: int
    minimum: float
    median: float
    mean: float
    p25: float
    p75: float
    cov: float
    mad: float
    percentiles: Mapping[str, float | None]
    outliers: int
    interval: tuple[float, float] | None
    interval_kind: Literal["process", "within"]
    precision: float | None

    @property
    def spread(self) -> float:
        """The interquartile range relative to the median."""
        return (self.p75 - self.p25) / self.median


def summary(measurement: Measurement, series: Series) -> Summary | None:
    """What a series says; None if it has no samples."""
    parts = [part for process in measurement.processes if (part := of_process(process, series))]
    samples = [sample for part in parts for sample in part]
    if not samples:
        return None
    rounds = [each for each in kept(measurement.processes) if of_round(each, series)]
    middle, (low, high) = median(samples), quartiles(samples)
    by_process = medians(measurement, series)
    kind: Literal["process", "within"] = "process" if len(by_process) >= LEAST_PROCESSES else "within"
    interval = _interval(by_process if kind == "process" else round_medians(rounds, series))
    single = _single_passes(rounds, series)
    return Summary(
        n=len(samples),
        rounds=len(rounds),
        minimum=min(samples),
        median=middle,
        mean=fmean(samples),
        p25=low,
        p75=high,
        cov=variation(samples),
        mad=deviation(samples),
        percentiles={
            name: percentile(samples, share) if single else None for name, share in PERCENTILES.items()
        },
        outliers=sum(outliers(part) for part in parts),
        interval=interval,
        interval_kind=kind,
        precision=(interval[1] - interval[0]) / 2 / middle if interval else None,
    )


def host_share(measurement: Measurement) -> float | None:
    """What the host takes to enqueue a pass, relative to the GPU's time; None where there is no GPU."""
    gpu, host = summary(measurement, "gpu"), summary(measurement, "enqueue")
    return host.median / gpu.median if gpu and host else None


def _interval(values: Sequence[float]) -> tuple[float, float] | None:
    if len(values) < 2:
        return None
    centre, half = fmean(values), half_width(values)
    return centre - half, centre + half


def _single_passes(rounds: Sequence[Round], series: Series) -> bool:
    """Whether each sample is one pass, and no mean of several."""
    if series == "gpu":
        return all(each.calls == 1 for each in rounds)
    return series == "single" or (series in ("wall", "cpu") and steering(rounds) != "gpu")


@dataclass(frozen=True, slots=True)
class BlockTime:
    """Seconds of one block, and its share: of the undisturbed pass, of the blocks' sum if they are
    perturbed.
    """

    name: str
    median: float
    p25: float
    p75: float
    share: float


@dataclass(frozen=True, slots=True)
class Attributed:
    """The time of a pass, block by block.

    ``total`` is the median of the undisturbed pass, ``unattributed`` what of it is in no block: negative
    where blocks take longer together than the pass does without marks. ``closure`` is 1 if the blocks sum
    up to the total; ``perturbed`` says that it is below 95 %: only shares can be believed then.
    """

    method: str | None
    reason: str
    rows: tuple[BlockTime, ...]
    total: float
    unattributed: float
    closure: float
    perturbed: bool


def attributed(measurement: Measurement) -> Attributed | None:
    """Time per block; None if nobody asked for it, or nothing was measured."""
    found = [process.blocks for process in measurement.processes if process.blocks]
    told = next((blocks for blocks in found if blocks.method), found[0] if found else None)
    whole = summary(measurement, _clocked(told, measurement)) if told else None
    if told is None or whole is None:
        return None
    samples: dict[str, list[float]] = {}
    for blocks in found:
        for name, seconds in blocks.seconds.items():
            samples.setdefault(name, []).extend(seconds)
    explained = sum(median(seconds) for seconds in samples.values())
    closure = 1 - abs(explained - whole.median) / whole.median
    perturbed = bool(samples) and closure < CLOSED
    base = explained if perturbed else whole.median
    return Attributed(
        method=told.method,
        reason=told.reason,
        rows=tuple(_block(name, seconds, base) for name, seconds in samples.items()),
        total=whole.median,
        unattributed=whole.median - explained,
        closure=closure,
        perturbed=perturbed,
    )


def _clocked(blocks: Blocks, measurement: Measurement) -> Series:
    """The series that was measured by the same clock as blocks were."""
    if blocks.method == "wall clock":
        return "wall"
    return "cpu" if blocks.method == "CPU time" else deciding(measurement)


def _block(name: str, seconds: Sequence[float], base: float) -> BlockTime:
    middle, (low, high) = median(seconds), quartiles(seconds)
    return BlockTime(name, middle, low, high, middle / base)
