"""Measured latency as grids: configurations, how samples spread, blocks, memory, verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from costcalc import units
from costcalc.latency.doubts import Doubt
from costcalc.latency.runs import Measurement, Run
from costcalc.latency.summary import Summary, attributed, deciding, summary
from costcalc.latency.verdicts import Judgement, Pair
from costcalc.records import Cell, Column, Grid, View
from costcalc.roofline import achieved
from costcalc.roofline.devices import Device
from costcalc.roofline.model import BYTES
from costcalc.views.metrics import CONVENTION, OF_BATCH

RATIO = "Ratio: of the geometric means of process medians, with Welch's interval; below 1 is faster."
WORDS = {"gpu": "GPU", "cpu": "CPU", "wall": "wall", "single": "single-pass", "enqueue": "host"}
PERCENTILES = ("p90", "p95", "p99")
Value = Callable[[Measurement], Cell]
GPU = (
    "GPU: between two CUDA events; host: until a pass was enqueued; latency: one pass, from one "
    "synchronisation to the next, which is what a caller waits."
)
CPU = (
    "CPU: what the process computed during a pass, on one thread, whatever else the machine did; wall: "
    "from the start of the pass to its end."
)
INTERVAL = (
    "±: half of the 95 % interval, of the medians of processes where there are five or more, else of the "
    "medians of the rounds of one process, which bear no claim."
)

FASTER = (
    "Above 100 % of the roofline: convolutions by FFT or Winograd multiply less than their MACs say, and "
    "grouped ones may run on the matrix units, which the roofline does not count on."
)


def bench(
    run: Run,
    device: Device | None,
    judgement: Judgement | None,
    doubts: Sequence[tuple[Doubt, ...]],
    blocks: bool = True,
) -> View:
    """Every configuration, its spread, its blocks, its memory; who is faster; and what to doubt."""
    done = [each for each in run.measurements if each.processes]
    grids = [_configurations(run, device), _spread(done)]
    timed = [each for each in done if blocks and (found := attributed(each)) and found.rows]
    grids += [_blocks(run, timed, device)] if timed else []
    grids += [_memory(run, done)] if any(_peak(each) is not None for each in done) else []
    grids += [_verdicts(judgement)] if judgement and judgement.pairs else []
    told = [
        _doubted(each, doubt) for each, found in zip(run.measurements, doubts, strict=True) for doubt in found
    ]
    ranking = (RATIO, *_caveats(judgement)) if judgement and judgement.pairs else ()
    notes = (measured_on(run), *_explained(run, device, timed), *ranking, OF_BATCH, CONVENTION, *told)
    lines = (
        *(_concluded(run, each) for each in run.measurements),
        *(_judged(judgement) if judgement else ()),
        *(f"REFUSED: {why}." for why in run.refused),
    )
    facts: dict[str, Cell] = {"device": run.environment.device_name, "identity": run.identity()}
    return View("bench", tuple(grids), facts, notes, lines, provenance=_provenance(run), warnings=tuple(told))


def _doubted(measurement: Measurement, doubt: Doubt) -> str:
    """A doubt with its code, which no one overlooks where it is serious."""
    word = "DOUBTFUL" if doubt.serious else "Note"
    remedy = f"{doubt.remedy[:1].upper()}{doubt.remedy[1:]}"
    return f"{word} ({doubt.code}): {_named(measurement)}: {doubt.message}. {remedy}."


def bench_compare(old: Run, new: Run, judgement: Judgement, passed: bool) -> View:
    """Each configuration of two runs with the verdict."""
    differ = tuple(f"Measured differently: {found}." for found in judgement.differences)
    sides = (("old", judgement.only_old), ("new", judgement.only_new))
    alone = [f"Only in the {which} run: {', '.join(names)}." for which, names in sides if names]
    notes = (RATIO, *_caveats(judgement), *differ, *alone)
    facts: dict[str, Cell] = {"passed": passed, "matched": judgement.matched}
    provenance = {"old": _provenance(old), "new": _provenance(new)}
    return View(
        "bench_compare",
        (_verdicts(judgement),),
        facts,
        notes,
        _judged(judgement),
        passed,
        provenance=provenance,
        warnings=differ,
    )


def _caveats(judgement: Judgement) -> list[str]:
    return [f"{caveat[:1].upper()}{caveat[1:]}." for caveat in judgement.caveats]


def _provenance(run: Run) -> dict[str, object]:
    where = run.environment.model_dump(mode="json")
    return {
        "run": {"command": run.command, "started": run.started, "ended": run.ended},
        "settings": run.settings.model_dump(mode="json"),
        "environment": where,
        "specs": {each.name: each.spec for each in run.measurements},
    }


def _named(measurement: Measurement) -> str:
    return f"{measurement.name} at batch {units.count(measurement.batch)}"


def _is_gpu(run: Run) -> bool:
    return run.settings.device != "cpu"


def _configurations(run: Run, device: Device | None) -> Grid:
    """One row per measurement: its times, what it gives per second, how near the roofline it is."""
    how = run.settings

    def median(series: str) -> Value:
        return lambda each: _median(summary(each, series))  # type: ignore[arg-type]

    def reached(key: str) -> Value:
        return lambda each: getattr(achieved.whole(each, device, how.dtype, how.mode), key, None)

    times: list[tuple[Column, Value]] = (
        [
            (Column("gpu_s", "GPU", "seconds"), median("gpu")),
            (Column("enqueue_s", "host", "seconds"), median("enqueue")),
            (Column("latency_s", "latency", "seconds"), median("single")),
        ]
        if _is_gpu(run)
        else [
            (Column("cpu_s", "CPU", "seconds"), median("cpu")),
            (Column("wall_s", "wall", "seconds"), median("wall")),
        ]
    )
    known: list[tuple[Column, Value]] = [
        (Column("name", "architecture", "name"), lambda each: each.name),
        (Column("batch", "batch", "count"), lambda each: each.batch),
        *times,
        (Column("precision", "±", "percent"), lambda each: _precision(_main(each))),
        (Column("images_per_s", "images/s", "number"), _throughput),
        (Column("macs", "MACs", "count"), lambda each: each.macs),
        (Column("flop_s", "achieved", "rate"), reached("flop_s")),
    ]
    if device is not None:
        known.append((Column("roofline", "of roofline", "percent"), reached("roofline")))
        known.append((Column("bound", "bound by", "text"), reached("bound")))
    if any(each.status != "ok" for each in run.measurements):
        known.append((Column("status", "status", "text"), lambda each: each.status))
    rows = tuple(tuple(value(each) for _, value in known) for each in run.measurements)
    return Grid("configurations", _title(run), tuple(column for column, _ in known), rows)


def _title(run: Run) -> str:
    how = run.settings
    return f"latency on {run.environment.device_name}: {how.dtype}, {how.layout}, {how.mode}"


def _main(measurement: Measurement) -> Summary | None:
    """The series that tells how long a pass takes."""
    return summary(measurement, deciding(measurement))


def _median(found: Summary | None) -> float | None:
    return found.median if found else None


def _precision(found: Summary | None) -> float | None:
    return found.precision if found else None


def _throughput(measurement: Measurement) -> float | None:
    """Samples per second, passes back to back."""
    found = summary(measurement, "wall")
    return measurement.batch / found.median if found and found.median else None


def _spread(done: Sequence[Measurement]) -> Grid:
    """How the samples lie; a percentile only where there are samples enough for it."""
    columns = (
        Column("name", "spread of", "name"),
        Column("batch", "batch", "count"),
        Column("samples", "samples", "count"),
        Column("rounds", "rounds", "count"),
        Column("processes", "processes", "count"),
        *(Column(f"{key}_s", key, "seconds") for key in ("min", "p25", "median", "p75", *PERCENTILES)),
        Column("cov", "std/mean", "percent"),
    )
    rows = []
    for each in done:
        if found := _main(each):
            shown = (found.minimum, found.p25, found.median, found.p75)
            tail = tuple(found.percentiles.get(key) for key in PERCENTILES)
            counts = (found.n, found.rounds, len(each.processes))
            rows.append((each.name, each.batch, *counts, *shown, *tail, found.cov))
    return Grid("spread", "how the samples lie", columns, tuple(rows))


def _blocks(run: Run, done: Sequence[Measurement], device: Device | None) -> Grid:
    """Every block in situ, what none of them accounts for, and the undisturbed total."""
    columns = (
        Column("configuration", "configuration", "group"),
        Column("name", "block", "name"),
        Column("seconds", "time", "seconds"),
        Column("share", "share", "percent"),
        Column("macs", "MACs", "count"),
        Column("flop_s", "achieved", "rate"),
        Column("bytes", "least bytes", "bytes"),
        Column("launches", "launches", "count"),
        *(
            (Column("roofline", "of roofline", "percent"), Column("bound", "bound by", "text"))
            if device
            else ()
        ),
    )
    rows: list[tuple[Cell, ...]] = []
    for each in done:
        rows += [row[: len(columns)] for row in _in_situ(run, each, device)]
    return Grid("blocks", "block by block", columns, tuple(rows))


def _in_situ(run: Run, measurement: Measurement, device: Device | None) -> list[tuple[Cell, ...]]:
    times = attributed(measurement)
    whole = achieved.whole(measurement, device, run.settings.dtype, run.settings.mode)
    if times is None or whole is None:
        return []
    title = _named(measurement)
    rows: list[tuple[Cell, ...]] = [
        (
            title,
            part.name,
            None if times.perturbed else part.seconds,
            row.share,
            part.macs,
            None if times.perturbed or not part.macs else part.flop_s,
            part.bytes,
            part.launches,
            None if times.perturbed else part.roofline,
            part.bound,
        )
        for part, row in zip(
            achieved.blocks(measurement, device, run.settings.dtype, run.settings.mode),
            times.rows,
            strict=True,
        )
    ]
    rest = None if times.perturbed else times.unattributed  # where marks cost time, nothing is left over
    rows.append((title, "(unattributed)", rest, rest and rest / times.total, *[None] * 6))
    total = (whole.macs, whole.flop_s, whole.bytes, whole.launches, whole.roofline, whole.bound)
    rows.append((title, "total, undisturbed", times.total, None, *total))
    return rows


def _peak(measurement: Measurement) -> int | None:
    found = [
        each.memory.peak for each in measurement.processes if each.memory and each.memory.peak is not None
    ]
    return max(found, default=None)


def _memory(run: Run, done: Sequence[Measurement]) -> Grid:
    """Weights and the measured peak, and what must be alive by analysis beside it."""
    size = BYTES[run.settings.dtype]
    columns = (
        Column("name", "memory of", "name"),
        Column("batch", "batch", "count"),
        Column("weights", "weights", "bytes"),
        Column("peak", "measured peak", "bytes"),
        Column("above_weights", "above weights", "bytes"),
        Column("analytic", "peak activations", "bytes"),
    )
    rows = []
    for each in done:
        held = next((process.memory.weights for process in each.processes if process.memory), None)
        peak = _peak(each)
        above = None if held is None or peak is None else max(0, peak - held)
        rows.append((each.name, each.batch, held, peak, above, size * each.peak_activations))
    return Grid("memory", "memory", columns, tuple(rows))


def _verdicts(judgement: Judgement) -> Grid:
    columns = (
        Column("name", "compared", "name"),
        Column("against", "against", "text"),
        Column("batch", "batch", "count"),
        Column("new_s", "its time", "seconds"),
        Column("old_s", "against", "seconds"),
        Column("ratio", "ratio", "number"),
        Column("low", "from", "number"),
        Column("high", "to", "number"),
        Column("processes", "processes", "shape"),
        Column("verdict", "verdict", "text"),
    )
    rows = tuple(
        (
            pair.name,
            pair.against,
            pair.batch,
            pair.new,
            pair.old,
            pair.ratio,
            pair.low,
            pair.high,
            pair.processes,
            pair.verdict,
        )
        for pair in judgement.pairs
    )
    return Grid("verdicts", "who is faster", columns, rows)


def _judged(judgement: Judgement) -> tuple[str, ...]:
    return tuple(_sentence(pair) for pair in judgement.pairs)


def _sentence(pair: Pair) -> str:
    shown = f"{pair.ratio:.3f}× the {WORDS[pair.series]} time"
    if pair.low is not None and pair.high is not None:
        shown += f" ({units.percent(pair.level)} interval {pair.low:.3f} to {pair.high:.3f})"
    what = pair.name if pair.name == pair.against else f"{pair.name} against {pair.against}"
    why = f"; {pair.reason}" if pair.reason else ""
    return f"{pair.verdict}: {what} at batch {pair.batch}: {shown}{why}."


def _concluded(run: Run, measurement: Measurement) -> str:
    found = _main(measurement)
    if found is None:
        status = "nothing measured" if measurement.status == "ok" else measurement.status
        why = f": {measurement.reason}" if measurement.reason else ""
        return f"{status.upper()}: {_named(measurement)}{why}."
    series, wall = deciding(measurement), _median(summary(measurement, "wall"))
    waited = f" ({units.seconds(wall)} wall)" if series == "cpu" and wall else ""
    cut = "" if measurement.status == "ok" else f" ({measurement.status}: {measurement.reason})"
    rate = _throughput(measurement)
    return (
        f"{_named(measurement)}: {units.seconds(found.median)} {WORDS[series]} time{waited}"
        f"{f', {rate:,.1f} images/s' if rate else ''}{cut}."
    )


def measured_on(run: Run) -> str:
    """Where and when a run was measured, in a sentence."""
    where, how = run.environment, run.settings
    threads = f", {how.threads} thread{'s' if how.threads > 1 else ''}, pinned" if not _is_gpu(run) else ""
    cuda = "".join(
        f", {word} {found}"
        for word, found in (("CUDA", where.cuda), ("cuDNN", where.cudnn), ("driver", where.driver))
        if found and _is_gpu(run)
    )
    return (
        f"Measured on {where.device_name} ({how.device}{threads}) with torch {where.torch}{cuda}, "
        f"{run.started}; inference mode, random weights and inputs."
    )


def _marks(run: Run, timed: Sequence[Measurement]) -> list[str]:
    """What a mark takes itself, seen where a block starts no kernel: it is in the time of every block."""
    found = [
        part.seconds
        for each in timed
        for part in achieved.blocks(each, None, run.settings.dtype, run.settings.mode)
        if not part.launches and part.seconds
    ]
    if not found:
        return []
    least = units.seconds(min(found))
    return [
        f"A mark between blocks takes time itself, {least} where a block starts no kernel, and keeps the "
        "next kernel from starting early."
    ]


def _faster(run: Run, device: Device | None, timed: Sequence[Measurement]) -> list[str]:
    """Why a block may take less than its roofline."""
    how = run.settings
    parts = [part for each in timed for part in achieved.blocks(each, device, how.dtype, how.mode)]
    return [FASTER] if any((part.roofline or 0) > 1 for part in parts) else []


def _explained(run: Run, device: Device | None, timed: Sequence[Measurement]) -> list[str]:
    """What the columns mean, as far as they are there."""
    notes = [GPU if _is_gpu(run) else CPU, INTERVAL]
    if device is not None:
        notes.append(f"Roofline: {device.name}, {device.source}.")
    methods = {found.method for each in timed if (found := attributed(each)) and found.method}
    notes += [f"Blocks: by {' and '.join(sorted(methods))}, in passes of their own."] if methods else []
    notes += [*_marks(run, timed), *_faster(run, device, timed)] if _is_gpu(run) else []
    for each in run.measurements:
        reasons = {p.blocks.reason for p in each.processes if p.blocks and p.blocks.reason}
        notes += [f"{_named(each)}: no time per block: {reason}." for reason in sorted(reasons)]
    return notes
