"""What the functions of :mod:`costcalc.api` give back: results that show themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from costcalc import render, structure
from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.graph import Graph
from costcalc.records import Cost, CostTable, Part, Subject, View
from costcalc.views import costs as showing
from costcalc.views.metrics import LABELS

if TYPE_CHECKING:
    from costcalc.verdicts import Disagreement, Verdict


class Result(ABC):
    """A result that shows itself: ``print(result)``, a notebook cell, or ``result.to("csv")``."""

    @abstractmethod
    def view(self) -> View:
        """What is shown."""

    def to(self, format: str) -> str:
        """The result as ``text``, ``markdown``, ``csv`` or ``json``."""
        return render.written(self.view(), format)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'; '.join(self.view().summary)}>"

    def __str__(self) -> str:
        return render.text(self.view())

    def _repr_markdown_(self) -> str:
        return render.markdown(self.view())


class Costed(Result):
    """An architecture with its costs, from a spec or from a model: what is shown, compared and limited."""

    disagreements: tuple[Disagreement, ...] = ()  # of trace and closed form

    @property
    @abstractmethod
    def subject(self) -> Subject:
        """What it is."""

    @property
    @abstractmethod
    def table(self) -> CostTable:
        """The cost of every row."""

    @property
    @abstractmethod
    def whole(self) -> Part:
        """All of it as one part."""

    @property
    @abstractmethod
    def layers(self) -> tuple[Part, ...]:
        """One part per row of the table."""

    @abstractmethod
    def to_depth(self, depth: int | None = None) -> tuple[Part, ...]:
        """One part per first ``depth`` steps of the names; by default as many as it takes to have several."""

    @abstractmethod
    def part(self, name: str) -> Part:
        """The block or layer of that dotted name at any depth; KeyError if there is none."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Every name that :meth:`part` knows."""

    @property
    def labels(self) -> Mapping[str, str]:
        """What its metrics are called."""
        return LABELS

    @property
    def total(self) -> Cost:
        """The sum over all rows."""
        return self.table.total

    @property
    def blocks(self) -> tuple[Part, ...]:
        """One part per block."""
        return self.to_depth()

    def named(self, name: str) -> Part:
        """The part of that name, or the whole for the empty one; raises :class:`CostcalcError`."""
        if not name:
            return self.whole
        try:
            return self.part(name)
        except KeyError:
            called = self.subject.name
            hint = did_you_mean(name, self.names) or f"; `costcalc show {called}` lists the blocks"
            raise CostcalcError(f"'{called}' has no block {shortened(name)}{hint}") from None

    def refuse_verdicts(self, verdicts: Sequence[Verdict], allowed: Sequence[str]) -> None:
        """Raise :class:`CostcalcError` where the counts are not good enough for one of these verdicts.

        ``allowed`` are operators of unknown cost that may pass as free.
        """

    def annotated(self, view: View, alone: bool) -> View:
        """The view with what has to be said about these costs, ``alone`` or beside others."""
        return view

    def view(self, layers: bool = False, metrics: Sequence[str] = (), depth: int | None = None) -> View:
        parts, level = (self.layers, "layer") if layers else (self.to_depth(depth), "block")
        return noted(showing.show(self.subject, self.whole, parts, level, metrics, self.labels), [self])


@dataclass(frozen=True, repr=False)
class Costs(Costed):
    """The costs of one graph; ``disagreements`` is empty where closed form and trace agree."""

    graph: Graph
    counted: CostTable
    disagreements: tuple[Disagreement, ...] = ()

    def __repr__(self) -> str:
        return f"<Costs {self.graph.name} by {self.table.by}: {self.total}>"

    @property
    def subject(self) -> Subject:
        graph = self.graph
        about = graph.about
        return Subject(graph.name, about.summary, about.source, (graph.input_shape,), graph.outputs)

    @property
    def table(self) -> CostTable:
        return self.counted

    @cached_property
    def whole(self) -> Part:
        return structure.whole(self.graph, self.table)

    @property
    def layers(self) -> tuple[Part, ...]:
        return structure.layers(self.graph, self.table)

    def to_depth(self, depth: int | None = None) -> tuple[Part, ...]:
        return structure.blocks(self.graph, self.table, depth)

    def part(self, name: str) -> Part:
        return self._find(name)

    @cached_property
    def _find(self) -> Callable[[str], Part]:
        return structure.finder(self.graph, self.table)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.graph.groups, *(node.name for node in self.graph.nodes)]))


def noted(view: View, found: Sequence[Costed]) -> View:
    """The view with notes on who counted, what agrees, and what is not counted."""
    by = {each.subject.name: each.table.by for each in found}
    if len(found) > 1 and "operators" in by.values():
        view = replace(view, provenance={**view.provenance, "by": by})
    for each in found:
        view = each.annotated(view, len(found) == 1)
    tables = [(each.table, each.disagreements) for each in found]
    return replace(view, notes=(*view.notes, showing.counted(tables)))
