"""Latency, measured and predicted, for Python and the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast, get_args

from costcalc import bench
from costcalc.api import subjects
from costcalc.api.results import Result
from costcalc.api.subjects import Options, is_foreign
from costcalc.errors import ENVIRONMENT, CostcalcError, Misfit, did_you_mean, shortened
from costcalc.graph import Graph
from costcalc.latency import runs, verdicts
from costcalc.latency.doubts import Doubt
from costcalc.latency.doubts import doubts as doubts_
from costcalc.latency.runs import Dtype, Layout, Mode, Rules, Run, Settings
from costcalc.records import View, Work
from costcalc.roofline import achieved, calibration, devices, model, validation, work
from costcalc.spec.catalogue import STDIN
from costcalc.units import duration
from costcalc.views import predicting
from costcalc.views import timing as timing_views

ANCHORS = ("resnet50", "mobilenet-v2", "googlenet", "vgg16", "densenet121")
UNDECIDED = "too close to call"
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
        done = all(each.status == "ok" for each in self.run.measurements)
        return done and not any(doubt.serious for found in self.doubts for doubt in found)

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
    remedy = "check the MACs: folded or re-parameterised layers, sparsity" if known else "calibrate again"
    message = f"{found.roofline:.0%} of the roofline, faster than {what}"
    return (Doubt("above_roofline", message, remedy, serious=known),)


def measure(
    *names: str,
    device: str = "auto",
    dtype: str = "fp32",
    layout: str = "",
    mode: str = "eager",
    batch: Sequence[int] | None = (1,),
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
    how = Settings(
        device=device,
        dtype=cast(Dtype, _one_of("dtype", dtype, get_args(Dtype))),
        layout=cast(Layout, _one_of("layout", layout or _layout(dtype), get_args(Layout))),
        mode=cast(Mode, _one_of("mode", mode, get_args(Mode))),
        threads=_positive("threads", threads),
        processes=_positive("processes", processes or (1 if len(names) == 1 else verdicts.LEAST_PROCESSES)),
        blocks=blocks,
        seed=seed,
        rules=rules or Rules(),
    )
    batches = None if batch is None else tuple(_positive("batch", each) for each in batch)
    wanted = [
        _subject(name, each) for name, each in zip(names, options or [Options()] * len(names), strict=True)
    ]
    run = bench.run(wanted, batches, how, command or _called("measure", names), tell)
    return Bench(run, peaks(run, calibrations))


def _layout(dtype: str) -> str:
    """Matrix units of GPUs, and vector units of CPUs, want channels last in 16 bits."""
    return "channels_last" if dtype in ("fp16", "bf16") else "nchw"


def _called(function: str, names: Sequence[str]) -> str:
    return f"costcalc.{function}({', '.join(map(repr, names))})"


def _one_of(what: str, word: str, known: Sequence[str]) -> str:
    if word not in known:
        hint = did_you_mean(word, known) or f"; there are {', '.join(known)}"
        raise CostcalcError(f"no {what} {shortened(word)}{hint}")
    return word


def _positive(what: str, number: int) -> int:
    if number < 1:
        raise CostcalcError(f"--{what} {number}: give a whole number from 1 on")
    return number


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
            where.device_name, how.dtype, how.mode, how.layout, calibration.load(calibrations)
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
    before, after = runs.read(old), runs.read(new)
    return BenchCompared(before, after, verdicts.compared(before, after, min_effect, allow_mismatch))


@dataclass(frozen=True, repr=False)
class Predictions(Result):
    """Predicted latencies, architecture by architecture, device by device."""

    found: tuple[model.Predicted, ...]
    dtype: Dtype
    mode: Mode

    def beside(self, view: View) -> View:
        """The view of a comparison of the same architectures, with the predictions below."""
        return predicting.with_predictions(view, self.found)

    def within(self, limit: str) -> LatencyBudget:
        """Verdicts on a limit such as ``"5ms"``; raises :class:`CostcalcError` for what is no time."""
        try:
            return LatencyBudget(self, duration(limit))
        except Misfit as misfit:
            raise CostcalcError(f"limit on latency: {misfit}") from None

    def view(self, by_layer: bool = False) -> View:
        return predicting.predict(self.found, self.dtype, self.mode, by_layer)


@dataclass(frozen=True, repr=False)
class LatencyBudget(Result):
    """Predictions against a limit in seconds; true where the whole range of each is within."""

    predictions: Predictions
    limit: float

    @property
    def words(self) -> tuple[str, ...]:
        """Within or exceeded where the whole range is, else too close to call."""
        guesses = [each.prediction for each in self.predictions.found]
        return tuple(
            "within" if guess.high <= self.limit else "exceeded" if guess.low > self.limit else UNDECIDED
            for guess in guesses
        )

    @property
    def passed(self) -> bool:
        """Whether all are within."""
        return all(word == "within" for word in self.words)

    @property
    def decided(self) -> bool:
        """Whether there is a verdict: all are within, or one is certainly not."""
        return self.passed or "exceeded" in self.words

    def __bool__(self) -> bool:
        return self.passed

    def view(self) -> View:
        return predicting.latency_limit(self.predictions.found, self.limit, self.words)


def predict(
    *of: Graph | str,
    on: Sequence[str],
    batch: Sequence[int] = (1,),
    dtype: str = "fp32",
    mode: str = "eager",
    options: Sequence[Options] = (),
    calibrations: str | None = None,
) -> Predictions:
    """Latency by roofline, on devices that need not be there; neither GPU nor torch for specs.

    ``of`` are graphs or names, with the ``options`` of each; ``on`` are keys of the device table, or ``cpu``
    after a calibration; ``calibrations`` is the file to take these from, by default that of the user.
    Raises :class:`CostcalcError`.
    """
    dtype_ = cast(Dtype, _one_of("dtype", dtype, get_args(Dtype)))
    mode_ = cast(Mode, _one_of("mode", mode, get_args(Mode)))
    entries = calibration.load(calibrations)
    if not of or not on:
        raise CostcalcError("a prediction takes an architecture and a device, for example --on h200,a100")
    sizes = [_positive("batch", each) for each in batch]
    wanted = [_target(key, dtype_, mode_, entries) for key in dict.fromkeys(on)]
    found = []
    for each, how in zip(of, options or [Options()] * len(of), strict=True):
        name, asked = _work(each, how, sizes)
        for size, work_ in zip(sizes, asked, strict=True):
            for device, entry in wanted:
                guess = model.predicted(work_, device, dtype_, mode_, entry)
                found.append(model.Predicted(name, device, size, work_, guess))
    return Predictions(tuple(found), dtype_, mode_)


def _target(
    key: str, dtype: Dtype, mode: Mode, entries: Sequence[calibration.Calibration]
) -> tuple[devices.Device, calibration.Calibration | None]:
    """A device by its key, with its calibration if there is one."""
    layout = cast(Layout, _layout(dtype))
    if key == "cpu":
        entry = calibration.of_cpu(dtype, mode, layout, entries)
        return entry.device(), entry
    device = devices.named(key)
    names = (device.name, *device.aliases)
    found = (calibration.find(name, dtype, mode, layout, entries) for name in names)
    return device, next((entry for entry in found if entry), None)


def _work(of: Graph | str, options: Options, sizes: Sequence[int]) -> tuple[str, list[tuple[Work, ...]]]:
    """What it is called, and what it asks of a device at each batch."""
    if isinstance(of, str) and is_foreign(of):
        found = [subjects.prepared(of, replace(options, batch=size, dtype="fp32")).whole() for size in sizes]
        return found[0].name, [work.of_execution(each) for each in found]
    graph = of if isinstance(of, Graph) else subjects.loaded(of, options)
    return graph.name, [work.of_graph(graph, size) for size in sizes]


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
    how = Settings(
        device=device,
        dtype=cast(Dtype, _one_of("dtype", dtype, get_args(Dtype))),
        layout=cast(Layout, _one_of("layout", layout or _layout(dtype), get_args(Layout))),
        mode=cast(Mode, _one_of("mode", mode, get_args(Mode))),
        threads=_positive("threads", threads),
    )
    probe = bench.probe(how)
    size = batch or (1 if probe.device == "cpu" else 32)
    found = measure(
        *ANCHORS,
        device=probe.device,
        dtype=how.dtype,
        layout=how.layout,
        mode=how.mode,
        batch=(size,),
        threads=threads,
        processes=1,
        blocks=False,
        rules=rules,
        command=command,
        tell=tell,
    )
    for each in found.run.measurements:
        if each.status == "interrupted":
            raise KeyboardInterrupt
        if each.status != "ok":
            raise CostcalcError(
                f"{each.name} was not measured, nothing is stored: {each.reason}", ENVIRONMENT
            )
    entry = calibration.fitted(found.run, probe.launch_s, probe.copy_bytes_s, probe.dense_flop_s)
    return Calibrated(entry, found.run, calibration.store(entry, path))


@dataclass(frozen=True, repr=False)
class Validated(Result):
    """Predicted against measured."""

    validation: validation.Validation

    def view(self) -> View:
        return predicting.validate(self.validation)


def validate(*paths: str, calibrations: str | None = None) -> Validated:
    """How far predictions are from run files: error, rank correlation, order of pairs."""
    if not paths:
        raise CostcalcError(
            "nothing to validate; give run files, as `costcalc bench NAME --save run.json` writes"
        )
    found = [runs.read(path) for path in paths]
    return Validated(validation.validated(found, calibration.load(calibrations)))
