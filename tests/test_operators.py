"""Small modules, one per trap, each with its multiply-adds derived by hand, by module.

Every case runs as built on the CPU and as built on the meta device, with and without gradients, must
give the same each time, and is what torch's own FLOP counter says wherever that is right.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from costcalc.attribution import Attribution
from costcalc.execution import Execution
from costcalc.foreign import dispatch

Given = tuple[int, ...] | Callable[[], Any]  # the shape of a tensor, or how to make an argument
VECTOR, NONE = "products with a vector have no formula there", "no formula there"
UNFIT = "does not run there"


@dataclass(frozen=True)
class Case:
    """A module, what it takes, and what that costs: ``macs`` by path of the module that does the work.

    ``other`` are the other operations where they are derived too; ``blind`` says why torch's FLOP counter
    is wrong about it.
    """

    module: Callable[[], nn.Module]
    inputs: tuple[Given, ...]
    macs: Mapping[str, int]
    params: int
    other: int | None = None
    keywords: Mapping[str, Given] = field(default_factory=dict)
    blind: str = ""

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments on the default device."""
        return tuple(map(_made, self.inputs)), {key: _made(given) for key, given in self.keywords.items()}


def _made(given: Given) -> Any:
    return given() if callable(given) else torch.zeros(given)


class Told(nn.Module):
    """Layers by name, and what to do with them."""

    def __init__(self, forward: Callable[..., Any], **layers: Any) -> None:
        super().__init__()
        self.told = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.told(self, *inputs, **named)


def told(forward: Callable[..., Any], **makes: Callable[[], Any]) -> Callable[[], nn.Module]:
    return lambda: Told(forward, **{name: make() for name, make in makes.items()})


def weight(*shape: int) -> Callable[[], nn.Parameter]:
    return lambda: nn.Parameter(torch.zeros(shape))


