"""Foreign models as grids: parameters and operators, what is not counted, other counters' figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from fractions import Fraction

from costcalc import units
from costcalc.attribution import Attribution, Operator, Parameters
from costcalc.conventions.terms import Convention, Term
from costcalc.records import Cell, Column, Grid, View
from costcalc.views.metrics import ANY_MODEL, CONVENTION, LABELS

MOST_PLACES = 3  # where an operator ran, that a line can hold
HELD = {
    "trainable": "trainable",
    "frozen": "frozen",
    "shared": "held again by another module, counted once",
    "buffers": "buffers, which are no parameters",
    "never_executed": "in no operator of this pass",
}
KNOWN = {"counted": "", "no MACs": "no MACs; other ops not counted", "unknown": "cost unknown"}


def placed(found: Operator) -> str:
    """``aten::fft (3×, in mixer.0, mixer.1)``."""
    more = f" and {len(found.modules) - MOST_PLACES} more" if len(found.modules) > MOST_PLACES else ""
    return f"{found.name} ({found.times}×, in {', '.join(found.modules[:MOST_PLACES])}{more})"


def with_operators(view: View, of: Attribution) -> View:
    """The view with what the model holds, and what each operator costs."""
    return replace(view, grids=(*view.grids, _held(of.parameters), _operators(of)))


def _held(parameters: Parameters) -> Grid:
    columns = (Column("held", "parameters", "name", HELD), Column("elements", "elements", "count"))
    held = {field.name: getattr(parameters, field.name) for field in fields(Parameters)}
    rows = tuple((name, elements) for name, elements in held.items() if elements or name == "trainable")
    return Grid("parameters", "what it holds", columns, rows)


def _operators(of: Attribution) -> Grid:
    backward = of.backward > 0
    partly = any(found.knowledge != "counted" for found in of.operators)
    columns = (
        Column("operator", "operator", "name"),
        Column("times", "times", "count"),
        Column("macs", "MACs", "count"),
        *((Column("backward_macs", "backward", "count"),) if backward else ()),
        Column("other_ops", "other ops", "count"),
        *((Column("knowledge", "what is known", "text", KNOWN),) if partly else ()),
    )
    rows = tuple(
        (
            found.name,
            found.times,
            found.macs,
            *((found.backward_macs,) if backward else ()),
            found.other_ops,
            *((found.knowledge,) if partly else ()),
        )
        for found in of.operators
    )
    return Grid("operators", "operator by operator", columns, rows)


def of_models(view: View, of: Attribution, convention: Convention | None, alone: bool) -> View:
    """The view with what has to be said of a model's counts."""
    named = "" if alone else f"{of.name}: "
    notes = [f"{named}{note}" for note in _notes(of, convention)]
    provenance = dict(view.provenance)
    if alone:
        provenance |= {"by": "operators", "convention": _convention(of, convention)}
    kept = [note for note in view.notes if note != CONVENTION]
    said = [] if _convention(of, convention) in kept else [_convention(of, convention)]
    summary = [*view.summary, *(f"{named}{line}" for line in _at_least(of))]
    doubts = [line for line in (*notes, *summary) if "AT MOST" in line or "AT LEAST" in line]
    return replace(
        view,
        notes=(*kept, *said, *notes),
        summary=tuple(summary),
        provenance=provenance,
        warnings=(*view.warnings, *doubts),
    )


def labels(convention: Convention) -> Mapping[str, str]:
    """What metrics are called: MACs by the name that another counter has for its figure."""
    return {**LABELS, "macs": f"{convention.key} {convention.calls_it}"}


def _convention(of: Attribution, convention: Convention | None) -> str:
    """What is counted, of how much, and by whose rules."""
    unit = _unit(of)
    if convention is not None:
        return (
            f"NOT MACs: the column is what {convention.title} calls {convention.calls_it}, {unit}; "
            f"`costcalc reconcile {of.name}` leads there term by term."
        )
    said = ANY_MODEL.format(unit=unit)
    return (
        said.replace("forward pass, inference", "forward and backward pass, training")
        if of.backward
        else said
    )


def _unit(of: Attribution) -> str:
    """Of how much the counts are."""
    ran = of.execution
    if not ran.samples:
        return "for the inputs given"
    per = "sample" if ran.samples == 1 or ran.divided else "batch"
    if ran.batch == 1:
        return f"per {per}"
    return f"per batch of {ran.batch}" if per == "batch" else f"per sample of a batch of {ran.batch}"


def _notes(of: Attribution, convention: Convention | None) -> list[str]:
    notes = [convention.note] if convention is not None and convention.note else []
    if of.backward:
        notes.append("Other ops and activations are of the forward pass; the backward pass adds MACs only.")
    if of.execution.samples > 1 and not of.execution.divided and convention is None:
        notes.append("Some work neither stays nor grows with the batch, so the counts are of all of it.")
    if of.execution.assumed:
        names = ", ".join(of.execution.assumed)
        notes.append(f"AT MOST: how much {names} keeps depends on values; counted as if all were kept.")
    return notes


def _at_least(of: Attribution) -> list[str]:
    if not of.uncounted:
        return []
    return [f"AT LEAST: the cost of some operators is not known: {'; '.join(map(placed, of.uncounted))}."]


