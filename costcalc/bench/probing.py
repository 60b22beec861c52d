"""What a device does at its best: bytes copied, dense arithmetic, and how fast the host asks for it."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import torch

from costcalc.bench import capturing
from costcalc.bench.building import HALVES
from costcalc.bench.messages import Probed
from costcalc.latency.harness import Clock
from costcalc.latency.runs import Settings

LAUNCHES, REPEATS, WARMUPS = 1000, 15, 3
PATIENCE = 2.0  # seconds for repetitions: a CPU without units for fp16 takes as long for a single product
COPIED = 2**28  # bytes: no cache holds them
SIDE = {"cpu": 1024, "cuda": 8192}  # of square matrices: some tens of milliseconds
CHANNELS, GRID, IMAGES = 256, 56, {"cpu": 1, "cuda": 256}  # of a convolution that takes about as long


@torch.inference_mode()
def probed(how: Settings, clock: Clock) -> Probed:
    """Medians of repetitions, on a process that is configured already."""
    return Probed(
        launch_s=_launch(how, clock),
        copy_bytes_s=_copied(how, clock),
        dense_flop_s=max(_multiplied(how, clock), _convolved(how, clock)),
    )


def _launch(how: Settings, clock: Clock) -> float:
    """Seconds per operator: each depends on the one before, and takes the device next to no time.

    They are the host's; in a CUDA graph, which the device works off alone, they are the device's.
    """
    tiny = torch.zeros(1, device=how.device)

    def launch() -> None:
        for _ in range(LAUNCHES):
            tiny.add_(1)

    if how.mode == "graph":
        return _seconds(capturing.capture(torch, launch).replay, how, clock) / LAUNCHES
    return _seconds(launch, how, clock, waits=False) / LAUNCHES


def _copied(how: Settings, clock: Clock) -> float:
    """Bytes a second, read and written ones together."""
    given = torch.ones(COPIED, dtype=torch.uint8, device=how.device)
    taken = torch.empty_like(given)
    return 2 * COPIED / _seconds(lambda: taken.copy_(given), how, clock)


def _multiplied(how: Settings, clock: Clock) -> float:
    """FLOP a second of a square product in the settings' type."""
    side = SIDE[how.device.partition(":")[0]]
    dtype = HALVES.get(how.dtype, torch.float32)
    left, right = (torch.randn(side, side, device=how.device).to(dtype) for _ in "ab")
    given = torch.empty(side, side, device=how.device, dtype=dtype)
    return 2 * side**3 / _seconds(lambda: torch.mm(left, right, out=given), how, clock)


def _convolved(how: Settings, clock: Clock) -> float:
    """FLOP a second of a 3×3 convolution: another library's kernels, which on some CPUs are far faster."""
    images = IMAGES[how.device.partition(":")[0]]
    dtype = HALVES.get(how.dtype, torch.float32)
    layout = torch.channels_last if how.layout == "channels_last" else torch.contiguous_format
    like = {"device": how.device, "dtype": dtype, "memory_format": layout}
    given = torch.randn(images, CHANNELS, GRID, GRID).to(**like)  # type: ignore[call-overload]
    weight = torch.randn(CHANNELS, CHANNELS, 3, 3).to(**like)  # type: ignore[call-overload]
    macs = 9 * CHANNELS**2 * GRID**2 * images
    return 2 * macs / _seconds(lambda: torch.nn.functional.conv2d(given, weight, padding=1), how, clock)


def _seconds(run: Callable[[], object], how: Settings, clock: Clock, waits: bool = True) -> float:
    """The median time; of a GPU until it is done, or of the host alone until everything is enqueued."""
    is_gpu = how.device != "cpu"
    found: list[float] = []
    while len(found) < WARMUPS + REPEATS and sum(found) < PATIENCE:
        began = clock.now()
        run()
        if is_gpu and waits:
            torch.cuda.synchronize()
        found.append(clock.now() - began)
        if is_gpu:
            torch.cuda.synchronize()
    return median(found[WARMUPS:] or found[-1:])