def ids(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.zeros(shape, dtype=torch.int64)


class Standardised(nn.Conv2d):
    """A subclass with a ``forward`` of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight - self.weight.mean(), self.bias, self.stride, self.padding)


class Thin(nn.Conv2d):
    """A subclass that changes nothing."""


def _lazy() -> nn.Module:
    layer = nn.LazyConv2d(4, 3)
    layer(torch.zeros(1, 3, 5, 5))
    return layer


def _deformable() -> nn.Module:
    from costcalc.foreign import models

    models.declare_operators()
    from torchvision.ops import DeformConv2d

    return Told(
        lambda self, x, offset, mask: self.conv(x, offset, mask), conv=DeformConv2d(4, 6, (3, 2), groups=2)
    )


CONVOLUTIONS = {
    "conv1d with a stride": Case(
        lambda: nn.Conv1d(3, 5, 4, 2), ((2, 3, 11),), {"": 2 * 4 * 5 * 3 * 4}, 5 * 3 * 4 + 5, 2 * 4 * 5
    ),
    "conv2d": Case(
        lambda: nn.Conv2d(3, 16, 3, padding=1),
        ((1, 3, 8, 8),),
        {"": 8 * 8 * 16 * 3 * 3 * 3},
        16 * 3 * 3 * 3 + 16,
        8 * 8 * 16,
    ),
    "padding same, dilated": Case(
        lambda: nn.Conv2d(4, 6, (3, 5), padding="same", dilation=2),
        ((1, 4, 7, 9),),
        {"": 7 * 9 * 6 * 4 * 3 * 5},
        6 * 4 * 3 * 5 + 6,
        7 * 9 * 6,
    ),
    "padding same, even kernel": Case(
        lambda: nn.Conv1d(2, 3, 4, padding="same"), ((1, 2, 9),), {"": 9 * 3 * 2 * 4}, 3 * 2 * 4 + 3
    ),
    "padding valid": Case(
        lambda: nn.Conv2d(4, 6, 3, padding="valid"), ((1, 4, 7, 9),), {"": 5 * 7 * 6 * 4 * 9}, 6 * 4 * 9 + 6
    ),
    "padding reflected": Case(
        lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"),
        ((1, 4, 7, 9),),
        {"": 7 * 9 * 6 * 4 * 9},
        6 * 4 * 9 + 6,
        7 * 9 * 6,
    ),
    "conv3d in groups": Case(
        lambda: nn.Conv3d(4, 8, (1, 2, 3), groups=2, bias=False),
        ((1, 4, 5, 6, 7),),
        {"": 5 * 5 * 5 * 8 * 2 * 1 * 2 * 3},
        8 * 2 * 1 * 2 * 3,
        0,
    ),
    "depthwise with a multiplier": Case(
        lambda: nn.Conv2d(6, 12, 3, groups=6), ((1, 6, 5, 5),), {"": 3 * 3 * 12 * 1 * 9}, 12 * 9 + 12
    ),
    "conv1d of no batch": Case(lambda: nn.Conv1d(3, 5, 4), ((3, 11),), {"": 8 * 5 * 3 * 4}, 5 * 3 * 4 + 5),
    "conv2d of no batch": Case(
        lambda: nn.Conv2d(3, 5, 4), ((3, 11, 9),), {"": 8 * 6 * 5 * 3 * 16}, 5 * 3 * 16 + 5
    ),
    "conv3d of no batch": Case(
        lambda: nn.Conv3d(3, 5, 2), ((3, 4, 3, 2),), {"": 3 * 2 * 1 * 5 * 3 * 8}, 5 * 3 * 8 + 5
    ),
    "a batch of none": Case(lambda: nn.Conv2d(3, 5, 3), ((0, 3, 8, 8),), {}, 5 * 3 * 9 + 5),
    "transposed, stride 2": Case(
        lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1),
        ((1, 4, 5, 7),),
        {"": 5 * 7 * 4 * 6 * 9},
        4 * 6 * 9 + 6,
        10 * 14 * 6,
    ),
    "transposed to a size": Case(
        told(lambda self, x: self.up(x, output_size=[10, 14]), up=lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1)),
        ((2, 4, 5, 7),),
        {"up": 2 * 5 * 7 * 4 * 6 * 9},
        4 * 6 * 9 + 6,
    ),
    "transposed in groups": Case(
        lambda: nn.ConvTranspose2d(4, 6, (3, 2), 2, groups=2),
        ((1, 4, 5, 7),),
        {"": 5 * 7 * 4 * (6 // 2) * 3 * 2},
        4 * (6 // 2) * 3 * 2 + 6,
    ),
    "transposed 1d of no batch": Case(
        lambda: nn.ConvTranspose1d(4, 3, 5, 3, dilation=2), ((4, 6),), {"": 6 * 4 * 3 * 5}, 4 * 3 * 5 + 3
    ),
    "transposed 3d": Case(
        lambda: nn.ConvTranspose3d(2, 3, (1, 2, 3), 2),
        ((1, 2, 3, 4, 5),),
        {"": 3 * 4 * 5 * 2 * 3 * 6},
        2 * 3 * 6 + 3,
    ),
    "a subclass": Case(lambda: Thin(3, 4, 3), ((1, 3, 6, 6),), {"": 4 * 4 * 4 * 3 * 9}, 4 * 3 * 9 + 4),
    "a subclass with a forward": Case(
        lambda: Standardised(3, 4, 3), ((1, 3, 6, 6),), {"": 4 * 4 * 4 * 3 * 9}, 4 * 3 * 9 + 4
    ),
    "F.conv2d with an own parameter": Case(
        told(lambda self, x: F.conv2d(x, self.w, stride=3), w=weight(4, 3, 2, 2)),
        ((1, 3, 8, 8),),
        {"": 3 * 3 * 4 * 3 * 4},
        4 * 3 * 4,
        0,
    ),
    "F.conv_transpose1d": Case(
        told(lambda self, x: F.conv_transpose1d(x, self.w), w=weight(3, 4, 2)),
        ((1, 3, 8),),
        {"": 8 * 3 * 4 * 2},
        3 * 4 * 2,
    ),
    "torch.convolution": Case(
        told(
            lambda self, x: torch.convolution(x, self.w, None, [2], [0], [1], True, [0], 1), w=weight(3, 4, 2)
        ),
        ((1, 3, 8),),
        {"": 8 * 3 * 4 * 2},
        3 * 4 * 2,
    ),
    "an image as columns": Case(
        told(lambda self, x: self.w @ F.unfold(x, 3, padding=1), w=weight(5, 3 * 9)),
        ((1, 3, 6, 6),),
        {"": 5 * 3 * 9 * 6 * 6},
        5 * 3 * 9,
    ),
    "lazy, after a run": Case(_lazy, ((1, 3, 5, 5),), {"": 3 * 3 * 4 * 3 * 9}, 4 * 3 * 9 + 4),
    "deformable in groups": Case(
        _deformable,
        ((1, 4, 7, 7), (1, 2 * 6, 5, 6), (1, 6, 5, 6)),
        {"conv": 5 * 6 * 6 * (4 // 2) * 6},
        6 * (4 // 2) * 6 + 6,
        5 * 6 * 4 * 6 * 7 + 5 * 6 * 6,
        blind=NONE,
    ),
}
CASES: dict[str, Case] = CONVOLUTIONS


def execution(case: Case, device: str = "cpu", guard: Any = None, backward: bool = False) -> Execution:
    """The case run on a model and on inputs that were built on that device."""
    with torch.device(device):
        model = case.module().eval()
        args, kwargs = case.arguments()
    with guard or contextlib.nullcontext():
        return dispatch.run(model, args, kwargs, backward=backward)


def spread(attribution: Attribution) -> dict[str, int]:
    """Multiply-adds by the path of their module, where there are any."""
    root = attribution.label("")
    return {
        row.name if row.name != root else "": row.cost.macs for row in attribution.table.rows if row.cost.macs
    }


def holds(case: Case) -> None:
    """The case costs what was derived, however it is run."""
    first = Attribution(execution(case))
    assert spread(first) == dict(case.macs)
    assert first.table.total.macs == sum(case.macs.values())
    assert first.table.total.params == case.params
    assert case.other in (None, first.table.total.other_ops)
    assert not first.uncounted
    for device in ("cpu", "meta"):
        for guard in (torch.no_grad, torch.inference_mode, torch.enable_grad):
            again = Attribution(execution(case, device, guard()))
            assert (again.table, again.parameters, again.operators) == (
                first.table,
                first.parameters,
                first.operators,
            )


def judged(case: Case) -> int:
    """What torch's FLOP counter says, in multiply-adds."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.device("meta"):
            model = case.module().eval()
            args, kwargs = case.arguments()
        with (
            torch.no_grad(),
            torch.compiler.set_stance("force_eager"),
            FlopCounterMode(display=False) as counter,
        ):
            model(*args, **kwargs)
        flops = int(counter.get_total_flops())
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    assert flops % 2 == 0
    return flops // 2
