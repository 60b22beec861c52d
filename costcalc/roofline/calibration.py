"""Calibrations: fitted from anchors that were measured, kept in a file of the user, found again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from costcalc.errors import ENVIRONMENT, CostcalcError, shortened
from costcalc.latency import files
from costcalc.latency.runs import Dtype, Layout, Measurement, Mode, Record, Run
from costcalc.latency.summary import HOST_BOUND, deciding, host_share, summary
from costcalc.roofline import model
from costcalc.roofline.devices import Device
from costcalc.roofline.entry import CPU, Anchor, Calibration, peaks

__all__ = ["Anchor", "Calibration", "find", "fitted", "load", "measured", "of_cpu", "place", "store"]

SCHEMA = "costcalc.calibration/1"


class _File(Record):
    """Calibrations as they stand in a file, the latest last."""

    format: Literal["costcalc.calibration/1"] = Field("costcalc.calibration/1", alias="schema")
    entries: tuple[Calibration, ...]


def measured(measurement: Measurement) -> float | None:
    """The median time of a pass, in seconds, by what its time is shown by; None if there is none."""
    found = summary(measurement, deciding(measurement))
    return found.median if found else None


def fitted(run: Run, launch_s: float, copy_bytes_s: float, dense_flop_s: float) -> Calibration:
    """The calibration that follows from a run of anchors, and from what was measured of the device itself.

    Raises :class:`CostcalcError` if no anchor tells anything of the device.
    """
    how, where = run.settings, run.environment
    device = peaks(where.device_name, how.device, how.dtype, copy_bytes_s, dense_flop_s)
    found = [_anchor(each, device, how.dtype, how.mode, launch_s) for each in run.measurements]
    anchors = tuple(each for each in found if each)
    if not anchors:
        raise CostcalcError(
            "no anchor tells how fast the device is: none was measured, or all wait for the host to start "
            "their kernels; calibrate with a larger --batch",
            ENVIRONMENT,
        )
    return Calibration(
        device_name=where.device_name,
        on=how.device,
        driver=where.driver,
        torch=where.torch,
        dtype=how.dtype,
        layout=how.layout,
        mode=how.mode,
        threads=how.threads,
        created=run.started,
        anchors=anchors,
        launch_s=launch_s,
        copy_bytes_s=copy_bytes_s,
        dense_flop_s=dense_flop_s,
    )


def _anchor(each: Measurement, device: Device, dtype: Dtype, mode: Mode, launch_s: float) -> Anchor | None:
    """A measurement beside its roofline; None where what the device took cannot be told from the host."""
    seconds = measured(each)
    if seconds is None:
        return None
    bounds = model.bounds(each.work, device, dtype, mode, launch_s)
    waiting = max(bounds.starting / seconds, host_share(each) or 0)
    if waiting > HOST_BOUND or not bounds.roofline:
        return None
    host_s = bounds.starting if bounds.adds else 0.0
    return Anchor(
        name=each.name, batch=each.batch, measured_s=seconds, host_s=host_s, roofline_s=bounds.roofline
    )


def find(
    device_name: str,
    dtype: Dtype,
    mode: Mode,
    layout: Layout,
    entries: Sequence[Calibration],
    threads: int = 1,
) -> Calibration | None:
    """The latest calibration of the device that a driver calls so, None if there is none.

    ``threads`` are those of a CPU; on a GPU they say nothing.
    """
    wanted = (device_name, dtype, mode, layout)
    for entry in reversed(entries):
        fits = (entry.device_name, entry.dtype, entry.mode, entry.layout) == wanted
        if fits and (entry.on != CPU or entry.threads == threads):
            return entry
    return None


def of_cpu(dtype: Dtype, mode: Mode, layout: Layout, entries: Sequence[Calibration]) -> Calibration:
    """The latest calibration of a CPU; raises :class:`CostcalcError`: no datasheet says what it can do."""
    wanted = (CPU, dtype, mode, layout)
    for entry in reversed(entries):
        if (entry.on, entry.dtype, entry.mode, entry.layout) == wanted:
            return entry
    raise CostcalcError(
        f"cpu: what a CPU can do stands in no datasheet, and it has not been measured for {dtype}, {layout}, "
        f"{mode}; measure it once: `costcalc calibrate --device cpu --dtype {dtype} --layout {layout} "
        f"--mode {mode}`",
        ENVIRONMENT,
    )


def place(path: str | None = None) -> Path:
    """The file of calibrations: by default in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(path) if path else Path(cache) / "costcalc" / "calibration.json"


def load(path: str | None = None) -> tuple[Calibration, ...]:
    """All calibrations of a file, none where the user's own does not exist; raises :class:`CostcalcError`."""
    file = place(path)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if path:
            raise CostcalcError(
                f"{path}: there is no such file; `costcalc calibrate --save` writes one"
            ) from None
        return ()
    except OSError as error:
        raise CostcalcError(f"{file}: cannot be read: {error.strerror}", ENVIRONMENT) from None
    except ValueError as error:
        raise _broken(file, f"no JSON: {shortened(str(error))}") from None
    named = found.get("schema") if isinstance(found, dict) else None
    if named != SCHEMA:
        raise _broken(file, f"its schema is {shortened(named)}, not {SCHEMA}")
    try:
        return _File.model_validate(found).entries
    except ValidationError as error:
        first = error.errors()[0]
        raise _broken(file, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _broken(file: Path, why: str) -> CostcalcError:
    remedy = "remove it, and run `costcalc calibrate` again" if file == place() else "give another"
    return CostcalcError(f"{file} is no calibration file: {why}; {remedy}", ENVIRONMENT)


def store(found: Calibration, path: str | None = None) -> str:
    """Keep a calibration in the place of an earlier one of its key; where it is kept.

    The file is replaced as a whole, so that a reader never sees half of it. Raises :class:`CostcalcError`.
    """
    file = place(path)
    others = (entry for entry in (load(path) if file.exists() else ()) if entry.key != found.key)
    kept_in = _File.model_validate({"schema": SCHEMA, "entries": (*others, found)})
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CostcalcError(f"{file.parent}: cannot be made: {error.strerror}", ENVIRONMENT) from None
    files.replace(file, kept_in.model_dump_json(by_alias=True, indent=1) + "\n")
    return str(file)
