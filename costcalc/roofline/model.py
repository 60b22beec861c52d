"""The model ``roofline/1``: a lower bound for each operator, times one scalar for what no device reaches.

An operator takes as long as its arithmetic or its memory traffic, whichever is longer, each at the peak
of the device; every tensor moves once. Only the sum over operators is scaled, by ``kappa``: measured
on many convolutional networks one scalar does what four could not do more reliably. A pass is no
shorter than its host takes to start the kernels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from costcalc.latency.runs import Dtype, Mode
from costcalc.latency.work import Work
from costcalc.roofline.devices import Device
from costcalc.roofline.entry import CPU, Calibration

MODEL = "roofline/1"
BYTES: dict[Dtype, int] = {"fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2}

# where nothing is calibrated: medians of measured/roofline over hundreds of convolutional networks on
# sixteen runs of five GPUs lie from 1.01 to 1.73 (timm's published throughput)
KAPPA: dict[Mode, float] = {"eager": 1.3, "graph": 1.3, "compile": 1.15}
BAND = (0.75, 1.5)
LEAST_BAND = (0.75, 1.25)  # of a calibrated prediction, however close its anchors lie
LAUNCH_S = 5e-6  # of one kernel by the host: assumed
LAUNCH_BAND = (
    0.5,
    3.0,
)  # of that: from a fast host and a bare kernel to a slow one and a convolution in Python
MEASURED_LAUNCH_BAND = (1.0, 3.0)  # what is measured is the start of the simplest kernel there is
NODE_S = 1e-6  # of one kernel of a CUDA graph, by the device: assumed

CLAIMED, LIKELY = 1.5, 1.25  # ratios of predictions from which an order held in 93–97 and 84–89 % of pairs


@dataclass(frozen=True, slots=True)
class Timed:
    """An operator, or a fused chain, on a device: the least that it moves and takes, and what bounds it."""

    part: str
    block: str
    operator: str
    macs: int
    bytes: int
    launches: int
    seconds: float
    bound: Literal["compute", "memory"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted latency, and what it is made of; seconds.

    ``roofline_s`` is the bound itself, ``device_s`` that times ``kappa``, ``host_s`` what starting
    ``launches`` kernels takes. ``assumed`` are the figures that nobody measured on the device.
    """

    seconds: float
    low: float
    high: float
    bound: Literal["compute", "memory", "host"]
    roofline_s: float
    device_s: float
    host_s: float
    launches: int
    kappa: float
    calibrated: bool
    assumed: tuple[str, ...]

    @property
    def orders(self) -> bool:
        """Whether an order may rest on it: not where an assumed time of the host decides."""
        return self.bound != "host" or not self.assumed


@dataclass(frozen=True, slots=True)
class Predicted:
    """One architecture on one device at one batch: what it asks for, and how long that takes."""

    name: str
    device: Device
    batch: int
    work: tuple[Work, ...]
    prediction: Prediction


def timed(work: Sequence[Work], device: Device, dtype: Dtype, mode: Mode = "eager") -> tuple[Timed, ...]:
    """The least that each operator takes; under ``compile`` a chain of pointwise ones is one operator.

    Raises :class:`CostcalcError` for a dtype that the device does not have.
    """
    return tuple(_timed(each, device, dtype) for each in kernels(work, mode))


def _timed(work: Work, device: Device, dtype: Dtype) -> Timed:
    moved = BYTES[dtype] * (work.weights + work.reads + work.writes)
    computing = 2 * work.macs / device.peak(dtype, work.matrix)
    moving = moved / device.bandwidth
    bound: Literal["compute", "memory"] = "compute" if computing > moving else "memory"
    return Timed(
        work.part, work.block, work.operator, work.macs, moved, work.launches, max(computing, moving), bound
    )


def kernels(work: Sequence[Work], mode: Mode) -> tuple[Work, ...]:
    """What runs in that mode: under ``compile`` pointwise neighbours as one, else all as they are."""
    if mode != "compile":
        return tuple(work)
    doing = [each for each in work if each.launches]
    chains = (list(group) for _, group in groupby(enumerate(doing), _chain))
    return tuple(_fused([each for _, each in chain]) for chain in chains)


def _chain(numbered: tuple[int, Work]) -> int:
    """One number for all of a chain: what is not pointwise goes by its own place."""
    place, work = numbered
    return -1 if work.pointwise else place


