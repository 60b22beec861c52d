"""Published claims as records: what is printed beside what is exact."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from costcalc.printed import Outcome
from costcalc.records import Mark


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to hold a claim against what is computed.

    ``published`` is the figure as printed, or ``implied`` by the words; empty where it is only derived
    here. One that ``contradicts`` makes the claim wrong where it is off. ``exact`` is arithmetic
    on quantities of specs, ``macs(naive) / macs(reduced)``; with ``symbols`` it is a formula in them.
    """

    label: str
    published: str
    exact: str
    symbols: str = ""
    mark: Mark = ""
    truncated: bool = False
    within: Fraction | None = None
    implied: bool = False
    contradicts: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A quantitative sentence of a publication, how it can be read, and the verdict on record.

    ``publication`` is the key of who says it, ``where`` the place in it, ``repeated`` the keys of
    others that say the same.
    """

    id: str
    text: str
    publication: str
    where: str
    repeated: tuple[str, ...]
    verdict: str
    readings: tuple[Reading, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a reading rests on: ``text`` as it stands in the arithmetic, of which spec, and its value."""

    text: str
    spec: str
    value: Fraction | str  # a formula where the reading is on symbols
    terms: tuple[tuple[str, int], ...] = ()  # the layers that a sum is made of, without those of nothing


@dataclass(frozen=True, slots=True)
class ReadingVerdict:
    """A reading computed; ``outcome`` is None where nothing is printed."""

    reading: Reading
    quantities: tuple[Quantity, ...]
    exact: Fraction | str
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """A claim computed, and the verdicts that follow from that."""

    claim: Claim
    readings: tuple[ReadingVerdict, ...]
    following: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the verdict on record follows."""
        return self.claim.verdict in self.following
