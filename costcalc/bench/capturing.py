"""A pass as a CUDA graph: captured once, replayed without the host."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

WARMUPS = 3  # calls on the stream, so that libraries choose and allocate before the capture, as torch advises


def capture(torch: Any, run: Callable[[], object], warmups: int = WARMUPS) -> Any:
    """The CUDA graph of a pass; its ``replay()`` enqueues it.

    Whatever waits, copies to the host or depends on values cannot be captured: torch then raises.
    """
    cuda = torch.cuda
    stream = cuda.Stream()
    stream.wait_stream(cuda.current_stream())
    with cuda.stream(stream):
        for _ in range(warmups):
            run()
    cuda.current_stream().wait_stream(stream)
    cuda.synchronize()
    graph = cuda.CUDAGraph()
    with _no_collection(), cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        run()
    cuda.synchronize()
    return graph


@contextmanager
def _no_collection() -> Iterator[None]:
    """A finaliser that runs during the capture could unload a kernel and invalidate it."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
