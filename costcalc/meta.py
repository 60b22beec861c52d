"""Running torch on the meta device: shapes without arithmetic, memory or torch's compiler.

Both tricks rest on private parts of torch. The caller of :class:`Recorded` probes whether it works
(:func:`records`) and computes with zeros where it does not.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from costcalc import kernels

_aten = torch.ops.aten
_TRACER = torch._C._dispatch_key_parse("Tracer")
_COMPILER = "torch._dynamo"
_PASS = "__dynamo_disable"  # where torch keeps what the compiler made of a function


class Mode(TorchDispatchMode):
    """A dispatch mode that torch's compiler is not asked about."""

    def __init__(self) -> None:
        super().__init__()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first call imports the compiler, to be passed over by it


class Recorded(Mode):
    """Makes a jit trace on meta tensors record what it would on the CPU.

    The tracer leaves ``convolution`` out and records the ``_convolution`` that the CPU's kernel calls;
    the meta kernel calls none, and stumbles over sizes that are being traced. So this calls it.
    """

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        is_traced = torch._C._get_tracing_state() is not None  # an operator that the tracer leaves out
        if func is _aten.convolution.default and is_traced:
            torch._C._dispatch_tls_set_dispatch_key_excluded(_TRACER, False)
            try:
                with self:
                    return _aten._convolution.default(*args, False, False, False, False)
            finally:
                torch._C._dispatch_tls_set_dispatch_key_excluded(_TRACER, True)
        if func is _aten._convolution.default:
            func, args = _aten.convolution.default, args[:9]
        kwargs = kwargs or {}
        # while a trace listens, a shape is none of plain numbers
        outputs = None if is_traced else kernels.given(func, args, kwargs)
        return func(*args, **kwargs) if outputs is None else outputs


@cache
def records() -> bool:
    """Whether :class:`Recorded` works on this torch: a convolution is seen, and what it gives."""
    try:
        with Recorded(), without_compiler(), torch.no_grad():
            with torch.device("meta"):
                net, x = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU()), torch.empty(1, 2, 8, 8)
            traced, _ = torch.jit._get_trace_graph(net, (x,))  # type: ignore[attr-defined]
        operators = [node for node in traced.nodes() if node.kind().startswith("aten::")]
        seen = {node.kind(): node.output().type().sizes() for node in operators}
    except Exception:  # whatever a later torch makes of it
        return False
    return seen == {key: [1, 3, 6, 6] for key in ("aten::_convolution", "aten::relu")}


@contextmanager
def without_compiler() -> Iterator[None]:
    """Let torch's Python meta kernels run without its compiler.

    They import it, for as long as torch itself takes, only to be left alone by it. While this runs a
    stand-in leaves them alone; whoever asks it for more gets the compiler. Afterwards all is as found.
    """
    if _COMPILER in sys.modules:
        yield
        return
    passed: list[Callable[..., Any]] = []

    def disable(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
        passed.append(function)
        return function

    def more(name: str) -> Any:
        if sys.modules.get(_COMPILER) is stand_in:
            del sys.modules[_COMPILER]
        return getattr(importlib.import_module(_COMPILER), name)

    stand_in = ModuleType(_COMPILER)
    vars(stand_in).update(disable=disable, __getattr__=more)
    sys.modules[_COMPILER] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(_COMPILER) is stand_in:
            del sys.modules[_COMPILER]
        for function in passed:
            vars(function).pop(_PASS, None)
