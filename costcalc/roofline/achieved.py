"""What a measurement achieved beside what the device could do: FLOP/s, share of the roofline, what bounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from costcalc.latency.runs import Dtype, Measurement, Mode
from costcalc.latency.summary import HOST_BOUND, attributed, deciding, host_share, summary
from costcalc.latency.work import Work
from costcalc.roofline.devices import Device
from costcalc.roofline.model import BYTES, kernels, timed


@dataclass(frozen=True, slots=True)
class Achieved:
    """A network or block in measured ``seconds``: MACs, least bytes and launches of the pass, and FLOP/s.

    ``roofline`` is the share of the device's roofline that was reached, ``bound`` what bounds it:
    compute, memory or host; both None where the device's peaks are not known.
    """

    name: str
    seconds: float
    macs: int
    bytes: int
    launches: int
    flop_s: float
    roofline: float | None
    bound: str | None


def whole(measurement: Measurement, device: Device | None, dtype: Dtype, mode: Mode) -> Achieved | None:
    """The network as a whole; None where nothing was measured."""
    found = summary(measurement, deciding(measurement))
    if found is None:
        return None
    is_host = (host_share(measurement) or 0) > HOST_BOUND
    return _achieved(measurement.name, found.median, measurement.work, device, dtype, mode, is_host)


def blocks(measurement: Measurement, device: Device | None, dtype: Dtype, mode: Mode) -> tuple[Achieved, ...]:
    """Block by block, in order of execution; empty where none were timed, or not truly."""
    times = attributed(measurement)
    if times is None:
        return ()
    work = defaultdict(list)
    for each in measurement.work:
        work[each.block].append(each)
    return tuple(_achieved(row.name, row.median, work[row.name], device, dtype, mode) for row in times.rows)


def _achieved(
    name: str,
    seconds: float,
    work: Sequence[Work],
    device: Device | None,
    dtype: Dtype,
    mode: Mode,
    is_host: bool = False,
) -> Achieved:
    macs = sum(each.macs for each in work)
    moved = BYTES[dtype] * sum(each.weights + each.reads + each.writes for each in work)
    least: dict[str, float] = defaultdict(float)
    for part in timed(work, device, dtype, mode) if device else ():
        least[part.bound] += part.seconds
    shortest = sum(least.values())
    most = max(least, key=lambda bound: least[bound]) if shortest else None
    share = shortest / seconds if shortest and seconds else None
    launches = sum(each.launches for each in kernels(work, mode))
    return Achieved(
        name,
        seconds,
        macs,
        moved,
        launches,
        2 * macs / seconds if seconds else 0.0,
        share,
        "host" if is_host else most,
    )
