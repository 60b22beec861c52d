"""Published claims, judged and derived."""

from __future__ import annotations

from dataclasses import dataclass

from costcalc import publications
from costcalc.api.results import Result
from costcalc.publications.records import ClaimVerdict
from costcalc.records import View
from costcalc.views import claiming


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
        return claiming.claims(self.verdicts, publications.cited(), publications.verdicts.MEANINGS, why)


@dataclass(frozen=True, repr=False)
class Derivation(Result):
    """One claim with its derivation."""

    verdict: ClaimVerdict

    def view(self) -> View:
        claim = self.verdict.claim
        cited = publications.cited(claim.publication, *claim.repeated)
        return claiming.claim(self.verdict, cited, publications.verdicts.MEANINGS)


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
