"""Records → grids: what each command shows."""

from __future__ import annotations

from costcalc.views.comparing import compare
from costcalc.views.costs import presets, show
from costcalc.views.helping import doctor, kinds
from costcalc.views.judging import budget, check, counted
from costcalc.views.metrics import CONVENTION, METRICS, metrics

__all__ = [
    "CONVENTION",
    "METRICS",
    "budget",
    "check",
    "compare",
    "counted",
    "doctor",
    "kinds",
    "metrics",
    "presets",
    "show",
]
