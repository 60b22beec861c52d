"""Claims as grids: all of them a line each, or one with its derivation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

from costcalc import printed, units
from costcalc.publications.records import ClaimVerdict, Quantity, Reading, ReadingVerdict
from costcalc.records import Cell, Column, Grid, Marked, View
from costcalc.views.metrics import CONVENTION

IMPLIED = "A figure in parentheses is not printed; it is what the words imply."
MOST_TERMS = 6  # that a line can hold
# how an outcome reads in a table
OUTCOMES = {
    "exact": "exact",
    "bound kept": "bound kept",
    "rounded": "rounds to it",
    "truncated": "cut off to it",
    "within": "within tolerance",
    "off": "off",
}


def claims(
    verdicts: Sequence[ClaimVerdict], cited: Mapping[str, str], meanings: Mapping[str, str], why: bool
) -> View:
    """One row per claim, with the reason for its verdict if ``why``; below, what the verdicts mean."""
    columns = (
        Column("id", "claim", "name"),
        Column("claim", "what is claimed", "text"),
        Column("verdict", "verdict", "text"),
        Column("published", "published", "figure"),
        Column("exact", "exact", "figure"),
        Column("publication", "by", "text", {key: f"{_author(cite)} ({key})" for key, cite in cited.items()}),
        Column("where", "where", "text"),
        *((Column("why", "why", "text"),) if why else ()),
    )
    rows = tuple(
        (
            verdict.claim.id,
            verdict.claim.text,
            _worded(verdict),
            *_headline(verdict),
            verdict.claim.publication,
            verdict.claim.where,
            *((verdict.claim.note,) if why else ()),
        )
        for verdict in verdicts
    )
    passed = all(verdict.passed for verdict in verdicts)
    times = Counter(verdict.claim.verdict for verdict in verdicts)
    counted = {word: times[word] for word in meanings if word in times}
    facts: dict[str, Cell] = {"count": len(rows), "passed": passed}
    words = tuple(f"{word}: {meaning}." for word, meaning in meanings.items() if word in counted)
    implied = [IMPLIED] if any(str(row[3]).startswith("(") for row in rows) else []
    grid = Grid("claims", "published claims", columns, rows)
    return View(
        "claims", (grid,), facts, (*words, *implied, CONVENTION), _concluded(verdicts, counted), passed
    )


def _author(cite: str) -> str:
    """``"Szegedy et al. 2015, Going Deeper …"`` → ``"Szegedy et al. 2015"``."""
    return cite.partition(",")[0]


def _headline(verdict: ClaimVerdict) -> tuple[Cell, Cell]:
    """Of several readings the one that decides: the first that is off, else the first printed."""
    shown = [found for found in verdict.readings if found.outcome is not None] or [*verdict.readings]
    if not shown:
        return None, None
    first = next((found for found in shown if found.outcome == printed.OFF), shown[0])
    return _printed(first.reading), _exact(first)


def _printed(reading: Reading) -> str | None:
    """The figure as printed; in parentheses what no figure but the words say."""
    return f"({reading.published})" if reading.implied else reading.published or None


def _exact(found: ReadingVerdict) -> Cell:
    return found.exact if isinstance(found.exact, str) else Marked(found.exact, found.reading.mark)


def _worded(verdict: ClaimVerdict) -> str:
    """The verdict, or that it no longer follows."""
    if verdict.passed:
        return verdict.claim.verdict
    return f"recorded as {verdict.claim.verdict}; now {' or '.join(verdict.following)}"


def _concluded(verdicts: Sequence[ClaimVerdict], counted: Mapping[str, int]) -> tuple[str, ...]:
    listed = ", ".join(f"{times} {word}" for word, times in counted.items())
    odd = [verdict.claim.id for verdict in verdicts if not verdict.passed]
    lines = [f"{len(verdicts)} claims: {listed}."]
    if odd:
        lines.append(f"The verdict on record no longer follows: {', '.join(odd)}.")
    return tuple(lines)


def claim(verdict: ClaimVerdict, cited: Mapping[str, str], meanings: Mapping[str, str]) -> View:
    """One claim: every reading with numbers filled in, and the quantities and presets it rests on."""
    told = verdict.claim
    grids = tuple(grid for grid in (_readings(verdict), _derivation(verdict), _rests(verdict)) if grid.rows)
    by = cited.get(told.publication, told.publication)
    notes = [f"Source: {by}{f', {told.where}' if told.where else ''}."]
    notes += (
        [f"Repeated in: {'; '.join(cited.get(key, key) for key in told.repeated)}."] if told.repeated else []
    )
    notes += [told.note] if told.note else []
    notes += [
        f"{found.reading.label}: {found.reading.note}." for found in verdict.readings if found.reading.note
    ]
    notes += [IMPLIED] if any(found.reading.implied for found in verdict.readings) else []
    facts: dict[str, Cell] = {
        "id": told.id,
        "claim": told.text,
        "publication": told.publication,
        "where": told.where,
        "verdict": told.verdict,
        "passed": verdict.passed,
    }
    summary = (
        f"{told.id}: {told.text}.",
        f"{_worded(verdict).upper()}: {meanings[told.verdict if verdict.passed else verdict.following[0]]}.",
    )
    return View("claim", grids, facts, (*notes, CONVENTION), summary, verdict.passed)


def _readings(verdict: ClaimVerdict) -> Grid:
    columns = (
        Column("reading", "reading", "name"),
        Column("published", "published", "figure"),
        Column("precision", "stated to", "text"),
        Column("exact", "exact", "figure"),
        Column("deviation", "off by", "percent"),
        Column("outcome", "outcome", "text", OUTCOMES),
    )
    rows = tuple(
        (
            found.reading.label,
            _printed(found.reading),
            _precision(found.reading),
            _exact(found),
            _deviation(found),
            found.outcome,
        )
        for found in verdict.readings
    )
    return Grid("readings", f"{verdict.claim.id}: {verdict.claim.text}", columns, rows)


def _derivation(verdict: ClaimVerdict) -> Grid:
    """Step by step: the arithmetic, the same with numbers filled in, and what comes out."""
    columns = (Column("reading", "derivation", "name"), Column("step", "step", "formula"))
    rows = []
    for found in verdict.readings:
        if found.reading.exact in [quantity.text for quantity in found.quantities]:
            continue  # a quantity by itself stands below, with what it is made of
        symbols = f" with {found.reading.symbols}" if found.reading.symbols else ""
        steps = dict.fromkeys((found.reading.exact, filled(found), _shown(_exact(found))))
        names = [found.reading.label, *[""] * (len(steps) - 1)]
        marks = ["", *["= "] * (len(steps) - 1)]
        ends = [symbols, *[""] * (len(steps) - 1)]
        rows += [(n, f"{m}{step}{e}") for n, m, step, e in zip(names, marks, steps, ends, strict=True)]
    return Grid("derivation", "step by step", columns, tuple(rows))


def _precision(reading: Reading) -> str | None:
    """What the printed digits leave open."""
    if not reading.published or reading.symbols:
        return None
    read = printed.parse(reading.published)
    if reading.within is not None:
        return f"± {units.percent(reading.within)}"
    if read.sort != "value":
        return "a range" if read.upper is not None else "a bound"
    if reading.truncated:
        return f"+ {units.step(read.unit, reading.mark)}"
    return f"± {units.step(read.unit / 2, reading.mark)}"


def _shown(exact: Cell) -> str:
    return units.marked(exact.value, exact.mark) if isinstance(exact, Marked) else units.formula(str(exact))


def filled(found: ReadingVerdict) -> str:
    """The expression with every quantity replaced by its value."""
    text = found.reading.exact
    for quantity in sorted(found.quantities, key=lambda one: -len(one.text)):
        text = text.replace(quantity.text, _valued(quantity.value))
    return text


def _valued(value: Fraction | str) -> str:
    if isinstance(value, str):
        return units.formula(value if value.isidentifier() or value.isdigit() else f"({value})")
    return units.marked(value, "")


def _deviation(found: ReadingVerdict) -> Cell:
    if not isinstance(found.exact, Fraction) or not found.exact or not found.reading.published:
        return None
    read = printed.parse(found.reading.published)
    return (read.value - found.exact) / found.exact if read.sort == "value" else None


def _made_of(quantity: Quantity) -> str:
    """The layers that a sum is made of, if they are few."""
    if not quantity.terms:
        return ""
    if len(quantity.terms) > MOST_TERMS:
        return f"{len(quantity.terms)} layers"
    return " + ".join(f"{units.count(value)} ({name})" for name, value in quantity.terms)


def _rests(verdict: ClaimVerdict) -> Grid:
    """Every quantity once, with its spec and the command that shows it."""
    found = {quantity.text: quantity for reading in verdict.readings for quantity in reading.quantities}
    columns = (
        Column("quantity", "rests on", "name"),
        Column("value", "value", "figure"),
        Column("terms", "made of", "text"),
        Column("shown", "shown by", "text"),
    )
    rows = tuple(
        (
            text,
            quantity.value if isinstance(quantity.value, str) else Marked(quantity.value, ""),
            _made_of(quantity),
            f"costcalc {'formula' if isinstance(quantity.value, str) else 'show'} {quantity.spec}",
        )
        for text, quantity in found.items()
    )
    return Grid("quantities", "what it rests on", columns, rows)
