"""How the model's code came to an operator, which decides whether other counters see it."""

from __future__ import annotations

import opcode
import sys
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode, resolve_name

_CALL = nn.Module._call_impl.__code__.co_filename
SIGNS = frozenset(code for name, code in opcode.opmap.items() if name.startswith(("BINARY", "INPLACE")))


def is_by_hand() -> bool:
    """Whether the function that asks was called as ``module.forward(x)``, not through ``module(x)``."""
    return sys._getframe(2).f_code.co_filename != _CALL


class Functions(TorchFunctionMode):
    """Knows the function of torch that the model's code is in: the outermost, for it sees no inner ones.

    ``x @ y`` and ``x.matmul(y)`` reach torch as one function; only the calling code shows the sign.
    """

    def __init__(self) -> None:
        super().__init__()
        self._running: tuple[Any, Any, int] | None = None  # the function, the code that calls it, and where
        self._names: dict[Any, str] = {}

    @property
    def outermost(self) -> str:
        """Its name as in ``torch.matmul``; nothing where there is none or a sign stands for it."""
        if self._running is None:
            return ""
        func, code, at = self._running
        if code.co_code[at] in SIGNS:
            return ""
        if func not in self._names:
            self._names[func] = resolve_name(func) or ""
        return self._names[func]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        caller = sys._getframe(1)
        before, self._running = self._running, (func, caller.f_code, caller.f_lasti)
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self._running = before