def check_model(
    of: Attribution,
    opinions: Mapping[str, Mapping[str, int]],
    expected: Mapping[str, Mapping[str, int]],
    reasons: Mapping[str, str],
    passed: bool,
) -> View:
    """Every module's MACs beside what others say, and what our record says they would."""
    names = list(opinions)
    columns = (
        Column("name", "module", "name"),
        Column("macs", "MACs", "count"),
        *(column for name in names for column in _opinion_columns(name)),
        Column("agree", "agree", "text"),
    )
    blocks = {part.name: part.cost.macs for part in of.blocks() if part.name != of.label("")}
    rows = tuple(_opinion(path, macs, names, opinions, expected) for path, macs in blocks.items())
    total = ("total", *_opinion("", of.table.total.macs, names, opinions, expected)[1:])
    grid = Grid("modules", f"check of {of.name}", columns, rows, total)
    bad = [
        f"{path or 'total'} ({name})"
        for name in names
        for path, value in expected[name].items()
        if opinions[name].get(path) != value
    ]
    notes = ["Counts are of the whole batch; FlopCounterMode counts 2 FLOPs per MAC.", *_reasons(reasons)]
    facts: dict[str, Cell] = {"name": of.name, "passed": passed}
    return View("check_model", (grid,), facts, tuple(notes), _opined(of, names, bad, expected), passed)


def _reasons(reasons: Mapping[str, str]) -> list[str]:
    return [f"{name} has no opinion: {reason.rstrip('.')}." for name, reason in reasons.items()]


def _opinion_columns(name: str) -> tuple[Column, ...]:
    return (
        Column(f"{name}_expected", f"{name}, by terms", "count"),
        Column(f"{name}_says", f"{name} says", "count"),
    )


def _opinion(
    path: str,
    macs: int,
    names: Sequence[str],
    opinions: Mapping[str, Mapping[str, int]],
    expected: Mapping[str, Mapping[str, int]],
) -> tuple[Cell, ...]:
    pairs = [(expected[name].get(path), opinions[name].get(path)) for name in names]
    agree = "yes" if all(known is None or known == said for known, said in pairs) else "no"
    return (path, macs, *(cell for pair in pairs for cell in pair), agree)


def _opined(
    of: Attribution, names: Sequence[str], bad: Sequence[str], expected: Mapping[str, Mapping[str, int]]
) -> tuple[str, ...]:
    if not names:
        return ("UNCHECKED: nobody else has an opinion.",)
    others = " and ".join(names)
    verb = "says" if len(names) == 1 else "say"
    macs = f"{units.count(of.table.total.macs)} MACs"
    listed = f"{', '.join(bad[:4])}{' and more' if len(bad) > 4 else ''}"
    if any(found.startswith("total ") for found in bad):
        return (f"DISAGREE: on {listed}.",)
    if bad:
        return (
            f"AGREE: {others} {verb} in all of {of.name} what the terms say: {macs}.",
            f"They charge other modules for some of it: {listed}.",
        )
    modules = max(len(expected[name]) for name in names)
    return (f"AGREE: {others} {verb} of all {modules} modules of {of.name} what the terms say: {macs}.",)


def reconciled(name: str, found: Sequence[tuple[Convention, Sequence[Term], int | None, str]]) -> View:
    """Every counter's figure beside the MACs, and the terms that lead there."""
    grids = (_counters(name, found), _terms(found))
    notes = [f"{convention.title}: {convention.note}" for convention, _, _, _ in found if convention.note]
    wrong = [c.key for c, terms, measured, _ in found if measured not in (None, _sum(terms))]
    run = sum(measured is not None for _, _, measured, _ in found)
    if wrong:
        summary = f"DISAGREE: {', '.join(wrong)} say something else than the terms add up to."
    elif run:
        summary = (
            f"{run} of {len(found)} were run here and say what their terms add up to, to the last integer."
        )
    else:
        summary = "None was run here; the figures follow from our own record of the operators."
    facts: dict[str, Cell] = {"name": name, "passed": not wrong}
    return View("reconcile", grids, facts, tuple(notes), (summary,), not wrong)


def _sum(terms: Sequence[Term]) -> int:
    return sum(term.total for term in terms)


def _counters(name: str, found: Sequence[tuple[Convention, Sequence[Term], int | None, str]]) -> Grid:
    asked = any(measured is not None or reason for _, _, measured, reason in found)
    columns = (
        Column("counter", "counter", "name"),
        Column("calls_it", "calls it", "text"),
        Column("total", "by terms", "count"),
        Column("against", "against MACs", "percent"),
        *((Column("measured", "it says", "count"), Column("outcome", "", "text")) if asked else ()),
    )
    rows = []
    for convention, terms, measured, reason in found:
        total, macs = _sum(terms), terms[0].total
        outcome = reason if measured is None else "equal" if measured == total else "DIFFERS"
        against = Fraction(total - macs, macs) if macs else None
        row = (convention.key, convention.calls_it, total, against)
        rows.append((*row, measured, outcome) if asked else row)
    return Grid("counters", f"what counters say of {name}", columns, tuple(rows))


def _terms(found: Sequence[tuple[Convention, Sequence[Term], int | None, str]]) -> Grid:
    columns = (
        Column("counter", "counter", "group"),
        Column("term", "term by term", "name"),
        Column("amount", "operations", "count"),
    )
    rows = [
        (convention.key, label, amount)
        for convention, terms, _, _ in found
        for label, amount in [
            *((term.label, term.total) for term in terms),
            (f"= {convention.calls_it}", _sum(terms)),
        ]
    ]
    return Grid("terms", "where the figures come from", columns, tuple(rows))
