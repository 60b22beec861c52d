"""Latency predicted, held against limits and against what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast, get_args

from costcalc.api import asked, subjects
from costcalc.api.results import Result
from costcalc.api.subjects import Options, is_foreign
from costcalc.errors import CostcalcError, Misfit
from costcalc.graph import Graph
from costcalc.latency import runs
from costcalc.latency.runs import Dtype, Layout, Mode
from costcalc.latency.work import Work
from costcalc.records import View
from costcalc.roofline import calibration, devices, model, validation, work
from costcalc.units import duration
from costcalc.views import predicting, validating

UNDECIDED = "too close to call"


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
    on: str | Sequence[str],
    batch: int | Sequence[int] = 1,
    dtype: str = "fp32",
    mode: str = "eager",
    layout: str = "",
    options: Sequence[Options] = (),
    calibrations: str | None = None,
) -> Predictions:
    """Latency by roofline, on devices that need not be there; neither GPU nor torch for specs.

    ``of`` are graphs or names, with the ``options`` of each; ``on`` are keys of the device table, or ``cpu``
    after a calibration; ``calibrations`` is the file to take these from, by default that of the user, and
    ``layout`` whose is wanted, by default as :func:`measure` chooses it. Raises :class:`CostcalcError`.
    """
    dtype_ = cast(Dtype, asked.one_of("dtype", dtype, get_args(Dtype)))
    mode_ = cast(Mode, asked.one_of("mode", mode, get_args(Mode)))
    entries = calibration.load(calibrations)
    keys = [key.lower() for key in ([on] if isinstance(on, str) else on)]
    if not of or not keys:
        raise CostcalcError("a prediction takes an architecture and a device, for example --on h200,a100")
    sizes = asked.sizes(batch)
    laid = cast(Layout, asked.one_of("layout", layout or asked.layout(dtype), get_args(Layout)))
    wanted = [_target(key, dtype_, mode_, laid, entries) for key in dict.fromkeys(keys)]
    found = []
    for each, how in zip(of, options or [Options()] * len(of), strict=True):
        name, wanted_ = _work(each, how, sizes)
        for size, work_ in zip(sizes, wanted_, strict=True):
            for device, entry in wanted:
                guess = model.predicted(work_, device, dtype_, mode_, entry)
                found.append(model.Predicted(name, device, size, work_, guess))
    return Predictions(tuple(found), dtype_, mode_)


def _target(
    key: str, dtype: Dtype, mode: Mode, layout: Layout, entries: Sequence[calibration.Calibration]
) -> tuple[devices.Device, calibration.Calibration | None]:
    """A device by its key, with its calibration if there is one."""
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
class Validated(Result):
    """Predicted against measured."""

    validation: validation.Validation

    def view(self) -> View:
        return validating.validate(self.validation)


def validate(*paths: str, calibrations: str | None = None) -> Validated:
    """How far predictions are from run files: error, rank correlation, order of pairs."""
    if not paths:
        raise CostcalcError(
            "nothing to validate; give run files, as `costcalc bench NAME --save run.json` writes"
        )
    found = [runs.read(path) for path in paths]
    return Validated(validation.validated(found, calibration.load(calibrations)))
