"""Verdicts: on limits, on published figures, and on counts that should agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from costcalc.printed import OFF, Outcome
from costcalc.records import Figure


@dataclass(frozen=True, slots=True)
class Limit:
    """The most a metric may be: of the block ``part``, or of the whole graph where that is empty."""

    metric: str
    most: int
    part: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A limit beside what it limits: within if ``actual <= limit.most``."""

    limit: Limit
    actual: int

    @property
    def passed(self) -> bool:
        """Whether the limit is kept."""
        return self.actual <= self.limit.most

    @property
    def headroom(self) -> int:
        """What is left below the limit; negative is the overshoot."""
        return self.limit.most - self.actual


@dataclass(frozen=True, slots=True)
class FigureVerdict:
    """A published figure beside the exact value."""

    figure: Figure
    exact: int
    outcome: Outcome

    @property
    def confirmed(self) -> bool:
        """Whether the exact value bears the figure out."""
        return self.outcome != OFF

    @property
    def passed(self) -> bool:
        """Whether the outcome is the recorded one."""
        return self.confirmed == self.figure.holds


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A quantity of one layer on which two producers differ."""

    layer: str
    quantity: str
    values: Mapping[str, object]
