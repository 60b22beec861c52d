"""From names and what is wanted of them to documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from costcalc import formula, machine, spec
from costcalc.api import limiting, subjects, timing
from costcalc.api.limiting import Budget
from costcalc.api.predicting import Predictions
from costcalc.api.results import Costed, Costs
from costcalc.api.subjects import Options
from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.report import latency, networks, papers, writing
from costcalc.report.architecture import Asked, Made, architecture
from costcalc.report.document import Document
from costcalc.report.networks import Spot
from costcalc.spec import catalogue
from costcalc.verdicts import Limit


@dataclass(frozen=True, slots=True)
class Wanted:
    """What reports hold beside the costs.

    ``limits`` are judged, with operators ``uncounted`` as nothing; ``on`` are keys of devices to predict
    for, at ``batch`` samples in ``dtype``; ``runs`` are run files to show, with ``calibrations`` as in
    :func:`costcalc.api.timing.saved`.
    """

    limits: Sequence[Limit] = ()
    uncounted: Sequence[str] = ()
    on: Sequence[str] = ()
    batch: int = 1
    dtype: str = "fp32"
    runs: Sequence[str] = ()
    calibrations: str | None = None


@dataclass(frozen=True, slots=True)
class Reports:
    """Documents, and the findings, a line each: limits exceeded, and counts that differ."""

    documents: tuple[Document, ...]
    findings: tuple[str, ...]


def reports(
    names: Sequence[str],
    options: Sequence[Options] = (),
    wanted: Wanted | None = None,
    made: Made | None = None,
) -> Reports:
    """A document for each architecture and paper, and a comparison of two architectures or more.

    ``options`` are those of each name. Raises :class:`CostcalcError`.
    """
    wanted, made = wanted or Wanted(), made or Made("costcalc.report", machine.versions())
    stems = writing.distinct([known(name) for name in names])
    pairs = dict(zip(names, options or [Options()] * len(names), strict=True))
    kinds = {name: how for name, how in pairs.items() if name not in papers.names()}
    if not kinds:
        _without(wanted)
    runs = tuple(latency.Measured(path, timing.saved(path, wanted.calibrations)) for path in wanted.runs)
    costs = {name: subjects.costed(name, how) for name, how in kinds.items()}
    _held(runs, [each.subject.name for each in costs.values()])
    budgets = _budgets(list(costs.values()), wanted)
    found = {}
    for (name, of), budget in zip(costs.items(), budgets, strict=True):
        position = _predicted([of], [kinds[name]], wanted)
        asked = Asked(made, position, bool(wanted.on), budget, runs, kinds[name].settings)
        found[name] = architecture(stems[name], of, asked)
    documents = [found[name] if name in found else papers.paper(name, made) for name in names]
    if len(costs) > 1:
        predicted = _predicted(list(costs.values()), list(kinds.values()), wanted) if wanted.on else None
        documents.append(networks.comparison(list(costs.values()), _presets(), made, predicted))
    return Reports(tuple(documents), tuple(_findings(costs.values(), budgets)))


def _findings(costs: Iterable[Costed], budgets: Sequence[Budget | None]) -> Iterator[str]:
    """A line for each network whose counts differ, and for each limit exceeded."""
    for of in costs:
        if isinstance(of, Costs) and of.disagreements:
            name = of.subject.name
            yield f"{name}: trace and closed form differ; `costcalc check {name}` says where"
    for budget in budgets:
        if budget is not None and not budget.passed:
            exceeded = tuple(verdict for verdict in budget.verdicts if not verdict.passed)
            yield from replace(budget, verdicts=exceeded).view().summary


def known(name: str) -> str:
    """The name of an architecture or paper; raises :class:`CostcalcError` with the nearest of both."""
    if name in papers.names() or subjects.is_foreign(name):
        return name
    try:
        catalogue.find(spec.stem(name))
    except CostcalcError:
        words = [*spec.presets(), *papers.names()]
        hint = did_you_mean(name, words) or f"; `costcalc list` shows the presets, papers are {_papers()}"
        raise CostcalcError(f"no preset, file or paper {shortened(name)}{hint}") from None
    return name


def _papers() -> str:
    return ", ".join(papers.names())


def _without(wanted: Wanted) -> None:
    """Refuse what papers do not have: it would be judged or shown nowhere."""
    for what, given in {"a limit": wanted.limits, "--on": wanted.on, "--run": wanted.runs}.items():
        if given:
            raise CostcalcError(f"{what} is of architectures; a paper has none")


def _held(runs: Sequence[latency.Measured], names: Sequence[str]) -> None:
    """Refuse a run that holds none of the architectures."""
    for run in runs:
        if not set(run.names) & set(names):
            raise CostcalcError(
                f"{run.path} holds none of {', '.join(names)}; it holds {', '.join(run.names)}"
            )


def _budgets(costs: Sequence[Costed], wanted: Wanted) -> list[Budget | None]:
    """Verdicts for each architecture; a limit on a block is for those that have it, and one must."""
    for limit in wanted.limits:
        if limit.part and costs and not any(limit.part in each.names for each in costs):
            costs[0].named(limit.part)  # says what is wrong, with the nearest known block
    found: list[Budget | None] = []
    for each in costs:
        own = [limit for limit in wanted.limits if not limit.part or limit.part in each.names]
        found.append(limiting.judged(each, own, wanted.uncounted) if own else None)
    return found


def _predicted(costs: Sequence[Costed], options: Sequence[Options], wanted: Wanted) -> Predictions:
    of = [each.graph if isinstance(each, Costs) else each.subject.name for each in costs]
    on = wanted.on or (latency.DEVICE,)
    return timing.predict(
        *of,
        on=on,
        batch=wanted.batch,
        dtype=wanted.dtype,
        options=[replace(how, batch=1) for how in options],
        calibrations=wanted.calibrations,
    )


def _presets() -> tuple[Spot, ...]:
    """Where every preset lies, by its closed form."""
    graphs = [spec.load(name) for name in spec.presets()]
    totals = [(graph.name, formula.costs(graph).total) for graph in graphs]
    return tuple(Spot(name, total.params, total.macs) for name, total in totals)
