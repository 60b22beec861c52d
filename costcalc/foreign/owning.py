"""What a model is made of: its modules by path, and what each of them owns."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from costcalc.execution import Holding, Module, Role

NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
)


def modules(model: nn.Module) -> dict[str, Module]:
    """Every module by its first path."""
    first: dict[int, str] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        first.setdefault(id(module), path)
    found = {}
    classes: dict[type, tuple[str, ...]] = {}
    for path, module in model.named_modules():
        kind = type(module)
        if kind not in classes:
            classes[kind] = tuple(f"{each.__module__}.{each.__qualname__}" for each in kind.__mro__[:-1])
        children = tuple(first[id(child)] for child in module._modules.values() if child is not None)
        found[path] = Module(path, classes[kind], children)
    return found


def holdings(model: nn.Module, held: Mapping[tuple[str, str], torch.Tensor], used: set[int]) -> list[Holding]:
    """Parameters and buffers by owner; one that stands in several places belongs to the first."""
    first: dict[int, str] = {}
    found = []
    for path, module in model.named_modules():
        is_norm = isinstance(module, NORMS)
        for is_buffer, own in ((False, module._parameters), (True, module._buffers)):
            for key in own:
                tensor = held.get((path, key))
                if tensor is None:
                    continue
                name = f"{path}.{key}" if path else key
                shared = first.setdefault(id(tensor), name)
                found.append(
                    Holding(
                        module=path,
                        name=key,
                        elements=tensor.numel(),
                        role="norm" if is_norm else _role(key),
                        is_buffer=is_buffer,
                        trainable=tensor.requires_grad,
                        shared="" if shared == name else shared,
                        used=id(tensor) in used,
                    )
                )
    return found


def _role(key: str) -> Role:
    is_bias = key == "bias" or key.startswith("bias_") or key.endswith("_bias")
    return "bias" if is_bias else "weight"
