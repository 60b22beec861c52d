"""Predicted latency as grids: predictions, limits, calibrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from costcalc import units
from costcalc.latency.runs import Dtype, Mode
from costcalc.records import Cell, Column, Grid, View
from costcalc.roofline.entry import CPU, Calibration
from costcalc.roofline.model import BYTES, MODEL, Predicted, Timed, order, timed
from costcalc.views.metrics import CONVENTION, OF_BATCH, share

ROOFLINE = (
    "Predicted by roofline: every operator takes as long as its MACs at the device's dense peak or its "
    "bytes at the full bandwidth, whichever is longer; the sum is multiplied by one factor."
)
RANGES = {
    False: "The range holds the medians of hundreds of networks on five GPUs at large batches; a single "
    "network may lie outside.",
    True: "The range is as wide as the five anchors of the calibration lie apart; a single network may "
    "lie outside.",
}
SMALL_BATCH = (
    "At batch 1 kernels are too small to fill a GPU: on an H100, 13 networks took 2 to 8 times as long as "
    "predicted."
)
ORDER = (
    "An order is claimed where the predicted ratio is 1.5 or more, likely from 1.25, else too close to call."
)


def predict(found: Sequence[Predicted], dtype: Dtype, mode: Mode, by_layer: bool = False) -> View:
    """One row per architecture, device and batch; of a single one also its blocks or layers."""
    grids = [_predictions(found, dtype, mode)]
    grids += [_parts(found[0], dtype, mode, by_layer)] if len(found) == 1 else []
    grids.append(_devices(found, dtype))
    lines = ordered(found)
    notes = (
        ROOFLINE,
        *_cautions(found),
        *([ORDER] if lines else []),
        OF_BATCH,
        CONVENTION,
    )
    facts: dict[str, Cell] = {"dtype": dtype, "mode": mode, "model": MODEL}
    provenance = {
        "model": MODEL,
        "dtype": dtype,
        "mode": mode,
        "devices": {each.device.key: each.device.source for each in found},
    }
    summary = lines or tuple(_sentence(each) for each in found[:1])
    return View(
        "predict", tuple(grids), facts, notes, summary, provenance=provenance, warnings=_cautions(found)
    )


def _cautions(found: Sequence[Predicted]) -> tuple[str, ...]:
    """What predictions rest on that nobody measured, and where nobody has validated them."""
    ranges = {RANGES[each.prediction.calibrated]: None for each in found}
    assumed = dict.fromkeys(f"Assumed: {told}." for each in found for told in each.prediction.assumed)
    is_small = any(each.batch == 1 and each.device.key != CPU for each in found)
    return (*ranges, *assumed, *((SMALL_BATCH,) if is_small else ()))


def _predictions(found: Sequence[Predicted], dtype: Dtype, mode: Mode) -> Grid:
    columns = (
        Column("name", "architecture", "name"),
        Column("device", "on", "name"),
        Column("batch", "batch", "count"),
        Column("seconds", "predicted", "seconds"),
        Column("low", "from", "seconds"),
        Column("high", "to", "seconds"),
        Column("images_per_s", "images/s", "number"),
        Column("bound", "bound by", "text"),
        Column("roofline_s", "roofline", "seconds"),
        Column("host_s", "host", "seconds"),
        Column("launches", "launches", "count"),
    )
    rows = tuple(
        (
            *(each.name, each.device.key, each.batch, guess.seconds, guess.low, guess.high),
            *(each.batch / guess.seconds, guess.bound, guess.roofline_s, guess.host_s, guess.launches),
        )
        for each in found
        for guess in [each.prediction]
    )
    return Grid("predictions", f"predicted latency: {dtype}, {mode}", columns, rows)


def _devices(found: Sequence[Predicted], dtype: Dtype) -> Grid:
    """The peaks that rooflines are drawn with, and the factor between them and what is predicted."""
    columns = (
        Column("device", "device", "name"),
        Column("name", "which is", "text"),
        Column("matrix_flop_s", "dense products", "rate"),
        Column("vector_flop_s", "other fp32", "rate"),
        Column("bytes_s", "memory, a second", "bytes"),
        Column("kappa", "factor", "number"),
        Column("calibrated", "calibrated", "text"),
        Column("source", "source", "text"),
    )
    firsts = {each.device.key: each for each in reversed(found)}
    rows = tuple(
        (
            *(device.key, device.name, device.peak(dtype), device.simd, int(device.bandwidth)),
            *(guess.kappa, "yes" if guess.calibrated else "no", device.source),
        )
        for each in reversed(firsts.values())
        for device, guess in [(each.device, each.prediction)]
    )
    return Grid("devices", "rooflines", columns, rows)


def _parts(each: Predicted, dtype: Dtype, mode: Mode, by_layer: bool) -> Grid:
    """Where the time of the device goes, block by block or operator by operator."""
    times = timed(each.work, each.device, dtype, mode)
    groups: dict[str, list[Timed]] = {}
    for part in times:
        groups.setdefault(part.part if by_layer else part.block, []).append(part)
    kappa = each.prediction.kappa
    whole = sum(part.seconds for part in times)
    columns = (
        Column("name", "layer" if by_layer else "block", "name"),
        Column("seconds", "device time", "seconds"),
        Column("share", "share", "percent"),
        Column("macs", "MACs", "count"),
        Column("bytes", "least bytes", "bytes"),
        Column("launches", "launches", "count"),
        Column("intensity", "FLOP/byte", "number"),
        Column("bound", "bound by", "text"),
    )
    rows = tuple(_part(name, parts, kappa, whole) for name, parts in groups.items())
    total = _part("total", times, kappa, whole)
    title = f"{each.name} on {each.device.key} at batch {each.batch}, {BYTES[dtype]} bytes an element"
    return Grid("parts", title, columns, rows, total)


def _part(name: str, parts: Sequence[Timed], kappa: float, whole: float) -> tuple[Cell, ...]:
    seconds, macs, moved, launches = (
        sum(part.seconds for part in parts),
        sum(part.macs for part in parts),
        sum(part.bytes for part in parts),
        sum(part.launches for part in parts),
    )
    most: dict[str, float] = {}
    for part in parts:
        most[part.bound] = most.get(part.bound, 0.0) + part.seconds
    bound = max(most, key=lambda key: most[key]) if seconds else None
    return (
        name,
        kappa * seconds,
        seconds / whole if whole else None,
        macs,
        moved,
        launches,
        share(2 * macs, moved),
        bound,
    )


def ordered(found: Sequence[Predicted]) -> tuple[str, ...]:
    """Each architecture against the first on the same device and batch, as far as that can be said."""
    lines = []
    firsts: dict[tuple[str, int], Predicted] = {}
    for each in found:
        first = firsts.setdefault((each.device.key, each.batch), each)
        if first is each:
            continue
        slow, fast = sorted((first, each), key=lambda one: one.prediction.seconds, reverse=True)
        ratio = slow.prediction.seconds / fast.prediction.seconds
        place, pair = f"on {each.device.key} at batch {each.batch}", f"{each.name} and {first.name}"
        firm = first.prediction.orders and each.prediction.orders
        said = order(ratio) if firm else "too close to call"
        if said == "too close to call":
            why = "" if firm else "; the time that the host takes is assumed, and decides"
            lines.append(f"TOO CLOSE TO CALL {place}: {pair}, predicted ratio {ratio:.2f}×{why}.")
            continue
        word = "FASTER" if said == "claimed" else "LIKELY FASTER"
        lines.append(f"{word} {place}: {fast.name}, {ratio:.2f}× faster than {slow.name} by prediction.")
    return tuple(lines)


def _sentence(each: Predicted) -> str:
    guess = each.prediction
    return (
        f"{each.name} on {each.device.key} at batch {each.batch}: {units.seconds(guess.seconds)} predicted "
        f"({units.seconds(guess.low)} to {units.seconds(guess.high)}), bound by {guess.bound}."
    )


def calibrate(entry: Calibration, path: str) -> View:
    """The anchors measured and predicted, and the factor between them."""
    columns = (
        Column("name", "anchor", "name"),
        Column("measured_s", "measured", "seconds"),
        Column("roofline_s", "roofline", "seconds"),
        Column("ratio", "ratio", "number"),
    )
    rows = tuple((each.name, each.measured_s, each.roofline_s, each.ratio) for each in entry.anchors)
    facts: dict[str, Cell] = {
        "device": entry.device_name,
        "kappa": entry.kappa,
        "launch_s": entry.launch_s,
        "copy_bytes_s": entry.copy_bytes_s,
        "dense_flop_s": entry.dense_flop_s,
        "file": path,
    }
    notes = (
        "The factor is the median of measured ÷ roofline; `costcalc predict` uses it for this device, type, "
        "layout and mode.",
        f"Measured beside it: {units.seconds(entry.launch_s)} "
        f"{'per kernel of a graph' if entry.mode == 'graph' else 'of the host per operator'}, "
        f"{units.bytes_(int(entry.copy_bytes_s))}/s copied, {units.prose(int(entry.dense_flop_s))}FLOP/s in "
        "a large product or convolution.",
    )
    how = f"{entry.dtype}, {entry.layout}, {entry.mode}"
    lines = (f"Calibrated {entry.device_name} ({how}): factor {entry.kappa:.3f}, stored in {path}.",)
    grid = Grid("anchors", f"calibration of {entry.device_name}: {how}", columns, rows)
    return View(
        "calibrate", (grid,), facts, notes, lines, provenance={"entry": entry.model_dump(mode="json")}
    )


def latency_limit(found: Sequence[Predicted], limit: float, words: Sequence[str]) -> View:
    """Predictions against a limit; ``words`` are the verdicts, in the same order."""
    columns = (
        Column("name", "limit on", "name"),
        Column("device", "on", "name"),
        Column("batch", "batch", "count"),
        Column("limit_s", "latency limit", "seconds"),
        Column("seconds", "predicted", "seconds"),
        Column("low", "from", "seconds"),
        Column("high", "to", "seconds"),
        Column("verdict", "verdict", "text"),
    )
    rows = tuple(
        (
            *(each.name, each.device.key, each.batch, limit),
            *(each.prediction.seconds, each.prediction.low, each.prediction.high, word),
        )
        for each, word in zip(found, words, strict=True)
    )
    lines = tuple(_within(each, limit, word) for each, word in zip(found, words, strict=True))
    passed = all(word == "within" for word in words)
    cautions = _cautions(found)
    grid = Grid("latency", "predicted latency", columns, rows)
    facts: dict[str, Cell] = {"name": found[0].name, "passed": passed}
    return View("budget", (grid,), facts, (ROOFLINE, *cautions), lines, passed, warnings=cautions)


def _within(each: Predicted, limit: float, word: str) -> str:
    guess = each.prediction
    band = f"{units.seconds(guess.low)} to {units.seconds(guess.high)}"
    place = f"{each.name} on {each.device.key} at batch {each.batch}"
    shown = f"{place}: {units.seconds(guess.seconds)} predicted ({band})"
    more = "; the limit lies in that range: measure it" if word == "too close to call" else ""
    return f"{word.upper()}: {shown}, limit {units.seconds(limit)}{more}."


def with_predictions(view: View, found: Sequence[Predicted]) -> View:
    """A comparison with predicted latencies below the counts."""
    names = list(dict.fromkeys(each.name for each in found))
    columns = (
        Column("device", "predicted on", "name"),
        Column("batch", "batch", "count"),
        *(Column(name, name, "seconds", under="values") for name in names),
    )
    cells = {(each.device.key, each.batch, each.name): each.prediction.seconds for each in found}
    places = dict.fromkeys((each.device.key, each.batch) for each in found)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (key, size, *(cells[key, size, name] for name in names)) for key, size in places
    )
    cautions = _cautions(found)
    grid = Grid("predicted", "predicted latency", columns, rows)
    return replace(
        view,
        grids=(*view.grids, grid),
        notes=(*view.notes, ROOFLINE, *cautions, ORDER),
        summary=(*view.summary, *ordered(found)),
        warnings=(*view.warnings, *cautions),
    )
