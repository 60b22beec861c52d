"""What devices make of an architecture: where its blocks lie under a roofline, predicted, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from costcalc import units
from costcalc.api.predicting import Predictions
from costcalc.api.timing import Bench
from costcalc.errors import CostcalcError
from costcalc.latency.runs import Dtype
from costcalc.records import View
from costcalc.report.document import Element, Items, Point, Scatter, Section, Table, Text
from costcalc.report.inline import code, literal
from costcalc.roofline.devices import Device
from costcalc.roofline.model import Predicted, Timed, timed

DEVICE = "h200"  # whose roofline is drawn where none is asked for
LONG = ("spread", "blocks", "memory")  # tables of a run that are folded
MARKED = 3  # points that carry their names
POINTS = (
    "A point is a block, its operators one after the other, each at its own limit; those that take longest "
    "are marked."
)
ROOM = 2.0  # how far the roofline goes beyond the points, as a factor


def position(found: Predictions, is_asked: bool) -> Section:
    """Where the blocks lie under the roofline of the first device, and what is predicted if asked for."""
    first = found.found[0]
    times = timed(first.work, first.device, found.dtype, found.mode)
    chart = _scatter(first, times, found.dtype)
    elements: list[Element] = [Text(_told(first, times, found.dtype)), *([chart] if chart.points else [])]
    if is_asked:
        elements += _predicted(found)
    return Section("On a device", tuple(elements))


def _scatter(each: Predicted, times: Sequence[Timed], dtype: Dtype) -> Scatter:
    """FLOP/byte of each block against the FLOP/s that it can reach, below the roof of the device."""
    groups = {name: parts for name, parts in _grouped(times).items() if _macs(parts)}
    slowest = sorted(groups, key=lambda name: -_seconds(groups[name]))[:MARKED]
    points = tuple(_point(name, parts, name in slowest) for name, parts in groups.items())
    device = each.device
    title = f"{each.name} on {device.key}: {dtype}, batch {each.batch}"
    roof = ((f"{device.key}, {dtype}", _roof(device, dtype, points)),) if points else ()
    return Scatter("roofline", title, points, "FLOP/byte", "FLOP/s at most", roof, POINTS)


def _grouped(times: Sequence[Timed]) -> dict[str, list[Timed]]:
    groups: dict[str, list[Timed]] = {}
    for part in times:
        groups.setdefault(part.block, []).append(part)
    return groups


def _macs(parts: Sequence[Timed]) -> int:
    return sum(part.macs for part in parts)


def _seconds(parts: Sequence[Timed]) -> float:
    return sum(part.seconds for part in parts)


def _point(name: str, parts: Sequence[Timed], marked: bool) -> Point:
    flop, moved = 2 * _macs(parts), sum(part.bytes for part in parts)
    rate = flop / _seconds(parts)
    shown = f"{flop / moved:,.1f} FLOP/byte, {units.prose(int(rate))}FLOP/s at most"
    return Point(name, flop / moved, rate, shown, marked)


def _roof(device: Device, dtype: Dtype, points: Sequence[Point]) -> tuple[tuple[float, float], ...]:
    """Up with the bandwidth, then flat at the peak."""
    peak = device.peak(dtype)
    ridge = peak / device.bandwidth
    low = min(ridge, *(point.x for point in points)) / ROOM
    high = max(ridge, *(point.x for point in points)) * ROOM
    return (low, low * device.bandwidth), (ridge, peak), (high, peak)


def _told(each: Predicted, times: Sequence[Timed], dtype: Dtype) -> str:
    """The device's two limits, and how much of the time memory decides."""
    device = each.device
    ridge = device.peak(dtype) / device.bandwidth
    whole = _seconds(times)
    memory = _seconds([part for part in times if part.bound == "memory"])
    return (
        f"{device.name} does at most {units.prose(int(device.peak(dtype)))}FLOP/s in dense {dtype} products "
        f"and moves {units.bytes_(int(device.bandwidth))}/s: below {ridge:,.1f} FLOP/byte memory is what "
        f"limits it. At batch {each.batch} {literal(each.name)} takes {units.seconds(whole)} there at least, "
        f"{units.percent(memory / whole if whole else 0.0)} of it bound by memory."
    )


def _predicted(found: Predictions) -> tuple[Element, ...]:
    view = found.view()
    kept = [grid for grid in view.grids if grid.key == "predictions"]
    return (*map(Table, kept), Items((view.notes[0], *view.warnings)))


@dataclass(frozen=True, slots=True)
class Measured:
    """A run as it was measured, and the name of its file."""

    path: str
    bench: Bench

    @property
    def names(self) -> tuple[str, ...]:
        """The architectures that it holds."""
        return tuple(dict.fromkeys(each.name for each in self.bench.run.measurements))

    def of(self, name: str, macs: int) -> Bench:
        """The run with nothing but the measurements of one architecture, which must be the one counted.

        Raises :class:`CostcalcError`.
        """
        run = self.bench.run
        kept = tuple(each for each in run.measurements if each.name == name)
        for each in kept:
            if each.macs != each.batch * macs:
                raise CostcalcError(
                    f"{self.path}: what was measured as {name} has {each.macs // each.batch:,} MACs, "
                    f"not {macs:,}; measure it again"
                )
        return replace(self.bench, run=run.model_copy(update={"measurements": kept}))


def measured(name: str, macs: int, runs: Sequence[Measured]) -> tuple[Section, ...]:
    """A section for each run that holds the architecture, as ``costcalc bench show`` shows it."""
    holding = [each for each in runs if name in each.names]
    return tuple(_measured(each.path, each.of(name, macs).view()) for each in holding)


def _measured(path: str, view: View) -> Section:
    command = f"costcalc bench show {path}"
    tables = tuple(Table(grid, open=grid.key not in LONG) for grid in view.grids)
    told = " ".join(map(literal, (*view.summary, view.notes[0])))
    said = f"{told} {code(command)} shows the whole run."
    doubts = (Items(tuple(map(literal, view.warnings))),) if view.warnings else ()
    return Section(f"Measured: {path}", (Text(said), *tables, *doubts))
