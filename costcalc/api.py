"""What the commands do, for Python: load, cost, compare, budget, check, claims, closed forms.

Results print themselves as tables and show as tables in a notebook.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costcalc import checks, comparison, formula, publications, render, spec, structure, views
from costcalc.errors import ENVIRONMENT, CostcalcError, Misfit, did_you_mean, shortened
from costcalc.graph import Graph
from costcalc.records import (
    COUNTS,
    ClaimVerdict,
    Cost,
    CostTable,
    Disagreement,
    FigureVerdict,
    Limit,
    Part,
    Producer,
    Verdict,
    View,
)
from costcalc.units import quantity

FORMULATED = ("macs", "weights", "params", "activations")
TRACE_BYTES = 8 * 2**30  # what a trace may take: it holds real weights and activations
TRACE_MACS = 2 * 10**12  # and computes them, in seconds to minutes


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


@dataclass(frozen=True, repr=False)
class Costs(Result):
    """The costs of one graph; ``disagreements`` is empty where closed form and trace agree."""

    graph: Graph
    table: CostTable
    disagreements: tuple[Disagreement, ...] = ()

    def __repr__(self) -> str:
        return f"<Costs {self.graph.name} by {self.table.by}: {self.total}>"

    @property
    def total(self) -> Cost:
        """The sum over all layers."""
        return self.table.total

    @property
    def whole(self) -> Part:
        """The graph as one part."""
        return structure.whole(self.graph, self.table)

    @property
    def blocks(self) -> tuple[Part, ...]:
        """One part per block."""
        return structure.blocks(self.graph, self.table)

    @property
    def layers(self) -> tuple[Part, ...]:
        """One part per layer."""
        return structure.layers(self.graph, self.table)

    def part(self, name: str) -> Part:
        """The block or layer of that dotted name; KeyError if there is none."""
        return structure.part(self.graph, self.table, name)

    def view(self, layers: bool = False, metrics: Sequence[str] = ()) -> View:
        parts, level = (self.layers, "layer") if layers else (self.blocks, "block")
        return _agreed(views.show(self.graph, self.whole, parts, level, metrics), [self])


@dataclass(frozen=True, repr=False)
class Compared(Result):
    """Architectures side by side."""

    costs: tuple[Costs, ...]
    comparison: comparison.Comparison

    def view(self) -> View:
        return _agreed(views.compare(self.comparison), self.costs)


@dataclass(frozen=True, repr=False)
class Budget(Result):
    """Verdicts on limits; true where all are kept."""

    costs: Costs
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether every limit is kept."""
        return all(verdict.passed for verdict in self.verdicts)

    def __bool__(self) -> bool:
        return self.passed

    def view(self) -> View:
        found = views.budget(self.costs.graph, self.verdicts, self.costs.whole, self.costs.blocks)
        return _agreed(found, [self.costs])


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


def load(name: str, *, training: bool = False, **parameters: Any) -> Graph:
    """The architecture of a preset or YAML file: ``load("googlenet", classes=10)``.

    ``training`` keeps branches that exist only in training. Raises :class:`CostcalcError`.
    """
    given = {key: value if isinstance(value, str) else json.dumps(value) for key, value in parameters.items()}
    return spec.load(name, given, training)


def costs(graph: Graph | str, by: Producer = "trace") -> Costs:
    """The cost of every layer, traced and held against the closed form, or by formula alone.

    Raises :class:`CostcalcError` if a trace would take more memory or time than is sensible.
    """
    if by not in ("trace", "formula"):
        raise CostcalcError(f"nobody counts by {shortened(by)}; there are 'trace' and 'formula'")
    graph = load(graph) if isinstance(graph, str) else graph
    closed = formula.costs(graph)
    if by == "formula":
        return Costs(graph, closed)
    _traceable(graph, closed)
    from costcalc import trace

    traced = trace.costs(graph)
    return Costs(graph, traced, checks.agreement(closed, traced))


def compare(*graphs: Graph | str, by: Producer = "trace") -> Compared:
    """Two or more architectures side by side, blocks paired by name."""
    if len(graphs) < 2:
        raise CostcalcError("a comparison takes two architectures or more")
    found = tuple(costs(graph, by) for graph in graphs)
    return Compared(found, comparison.align([(cost.graph, cost.table) for cost in found]))


