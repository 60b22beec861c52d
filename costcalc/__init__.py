"""What a neural network costs, exactly: multiply-adds, parameters, activations.

>>> from costcalc import load, costs
>>> costs(load("googlenet"), by="formula").total.macs
1498677248
"""

from typing import TYPE_CHECKING, Any

from costcalc.api import (
    Budget,
    Check,
    Claims,
    ClosedForm,
    Compared,
    Costs,
    Counted,
    Derivation,
    Reconciliation,
    budget,
    check,
    claim,
    claims,
    closed_form,
    compare,
    costs,
    count,
    count_training,
    load,
    reconcile,
)
from costcalc.errors import CostcalcError
from costcalc.graph import Graph
from costcalc.spec import presets

if TYPE_CHECKING:
    from costcalc.api.timing import calibrate, compare_runs, measure, predict, validate

__all__ = [
    "Budget",
    "Check",
    "Claims",
    "ClosedForm",
    "Compared",
    "CostcalcError",
    "Costs",
    "Counted",
    "Derivation",
    "Graph",
    "Reconciliation",
    "budget",
    "calibrate",
    "check",
    "claim",
    "claims",
    "closed_form",
    "compare",
    "compare_runs",
    "costs",
    "count",
    "count_training",
    "load",
    "measure",
    "predict",
    "presets",
    "reconcile",
    "validate",
]

TIMING = ("calibrate", "compare_runs", "measure", "predict", "validate")


def __getattr__(name: str) -> Any:
    if name in TIMING:  # what is about time is loaded when asked for
        from costcalc.api import timing

        return getattr(timing, name)
    if name == "__version__":
        from costcalc import machine

        return machine.versions()["costcalc"] or "unknown"
    raise AttributeError(f"module 'costcalc' has no attribute {name!r}")
