"""How the model's code came to an operator, which decides whether other counters see it."""

from __future__ import annotations

import opcode
import sys
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode, resolve_name

_CALL = nn.Module._call_impl.__code__.co_filename


def is_by_hand() -> bool:
    """Whether the function that asks was called as ``module.forward(x)``, not through ``module(x)``."""
    return sys._getframe(2).f_code.co_filename != _CALL


class Functions(TorchFunctionMode):
    """Knows the function of torch that the model's code is in: the outermost, for it sees no inner ones.

    ``x @ y`` and ``x.matmul(y)`` reach torch as one function; only the calling code shows the sign.
    """

    def __init__(self) -> None:
        super().__init__()
        self.outermost = ""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        caller = sys._getframe(1)
        signed = opcode.opname[caller.f_code.co_code[caller.f_lasti]].startswith(("BINARY", "INPLACE"))
        before, self.outermost = self.outermost, "" if signed else resolve_name(func) or ""
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.outermost = before
