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
    Derivation,
    budget,
    check,
    claim,
    claims,
    closed_form,
    compare,
    costs,
    load,
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
    "Derivation",
    "Graph",
    "budget",
    "check",
    "claim",
    "claims",
    "closed_form",
    "compare",
    "costs",
    "load",
    "presets",
]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from costcalc import machine

        return machine.versions()["costcalc"] or "unknown"
    raise AttributeError(f"module 'costcalc' has no attribute {name!r}")
