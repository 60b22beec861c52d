"""The report on one architecture: what it costs, where, on what device, and what is claimed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from costcalc import publications, spec, units
from costcalc.api import explaining, formulating, publishing
from costcalc.api.limiting import Budget
from costcalc.api.predicting import Predictions
from costcalc.api.publishing import Claims
from costcalc.api.results import Costed, Costs
from costcalc.errors import CostcalcError
from costcalc.records import Grid, View
from costcalc.report import arithmetic, drawing, latency, summary
from costcalc.report.document import Document, Element, Items, Section, Table, Text
from costcalc.report.inline import code, literal
from costcalc.report.wording import listed, several
from costcalc.views.metrics import CONVENTION

MOST_OPEN = 40  # rows of a table that need not be folded
MULTIPLIED = 3  # costliest layers that are multiplied out
WORDS = {"macs": "MACs", "weights": "weights", "params": "params", "activations": "activations"}


@dataclass(frozen=True, slots=True)
class Made:
    """How a report came about: its command line, and the versions that count."""

    command: str
    versions: Mapping[str, str | None]

    def footer(self, convention: str = CONVENTION) -> tuple[str, ...]:
        """The last lines of every report."""
        known = " · ".join(f"{name} {version or 'missing'}" for name, version in self.versions.items())
        return (f"Written by `{self.command}`", known, convention)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report holds beside the costs: limits, predictions, runs, and how the spec was set.

    ``position`` are predictions whose first device gives the roofline; those are shown only if
    ``is_predicted``.
    """

    made: Made
    position: Predictions | None = None
    is_predicted: bool = False
    budget: Budget | None = None
    runs: Sequence[latency.Measured] = ()
    settings: Mapping[str, str] | None = None


def architecture(name: str, of: Costed, asked: Asked) -> Document:
    """The report on an architecture, under the ``name`` of its file; raises :class:`CostcalcError`."""
    view = of.view()
    claims = _claims(of)
    convention = next(note for note in view.notes if note.startswith("1 MAC"))
    sections = [
        _short(of, view, convention, asked.budget, claims),
        *_limits(asked.budget),
        _blocks(of, view),
        Section("Where the cost lies", drawing.charts(of)),
        *([latency.position(asked.position, asked.is_predicted)] if asked.position else []),
        *latency.measured(of.subject.name, of.total.macs, asked.runs),
        *_multiplied(of),
        *_formulas(of, asked.settings or {}),
        *([_claimed(of, claims)] if claims else []),
    ]
    kept = tuple(section for section in sections if section.elements)
    return Document(name, of.subject.name, summary.lead(of), kept, asked.made.footer(convention))


def _short(of: Costed, view: View, convention: str, budget: Budget | None, claims: Claims | None) -> Section:
    """The few facts that a reader takes along, and how they were counted."""
    said = list(summary.items(of))
    judged = () if budget is None else budget.view().summary
    said += [f"**Budget.** {literal(line)}" for line in judged if line not in view.summary]
    said += [f"**Claims.** {summary.claimed(of.subject.name, claims.verdicts)}"] if claims else []
    said += map(literal, view.summary)  # what is no exact count
    others = [note for note in view.notes if note != convention]
    said += [" ".join(note for note in others if not note.startswith("Source:"))]
    said += [f"**Source.** {literal(of.subject.source)}."] if of.subject.source else []
    return Section("In short", (Items(tuple(said)),))


def _limits(budget: Budget | None) -> list[Section]:
    """The limits; of those exceeded what is behind it, and the known changes that would help."""
    if budget is None:
        return []
    elements: list[Element] = [_untitled(grid) for grid in budget.view().grids if grid.key == "limits"]
    if not budget.passed:
        why = explaining.explained(budget).view()
        elements += _bulleted(why.summary) + [Table(grid) for grid in why.grids] + _bulleted(why.notes)
    return [Section("Budget", tuple(elements))]


def _bulleted(lines: Sequence[str]) -> list[Element]:
    """Lines of a view, in which nothing is markup; a model has no changes that could be told."""
    return [Items(tuple(map(literal, lines)))] if lines else []


def _blocks(of: Costed, view: View) -> Section:
    """The table whose columns add up to the totals, and how the blocks are wired."""
    table = view.grids[0]
    wired = drawing.diagram(of)
    others = [Table(grid, open=False) for grid in view.grids[1:]]
    return Section("Block by block", (_untitled(table), *others, *([wired] if wired else [])))


def _untitled(grid: Grid) -> Table:
    """A table right below its heading; one that is folded keeps its title."""
    is_short = len(grid.rows) <= MOST_OPEN
    return Table(replace(grid, title="") if is_short else grid, open=is_short)


def _multiplied(of: Costed) -> list[Section]:
    """The costliest layers of a spec with numbers filled in."""
    if not isinstance(of, Costs):
        return []
    found = arithmetic.costliest(of.graph.nodes, of.layers, MULTIPLIED)
    elements = [
        element
        for nodes, macs in found
        for element in (Text(arithmetic.sentence(nodes)), arithmetic.product(nodes[0], macs))
    ]
    what = "layer" if len(found) == 1 else "layers"
    return [Section(f"The costliest {what}, multiplied out", tuple(elements))] if found else []


def _formulas(of: Costed, settings: Mapping[str, str]) -> list[Section]:
    """The closed form of a spec in its parameters, if it has any that can be symbols."""
    if not isinstance(of, Costs):
        return []
    try:
        found = formulating.closed_form(of.subject.name, settings=settings)
    except CostcalcError:
        return []  # no parameter, or none that a formula exists for
    at = listed([f"{code(key)} = {units.count(value)}" for key, value in found.at.items()])
    steps = [arithmetic.formula(WORDS[key], text) for key, text in found.expressions.items()]
    values = listed([f"{units.count(value)} {WORDS[key]}" for key, value in found.values.items()])
    said = f"Evaluated on symbols by the code that counts; at {at} that is {values}."
    edge = [Text(f"Otherwise at an edge: {'; '.join(found.exceptions)}.")] if found.exceptions else []
    return [Section("Closed form", (Text(said), *steps, *edge))] if steps and found.at else []


def _claims(of: Costed) -> Claims | None:
    """The published claims that rest on the preset as it stands."""
    is_preset = isinstance(of, Costs) and of.subject.name in spec.presets()
    if not is_preset or of.graph.about.changed:  # type: ignore[attr-defined]
        return None
    try:
        return publishing.claims(of=of.subject.name)
    except CostcalcError:
        return None  # nobody claims anything of it


def _claimed(of: Costed, claims: Claims) -> Section:
    """A line a claim, and what the verdicts mean."""
    view = claims.view()
    meanings = publications.verdicts.MEANINGS
    said = f"{several(len(claims.verdicts), 'claim')} of {several(len(_papers(claims)), 'publication')}"
    words = tuple(note for note in view.notes if note != CONVENTION and note.split(":")[0] in meanings)
    first = claims.verdicts[0].claim.id
    more = f"{said}; `costcalc claims ID` derives each, for example `costcalc claims {first}`."
    return Section("What is claimed of it", (Text(more), *map(_untitled, view.grids), Items(words)))


def _papers(claims: Claims) -> set[str]:
    return {verdict.claim.publication for verdict in claims.verdicts}
