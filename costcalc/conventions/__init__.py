"""What each well-known counter makes of a model: an exact sum of named terms, its multiply-adds first."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from costcalc.errors import CostcalcError, did_you_mean, shortened

if TYPE_CHECKING:
    from costcalc.conventions.terms import Convention

__all__ = ["KEYS", "named"]

_HOMES = {
    "costcalc": "plain.COSTCALC",
    "torchvision": "plain.TORCHVISION",
    "flopcounter": "dispatched.FLOPCOUNTER",
    "flopcounter-cpu": "dispatched.FLOPCOUNTER_CPU",
    "fvcore": "traced.FVCORE",
    "thop": "thop.THOP",
    "ultralytics-thop": "ultralytics.ULTRALYTICS",
    "ptflops": "ptflops.PTFLOPS",
    "ptflops-aten": "dispatched.PTFLOPS_ATEN",
    "torchinfo": "torchinfo.TORCHINFO",
    "torchprofile": "traced.TORCHPROFILE",
    "calflops": "patched.CALFLOPS",
    "deepspeed": "patched.DEEPSPEED",
}
KEYS = tuple(_HOMES)


def named(key: str) -> Convention:
    """The convention of that key; raises :class:`CostcalcError` for an unknown one."""
    if key not in _HOMES:
        hint = did_you_mean(key, KEYS) or f"; there are {', '.join(KEYS)}"
        raise CostcalcError(f"no counter is called {shortened(key)}{hint}")
    room, _, constant = _HOMES[key].partition(".")
    found: Convention = getattr(import_module(f"{__name__}.{room}"), constant)
    return found
