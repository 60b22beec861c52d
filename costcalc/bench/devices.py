"""The clocks of a CPU and of a CUDA device, as :class:`costcalc.latency.harness.Device`.

``Cuda`` is handed the torch namespace, so that a script can stand in for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from costcalc.bench import resident
from costcalc.latency.harness import DIGITS, Clock
from costcalc.latency.runs import Blocks, Memory, Round, Telemetry

Run = Callable[[], object]  # one pass


class Host:
    """The clock of this machine."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.perf_counter_ns() / 1e9

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Own(Host):
    """The clock of what this process computes: it stands still while others are computing."""

    def now(self) -> float:
        """Seconds."""
        return time.process_time_ns() / 1e9


@dataclass(frozen=True)
class Cpu:
    """A network on the CPU: wall clock and, on one thread, the process's own time, pass by pass."""

    run: Run
    in_situ: Callable[[int], Blocks]
    weights: int
    threads: int

    def round(self, samples: int, calls: int) -> Round:
        """So many samples of so many passes each."""
        wall, cpu = [], []
        for _ in range(samples):
            wall_from, cpu_from = time.perf_counter_ns(), time.process_time_ns()
            for _ in range(calls):
                self.run()
            # a clock that stood still has ticks, and a pass is never nothing
            cpu.append(max(1, time.process_time_ns() - cpu_from) / 1e9 / calls)
            wall.append(max(1, time.perf_counter_ns() - wall_from) / 1e9 / calls)
        return Round(wall_s=tuple(wall), cpu_s=tuple(cpu) if self.threads == 1 else None, calls=calls)

    def single(self) -> float:
        """Seconds of one pass: on a CPU every pass is one of its own."""
        return self.round(1, 1).wall_s[0]

    def telemetry(self) -> Telemetry | None:
        """Nothing is asked of a CPU."""
        return None

    def blocks(self, passes: int) -> Blocks:
        """Time per block, in passes of their own."""
        return self.in_situ(passes)

    def memory(self) -> Memory:
        """Weights, and by how much one pass raises the memory that the process resides in."""
        grown = resident.growth(self.run)
        peak = None if grown is None else self.weights + grown
        return Memory(weights=self.weights, peak=peak, approximate=True)


class Cuda:
    """A network on a GPU: events around passes, and one synchronisation a round.

    ``peak`` are the bytes in use while a CUDA graph was captured, for its replays allocate nothing.
    """

    def __init__(
        self,
        torch: Any,
        clock: Clock,
        run: Run,
        in_situ: Callable[[int], Blocks],
        weights: int,
        monitor: Callable[[], Telemetry | None],
        peak: Memory | None = None,
    ) -> None:
        self._cuda = torch.cuda
        self._event = torch.cuda.Event
        self._clock = clock
        self._run = run
        self._in_situ = in_situ
        self._weights = weights
        self._monitor = monitor
        self._peak = peak
        self._pairs: list[tuple[Any, Any]] = []

    def round(self, samples: int, calls: int) -> Round:
        """So many samples of so many passes each, all enqueued before the one wait.

        The passes before them are the host's: they find the queue empty. Once about a thousand kernels
        wait, the driver lets the host wait too, and its time would be the GPU's. They are no sample, for
        in them the GPU waits for the host.
        """
        pairs = self._prepared(samples)
        self._cuda.synchronize()
        began = self._clock.now()
        for _ in range(calls):
            self._run()
        enqueued = self._clock.now()
        for start, end in pairs:
            start.record()
            for _ in range(calls):
                self._run()
            end.record()
        self._cuda.synchronize()
        ended = self._clock.now()
        return Round(
            gpu_s=tuple(_told(start.elapsed_time(end) / 1e3 / calls) for start, end in pairs),
            wall_s=(_told((ended - began) / (samples + 1) / calls),),
            enqueue_s=_told((enqueued - began) / calls),
            calls=calls,
        )

    def _prepared(self, samples: int) -> list[tuple[Any, Any]]:
        """Pairs of events: recorded once beforehand, for only then does the driver make them."""
        while len(self._pairs) < samples:
            pair = self._event(enable_timing=True), self._event(enable_timing=True)
            for event in pair:
                event.record()
            self._pairs.append(pair)
        return self._pairs[:samples]

    def single(self) -> float:
        """Seconds of one pass from one synchronisation to the next: what a lone request waits."""
        self._cuda.synchronize()
        began = self._clock.now()
        self._run()
        self._cuda.synchronize()
        return _told(self._clock.now() - began)

    def telemetry(self) -> Telemetry | None:
        """What the driver says now."""
        return self._monitor()

    def blocks(self, passes: int) -> Blocks:
        """Time per block, in passes of their own."""
        return self._in_situ(passes)

    def memory(self) -> Memory:
        """The most that torch's allocator had in use during one pass, weights and all."""
        return self._peak or peak(self._cuda, self._run, self._weights)


def _told(seconds: float) -> float:
    """A time as it is kept; never nothing."""
    return max(1e-9, round(seconds, DIGITS))


def peak(cuda: Any, run: Run, weights: int) -> Memory:
    """What torch's allocator has in use at most while something runs."""
    cuda.synchronize()
    cuda.reset_peak_memory_stats()
    run()
    cuda.synchronize()
    used, reserved = cuda.max_memory_allocated(), cuda.max_memory_reserved()
    return Memory(weights=weights, peak=used, reserved=reserved)
