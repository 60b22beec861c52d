"""What a neural network costs, exactly: multiply-adds, parameters, activations.

>>> from costcalc import load, costs
>>> costs(load("googlenet"), by="formula").total.macs
1498677248
"""

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
    "check",
    "claim",
    "claims",
    "closed_form",
    "compare",
    "costs",
    "count",
    "count_training",
    "load",
    "presets",
    "reconcile",
]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from costcalc import machine

        return machine.versions()["costcalc"] or "unknown"
    raise AttributeError(f"module 'costcalc' has no attribute {name!r}")
