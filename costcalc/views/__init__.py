"""Records → grids: what each command shows."""

from __future__ import annotations

from costcalc.views.claiming import claim, claims
from costcalc.views.comparing import compare
from costcalc.views.costs import presets, show
from costcalc.views.diffing import diff
from costcalc.views.explaining import why
from costcalc.views.formulas import formulas
from costcalc.views.helping import doctor, kinds
from costcalc.views.judging import budget, check, counted, joined
from costcalc.views.metrics import CONVENTION, METRICS, metrics
from costcalc.views.modelling import check_model, labels, of_models, placed, reconciled, with_operators

__all__ = [
    "CONVENTION",
    "METRICS",
    "budget",
    "check",
    "check_model",
    "claim",
    "claims",
    "compare",
    "counted",
    "diff",
    "doctor",
    "formulas",
    "joined",
    "kinds",
    "labels",
    "metrics",
    "of_models",
    "placed",
    "presets",
    "reconciled",
    "show",
    "why",
    "with_operators",
]
