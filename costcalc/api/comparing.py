"""Architectures side by side."""

from __future__ import annotations

from dataclasses import dataclass

from costcalc import comparison
from costcalc.api.counting import costs_of
from costcalc.api.results import Costed, Result, noted
from costcalc.errors import CostcalcError
from costcalc.graph import Graph
from costcalc.records import Producer, View
from costcalc.views import comparing


@dataclass(frozen=True, repr=False)
class Compared(Result):
    """Architectures side by side."""

    costs: tuple[Costed, ...]

    @property
    def comparison(self) -> comparison.Comparison:
        """Totals, and blocks paired by name."""
        return comparison.align(
            [each.whole for each in self.costs],
            [each.to_depth(1) for each in self.costs],
            [each.layers for each in self.costs],
        )

    def view(self) -> View:
        return noted(comparing.compare(self.comparison, self.costs[0].labels), self.costs)


def compare(*of: Costed | Graph | str, by: Producer = "trace") -> Compared:
    """Two or more architectures side by side, blocks paired by name."""
    if len(of) < 2:
        raise CostcalcError("a comparison takes two architectures or more")
    found = tuple(costs_of(each, by) for each in of)
    if len({str(each.labels) for each in found}) > 1:
        raise CostcalcError("counts of several conventions cannot be compared")
    return Compared(found)
