"""Closed forms in symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from costcalc import formula, symbolic
from costcalc.api.results import Result
from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.graph import Graph
from costcalc.records import COUNTS, View
from costcalc.views import formulas

FORMULATED = ("macs", "weights", "params", "activations")


@dataclass(frozen=True, repr=False)
class ClosedForm(Result):
    """Formulas of a preset, file, block or layer kind.

    ``at`` and ``values`` are one setting of them; ``kept`` are parameters that stayed numbers;
    ``exceptions`` name counts that differ at an edge.
    """

    name: str
    expressions: Mapping[str, str]
    at: Mapping[str, int]
    values: Mapping[str, int]
    kept: Mapping[str, int]
    exceptions: tuple[str, ...] = ()
    latex: bool = False

    def view(self) -> View:
        rows = [(key, expression, self.values[key]) for key, expression in self.expressions.items()]
        return formulas.formulas(self.name, rows, self.at, self.kept, self.exceptions, self.latex)


def closed_form(
    name: str, symbols: str = "", *, latex: bool = False, settings: Mapping[str, str] | None = None
) -> ClosedForm:
    """The formulas of a preset, file, block or layer kind in its parameters.

    ``symbols`` chooses some (``"d,k"``) or says what they are (``"d=2*h,k"``: d is even); by default
    all whole-number parameters that do not decide how often something is repeated.
    """
    of = symbolic.source(name, settings or {})
    assigned = symbolic.assigned(symbols) if symbols else {}
    for parameter in assigned:
        if parameter not in of.defaults:
            hint = did_you_mean(parameter, of.defaults) or f"; there are {', '.join(of.defaults) or 'none'}"
            why = "has a number by --set" if parameter in (settings or {}) else "is no whole-number parameter"
            raise CostcalcError(f"'{parameter}' {why} of {shortened(name)}{hint}")
    found = symbolic.derive(of, assigned, _counts) if assigned else symbolic.derive_all(of, _counts)
    written = {key: symbolic.written(expr, latex) for key, expr in found.expressions.items()}
    kept = {key: value for key, value in of.defaults.items() if key not in found.at and of.reads(key)}
    return ClosedForm(name, written, found.at, found.values, kept, found.exceptions, latex)


def _counts(graph: Graph) -> dict[str, int]:
    """What a closed form is shown of."""
    total = formula.costs(graph).total
    return {key: COUNTS[key](total) for key in FORMULATED}
