"""What a neural network costs, exactly: multiply-adds, parameters, activations.

>>> from costcalc import load, costs
>>> costs(load("googlenet"), by="formula").total.macs
1498677248

Names are loaded when they are asked for: a test-suite that has the plugin pays nothing until it counts.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costcalc.api.checking import Check, Reconciliation, check, reconcile
    from costcalc.api.comparing import Compared, compare
    from costcalc.api.counted import Counted
    from costcalc.api.counting import costs, count, count_training, load
    from costcalc.api.diffing import Diff, diff
    from costcalc.api.formulating import ClosedForm, closed_form
    from costcalc.api.limiting import Budget, budget
    from costcalc.api.publishing import Claims, Derivation, claim, claims
    from costcalc.api.results import Costs
    from costcalc.api.sweeping import Swept, sweep
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
    "Swept",
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
    "sweep",
    "validate",
]

_ROOMS = {
    "api.checking": "Check Reconciliation check reconcile",
    "api.comparing": "Compared compare",
    "api.counted": "Counted",
    "api.counting": "costs count count_training load",
    "api.diffing": "Diff diff",
    "api.formulating": "ClosedForm closed_form",
    "api.limiting": "Budget budget",
    "api.publishing": "Claims Derivation claim claims",
    "api.results": "Costs",
    "api.sweeping": "Swept sweep",
    "api.timing": "calibrate compare_runs measure predict validate",
    "errors": "CostcalcError",
    "graph": "Graph",
    "guard": "Guarded guarded",
    "spec": "presets",
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"costcalc.{_HOME[name]}"), name)
    if name == "__version__":
        from costcalc import machine

        return machine.versions()["costcalc"] or "unknown"
    raise AttributeError(f"module 'costcalc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
