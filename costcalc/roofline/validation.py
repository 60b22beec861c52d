"""Predictions held against measurements: how far off, how often in the right order, and what MACs alone say.

A predictor that follows the MACs is the rival: it is given the one constant that fits the measured times
best, and what it reaches even so is what a roofline has to surpass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.latency.runs import Dtype, Layout, Measurement, Mode, Run
from costcalc.latency.summary import attributed
from costcalc.roofline import devices, model
from costcalc.roofline.accuracy import Accuracy, accuracy, spearman
from costcalc.roofline.calibration import find, measured
from costcalc.roofline.devices import Device
from costcalc.roofline.entry import Calibration
from costcalc.roofline.model import Prediction

WORST = 10


@dataclass(frozen=True, slots=True)
class Compared:
    """One measurement beside its prediction; ``is_anchor`` if its calibration was fitted on it.

    ``block_rho`` is the rank correlation over its blocks, None where they were not timed.
    """

    name: str
    batch: int
    device: str
    dtype: Dtype
    layout: Layout
    mode: Mode
    macs: int
    measured: float
    prediction: Prediction
    is_anchor: bool
    block_rho: float | None

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return self.measured / self.prediction.seconds

    @property
    def error(self) -> float:
        """How far the prediction is off, relative to what was measured."""
        return abs(self.prediction.seconds - self.measured) / self.measured


@dataclass(frozen=True, slots=True)
class Group:
    """What was measured on one device in one way at one batch.

    ``held_out`` leaves out the anchors of its calibration, None where there is nothing else; ``rival``
    are the MACs on all rows, times the constant that fits them best, None where nothing has MACs.
    ``block_rho`` is the median over rows.
    """

    device: str
    dtype: Dtype
    layout: Layout
    mode: Mode
    batch: int
    calibrated: bool
    all: Accuracy
    held_out: Accuracy | None
    rival: Accuracy | None
    block_rho: float | None


@dataclass(frozen=True, slots=True)
class Validation:
    """Every row, what they amount to by group, what was left out, with why, and the runs."""

    rows: tuple[Compared, ...]
    groups: tuple[Group, ...]
    skipped: tuple[str, ...]
    runs: tuple[Run, ...]

    @property
    def worst(self) -> tuple[Compared, ...]:
        """The predictions that are furthest off, by factor, either way."""
        return tuple(sorted(self.rows, key=lambda row: -max(row.ratio, 1 / row.ratio))[:WORST])


def validated(runs: Sequence[Run], entries: Sequence[Calibration]) -> Validation:
    """Every measurement of the runs beside its prediction; raises :class:`CostcalcError` if there is none."""
    rows: list[Compared] = []
    skipped: list[str] = []
    for run in runs:
        device, entry = _target(run, entries)
        if device is None:
            skipped.append(f"{run.environment.device_name}: {_uncalibrated(run)}")
            continue
        found = [_compared(run, each, device, entry) for each in run.measurements]
        rows += [row for row in found if row]
        skipped += [
            f"{each.name} at batch {each.batch}: {each.reason or 'no samples'}"
            for each, row in zip(run.measurements, found, strict=True)
            if row is None
        ]
    if not rows:
        why = "; ".join(dict.fromkeys(skipped)) or "there is no measurement"
        raise CostcalcError(f"nothing to validate: {why}", ENVIRONMENT)
    return Validation(tuple(rows), tuple(_groups(rows)), tuple(dict.fromkeys(skipped)), tuple(runs))


def _target(run: Run, entries: Sequence[Calibration]) -> tuple[Device | None, Calibration | None]:
    """The device that a run was measured on, and how it is calibrated, as far as either is known."""
    how, name = run.settings, run.environment.device_name
    entry = find(name, how.dtype, how.mode, how.layout, entries, how.threads)
    return entry.device() if entry else devices.of_name(name), entry


def _uncalibrated(run: Run) -> str:
    how = run.settings
    way = f"--device {how.device} --dtype {how.dtype} --layout {how.layout} --mode {how.mode}"
    return f"its peaks are not known; measure them with `costcalc calibrate {way}`"


def _compared(run: Run, each: Measurement, device: Device, entry: Calibration | None) -> Compared | None:
    seconds, how = measured(each), run.settings
    guess = model.predicted(each.work, device, how.dtype, how.mode, entry)
    if seconds is None or not guess.seconds:
        return None
    return Compared(
        name=each.name,
        batch=each.batch,
        device=run.environment.device_name,
        dtype=how.dtype,
        layout=how.layout,
        mode=how.mode,
        macs=each.macs,
        measured=seconds,
        prediction=guess,
        is_anchor=entry is not None and each.name in {anchor.name for anchor in entry.anchors},
        block_rho=_block_rho(each, model.by_block(model.timed(each.work, device, how.dtype, how.mode))),
    )


def _block_rho(each: Measurement, least: dict[str, float]) -> float | None:
    """Over the blocks that do anything and were timed."""
    times = attributed(each)
    shared = [row for row in times.rows if least.get(row.name)] if times else []
    return spearman([row.median for row in shared], [least[row.name] for row in shared])


def _groups(rows: Iterable[Compared]) -> Iterable[Group]:
    by: dict[tuple[str, Dtype, Layout, Mode, int], list[Compared]] = defaultdict(list)
    for row in rows:
        by[row.device, row.dtype, row.layout, row.mode, row.batch].append(row)
    for (device, dtype, layout, mode, batch), found in by.items():
        rhos = [row.block_rho for row in found if row.block_rho is not None]
        others = [row for row in found if not row.is_anchor]
        yield Group(
            device=device,
            dtype=dtype,
            layout=layout,
            mode=mode,
            batch=batch,
            calibrated=all(row.prediction.calibrated for row in found),
            all=_of(found),
            held_out=_of(others) if others else None,
            rival=_rival([row for row in found if row.macs]),
            block_rho=median(rhos) if rhos else None,
        )


def _of(rows: Sequence[Compared]) -> Accuracy:
    return accuracy([row.measured for row in rows], [row.prediction.seconds for row in rows])


def _rival(rows: Sequence[Compared]) -> Accuracy | None:
    """MACs as a predictor, at the rate that fits the rows in the median."""
    if not rows:
        return None
    seconds_per_mac = median(row.measured / row.macs for row in rows)
    return accuracy([row.measured for row in rows], [row.macs * seconds_per_mac for row in rows])
