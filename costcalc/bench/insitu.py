"""Time per block in situ, in passes of their own: on a CPU, with events, with events inside a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import nn

from costcalc.bench import capturing
from costcalc.bench.marks import Boundaries, Timeline, hooked, marked, samples
from costcalc.latency.harness import DIGITS, Clock
from costcalc.latency.runs import Blocks

FUSED = "the compiler fuses operators across blocks"
NO_EXTERNAL = "this torch records no events inside a CUDA graph"


def fused(passes: int) -> Blocks:
    """Of a compiled network: none."""
    return Blocks(method=None, reason=FUSED)


def by_clock(
    method: Literal["CPU time", "wall clock"],
    clock: Clock,
    module: nn.Module,
    run: Callable[[], object],
    where: Boundaries,
    passes: int,
) -> Blocks:
    """On a CPU, which does one thing after the other."""
    timeline = Timeline(clock.now)
    once = marked(run, where, timeline.mark)
    with hooked(module, where, timeline.mark):
        for _ in range(passes):
            once()
    return Blocks(method=method, seconds=samples(timeline.passes(lambda start, end: end - start)))


def by_events(
    torch: Any, module: nn.Module, run: Callable[[], object], where: Boundaries, passes: int
) -> Blocks:
    """On a GPU: events are recorded among the kernels, and read when all passes are over."""
    dry = Timeline(lambda: None)
    with hooked(module, where, dry.mark):
        marked(run, where, dry.mark)()
    pool = [torch.cuda.Event(enable_timing=True) for _ in range(passes * len(dry.names))]
    for event in pool:  # the driver makes an event when it is first recorded
        event.record()
    torch.cuda.synchronize()
    timeline = Timeline(_recording(iter(pool).__next__))
    once = marked(run, where, timeline.mark)
    with hooked(module, where, timeline.mark):
        for _ in range(passes):
            once()
    torch.cuda.synchronize()
    return Blocks(method="events", seconds=samples(timeline.passes(_between)))


def by_graph_events(
    torch: Any, module: nn.Module, run: Callable[[], object], where: Boundaries, passes: int
) -> Blocks:
    """On a GPU, in a second CUDA graph that also records events: replays without the host in between."""
    stamp = _recording(lambda: torch.cuda.Event(enable_timing=True, external=True))
    if not _are_recorded(torch, stamp):
        return Blocks(method=None, reason=NO_EXTERNAL)
    timeline = Timeline(stamp)
    with hooked(module, where, timeline.mark):
        graph = capturing.capture(torch, marked(run, where, timeline.mark), warmups=0)
    found = []
    for _ in range(passes):
        graph.replay()
        torch.cuda.synchronize()
        found += timeline.passes(_between)
    return Blocks(method="graph events", seconds=samples(found))


def _are_recorded(torch: Any, stamp: Callable[[], Any]) -> bool:
    """Whether events inside a CUDA graph can be recorded and read: tried with one tiny operator."""
    tiny, stamps = torch.zeros(1, device="cuda"), []

    def run() -> None:
        stamps.append(stamp())
        tiny.add_(1)
        stamps.append(stamp())

    try:
        capturing.capture(torch, run, warmups=0).replay()
        torch.cuda.synchronize()
        _between(*stamps)
    except (TypeError, RuntimeError):
        return False
    return True


def _recording(made: Callable[[], Any]) -> Callable[[], Any]:
    """A stamp: an event, recorded."""

    def stamp() -> Any:
        event = made()
        event.record()
        return event

    return stamp


def _between(start: Any, end: Any) -> float:
    """CUDA tells milliseconds."""
    return round(float(start.elapsed_time(end)) / 1e3, DIGITS)
