"""Size takes no memory: no tensor is really made, however large the model or its input."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from costcalc.attribution import Attribution
from costcalc.foreign import dispatch, prepared


class Largest(TorchDispatchMode):
    """Remembers the most elements of any tensor that really was made."""

    most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(made):
            if isinstance(tensor, Tensor) and tensor.device.type != "meta":
                self.most = max(self.most, tensor.numel())
        return made


SMALL = 65_536  # elements


def _large() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Ten billion parameters."""
    with torch.device("meta"):
        return nn.Sequential(nn.Linear(100_000, 50_000), nn.ReLU(), nn.Linear(50_000, 100_000)), (
            torch.zeros(1, 100_000),
        )


def _wide() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """4096 pixels a side."""
    with torch.device("meta"):
        layers = [
            nn.Conv2d(3, 64, 3, padding=1),
            nn.BatchNorm2d(64),
            nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d(1),
        ]
        return nn.Sequential(*layers), (torch.zeros(8, 3, 4096, 4096),)


@pytest.mark.parametrize(
    ("make", "macs"), [(_large, 2 * 100_000 * 50_000), (_wide, 8 * 4096 * 4096 * 64 * 3 * 3 * 3)]
)
@pytest.mark.parametrize("backward", [False, True])
def test_size_takes_no_memory(make: Callable[[], Any], macs: int, backward: bool) -> None:
    model, args = make()
    tracemalloc.start()
    try:
        with Largest() as largest:
            counted = Attribution(dispatch.run(model, args, backward=backward))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert largest.most <= SMALL
    assert peak < 64 * 2**20  # torch's own modules may be imported meanwhile
    forward = sum(ran.macs for ran in counted.execution.operations if ran.phase == "forward")
    assert forward == macs


def test_a_real_model_is_not_copied() -> None:
    model, x = nn.Linear(4096, 4096), torch.zeros(64, 4096)
    with Largest() as largest:
        dispatch.run(model, (x,), backward=True)
    assert largest.most <= SMALL


def test_a_factory_takes_no_memory() -> None:
    """vgg16 has 138 million parameters: none of them is made."""
    with Largest() as largest:
        prepared("torchvision:vgg16", {}, ["3x64x64"]).run()
    assert largest.most <= SMALL
