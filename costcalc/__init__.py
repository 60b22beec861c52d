"""What a neural network costs, exactly: multiply-adds, parameters, activations.

>>> from costcalc import load, costs
>>> costs(load("googlenet"), by="formula").total.macs
1498677248

Names are loaded when they are asked for: a test-suite that has the plugin pays nothing until it counts.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costcalc.api import (
        Budget,
        Check,
        Claims,
        ClosedForm,
        Compared,
        Costs,
        Counted,
        Derivation,
        Diff,
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
        diff,
        load,
        reconcile,
    )
    from costcalc.api.timing import calibrate, compare_runs, measure, predict, validate
    from costcalc.errors import CostcalcError
    from costcalc.graph import Graph
    from costcalc.guard import Guarded, guarded
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
    "Diff",
    "Graph",
    "Guarded",
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
    "diff",
    "guarded",
    "load",
    "measure",
    "predict",
    "presets",
    "reconcile",
    "validate",
]

_API = "costcalc.api"
_ELSEWHERE = {
    "CostcalcError": "costcalc.errors",
    "Graph": "costcalc.graph",
    "presets": "costcalc.spec",
    **dict.fromkeys(("Guarded", "guarded"), "costcalc.guard"),
    **dict.fromkeys(("calibrate", "compare_runs", "measure", "predict", "validate"), "costcalc.api.timing"),
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(_ELSEWHERE.get(name, _API)), name)
    if name == "__version__":
        from costcalc import machine

        return machine.versions()["costcalc"] or "unknown"
    raise AttributeError(f"module 'costcalc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
