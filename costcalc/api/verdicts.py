"""Results about costs: comparisons, budgets, checks, claims, closed forms, reconciliations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from costcalc import comparison, publications, views
from costcalc.api.results import Costed, Costs, Counted, Result, noted
from costcalc.conventions import Convention, Term
from costcalc.records import ClaimVerdict, CostTable, Disagreement, FigureVerdict, Verdict, View


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One counter on one model: the terms of its figure, and what it says itself.

    ``measured`` is None where it was not run; ``reason`` says why.
    """

    convention: Convention
    terms: tuple[Term, ...]
    measured: int | None
    reason: str

    @property
    def total(self) -> int:
        """The figure that the terms add up to."""
        return sum(term.total for term in self.terms)

    @property
    def passed(self) -> bool:
        """Whether the counter says the same, if it says anything."""
        return self.measured in (None, self.total)


@dataclass(frozen=True, repr=False)
class Reconciliation(Result):
    """What other counters make of a model; true where every one that was run says what its terms say."""

    name: str
    found: tuple[Reconciled, ...]

    @property
    def passed(self) -> bool:
        """Whether every counter that was run agrees with its terms."""
        return all(each.passed for each in self.found)

    def __bool__(self) -> bool:
        return self.passed

    def view(self) -> View:
        rows = [(each.convention, each.terms, each.measured, each.reason) for each in self.found]
        return views.reconciled(self.name, rows)


@dataclass(frozen=True, repr=False)
class ModelCheck(Result):
    """A model's count beside that of ``FlopCounterMode`` and of fvcore, module by module.

    ``opinions`` are what they say, with all that each module contains; ``expected`` is what our own
    record makes of it in their convention; ``reasons`` say why one has no opinion.
    """

    counted: Counted
    opinions: Mapping[str, Mapping[str, int]]
    expected: Mapping[str, Mapping[str, int]]
    reasons: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether both say in all what they are expected to say; by module they may see it otherwise."""
        return all(said.get("") == self.expected[name][""] for name, said in self.opinions.items())

    def __bool__(self) -> bool:
        return self.passed

    def view(self) -> View:
        return views.check_model(
            self.counted.attribution, self.opinions, self.expected, self.reasons, self.passed
        )


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
        return noted(views.compare(self.comparison, self.costs[0].labels), self.costs)


@dataclass(frozen=True, repr=False)
class Budget(Result):
    """Verdicts on limits; true where all are kept."""

    costs: Costed
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether every limit is kept."""
        return all(verdict.passed for verdict in self.verdicts)

    def __bool__(self) -> bool:
        return self.passed

    def view(self) -> View:
        costs = self.costs
        name = costs.subject.name
        return noted(views.budget(name, self.verdicts, costs.whole, costs.blocks, costs.labels), [costs])


@dataclass(frozen=True, repr=False)
class Check(Result):
    """Three counts of one graph held against each other, and its published figures."""

    formula: Costs
    trace: CostTable
    third: Mapping[str, int]
    disagreements: tuple[Disagreement, ...]
    figures: tuple[FigureVerdict, ...]

    @property
    def passed(self) -> bool:
        """Whether all counts agree and every published figure comes out as recorded."""
        return not self.disagreements and all(verdict.passed for verdict in self.figures)

    def __bool__(self) -> bool:
        return self.passed

    def view(self) -> View:
        counted = (self.formula.table, self.trace, self.third)
        return views.check(self.formula.graph, *counted, self.disagreements, self.figures)


@dataclass(frozen=True, repr=False)
class Claims(Result):
    """Published claims, judged; true where every verdict on record follows from what is computed."""

    verdicts: tuple[ClaimVerdict, ...]

    @property
    def passed(self) -> bool:
        """Whether every verdict on record follows."""
        return all(verdict.passed for verdict in self.verdicts)

    def __bool__(self) -> bool:
        return self.passed

    def view(self, why: bool = False) -> View:
        return views.claims(self.verdicts, publications.cited(), publications.verdicts.MEANINGS, why)


@dataclass(frozen=True, repr=False)
class Derivation(Result):
    """One claim with its derivation."""

    verdict: ClaimVerdict

    def view(self) -> View:
        return views.claim(self.verdict, publications.cited(), publications.verdicts.MEANINGS)


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
        return views.formulas(self.name, rows, self.at, self.kept, self.exceptions, self.latex)
