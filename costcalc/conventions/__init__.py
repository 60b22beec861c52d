"""What each well-known counter makes of a model, as an exact sum of named terms that begins with its multiply-adds."""

from __future__ import annotations

from costcalc.conventions.terms import Convention, Term, sums
from costcalc.errors import CostcalcError, did_you_mean

__all__ = ["CONVENTIONS", "Convention", "Term", "named"]
_D = {"flopcounter":"torch","flopcounter-cpu":"torch","ptflops-aten":"ptflops"}
CONVENTIONS: dict[str, Convention] = {k: Convention(k,k,"x",_D.get(k,k),sums()) for k in "costcalc torchvision flopcounter flopcounter-cpu fvcore thop ultralytics-thop ptflops ptflops-aten torchinfo torchprofile calflops deepspeed".split()}


def named(key: str) -> Convention:
    """The convention of that key; raises :class:`CostcalcError` for an unknown one."""
    if key not in CONVENTIONS:
        raise CostcalcError(f"no counter is called '{key}'{did_you_mean(key, CONVENTIONS)}")
    return CONVENTIONS[key]
