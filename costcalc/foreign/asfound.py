"""A model made countable for the time of a pass, and left exactly as it was found.

Its parameters and buffers become meta tensors (shapes without memory), its modules tell when they
run; afterwards every attribute, hook, flag and tensor is the one it was, also after an exception.
"""

from __future__ import annotations

import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import is_lazy
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from costcalc.errors import CostcalcError

Run = Callable[..., Any]
Enter = Callable[[str, Run], Run]  # a module's path and its forward → the forward to run instead
SMALL = 65_536  # elements up to which a constant keeps its values


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings: they are of how torch would compute."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def tensors(tree: Any) -> list[torch.Tensor]:
    """All tensors in nested lists, tuples, dicts and dataclasses that torch knows how to open."""
    return [leaf for leaf in pytree.tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def to_meta(tree: Any) -> Any:
    """The same tree with every tensor on the meta device."""
    return pytree.tree_map_only(torch.Tensor, _emptied, tree)


def _emptied(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of the same shape, layout in memory and type, without memory."""
    try:
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
    except RuntimeError:  # sparse or nested: there are no strides
        raise CostcalcError(f"a tensor of layout {tensor.layout} cannot be counted; make it dense") from None


def countable(model: nn.Module) -> None:
    """Refuse, with the reason, what would be counted half: scripted, quantised, lazy or wrapped weights."""
    for path, module in model.named_modules():
        where = f"{path or 'the model'} ({type(module).__name__})"
        if isinstance(module, torch.jit.ScriptModule):
            raise CostcalcError(
                f"{where} is scripted: what runs is not its Python code; count the module it was made of"
            )
        if _is_quantised(type(module)):
            raise CostcalcError(
                f"{where} is quantised: it multiplies packed integers; count the float model it was made of"
            )
        for tensor in [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            if is_lazy(tensor):
                raise CostcalcError(
                    f"{where} is lazy and has no shape yet; run the model once, then count it"
                )
            if tensor.is_quantized or is_traceable_wrapper_subclass(tensor):
                kind = type(tensor).__name__ if not tensor.is_quantized else "quantised"
                raise CostcalcError(
                    f"{where} holds {kind} weights; count the model as it was before they were packed"
                )


def _is_quantised(kind: type) -> bool:
    parts = kind.__module__.split(".")
    # FloatFunctional lives among the quantised modules, but computes in floating point
    return parts[:2] == ["torch", "ao"] and "quantized" in parts and "Float" not in kind.__name__


@contextmanager
def on_meta(
    model: nn.Module, enter: Enter | None = None, train: bool = False
) -> Iterator[dict[tuple[str, str], torch.Tensor]]:
    """The model with meta tensors, its modules announced to ``enter``; gives the tensors by (module, name)."""
    modules = {path: module for path, module in model.named_modules()}
    saved = [(module, _saved(module)) for module in modules.values()]
    with ExitStack() as stack:
        for restore in _globals():
            stack.enter_context(restore)
        for module, state in saved:
            stack.callback(_restore, module, state)
        model.train(train)
        swapped = _swapped(modules)
        if enter is not None:
            for path, module in modules.items():
                _watched(module, path, enter)
        yield swapped


def _globals() -> Iterator[Any]:
    """What a pass may touch in the process, each restored at the end."""
    from torch.fx.experimental import _config as sizes

    yield quiet()
    yield torch.random.fork_rng(devices=[])
    yield sizes.patch(meta_nonzero_assume_all_nonzero=True)  # type: ignore[attr-defined]
    yield _restored(torch.backends.mha.get_fastpath_enabled(), torch.backends.mha.set_fastpath_enabled)
    yield _restored(torch.get_default_dtype(), torch.set_default_dtype, torch.get_default_dtype())
    yield sdpa_kernel(SDPBackend.MATH)
    yield torch.autocast("cpu", enabled=False)
    if "torch._dynamo" in sys.modules:
        yield torch.compiler.set_stance("force_eager")
    if boxes := sys.modules.get("torchvision.ops.boxes"):
        # two ways to suppress boxes class by class, alike in what they give; one loops over values
        put = partial(setattr, boxes, "_batched_nms_vanilla")
        yield _restored(boxes._batched_nms_vanilla, put, boxes._batched_nms_coordinate_trick)


@contextmanager
def _restored(before: Any, put: Callable[[Any], object], now: Any = False) -> Iterator[None]:
    put(now)
    try:
        yield
    finally:
        put(before)


def _saved(module: nn.Module) -> dict[str, tuple[Any, Any]]:
    """Every attribute, and beside it the content of those that are containers."""
    return {key: (value, _content(value)) for key, value in module.__dict__.items()}


def _content(value: Any) -> Any:
    return value.copy() if type(value) in (dict, OrderedDict, list, set) else None


def _restore(module: nn.Module, saved: dict[str, tuple[Any, Any]]) -> None:
    module.__dict__.clear()
    for key, (value, content) in saved.items():
        module.__dict__[key] = value
        if isinstance(content, list):
            value[:] = content
        elif content is not None:
            value.clear()
            value.update(content)


def _swapped(modules: dict[str, nn.Module]) -> dict[tuple[str, str], torch.Tensor]:
    """Put meta tensors in the place of all that the modules hold; one held twice stays one."""
    made: dict[int, torch.Tensor] = {}
    found: dict[tuple[str, str], torch.Tensor] = {}
    for path, module in modules.items():
        for held in (module._parameters, module._buffers):
            for key, tensor in held.items():
                if tensor is not None:
                    made.setdefault(id(tensor), _held(tensor))
                    found[path, key] = made[id(tensor)]
                    held[key] = found[path, key]  # type: ignore[assignment]  # a parameter where there was one
        for key, value in module.__dict__.items():
            if isinstance(value, torch.Tensor):  # no parameter, no buffer: a constant, or a cache
                module.__dict__[key] = value.clone() if value.numel() <= SMALL else _emptied(value)
    return found


def _held(tensor: torch.Tensor) -> torch.Tensor:
    empty = _emptied(tensor)
    return nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty


def _watched(module: nn.Module, path: str, enter: Enter) -> None:
    """Announce every run of ``forward``, called or not through ``__call__``; nothing compiled."""
    forward = module.forward
    original = getattr(module, "_orig_mod", None)
    if isinstance(original, nn.Module) and type(module).__name__ == "OptimizedModule":
        forward = original.__call__
    module.__dict__["_compiled_call_impl"] = None
    module.__dict__["forward"] = wraps(forward)(enter(path, forward))
