"""A model made countable for the time of a pass, and left exactly as it was found.

Its parameters and buffers become meta tensors (shapes without memory), its modules tell when they
run; afterwards every attribute, hook, flag and tensor is the one it was, also after an exception.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import is_dataclass
from functools import partial, update_wrapper
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import is_lazy
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from costcalc.errors import CostcalcError
from costcalc.foreign import state

Run = Callable[..., Any]
META = torch.device("meta")
TOLD = ("__module__", "__name__", "__doc__")  # of a forward, beside its signature
FRAMES = 4  # that watching takes for every one of the model's
Enter = Callable[[str, Run], Run]  # a module's path and its forward → the forward to run instead


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings: they are of how torch would compute."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def tensors(tree: Any) -> list[torch.Tensor]:
    """All tensors in nested lists, tuples, dicts and dataclasses."""
    found = []
    for leaf in pytree.tree_leaves(tree):
        if isinstance(leaf, torch.Tensor):
            found.append(leaf)
        elif is_dataclass(leaf) and not isinstance(leaf, type):
            found += tensors(list(vars(leaf).values()))
    return found


def to_meta(tree: Any) -> Any:
    """The same tree with every tensor on the meta device."""
    return pytree.tree_map_only(torch.Tensor, lambda x: x if x.is_meta else _emptied(x), tree)


def replaced(tree: Any, others: dict[int, torch.Tensor]) -> Any:
    """The same tree with those tensors, found by identity, in the place of others."""
    return pytree.tree_map_only(torch.Tensor, lambda x: others.get(id(x), x), tree)


def inputs(tree: Any) -> Any:
    """A model's inputs without memory; small integers, which may be lengths or indices, keep their values."""
    return pytree.tree_map_only(torch.Tensor, _given, tree)


def _given(tensor: torch.Tensor) -> torch.Tensor:
    is_small = tensor.numel() <= state.SMALL and tensor.device.type == "cpu"
    is_whole = not tensor.is_floating_point() and not tensor.is_complex()
    if is_small and is_whole:
        return tensor.clone()
    return _emptied(tensor).requires_grad_(tensor.requires_grad)


def _emptied(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of the same shape, layout in memory and type, without memory."""
    if tensor.layout != torch.strided or tensor.is_nested:
        raise CostcalcError(f"a tensor of layout {tensor.layout} cannot be counted; make it dense")
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


def countable(model: nn.Module) -> None:
    """Refuse, with the reason, what would be counted half: scripted, quantised, lazy or wrapped weights."""
    modules = dict(model.named_modules())
    reasons = {kind: _not_countable(kind) for kind in {type(module) for module in modules.values()}}
    for path, module in modules.items():
        why = reasons[type(module)]
        for tensor in () if why else (*module._parameters.values(), *module._buffers.values()):
            why = why or _packed(tensor)
        if why:
            raise CostcalcError(f"{path or 'the model'} ({type(module).__name__}) {why}")


def _not_countable(kind: type) -> str:
    """Why modules of a class cannot be counted, or nothing."""
    if issubclass(kind, torch.jit.ScriptModule):
        return "is scripted: what runs is not its Python code; count the module it was made of"
    if _is_quantised(kind):
        return "is quantised: it multiplies packed integers; count the float model it was made of"
    return ""


def _packed(tensor: torch.Tensor | None) -> str:
    """Why a module that holds that tensor cannot be counted, or nothing."""
    if tensor is None:
        return ""
    if is_lazy(tensor):
        return "is lazy and has no shape yet; run the model once, then count it"
    if tensor.is_quantized or is_traceable_wrapper_subclass(tensor):
        kind = type(tensor).__name__ if not tensor.is_quantized else "quantised"
        return f"holds {kind} weights; count the model as it was before they were packed"
    return ""


def _is_quantised(kind: type) -> bool:
    parts = kind.__module__.split(".")
    # FloatFunctional lives among the quantised modules, but computes in floating point
    return parts[:2] == ["torch", "ao"] and "quantized" in parts and "Float" not in kind.__name__


@contextmanager
def on_meta(
    model: nn.Module, enter: Enter | None = None, train: bool = False
) -> Iterator[dict[tuple[str, str], torch.Tensor]]:
    """The model with meta tensors, given by (module, name), and its modules announced to ``enter``."""
    modules = dict(model.named_modules())
    with ExitStack() as stack:
        for restored in _globals():
            stack.enter_context(restored)
        for restore in state.saved(modules.values()):
            stack.callback(restore)
        _set_training(model, modules.values(), train)
        swapped = _swapped(modules)
        if enter is not None:
            for path, module in modules.items():
                _watched(module, path, enter)
        yield swapped


def _set_training(model: nn.Module, modules: Collection[nn.Module], train: bool) -> None:
    """As the model itself does it, or, where it refuses (an exported or a locked one), by the flags alone."""
    if any(type(module).train is not nn.Module.train for module in modules):
        with suppress(NotImplementedError, AttributeError):
            model.train(train)
            return
    for module in modules:
        module.__dict__["training"] = train


def _globals() -> Iterator[Any]:
    """What a pass may touch in the process, each restored at the end."""
    from torch.fx.experimental import _config as sizes
    from torch.nn.modules import transformer

    yield quiet()
    deep = sys.getrecursionlimit()
    yield _restored(deep, sys.setrecursionlimit, FRAMES * deep)
    yield torch.random.fork_rng(devices=[])
    yield sizes.patch(meta_nonzero_assume_all_nonzero=True)  # type: ignore[attr-defined]
    yield _restored(torch.backends.mha.get_fastpath_enabled(), torch.backends.mha.set_fastpath_enabled)
    yield _restored(torch.get_default_dtype(), torch.set_default_dtype, torch.get_default_dtype())
    yield sdpa_kernel(SDPBackend.MATH)
    yield torch.autocast("cpu", enabled=False)
    # looks at the values of a mask, only to choose a kernel
    yield _replaced(transformer, "_detect_is_causal_mask", lambda mask, causal=None, size=None: bool(causal))
    if "torch._dynamo" in sys.modules:
        yield torch.compiler.set_stance("force_eager")
    if boxes := sys.modules.get("torchvision.ops.boxes"):
        # two ways to suppress boxes class by class, alike in what they give; one loops over values
        yield _replaced(boxes, "_batched_nms_vanilla", boxes._batched_nms_coordinate_trick)


def _replaced(module: Any, name: str, value: Any) -> Any:
    """A function of another package for the time of a pass; one that it no longer has needs no replacing."""
    if not hasattr(module, name):
        return nullcontext()
    return _restored(getattr(module, name), partial(setattr, module, name), value)


@contextmanager
def _restored(before: Any, put: Callable[[Any], object], now: Any = False) -> Iterator[None]:
    put(now)
    try:
        yield
    finally:
        put(before)


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
                    held[key] = found[path, key]  # type: ignore[assignment]
        for key, value in module.__dict__.items():
            if isinstance(value, torch.Tensor) and value.numel() > state.SMALL:
                module.__dict__[key] = _emptied(value)  # no parameter, no buffer: a constant, or a cache
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
    module.__dict__["forward"] = update_wrapper(enter(path, forward), forward, TOLD)
