"""Records → grids: what each command shows."""

from __future__ import annotations

from costcalc.views.claiming import claim, claims
from costcalc.views.comparing import compare
from costcalc.views.costs import presets, show
from costcalc.views.formulas import formulas
from costcalc.views.helping import doctor, kinds
from costcalc.views.judging import budget, check, counted
from costcalc.views.metrics import CONVENTION, METRICS, metrics

__all__ = [
    "CONVENTION",
    "METRICS",
    "budget",
    "check",
    "claim",
    "claims",
    "compare",
    "counted",
    "doctor",
    "formulas",
    "kinds",
    "metrics",
    "presets",
    "show",
]
