"""Time and a device that follow a script, and run files of numbers chosen by a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

from costcalc.latency.harness import measure
from costcalc.latency.runs import (
    Blocks,
    Environment,
    Measurement,
    Memory,
    Process,
    Round,
    Rules,
    Run,
    Settings,
    Telemetry,
)

COOL = Telemetry(sm_mhz=1980, default_sm_mhz=1980)
BRISK = Rules(warmup=0, min_time=0, max_time=15)


class FakeClock:
    """Time passes only where the script says so."""

    def __init__(self) -> None:
        self.time = self.began = 1e3  # no clock of this world starts at zero
        self.pauses: list[float] = []

    @property
    def spent(self) -> float:
        return self.time - self.began

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds


class FakeDevice:
    """A pass takes what ``times`` says next; on a GPU the host takes ``enqueue`` of it to enqueue."""

    def __init__(
        self,
        clock: FakeClock,
        times: Iterable[float],
        *,
        gpu: bool = True,
        enqueue: float = 0.1,
        telemetry: Iterable[Telemetry | None] = (),
        blocks: Blocks | None = None,
    ) -> None:
        self.clock, self.times, self.gpu, self.enqueue = clock, iter(times), gpu, enqueue
        self.driver: Iterator[Telemetry | None] = chain(telemetry, repeat(COOL if gpu else None))
        self.found = blocks
        self.asked: list[tuple[int, int]] = []
        self.block_passes = 0

    def round(self, samples: int, calls: int) -> Round:
        self.asked.append((samples, calls))
        passes = [[self.single() for _ in range(calls)] for _ in range(samples)]
        means = tuple(sum(each) / calls for each in passes)
        if not self.gpu:
            return Round(wall_s=means, cpu_s=means)
        mean = sum(means) / samples
        return Round(gpu_s=means, wall_s=(mean,), enqueue_s=self.enqueue * mean, calls=calls)

    def single(self) -> float:
        seconds = next(self.times)
        self.clock.time += seconds
        return seconds

    def telemetry(self) -> Telemetry | None:
        return next(self.driver)

    def blocks(self, passes: int) -> Blocks | None:
        self.block_passes = passes
        return self.found

    def memory(self) -> Memory | None:
        return Memory(weights=4, peak=None)


def measured(
    times: Iterable[float], rules: Rules = BRISK, tell: Callable[[Round], None] = lambda _: None, **how: Any
) -> tuple[Process, FakeDevice]:
    """A process that measured a script, and the device as it was left."""
    clock = FakeClock()
    device = FakeDevice(clock, times, **how)
    return measure(device, clock, rules, 0, "2026-01-01T00:00:00Z", tell), device


def process(rounds: Iterable[Round], **more: Any) -> Process:
    """A process with given rounds."""
    told = {"index": 0, "started": "", "warmup_s": 1.0, "settled": True, "stopped": "precision"}
    return Process(**{**told, "rounds": tuple(rounds), **more})


def on_gpu(medians: Iterable[float], samples: int = 20, **more: Any) -> tuple[Round, ...]:
    """Rounds of equal samples each."""
    more = {"enqueue_s": 1e-5, "telemetry": COOL, **more}
    return tuple(Round(gpu_s=(each,) * samples, wall_s=(each,), **more) for each in medians)


def on_cpu(medians: Iterable[float], samples: int = 20, waiting: float = 1.0) -> tuple[Round, ...]:
    """Rounds whose wall clock runs ``waiting`` times as fast as the process's."""
    return tuple(Round(wall_s=(each * waiting,) * samples, cpu_s=(each,) * samples) for each in medians)


def measurement(processes: Iterable[Process], name: str = "net", batch: int = 1, **more: Any) -> Measurement:
    """A measurement of nothing in particular."""
    counts = {"params": 1, "macs": 1, "peak_activations": 1, "convention": "conv+linear", "work": ()}
    told = {"name": name, "source": "preset", "spec": "0" * 64, "batch": batch, **counts}
    return Measurement(**{**told, "processes": tuple(processes), **more})


def by_process(medians: Iterable[float], **more: Any) -> Measurement:
    """A measurement of which only one number per process matters."""
    rounds = {"clocks": [COOL.sm_mhz], **more}
    clocks: Sequence[int | None] = rounds.pop("clocks")
    found = [
        process(on_gpu([each], 1, telemetry=Telemetry(sm_mhz=clocks[place % len(clocks)])))
        for place, each in enumerate(medians)
    ]
    return measurement(found, **rounds)


def run(*measurements: Measurement, interleaved: bool = True, **more: Any) -> Run:
    """A run file; ``more`` are of its settings or its environment."""
    how = {each: more.pop(each) for each in list(more) if each in Settings.model_fields}
    told = {"device_name": "NVIDIA H200", "driver": "580", "torch": "2.13.0", "cuda": "13.0", "cudnn": "9.1"}
    rest = {"python": "3.11", "costcalc": "0.1", "system": "Linux", "facts": {"cores": 4}}
    return Run(
        command="costcalc bench net",
        started="",
        ended="",
        interleaved=interleaved,
        settings=Settings(**{"device": "cuda:0", **how}),
        environment=Environment(**{**told, **rest, **more}),
        measurements=measurements,
    )
