"""What the functions of :mod:`costcalc.api` give back: results that show themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from costcalc import render, structure, views
from costcalc.attribution import Attribution, Operator, Parameters
from costcalc.conventions import Convention
from costcalc.errors import ENVIRONMENT, CostcalcError, did_you_mean, shortened
from costcalc.execution import Execution, divided
from costcalc.graph import Graph
from costcalc.records import (
    Cost,
    CostTable,
    Disagreement,
    Part,
    Subject,
    View,
)


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
        return views.labels(None)

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

    def view(self, layers: bool = False, metrics: Sequence[str] = (), depth: int | None = None) -> View:
        parts, level = (self.layers, "layer") if layers else (self.to_depth(depth), "block")
        return noted(views.show(self.subject, self.whole, parts, level, metrics, self.labels), [self])


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

    @property
    def whole(self) -> Part:
        return structure.whole(self.graph, self.table)

    @property
    def layers(self) -> tuple[Part, ...]:
        return structure.layers(self.graph, self.table)

    def to_depth(self, depth: int | None = None) -> tuple[Part, ...]:
        return structure.blocks(self.graph, self.table, depth)

    def part(self, name: str) -> Part:
        return structure.part(self.graph, self.table, name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.graph.groups, *(node.name for node in self.graph.nodes)]))


@dataclass(frozen=True, repr=False)
class Counted(Costed):
    """The costs of a model, counted operator by operator in one pass.

    ``convention`` is whose idea of an operation the MACs follow, None for our own; ``source`` says
    where the model comes from.
    """

    execution: Execution
    source: str = ""
    convention: Convention | None = None

    def __repr__(self) -> str:
        return f"<Counted {self.execution.name}: {self.total}>"

    def per_sample(self, samples: int) -> Counted:
        """The same pass, counts divided by the ``samples`` of its batch.

        Raises :class:`CostcalcError` if that is not the first axis of an input, or a count does not divide.
        """
        if samples < 1 or not any(shape[:1] == (samples,) for shape in self.execution.inputs):
            raise CostcalcError(f"{self.execution.name} was not given a batch of {samples}")
        found = divided(self.execution, samples)
        if found is None or self.convention is not None:
            raise CostcalcError(
                f"not all counts of {self.execution.name} divide by {samples}; count one sample"
            )
        return replace(self, execution=found)

    @property
    def labels(self) -> Mapping[str, str]:
        return views.labels(self.convention)

    @cached_property
    def attribution(self) -> Attribution:
        """The pass folded by module."""
        if self.convention is None:
            return Attribution(self.execution)
        charged: dict[str, int] = {}
        for term in self.convention.terms(self.execution):
            for path, amount in term.amounts.items():
                charged[path] = charged.get(path, 0) + amount
        return Attribution(self.execution, charged)

    @property
    def subject(self) -> Subject:
        names = (self.attribution.label(""),)
        return Subject(self.execution.name, "", self.source, self.attribution.inputs, names)

    @property
    def table(self) -> CostTable:
        return self.attribution.table

    @property
    def whole(self) -> Part:
        return self.attribution.whole

    @property
    def layers(self) -> tuple[Part, ...]:
        return self.attribution.layers

    def to_depth(self, depth: int | None = None) -> tuple[Part, ...]:
        return self.attribution.blocks(depth)

    def part(self, name: str) -> Part:
        return self.attribution.part(name)

    @property
    def names(self) -> tuple[str, ...]:
        return self.attribution.names

    @property
    def parameters(self) -> Parameters:
        """Trainable, frozen, shared, buffers, never executed."""
        return self.attribution.parameters

    @property
    def operators(self) -> tuple[Operator, ...]:
        """What each operator cost."""
        return self.attribution.operators

    @property
    def uncounted(self) -> tuple[Operator, ...]:
        """Operators of unknown cost; where there are any, the MACs are a lower bound."""
        return self.attribution.uncounted

    def unknown(self, allowed: Sequence[str]) -> list[Operator]:
        """Operators of unknown cost that are not ``allowed``."""
        known = {name if "::" in name else f"aten::{name}" for name in allowed}
        return [found for found in self.uncounted if found.name not in known]

    def refuse_uncounted(self, allowed: Sequence[str]) -> None:
        """Raise :class:`CostcalcError` for an operator of unknown cost that is not ``allowed``."""
        if open_ := self.unknown(allowed):
            told = "; ".join(views.placed(found) for found in open_)
            options = " ".join(f"--allow-uncounted {found.name}" for found in open_)
            raise CostcalcError(
                f"no verdict on {self.execution.name}: the cost of some operators is not known: {told}; "
                f"{options} counts them as nothing",
                ENVIRONMENT,
            )

    def refuse_assumed(self) -> None:
        """Raise :class:`CostcalcError` if the counts are an upper bound, which exceeds nothing for sure."""
        if self.execution.assumed:
            raise CostcalcError(
                f"no verdict on {self.execution.name}: how much {', '.join(self.execution.assumed)} keeps "
                "depends on values; what is counted is the most it can be, and that is over a limit",
                ENVIRONMENT,
            )

    def view(self, layers: bool = False, metrics: Sequence[str] = (), depth: int | None = None) -> View:
        view = super().view(layers, metrics, depth)
        return view if self.convention else views.with_operators(view, self.attribution)


def noted(view: View, found: Sequence[Costed]) -> View:
    """The view with notes on who counted, what agrees, and what is not counted."""
    tables = [(each.table, each.disagreements if isinstance(each, Costs) else ()) for each in found]
    counted = [each for each in found if isinstance(each, Counted)]
    if len(found) > 1 and counted:
        by = {each.subject.name: each.table.by for each in found}
        view = replace(view, provenance={**view.provenance, "by": by})
    for each in counted:
        view = views.of_models(view, each.attribution, each.convention, alone=len(found) == 1)
    return replace(view, notes=(*view.notes, views.counted(tables)))