def _fused(chain: Sequence[Work]) -> Work:
    """A chain as one kernel: it reads what its largest member reads, and writes once."""
    if len(chain) == 1:
        return chain[0]
    return replace(
        chain[0],
        operator=" + ".join(each.operator for each in chain),
        weights=sum(each.weights for each in chain),
        reads=max(each.reads for each in chain),
        writes=max(each.writes for each in chain),
        launches=1,
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a pass cannot be faster than: seconds of its ``roofline``, and of ``starting`` its ``launches``.

    ``adds`` is whether the two add up. On a GPU the host runs ahead, and only the longer counts; the
    nodes of a graph are started by the GPU itself, and on a CPU one thread does both.
    """

    roofline: float
    starting: float
    launches: int
    adds: bool


def bounds(work: Sequence[Work], device: Device, dtype: Dtype, mode: Mode, launch_s: float) -> Bounds:
    """The bounds of one pass, if starting a kernel takes ``launch_s``: of the host, or of the graph."""
    launches = sum(each.launches for each in kernels(work, mode))
    return Bounds(
        roofline=sum(each.seconds for each in timed(work, device, dtype, mode)),
        starting=launches * launch_s,
        launches=launches,
        adds=mode == "graph" or device.key == CPU,
    )


def predicted(
    work: Sequence[Work], device: Device, dtype: Dtype, mode: Mode, calibration: Calibration | None = None
) -> Prediction:
    """How long one pass takes, with the range to expect. Raises :class:`CostcalcError` as :func:`timed`."""
    assumed_s = NODE_S if mode == "graph" else LAUNCH_S
    kappa, launch_s = (calibration.kappa, calibration.launch_s) if calibration else (KAPPA[mode], assumed_s)
    found = bounds(work, device, dtype, mode, launch_s)
    on_device = kappa * found.roofline
    assumed = _assumed(mode, calibration)
    low, high = _range(found, on_device, calibration, bool(assumed))
    return Prediction(
        seconds=_whole(found, on_device, found.starting),
        low=low,
        high=high,
        bound="host" if found.starting > on_device else _bound(timed(work, device, dtype, mode)),
        roofline_s=found.roofline,
        device_s=on_device,
        host_s=found.starting,
        launches=found.launches,
        kappa=kappa,
        calibrated=calibration is not None,
        assumed=assumed,
    )


def _whole(found: Bounds, on_device: float, on_host: float) -> float:
    return on_device + on_host if found.adds else max(on_device, on_host)


def _range(
    found: Bounds, on_device: float, calibration: Calibration | None, is_assumed: bool
) -> tuple[float, float]:
    """The range to expect: of what the device takes, and of what starting kernels takes, each by its own."""
    of_host = LAUNCH_BAND if is_assumed else MEASURED_LAUNCH_BAND
    low, high = (
        _whole(found, device * on_device, host * found.starting)
        for device, host in zip(_band(calibration), of_host, strict=True)
    )
    return low, high


def _bound(found: Iterable[Timed]) -> Literal["compute", "memory"]:
    """What bounds most of the time."""
    computing = sum(each.seconds if each.bound == "compute" else -each.seconds for each in found)
    return "compute" if computing > 0 else "memory"


def _band(calibration: Calibration | None) -> tuple[float, float]:
    """The range to expect of the device's part: as far as the anchors lie apart, or further."""
    if calibration is None:
        return BAND
    ratios = [anchor.ratio / calibration.kappa for anchor in calibration.anchors]
    return min(LEAST_BAND[0], *ratios), max(LEAST_BAND[1], *ratios)


def _assumed(mode: Mode, calibration: Calibration | None) -> tuple[str, ...]:
    """The figures that a prediction rests on and that were not measured on its device."""
    if calibration:
        return ()
    factor = f"{KAPPA[mode]:g} times the roofline, as GPUs reach in the median"
    if mode == "graph":
        return factor, f"{NODE_S * 1e6:g} µs for each kernel of the graph"
    return factor, f"{LAUNCH_S * 1e6:g} µs of the host for each kernel"


def by_block(found: Iterable[Timed]) -> dict[str, float]:
    """The least seconds of each block, in order of execution."""
    seconds: dict[str, float] = {}
    for each in found:
        seconds[each.block] = seconds.get(each.block, 0.0) + each.seconds
    return seconds


def order(ratio: float) -> Literal["claimed", "likely", "too close to call"]:
    """What may be said of which of two is faster, by the ratio of their predictions (either way round)."""
    apart = max(ratio, 1 / ratio)
    return "claimed" if apart >= CLAIMED else "likely" if apart >= LIKELY else "too close to call"
