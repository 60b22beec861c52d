"""The table of metrics: quantities of a part, each a column in every command and format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.records import Cell, Part, Style

OF_BATCH = "MACs, bytes and launches in these tables are those of the whole batch."
CONVENTION = (
    "1 MAC = one multiply-add of a convolution or linear layer; per sample, forward pass, inference. "
    "Bias, norm, activation, pooling: 0 MACs, counted as other ops."
)
ANY_MODEL = (
    "1 MAC = one multiply-add of a convolution, linear layer, matrix product or attention; "
    "{unit}, forward pass, inference. Bias, norm, activation, pooling: 0 MACs, counted as other ops."
)
BYTES = 4  # of an element in fp32


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity of a part, taken against the whole it belongs to."""

    key: str
    label: str
    style: Style
    of: Callable[[Part, Part], Cell]
    saved: bool = False  # whether less of it is a saving, so that ratio and saving mean something


def _intensity(part: Part, _: Part) -> Cell:
    """FLOP per byte in fp32, each tensor and each parameter moved once."""
    moved = BYTES * (part.cost.reads + part.cost.writes + part.cost.params)
    return Fraction(2 * part.cost.macs, moved) if moved else None


METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric("macs", "MACs", "count", lambda part, _: part.cost.macs, saved=True),
        Metric("share", "share", "percent", lambda part, all_: share(part.cost.macs, all_.cost.macs)),
        Metric("flops", "FLOPs", "count", lambda part, _: 2 * part.cost.macs, saved=True),
        Metric("other_ops", "other ops", "count", lambda part, _: part.cost.other_ops, saved=True),
        Metric("params", "params", "count", lambda part, _: part.cost.params, saved=True),
        Metric("weights", "weights", "count", lambda part, _: part.cost.weights, saved=True),
        Metric("biases", "biases", "count", lambda part, _: part.cost.biases, saved=True),
        Metric("norm", "norm", "count", lambda part, _: part.cost.norm, saved=True),
        Metric(
            "output_channels", "output channels", "count", lambda part, _: next(iter(part.output_shape), None)
        ),
        Metric("activations", "activations", "count", lambda part, _: part.cost.writes, saved=True),
        Metric("reads", "reads", "count", lambda part, _: part.cost.reads, saved=True),
        Metric("writes", "writes", "count", lambda part, _: part.cost.writes, saved=True),
        Metric(
            "peak_activations",
            "peak activations",
            "count",
            lambda part, _: part.structure.peak_activations,
            saved=True,
        ),
        Metric("intensity", "FLOP/byte", "number", _intensity),
        Metric("receptive_field", "receptive field", "shape", lambda part, _: part.structure.receptive_field),
        Metric("depth", "depth", "count", lambda part, _: part.structure.depth),
        Metric("nonlinearities", "nonlinearities", "count", lambda part, _: part.structure.nonlinearities),
    )
}
LABELS = {key: metric.label for key, metric in METRICS.items()}
SHOWN = ("params", "macs", "share", "activations")
COMPARED = (
    "macs",
    "params",
    "weights",
    "output_channels",
    "activations",
    "receptive_field",
    "nonlinearities",
)
TOTALLED = (*COMPARED, "depth", "peak_activations", "other_ops", "intensity")


def metrics(keys: Sequence[str]) -> tuple[Metric, ...]:
    """The metrics of those keys; raises :class:`CostcalcError` for an unknown one."""
    for key in keys:
        if key not in METRICS:
            hint = did_you_mean(key, METRICS) or "; there are " + ", ".join(METRICS)
            raise CostcalcError(f"no metric {shortened(key)}{hint}")
    return tuple(METRICS[key] for key in keys)


def share(part: int, whole: int) -> Fraction | None:
    """The part of a whole, None where the whole is nothing."""
    return Fraction(part, whole) if whole else None
