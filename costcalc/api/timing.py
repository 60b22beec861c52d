"""Latency, measured and predicted, for Python and the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast, get_args

from costcalc import bench
from costcalc.api import asked, subjects
from costcalc.api.predicting import LatencyBudget, Predictions, Validated, predict, validate
from costcalc.api.results import Result
from costcalc.api.subjects import Options, is_foreign
from costcalc.errors import ENVIRONMENT, CostcalcError, shortened
from costcalc.latency import runs, verdicts
from costcalc.latency.doubts import Doubt
from costcalc.latency.doubts import doubts as doubts_
from costcalc.latency.runs import Dtype, Layout, Mode, Rules, Run, Settings
from costcalc.records import View
from costcalc.roofline import achieved, calibration, devices
from costcalc.spec.catalogue import STDIN
from costcalc.views import predicting
from costcalc.views import timing as timing_views

__all__ = [
    "Bench",
    "BenchCompared",
    "Calibrated",
    "LatencyBudget",
    "Predictions",
    "Validated",
    "calibrate",
    "compare_runs",
    "measure",
    "predict",
    "saved",
    "validate",
    "writable",
]

ANCHORS = ("resnet50", "mobilenet-v2", "googlenet", "vgg16", "densenet121")
ABOVE = 1.05  # of the roofline: no measurement can be faster than the peaks


@dataclass(frozen=True, repr=False)
class Bench(Result):
    """A run: every sample, and what follows from them.

    ``device`` are the peaks that rooflines are drawn with, None where they are not known.
    """

    run: Run
    device: devices.Device | None

    @property
    def doubts(self) -> tuple[tuple[Doubt, ...], ...]:
        """What to doubt of each measurement, with a remedy."""
        return tuple(
            (*doubts_(self.run, each), *_above(each, self.device, self.run)) for each in self.run.measurements
        )

    @property
    def trusted(self) -> bool:
        """Whether all was measured, and nothing serious is to be doubted."""
        done = all(each.status == "ok" and each.processes for each in self.run.measurements)
        return (
            done
            and not self.run.refused
            and not any(doubt.serious for found in self.doubts for doubt in found)
        )

    @property
    def measured(self) -> bool:
        """Whether anything was measured; running out of memory is a result too."""
        return any(each.processes or each.status == "oom" for each in self.run.measurements)

    @property
    def judgement(self) -> verdicts.Judgement | None:
        """Every architecture against the first, where there are several."""
        several = self.run.interleaved and self.run.settings.processes > 1
        return verdicts.ranked(self.run) if several else None

    def view(self, blocks: bool = True) -> View:
        return timing_views.bench(self.run, self.device, self.judgement, self.doubts, blocks)

    def save(self, path: str) -> None:
        """Write the run file: all samples, nothing derived."""
        runs.write(self.run, path)


def _above(measurement: runs.Measurement, device: devices.Device | None, run: Run) -> tuple[Doubt, ...]:
    """Faster than the peaks allow: then the work, the clock or a measured peak is wrong."""
    how = run.settings
    found = achieved.whole(measurement, device, how.dtype, how.mode)
    if device is None or found is None or found.roofline is None or found.roofline <= ABOVE:
        return ()
    known = device.key in devices.DEVICES
    what = "the device can be" if known else "its best when that was measured"
    remedy = (
        "check the MACs: folded or re-parameterised layers, sparsity, FFT" if known else "calibrate again"
    )
    message = f"{found.roofline:.0%} of the roofline, faster than {what}"
    return (Doubt("above_roofline", message, remedy, serious=known),)


def measure(
    *names: str,
    device: str = "auto",
    dtype: str = "fp32",
    layout: str = "",
    mode: str = "eager",
    batch: int | Sequence[int] | None = 1,
    threads: int = 1,
    processes: int = 0,
    blocks: bool = True,
    rules: Rules | None = None,
    seed: int = 0,
    options: Sequence[Options] = (),
    command: str = "",
    calibrations: str | None = None,
    tell: Callable[[bench.Progress], None] = lambda _: None,
) -> Bench:
    """Latency of architectures, measured in processes of their own.

    ``device`` is auto, cpu, cuda or cuda:N; ``batch`` None doubles it until memory or throughput ends;
    ``layout`` is by default channels_last for fp16 and bf16, else nchw; ``processes`` by default 1, or 5
    each where several architectures are compared. ``options`` are those of each name, ``calibrations``
    the file that tells what a device without a datasheet can do, by default the user's.
    Raises :class:`CostcalcError`.
    """
    if not names:
        raise CostcalcError("nothing to measure; name a preset, a YAML file or a model")
    count = processes or (1 if len(names) == 1 else verdicts.LEAST_PROCESSES)
    how = _settings(device, dtype, layout, mode, threads, count, blocks, seed, rules)
    batches = None if batch is None else asked.sizes(batch)
    wanted = [
        _subject(name, each) for name, each in zip(names, options or [Options()] * len(names), strict=True)
    ]
    run = bench.run(wanted, batches, how, command or _called("measure", names), tell)
    return Bench(run, peaks(run, calibrations))


def _settings(
    device: str,
    dtype: str,
    layout: str,
    mode: str,
    threads: int,
    processes: int,
    blocks: bool,
    seed: int,
    rules: Rules | None,
) -> Settings:
    """How to measure, checked."""
    return Settings(
        device=device,
        dtype=cast(Dtype, asked.one_of("dtype", dtype, get_args(Dtype))),
        layout=cast(Layout, asked.one_of("layout", layout or asked.layout(dtype), get_args(Layout))),
        mode=cast(Mode, asked.one_of("mode", mode, get_args(Mode))),
        threads=asked.positive("threads", threads, asked.MOST_THREADS),
        processes=asked.positive("processes", processes, asked.MOST_PROCESSES),
        blocks=blocks,
        seed=seed,
        rules=rules or Rules(),
    )


def _called(function: str, names: Sequence[str]) -> str:
    return f"costcalc.{function}({', '.join(map(repr, names))})"


def _subject(name: str, options: Options) -> bench.Subject:
    """What a worker builds; a spec that is broken is told at once."""
    text = sys.stdin.read() if name == STDIN else ""
    if name != STDIN and not is_foreign(name):
        subjects.loaded(name, replace(options, batch=1, dtype="fp32"))
    return bench.Subject(name, options.settings, options.arguments, tuple(options.inputs), text)


def writable(path: str) -> None:
    """Raise :class:`CostcalcError` if a run could not be saved there; an empty path is none."""
    if path:
        runs.writable(path)


def peaks(run: Run, calibrations: str | None = None) -> devices.Device | None:
    """The peaks of the device that a run was measured on: from a datasheet, or as calibrated."""
    where, how = run.environment, run.settings
    found = devices.of_name(where.device_name)
    if found is None:
        entry = calibration.find(
            where.device_name, how.dtype, how.mode, how.layout, calibration.load(calibrations), how.threads
        )
        return entry.device() if entry else None
    return found


def saved(path: str, calibrations: str | None = None) -> Bench:
    """A run from a file, as it was shown when measured."""
    run = runs.read(path)
    return Bench(run, peaks(run, calibrations))


@dataclass(frozen=True, repr=False)
class BenchCompared(Result):
    """A run against an earlier one."""

    old: Run
    new: Run
    judgement: verdicts.Judgement

    @property
    def passed(self) -> bool:
        """Whether nothing became slower."""
        return not any(pair.verdict == "SLOWER" for pair in self.judgement.pairs)

    def __bool__(self) -> bool:
        return self.passed

    def view(self) -> View:
        return timing_views.bench_compare(self.old, self.new, self.judgement, self.passed)


def compare_runs(old: str, new: str, min_effect: float = 0.03, allow_mismatch: bool = False) -> BenchCompared:
    """Two run files: FASTER, SLOWER, SAME or UNCLEAR; see :mod:`costcalc.latency.verdicts`."""
    if not 0 <= min_effect < 1:
        raise CostcalcError(f"a smallest effect of {shortened(min_effect)}: give a share from 0 to below 1")
    before, after = runs.read(old), runs.read(new)
    return BenchCompared(before, after, verdicts.compared(before, after, min_effect, allow_mismatch))


@dataclass(frozen=True, repr=False)
class Calibrated(Result):
    """A calibration, and the run that it was fitted from."""

    entry: calibration.Calibration
    run: Run
    path: str

    def view(self) -> View:
        return predicting.calibrate(self.entry, self.path)


def calibrate(
    device: str = "auto",
    dtype: str = "fp32",
    layout: str = "",
    mode: str = "eager",
    batch: int = 0,
    threads: int = 1,
    rules: Rules | None = None,
    path: str | None = None,
    command: str = "",
    tell: Callable[[bench.Progress], None] = lambda _: None,
) -> Calibrated:
    """Fit the one scalar of the roofline from five anchors on the machine at hand, and store it.

    ``batch`` is by default 32 on a GPU and 1 on a CPU.
    """
    how = _settings(device, dtype, layout, mode, threads, 1, False, 0, rules)
    probe = bench.probe(how)
    how = how.model_copy(update={"device": probe.device})
    size = asked.positive("batch", batch or (1 if probe.device == "cpu" else 32))
    anchors = [bench.Subject(name) for name in ANCHORS]
    run = _complete(bench.run(anchors, (size,), how, command or "costcalc.calibrate()", tell))
    entry = calibration.fitted(run, probe.launch_s, probe.copy_bytes_s, probe.dense_flop_s)
    return Calibrated(entry, run, calibration.store(entry, path))


def _complete(run: Run) -> Run:
    """The run, if all of it was measured; Ctrl-C goes on as such, and all else is an error."""
    for each in run.measurements:
        if each.status == "interrupted":
            raise KeyboardInterrupt
        if each.status != "ok":
            message = f"{each.name} was not measured, nothing is stored: {each.reason}"
            raise CostcalcError(message, ENVIRONMENT)
    return run
