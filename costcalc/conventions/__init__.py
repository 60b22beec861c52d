"""What each well-known counter makes of a model: an exact sum of named terms, its multiply-adds first."""

from __future__ import annotations

from costcalc.conventions.dispatched import FLOPCOUNTER, FLOPCOUNTER_CPU, PTFLOPS_ATEN
from costcalc.conventions.patched import CALFLOPS, DEEPSPEED
from costcalc.conventions.plain import COSTCALC, TORCHVISION
from costcalc.conventions.ptflops import PTFLOPS
from costcalc.conventions.terms import Convention, Term
from costcalc.conventions.thop import THOP
from costcalc.conventions.torchinfo import TORCHINFO
from costcalc.conventions.traced import FVCORE, TORCHPROFILE
from costcalc.conventions.ultralytics import ULTRALYTICS
from costcalc.errors import CostcalcError, did_you_mean, shortened

__all__ = ["CONVENTIONS", "Convention", "Term", "named"]

CONVENTIONS: dict[str, Convention] = {
    convention.key: convention
    for convention in (
        COSTCALC,
        TORCHVISION,
        FLOPCOUNTER,
        FLOPCOUNTER_CPU,
        FVCORE,
        THOP,
        ULTRALYTICS,
        PTFLOPS,
        PTFLOPS_ATEN,
        TORCHINFO,
        TORCHPROFILE,
        CALFLOPS,
        DEEPSPEED,
    )
}


def named(key: str) -> Convention:
    """The convention of that key; raises :class:`CostcalcError` for an unknown one."""
    if key not in CONVENTIONS:
        hint = did_you_mean(key, CONVENTIONS) or f"; there are {', '.join(CONVENTIONS)}"
        raise CostcalcError(f"no counter is called {shortened(key)}{hint}")
    return CONVENTIONS[key]
