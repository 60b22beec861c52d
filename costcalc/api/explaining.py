"""Why a limit is exceeded and what would help: blocks ranked, known changes computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from costcalc import alternatives
from costcalc.alternatives import Remedies
from costcalc.api.limiting import Budget
from costcalc.api.results import Costed, Costs, Result
from costcalc.records import Part, View
from costcalc.verdicts import Verdict
from costcalc.views import explaining, judging


@dataclass(frozen=True, slots=True)
class Reason:
    """One exceeded limit: the parts of what is limited, and what would help.

    ``remedies`` is None for a model, of which there is no graph that could be changed.
    """

    verdict: Verdict
    parts: tuple[Part, ...]
    remedies: Remedies | None


@dataclass(frozen=True, repr=False)
class Explained(Result):
    """The reasons for every limit that a budget finds exceeded."""

    costs: Costed
    reasons: tuple[Reason, ...]

    def view(self) -> View:
        told = [(reason.verdict, reason.parts, reason.remedies) for reason in self.reasons]
        return explaining.why(self.costs.subject.name, told, self.costs.labels)

    def beside(self, view: View) -> View:
        """The view of the budget with the reasons in the place of its costliest blocks."""
        if not self.reasons:
            return view
        kept = tuple(grid for grid in view.grids if grid.key != "costliest")
        return judging.joined(replace(view, grids=kept), self.view())


def explained(budget: Budget) -> Explained:
    """Why each exceeded limit of a budget is exceeded; changes are counted by formula."""
    costs = budget.costs
    exceeded = [verdict for verdict in budget.verdicts if not verdict.passed]
    return Explained(costs, tuple(_reason(costs, verdict) for verdict in exceeded))


def _reason(costs: Costed, verdict: Verdict) -> Reason:
    graph = costs.graph if isinstance(costs, Costs) else None
    remedies = alternatives.remedies(graph, verdict.limit) if graph else None
    return Reason(verdict, tuple(_parts(costs, verdict.limit.part)), remedies)


def _parts(costs: Costed, name: str) -> Sequence[Part]:
    """The blocks of the whole, or the parts of one block one level down; a layer is its own."""
    if not name:
        return costs.blocks
    below = costs.to_depth(name.count(".") + 2)
    return [part for part in below if part.name.startswith(f"{name}.")] or [costs.named(name)]
