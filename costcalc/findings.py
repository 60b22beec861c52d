"""What a guard finds: one record per limit that was judged, and per thing that could not be judged."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Literal

from costcalc.errors import Place

Level = Literal["", "notice", "warning", "error"]

WITHIN, WARNED, EXCEEDED = "within", "warned", "exceeded"
CLOSE, UNKNOWN = "too close to call", "no verdict"
NEW, BASELESS = "new", "no base"
BROKEN, NOTHING, STALE = "broken", "nothing matched", "out of date"
MEANINGS = {
    WITHIN: "the limit is kept",
    EXCEEDED: "above the limit",
    WARNED: "above the limit that warns, not above the one that fails",
    CLOSE: "the limit lies in the range of the prediction",
    UNKNOWN: "it cannot be counted here, or not all of it",
    NEW: "not there at the base, so that nothing can have grown",
    BASELESS: "cannot be counted at the base",
    BROKEN: "the spec or model is wrong",
    NOTHING: "a glob, a name or a limit that applies to nothing",
    STALE: "the lock file says something else",
}
UNDECIDED = (CLOSE, UNKNOWN)  # no verdict: neither kept nor exceeded


@dataclass(frozen=True, slots=True)
class Amount:
    """A count beside the most that it may be."""

    limit: int
    actual: int

    @property
    def over(self) -> int:
        """How far above the limit; negative is headroom."""
        return self.actual - self.limit

    @property
    def share(self) -> Fraction | None:
        """The same as a share of the limit."""
        return Fraction(self.over, self.limit) if self.limit else None


@dataclass(frozen=True, slots=True)
class Growth:
    """A count beside what it was at the base, and the share by which it may grow; None if it is new."""

    base: int | None
    actual: int
    allowed: Fraction

    @property
    def limit(self) -> int | None:
        """The most that it may be."""
        return None if self.base is None else floor(self.base * (1 + self.allowed))

    @property
    def over(self) -> int:
        """How far above that; negative is headroom."""
        return 0 if self.limit is None else self.actual - self.limit

    @property
    def share(self) -> Fraction | None:
        """By which share it grew; None from nothing."""
        return Fraction(self.actual - self.base, self.base) if self.base else None


@dataclass(frozen=True, slots=True)
class Predicted:
    """A predicted latency with its range beside the longest that it may be, in seconds."""

    device: str
    batch: int
    limit: float
    seconds: float
    low: float
    high: float

    @property
    def over(self) -> float:
        """How far above the limit; negative is headroom."""
        return self.seconds - self.limit

    @property
    def share(self) -> float | None:
        """The same as a share of the limit."""
        return self.over / self.limit


Figures = Amount | Growth | Predicted


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one limit, or why nothing could be judged.

    ``verdict`` is a key of ``MEANINGS``, ``level`` how serious that is, empty where all is well. ``part``
    is a block, empty for the whole; ``rule`` is where the limit stands, ``spot`` where the cost sits, if
    that is known. ``message`` is one sentence without full stop: what, where, by how much, what to do.
    """

    verdict: str
    level: Level
    model: str
    message: str
    rule: Place
    part: str = ""
    metric: str = ""
    figures: Figures | None = None
    spot: Place | None = None

    @property
    def place(self) -> Place:
        """Where to look first: at the cost, or else at the limit."""
        return self.spot or self.rule
