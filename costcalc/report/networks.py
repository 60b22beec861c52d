"""Architectures side by side, among all presets; and the page that lists what was written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from costcalc import units
from costcalc.api.predicting import Predictions
from costcalc.api.results import Costed
from costcalc.records import Cell, Column, Grid, Part
from costcalc.report.architecture import Made
from costcalc.report.document import (
    Document,
    Grouped,
    Items,
    Point,
    Scatter,
    Section,
    Series,
    Table,
)
from costcalc.report.inline import code, literal
from costcalc.report.wording import capitalised, listed, several
from costcalc.views.metrics import CONVENTION, METRICS
from costcalc.views.metrics import metrics as known

COMPARISON = "comparison"  # the stem of its file
ENTRANCE = "README.md"  # what GitHub shows of a folder
COUNTED: dict[str, Callable[[Part], int]] = {
    "macs": lambda part: part.cost.macs,
    "params": lambda part: part.cost.params,
    "activations": lambda part: part.cost.writes,
    "peak_activations": lambda part: part.structure.peak_activations,
}
TOTALS = (*COUNTED, "depth", "intensity")


@dataclass(frozen=True, slots=True)
class Spot:
    """A network among all: its name, and where it lies in the plane of params and MACs."""

    name: str
    params: int
    macs: int


def comparison(
    of: Sequence[Costed], presets: Sequence[Spot], made: Made, predicted: Predictions | None = None
) -> Document:
    """Who is smallest and largest by how much, totals, bars, and where each lies among all presets."""
    names = [each.subject.name for each in of]
    sections = [
        Section("In short", (Items(extremes(of)),)),
        Section("Totals", (Table(_totals(of)), *_bars(of))),
        *([_latencies(predicted)] if predicted else []),
        _among(of, presets),
    ]
    lead = f"{capitalised(several(len(of), 'architecture'))} side by side: {listed(list(map(code, names)))}."
    return Document(COMPARISON, "Comparison", lead, tuple(sections), made.footer())


def _bounds(of: Sequence[Costed]) -> tuple[str, ...]:
    """Whose counts are bounds, and why."""
    return tuple(
        f"{code(each.subject.name)}: {literal(line)}" for each in of for line in each.view().warnings
    )


def extremes(of: Sequence[Costed]) -> tuple[str, ...]:
    """For each count the most and the least, and the exact ratio between them; then who is not beaten.

    Nobody has fewest or most of what is only a bound: then it is said whose, and params alone are ranked.
    """
    bounds = _bounds(of)
    keys = ("params",) if bounds else tuple(COUNTED)
    ranked = [_extreme(of, METRICS[key].label, COUNTED[key]) for key in keys]
    return (*ranked, *(bounds or _undominated(of)))


def _extreme(of: Sequence[Costed], label: str, count: Callable[[Part], int]) -> str:
    counts = [(each.subject.name, count(each.whole)) for each in of]
    low, high = (pick(value for _, value in counts) for pick in (min, max))
    label = capitalised(label)
    if low == high:
        return f"**{label}.** All have {units.count(low)}."
    fewest, most = (_having(counts, value) for value in (low, high))
    times = f", {units.ratio(Fraction(high, low))} as many" if low else ""
    return (
        f"**{label}.** {fewest} the fewest, {units.count(low)}; {most} the most, {units.count(high)}{times}."
    )


def _having(counts: Sequence[tuple[str, int]], value: int) -> str:
    """Who has that count: ``"`a` and `b` have"``."""
    names = [code(name) for name, found in counts if found == value]
    return f"{listed(names)} {'has' if len(names) == 1 else 'have'}"


def _undominated(of: Sequence[Costed]) -> tuple[str, ...]:
    """Whom no other beats in MACs and params at once."""
    spots = [Spot(each.subject.name, each.total.params, each.total.macs) for each in of]
    ahead = [
        spot.name
        for spot in spots
        if not any(other.macs < spot.macs and other.params < spot.params for other in spots)
    ]
    if len(ahead) == len(spots):
        return ("**Both at once.** None has both fewer MACs and fewer params than another.",)
    named = listed(list(map(code, ahead)), "or")
    return (f"**Both at once.** None has both fewer MACs and fewer params than {named}.",)


def _totals(of: Sequence[Costed]) -> Grid:
    metrics = known(TOTALS)
    columns = (
        Column("name", "architecture", "name"),
        Column("input", "input", "text"),
        *(Column(metric.key, metric.label, metric.style) for metric in metrics),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            each.subject.name,
            ", ".join(units.shape(shape) for shape in each.subject.inputs),
            *(metric.of(each.whole, each.whole) for metric in metrics),
        )
        for each in of
    )
    return Grid("totals", "", columns, rows)


def _bars(of: Sequence[Costed]) -> tuple[Grouped, ...]:
    """All counts on one scale: of each, the share of the largest."""
    names = tuple(each.subject.name for each in of)
    series = [
        Series(
            METRICS[key].label,
            tuple(Fraction(100 * value, max(values)) for value in values),
            tuple(units.prose(value) for value in values),
        )
        for key, count in COUNTED.items()
        if max(values := [count(each.whole) for each in of])
    ]
    unit = "% of the largest"
    return (Grouped("totals", "each count as a share of the largest", names, tuple(series), unit),)


def _latencies(found: Predictions) -> Section:
    """What is predicted of all of them, and in which order."""
    view = found.view()
    tables = [Table(grid) for grid in view.grids if grid.key in ("predictions", "devices")]
    notes = tuple(note for note in view.notes if note != CONVENTION)
    return Section("Predicted latency", (Items(view.summary), *tables, Items(notes)))


def _among(of: Sequence[Costed], presets: Sequence[Spot]) -> Section:
    """All presets in the plane of params and MACs; those without either have no place on its axes."""
    given = {each.subject.name: Spot(each.subject.name, each.total.params, each.total.macs) for each in of}
    spots = {**{spot.name: spot for spot in presets}, **given}
    placed = [spot for spot in spots.values() if spot.params and spot.macs]
    points = tuple(
        Point(spot.name, spot.params, spot.macs, _shown(spot), spot.name in given) for spot in placed
    )
    said = f"{several(len(points), 'point')}: every preset that has both; those reported on here are marked."
    chart = Scatter("presets", "MACs against params", points, "params", "MACs", note=said)
    return Section("Among all presets", (chart,))


def _shown(spot: Spot) -> str:
    return f"{units.prose(spot.macs)} MACs, {units.prose(spot.params)} params"


def index(documents: Sequence[Document], made: Made) -> Document:
    """The entrance: every page with its first sentences."""
    told = tuple(
        f"[{literal(document.title)}]({document.name}.md): {document.lead}" for document in documents
    )
    lead = f"{several(len(documents), 'page')} on what neural networks cost, to the last multiply-add."
    name = ENTRANCE.removesuffix(".md")
    return Document(name, "Reports", lead, (Section("What is here", (Items(told),)),), made.footer())