def budget(
    graph: Graph | str,
    macs: int | str | None = None,
    *,
    params: int | str | None = None,
    activations: int | str | None = None,
    peak_activations: int | str | None = None,
    blocks: Mapping[str, int | str] | None = None,
    by: Producer = "trace",
) -> Budget:
    """Verdicts on limits, given as integers or as ``"1.5G"``.

    ``blocks`` limits single blocks: ``{"inception_3a": "130M"}`` on MACs,
    ``{"inception_3a:params": "160K"}`` on another metric.
    """
    given = {"macs": macs, "params": params, "activations": activations, "peak_activations": peak_activations}
    limits = [Limit(metric, _most(most, metric)) for metric, most in given.items() if most is not None]
    for name, most in (blocks or {}).items():
        part, _, metric = name.partition(":")
        limits.append(Limit(_limited(metric or "macs"), _most(most, metric or "macs"), part))
    if not limits:
        raise CostcalcError("no limit given; for example --limit 1.5e9, --params 7M or --block NAME=130M")
    found = costs(graph, by)
    return Budget(found, checks.budget(found.graph, found.table, limits))


def check(graph: Graph | str) -> Check:
    """The closed form against the fvcore trace and torch's ``FlopCounterMode``, row by row."""
    graph = load(graph) if isinstance(graph, str) else graph
    closed = formula.costs(graph)
    _traceable(graph, closed)
    from costcalc import trace

    traced, third = trace.costs(graph), trace.third_opinion(graph)
    found = checks.agreement(closed, traced, third)
    return Check(Costs(graph, closed), traced, third, found, checks.figures(graph, closed))


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


def _agreed(view: View, found: Sequence[Costs]) -> View:
    """The view with a note on who counted and whether the closed form agrees."""
    return replace(
        view, notes=(*view.notes, views.counted([(cost.table, cost.disagreements) for cost in found]))
    )


def claims(paper: str = "", of: str = "", verdict: str = "") -> Claims:
    """Every published claim, computed from the closed form and judged.

    ``paper`` is the key of a publication, ``of`` a preset that the claim rests on, ``verdict`` a
    verdict; each narrows the choice. Raises :class:`CostcalcError` for unknown words.
    """
    found = publications.chosen(paper, of, verdict)
    return Claims(tuple(publications.judged(claim) for claim in found))


def claim(id: str) -> Derivation:
    """One claim with numbers filled in, step by step."""
    return Derivation(publications.judged(publications.named(id)))


def closed_form(
    name: str, symbols: str = "", *, latex: bool = False, settings: Mapping[str, str] | None = None
) -> ClosedForm:
    """The formulas of a preset, file, block or layer kind in its parameters.

    ``symbols`` chooses some (``"d,k"``) or says what they are (``"d=2*h,k"``: d is even); by default
    all whole-number parameters that do not decide how often something is repeated.
    """
    from costcalc import symbolic

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


def _limited(metric: str) -> str:
    if metric in checks.JUDGED:
        return metric
    hint = did_you_mean(metric, checks.JUDGED) or f"; there are {', '.join(checks.JUDGED)}"
    raise CostcalcError(f"no limit on {shortened(metric)}{hint}")


def _most(value: int | str, metric: str) -> int:
    try:
        return quantity(
            str(value), {"weights": "params", "peak_activations": "activations"}.get(metric, metric)
        )
    except Misfit as misfit:
        raise CostcalcError(f"limit on {metric}: {misfit}") from None


def _traceable(graph: Graph, table: CostTable) -> None:
    """Refuse what a trace could not hold or finish; the closed form answers all the same."""
    total = table.total
    taken = 4 * (total.params + total.writes)
    if taken > TRACE_BYTES:
        why = f"take about {taken / 2**30:,.0f} GiB"
    elif total.macs > TRACE_MACS:
        why = f"compute {total.macs:.1e} multiply-adds"
    else:
        return
    raise CostcalcError(f"tracing '{graph.name}' would {why}; `--by formula` answers without", ENVIRONMENT)
