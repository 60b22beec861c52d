"""The state of a model that is no tensor: whatever its code may change while it runs, and putting it back."""

from __future__ import annotations

import random
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from inspect import isroutine
from types import ModuleType
from typing import Any

import torch
from torch import nn

SMALL = 65_536  # elements up to which a constant keeps its values
FIXED = frozenset({type(None), bool, int, float, str, nn.Parameter})  # that a pass does not change
CONTAINERS = frozenset({dict, OrderedDict, set, list, deque})
Restore = Callable[[], None]


def saved(modules: Collection[nn.Module]) -> list[Restore]:
    """What puts back every attribute of those modules, and what those hold, however deep."""
    seen: set[int] = set()
    empty: list[Any] = []  # as most containers of a module are
    filled: list[tuple[Any, Any]] = []  # a container, and a copy of it
    restores: list[Restore] = [partial(_refilled, empty, filled)]
    waiting: list[Any] = [*(module.__dict__ for module in modules), *_shared(modules)]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, (dict, set, list, deque)):
            filled.append((value, value.copy()))
        else:
            restores += _restores(value)
        for found in _inside(value):
            kind = type(found)
            if kind in FIXED:
                continue
            if kind in CONTAINERS and not found:
                empty.append(found)
            elif kind is not tuple or not FIXED.issuperset(map(type, found)):
                waiting.append(found)
    return [*restores, _random(), *_numpy()]


def _refilled(empty: Sequence[Any], filled: Sequence[tuple[Any, Any]]) -> None:
    for value in empty:
        if value:
            value.clear()
    for value, before in filled:
        value.clear()
        (value.update if isinstance(value, (dict, set)) else value.extend)(before)


def _restores(value: Any) -> Iterator[Restore]:
    """How a value that can change gets back its present content."""
    if isinstance(value, torch.Tensor):
        if _keeps_values(value):
            yield partial(_reset, value, value.detach().clone(), value._version)
    elif type(value).__module__ == "numpy" and getattr(value, "size", SMALL + 1) <= SMALL:
        yield partial(_written, value, value.copy())


def _written(array: Any, values: Any) -> None:
    if getattr(array, "ndim", 0) and array.flags.writeable:
        array[...] = values


def _reset(tensor: torch.Tensor, values: torch.Tensor, version: int) -> None:
    if tensor._version != version:
        with torch.no_grad():
            tensor.copy_(values)


def _keeps_values(tensor: torch.Tensor) -> bool:
    """Whether it is a small constant or cache: no parameter, which the pass does not touch."""
    plain = tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_inference()
    return plain and not isinstance(tensor, nn.Parameter) and tensor.numel() <= SMALL


def _inside(value: Any) -> Iterable[Any]:
    """What a value holds that may change in its turn."""
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, (list, tuple, set, deque)):
        return value
    if isinstance(value, (nn.Module, type, ModuleType, torch.Tensor)) or isroutine(value):
        return []
    is_ours = type(value).__module__.partition(".")[0] in ("builtins", "torch", "numpy")
    return [vars(value)] if hasattr(value, "__dict__") and not is_ours else []


def _shared(modules: Iterable[nn.Module]) -> list[Any]:
    """Containers that the classes of the modules hold for all of their kind."""
    kinds = {kind for found in {type(module) for module in modules} for kind in found.__mro__}
    own = [kind for kind in kinds if kind.__module__.partition(".")[0] not in ("builtins", "torch")]
    return [
        held for kind in own for held in vars(kind).values() if isinstance(held, (dict, list, set, deque))
    ]


def _random() -> Restore:
    state = random.getstate()
    return lambda: random.setstate(state)


def _numpy() -> Iterator[Restore]:
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        state = numpy.get_state()
        yield lambda: numpy.set_state(state)
