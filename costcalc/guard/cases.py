"""A model under a budget with its costs: what limits are held against, and what findings speak of."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from costcalc.api.counted import Counted
from costcalc.api.results import Costed
from costcalc.errors import Place
from costcalc.findings import UNKNOWN, Finding, Level
from costcalc.guard.choosing import Model
from costcalc.guard.entries import Budget


@dataclass(frozen=True)
class Case:
    """A model of a budget with its costs."""

    budget: Budget
    model: Model
    costed: Costed

    def finding(self, verdict: str, level: Level, rule: Place, message: str, **more: Any) -> Finding:
        """A finding about this model."""
        return Finding(verdict, level, self.model.label, message, rule, **more)

    def unknown(self, level: Level, rule: Place, what: str, why: str, **more: Any) -> Finding:
        """No verdict, and why there is none."""
        return self.finding(UNKNOWN, level, rule, f"{self.model.label}: no verdict on {what}: {why}", **more)

    def label(self, metric: str) -> str:
        """What a metric is called."""
        return self.costed.labels[metric]

    def uncounted(self, metric: str) -> str:
        """Why a count is a lower bound, which proves nothing; empty where it is exact."""
        if metric != "macs" or not isinstance(self.costed, Counted):
            return ""
        names = [found.name for found in self.costed.unknown(self.budget.allow_uncounted)]
        listed = ", ".join(f'"{name}"' for name in names)
        why = f"the cost of {', '.join(names)} is not known"
        return f"{why}; allow_uncounted = [{listed}] counts that as nothing" if names else ""

    def assumed(self, metric: str) -> str:
        """Why a count is an upper bound, which exceeds nothing for sure; empty where it is exact."""
        if metric in ("params", "weights") or not isinstance(self.costed, Counted):
            return ""
        kept = ", ".join(self.costed.execution.assumed)
        return f"how much {kept} keeps depends on values, and the most it can be is above" if kept else ""

    def parts(self, pattern: str) -> tuple[str, ...]:
        """The blocks and layers of a name or glob, whose ``*`` stays within one step of a dotted name.

        No pattern means the whole, whose name is empty.
        """
        if not pattern:
            return ("",)
        steps = pattern.split(".")

        def matches(name: str) -> bool:
            parts = name.split(".")
            return len(parts) == len(steps) and all(map(fnmatchcase, parts, steps))

        return tuple(name for name in self.costed.names if matches(name))
