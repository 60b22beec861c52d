"""torchinfo: parameters of every leaf layer, times the batch, for a convolution times output positions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from costcalc.conventions.terms import Convention, Rule, Where, ancestry, products, rule, sums, tally
from costcalc.execution import Execution, Holding, Operation
from costcalc.records import Shape

# by kind of layer: what its weights come to instead of its multiply-adds, and what its biases come to
LABELS = {
    "convolution": ("convolution weights × output positions", "convolution biases"),
    "linear": ("linear layers billed once for all positions", "linear biases × batch"),
    "recurrent": ("recurrent weights × first two output axes", "recurrent biases"),
    "norm": ("norm parameters × batch", "norm parameters × batch"),
    "embedding": ("embedding tables × batch", "embedding tables × batch"),
    "other": ("parameters of other layers × batch", "parameters of other layers × batch"),
}
ANCESTORS = {
    "Linear": "linear",
    "RNNBase": "recurrent",
    "RNNCellBase": "recurrent",
    "_NormBase": "norm",
    "LayerNorm": "norm",
    "GroupNorm": "norm",
    "RMSNorm": "norm",
    "Embedding": "embedding",
}


def _kind(execution: Execution, path: str) -> str:
    """A convolution is what has that in its name."""
    if "Conv" in execution.modules[path].kind:
        return "convolution"
    return next((ANCESTORS[name] for name in ancestry(execution, path) if name in ANCESTORS), "other")


def _leaf(kind: str = "") -> Where:
    """Run by a module without children, of that kind."""

    def where(execution: Execution, operation: Operation) -> bool:
        path = operation.module
        hooked = path not in execution.by_hand
        return hooked and not execution.modules[path].children and kind in ("", _kind(execution, path))

    return where


def _outside(execution: Execution, operation: Operation) -> bool:
    return not _leaf()(execution, operation)


def _times(kind: str, name: str, out: Shape) -> int:
    """How often a parameter of that name counts for an output [batch, channels, …] or [batch, …]."""
    if name not in ("weight", "bias"):
        return math.prod(out[:2]) if "weight" in name or "bias" in name else 0
    return math.prod(out[:1] + out[2:]) if kind == "convolution" else out[0]


def _parameters(label: str, kind: str, biases: bool) -> Rule:
    """What the biases, or else the other parameters, of leaf layers of a kind come to over all their runs."""

    def amounts(execution: Execution) -> Mapping[str, int]:
        held: dict[str, list[Holding]] = {}
        for one in execution.holdings:
            if (
                not one.is_buffer
                and not execution.modules[one.module].children
                and ("bias" in one.name) == biases
            ):
                held.setdefault(one.module, []).append(one)
        wanted = {path: held[path] for path in held if _kind(execution, path) == kind}
        return tally(
            (call.module, one.elements * _times(kind, one.name, call.outputs[0]))
            for call in execution.calls
            if call.module not in execution.by_hand
            for one in wanted.get(call.module, ())
        )

    return Rule(label, amounts)


def _rules() -> Iterator[Rule]:
    yield rule("products outside of leaf layers", "", products(-1), _outside)
    for kind, (weights, biases) in LABELS.items():
        yield rule(weights, "", products(-1), _leaf(kind))
        yield _parameters(weights, kind, biases=False)
        yield _parameters(biases, kind, biases=True)


TORCHINFO = Convention(
    key="torchinfo",
    title="torchinfo 1.8.0 summary",
    calls_it="total_mult_adds",
    distribution="torchinfo",
    terms=sums(*_rules()),
    note="Multiplies parameters: a linear layer counts once for all tokens, an embedding as if multiplied.",
)
