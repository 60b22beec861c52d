"""A CUDA device in so far as a program can tell: a host that enqueues, a stream that works it off.

Times are exact, nothing waits, and what CUDA forbids is an error here too.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

Work = Callable[[], None]


class Gpu:
    """Time, the stream and a log: ``time`` is the host's, ``free`` when the stream has nothing left to do.

    Once ``queue`` seconds of work wait in the stream, the host waits too.
    """

    def __init__(self, external: bool = True, host_s: float = 1e-6, queue: float = 1e9) -> None:
        self.queue = queue
        self.time = self.free = 0.0
        self.host_s = host_s
        self.external = external
        self.log: list[str] = []
        self.captured: list[Work] | None = None
        self.events = 0
        self.used = self.most = 100
        gpu = self

        class Event:
            def __init__(self, enable_timing: bool = False, **options: bool) -> None:
                if options and not gpu.external:
                    raise TypeError("Event() got an unexpected keyword argument 'external'")
                assert enable_timing
                self.external = options.get("external", False)
                self.at: float | None = None
                gpu.events += 1

            def record(self) -> None:
                assert self.external == (gpu.captured is not None), "an event of the other kind"
                gpu.log.append("record")
                gpu.enqueue(self._reach)

            def _reach(self) -> None:
                self.at = gpu.free = max(gpu.free, gpu.time)

            def elapsed_time(self, end: Event) -> float:
                assert self.at is not None
                assert end.at is not None
                assert end.at <= gpu.time, "read before it was synchronised"
                return (end.at - self.at) * 1e3

        class CUDAGraph:
            def __init__(self) -> None:
                self.work: list[Work] = []

            def replay(self) -> None:
                gpu.log.append("replay")
                gpu.time += gpu.host_s
                for work in self.work:
                    work()

        self.cuda = SimpleNamespace(
            Event=Event,
            CUDAGraph=CUDAGraph,
            Stream=lambda: SimpleNamespace(wait_stream=lambda _: gpu.log.append("side waits")),
            current_stream=lambda: SimpleNamespace(wait_stream=lambda _: gpu.log.append("main waits")),
            stream=self._side,
            graph=self._graph,
            synchronize=self._synchronize,
            reset_peak_memory_stats=self._reset,
            max_memory_allocated=lambda: self.most,
            max_memory_reserved=lambda: self.most + 1000,
        )
        tiny = SimpleNamespace(add_=lambda _: gpu.kernel(1e-6))
        self.torch = SimpleNamespace(cuda=self.cuda, zeros=lambda _, device: tiny)

    def now(self) -> float:
        """It is its own clock."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Nobody waits for a simulation."""
        self.time += seconds

    def kernel(self, seconds: float) -> None:
        """One kernel: the host takes its time to launch it, then the stream to run it."""
        self.log.append("kernel")
        self.most = max(self.most, self.used + 50)
        self.time = max(self.time + self.host_s, self.free - self.queue)

        def run() -> None:
            self.free = max(self.free, self.time) + seconds

        self.enqueue(run)

    def enqueue(self, work: Work) -> None:
        """Into the stream, or into the graph that is being captured."""
        if self.captured is None:
            work()
        else:
            self.captured.append(work)

    def _synchronize(self) -> None:
        assert self.captured is None, "CUDA refuses to wait while a stream is being captured"
        self.log.append("synchronize")
        self.time = max(self.time, self.free)

    def _reset(self) -> None:
        self.log.append("reset")
        self.most = self.used

    @contextmanager
    def _side(self, _: object) -> Iterator[None]:
        self.log.append("side")
        yield
        self.log.append("main")

    @contextmanager
    def _graph(self, graph: Any, stream: object, capture_error_mode: str) -> Iterator[None]:
        self.log.append(f"capture {capture_error_mode}{'' if gc.isenabled() else ' without collection'}")
        self.captured = []
        yield
        graph.work, self.captured = self.captured, None
        self.log.append("captured")


class Kernel(nn.Module):
    """A layer that takes so long on a simulated GPU."""

    def __init__(self, gpu: Gpu, seconds: float) -> None:
        super().__init__()
        self.gpu = gpu
        self.seconds = seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.gpu.kernel(self.seconds)
        return x
