"""The costs of a model that was run, as a result that shows itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from costcalc.api.results import Costed
from costcalc.attribution import Attribution, Operator, Parameters
from costcalc.conventions.terms import Convention
from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.execution import Execution, divided
from costcalc.records import CostTable, Part, Subject, View
from costcalc.verdicts import Verdict
from costcalc.views import modelling


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
        return modelling.labels(self.convention) if self.convention else super().labels

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
            told = "; ".join(modelling.placed(found) for found in open_)
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

    def refuse_verdicts(self, verdicts: Sequence[Verdict], allowed: Sequence[str]) -> None:
        if any(verdict.limit.metric == "macs" for verdict in verdicts):
            self.refuse_uncounted(allowed)
        if any(not verdict.passed and verdict.limit.metric != "params" for verdict in verdicts):
            self.refuse_assumed()

    def annotated(self, view: View, alone: bool) -> View:
        return modelling.of_models(view, self.attribution, self.convention, alone)

    def view(self, layers: bool = False, metrics: Sequence[str] = (), depth: int | None = None) -> View:
        view = super().view(layers, metrics, depth)
        return view if self.convention else modelling.with_operators(view, self.attribution)
