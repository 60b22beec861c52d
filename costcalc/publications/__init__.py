"""Published claims: read from data, computed from graphs, judged against the verdict on record."""

from __future__ import annotations

from fractions import Fraction

from costcalc import printed
from costcalc.errors import CostcalcError, Misfit, did_you_mean, shortened
from costcalc.printed import OFF, Outcome
from costcalc.publications import quantities, verdicts
from costcalc.publications.entries import all_claims, find, publication, publications
from costcalc.publications.records import Claim, ClaimVerdict, Reading, ReadingVerdict

__all__ = ["all_claims", "chosen", "cited", "judged", "named", "quantities", "verdicts"]


def cited(*keys: str) -> dict[str, str]:
    """How publications are cited, by their keys; by default all."""
    return {key: publication(key).cite for key in keys or publications()}


def named(id: str) -> Claim:
    """The claim of that id; raises :class:`CostcalcError` with the nearest."""
    found = find(id)
    if found is None:
        hint = did_you_mean(id, [claim.id for claim in all_claims()]) or "; `costcalc claims` lists them"
        raise CostcalcError(f"no claim {shortened(id)}{hint}")
    return found


def chosen(paper: str, of: str, verdict: str) -> tuple[Claim, ...]:
    """The claims of a publication, on a preset, with a verdict; empty words choose all."""
    everything = all_claims()
    paper, verdict = paper.lower(), verdict.lower()
    presets = {name for claim in everything for name in _specs(claim)}
    for given, known, what in (
        (paper, cited(), "publication"),
        (of, presets, "preset with claims"),
        (verdict, verdicts.MEANINGS, "verdict"),
    ):
        if given and given not in known:
            hint = did_you_mean(given, known) or f"; there are {', '.join(sorted(known))}"
            raise CostcalcError(f"no {what} {shortened(given)}{hint}")
    found = tuple(
        claim
        for claim in everything
        if paper in ("", claim.publication, *claim.repeated)
        and (not of or of in _specs(claim))
        and verdict in ("", claim.verdict)
    )
    if not found:
        raise CostcalcError("no claim is all of these; leave out a filter")
    return found


def _specs(claim: Claim) -> set[str]:
    """The presets that a claim rests on."""
    return {name for reading in claim.readings for name in quantities.specs(reading.exact)}


def judged(claim: Claim) -> ClaimVerdict:
    """The claim with every reading computed, and the verdicts that follow."""
    readings = tuple(_judged(claim, reading) for reading in claim.readings)
    return ClaimVerdict(claim, readings, verdicts.following(readings))


def _judged(claim: Claim, reading: Reading) -> ReadingVerdict:
    try:
        if reading.symbols:
            return _on_symbols(reading)
        exact, found = quantities.evaluated(reading.exact)
        return ReadingVerdict(reading, found, exact, _outcome(reading, exact))
    except Misfit as misfit:
        raise CostcalcError(f"claim {claim.id}: {misfit}") from None


def _outcome(reading: Reading, exact: Fraction) -> Outcome | None:
    if not reading.published:
        return None
    return printed.judged(printed.parse(reading.published), exact, reading.truncated, reading.within)


def _on_symbols(reading: Reading) -> ReadingVerdict:
    from costcalc import symbolic

    exact, found = quantities.formulated(reading.exact, reading.symbols)
    outcome: Outcome | None = None
    if reading.published:
        outcome = "exact" if symbolic.equal(symbolic.parsed(reading.published), exact) else OFF
    return ReadingVerdict(reading, found, symbolic.written(exact), outcome)
