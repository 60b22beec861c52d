"""Other counts held against ours, and explained: of a spec by trace, of a model by other counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from costcalc import checks, conventions, formula
from costcalc.api import subjects
from costcalc.api.counted import Counted
from costcalc.api.results import Costs, Result
from costcalc.api.subjects import Options, is_foreign
from costcalc.conventions.terms import Convention, Term
from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.execution import Execution
from costcalc.graph import Graph
from costcalc.records import Cost, CostTable, View
from costcalc.verdicts import Disagreement, FigureVerdict
from costcalc.views import judging, modelling

if TYPE_CHECKING:
    from torch import nn

    from costcalc.foreign import Prepared


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
        return modelling.reconciled(self.name, rows)


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
        return modelling.check_model(
            self.counted.attribution, self.opinions, self.expected, self.reasons, self.passed
        )


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
        return judging.check(self.formula.graph, *counted, self.disagreements, self.figures)


def check(
    of: Graph | str | nn.Module, *args: Any, options: Options | None = None, **kwargs: Any
) -> Check | ModelCheck:
    """Other counts held against ours: of a spec, the fvcore trace and ``FlopCounterMode``, row by row.

    Of a model, ``FlopCounterMode`` and fvcore in its own convention, module by module; an ``nn.Module``
    takes the arguments of its forward pass behind it.
    """
    options = options or Options()
    if not isinstance(of, (str, Graph)) or (isinstance(of, str) and is_foreign(of)):
        return _check_model(_in_inference(of, options, args, kwargs))
    graph = subjects.loaded(of, options) if isinstance(of, str) else of
    closed = formula.costs(graph)
    subjects.traceable(graph, closed)
    from costcalc import trace

    traced, third = trace.costs(graph), trace.third_opinion(graph)
    found = checks.agreement(closed, traced, third)
    return Check(Costs(graph, closed), traced, third, found, checks.figures(graph, closed))


def _check_model(model: Prepared) -> ModelCheck:
    """A model's count beside those who can count it too."""
    from costcalc.foreign import opinions

    counted = Counted(model.whole(), model.source)
    said: dict[str, Mapping[str, int]] = {}
    reasons: dict[str, str] = {}
    total = counted.total
    for key, ask in {"FlopCounterMode": opinions.flop_counter, "fvcore": opinions.fvcore}.items():
        try:
            if key == "fvcore":
                _runnable(total)
            said[key] = ask(model.module, model.args, model.kwargs)
        except Exception as error:  # whatever another program raises is its lack of an opinion
            reasons[key] = " ".join(str(error).split())[:200]
    by = {"FlopCounterMode": "flopcounter", "fvcore": "fvcore"}
    expected = {key: _contained(replace(counted, convention=conventions.named(by[key]))) for key in said}
    return ModelCheck(counted, said, expected, reasons)


def _runnable(total: Cost) -> None:
    """Refuse to let others run what would take them too much memory or time."""
    if why := subjects.too_large(total):
        raise CostcalcError(f"it would {why}", ENVIRONMENT)


def _in_inference(
    of: Graph | str | nn.Module, options: Options, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Prepared:
    """A model for others to count, which they do in inference mode."""
    if isinstance(of, str):
        if options.training and is_foreign(of):
            raise CostcalcError(f"--training: other counters see {of} in inference mode only")
        return subjects.prepared(of, options)
    from costcalc import foreign

    if isinstance(of, Graph):
        return foreign.of_graph(of)
    return foreign.Prepared(type(of).__name__, of, args, kwargs, 0, "")


def _contained(counted: Counted) -> dict[str, int]:
    """MACs of the whole and of each block, in its convention, for the whole batch.

    A module whose ``forward`` is run without calling it is charged by nobody else.
    """
    aside = {counted.attribution.label(""), *counted.execution.by_hand}
    parts = [part for part in counted.blocks if part.name not in aside]
    return {"": counted.total.macs, **{part.name: part.cost.macs for part in parts}}


def reconcile(
    of: Graph | str | nn.Module,
    *args: Any,
    using: Sequence[str] = (),
    run: bool = True,
    options: Options | None = None,
    **kwargs: Any,
) -> Reconciliation:
    """What other counters make of a model or spec: each figure as the MACs and named terms.

    ``using`` are keys of conventions, by default all; those that are installed are ``run`` and held
    against their terms. An ``nn.Module`` takes the arguments of its forward pass behind it.
    """
    model = _in_inference(of, options or Options(), args, kwargs)
    execution = model.whole()
    others = [conventions.named(key) for key in conventions.KEYS if key != "costcalc"]
    chosen = [conventions.named(key) for key in using] or others
    found = [
        Reconciled(
            each,
            each.terms(execution),
            *(_measured(each.key, model, execution) if run else (None, "")),
        )
        for each in chosen
    ]
    return Reconciliation(model.name, tuple(found))


def _measured(key: str, model: Prepared, execution: Execution) -> tuple[int | None, str]:
    """What the counter itself says, or why it says nothing."""
    from costcalc.foreign import opinions

    total = Counted(execution).total
    try:
        _runnable(total)
        return opinions.total(key, model.module, model.args, model.kwargs), ""
    except CostcalcError as error:
        return None, str(error)
