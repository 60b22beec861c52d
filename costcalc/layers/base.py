"""What every layer kind is: a frozen record of hyper-parameters with its rules beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import prod
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar

from costcalc.errors import Misfit, shortened
from costcalc.layers.window import Pad, Pair, Span
from costcalc.records import Shape
from costcalc.units import is_whole
from costcalc.validated import Validated

LARGEST = 2**24  # of any hyper-parameter; published networks stay below 2**18
TorchModule = Any  # torch is an argument here, so its types cannot be named
Same = TypeVar("Same", bound="Layer")


class Kernel(NamedTuple):
    """A piece of a layer that a device runs at once: activation elements that it reads and writes,
    elements that are held and that it reads, multiply-adds, and whether each value given depends on
    values in the same place only. ``name`` tells it from the layer's kind, where it has a name.
    """

    reads: int
    writes: int
    held: int = 0
    macs: int = 0
    pointwise: bool = False
    name: str = ""


class Layer(Validated, ABC):
    """A layer kind: its fields are hyper-parameters. Rules take the shapes ``xs`` that flow in, no batch.

    ``output_shape``, ``macs`` and the other counts are closed forms that never touch torch;
    ``module`` builds the torch operation and never calls them. The cross-check of the two
    is honest only as long as neither side looks at the other.
    """

    kind: ClassVar[str]
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)  # least and most; None: any number
    weighted: ClassVar[bool] = False  # counts towards depth
    nonlinear: ClassVar[bool] = False  # counts as a nonlinearity
    in_place: ClassVar[bool] = False  # may overwrite an input that nobody else needs

    def replace(self: Same, **changed: Any) -> Same:
        """The same layer with other values of some fields."""
        return type(self)(**{**vars(self), **changed})

    def unusual(self) -> dict[str, Any]:
        """The values that are not the defaults."""
        kind, required = type(self), self.required()
        found = self.values().items()
        return {name: value for name, value in found if name in required or value != getattr(kind, name)}

    @abstractmethod
    def output_shape(self, *xs: Shape) -> Shape:
        """The shape given for the shapes taken; raises :class:`Misfit` where they do not fit."""

    @abstractmethod
    def module(self, torch: Any, *xs: Shape) -> TorchModule | Callable[..., Any]:
        """The torch operation: an ``nn.Module``, or a function of the input tensors."""

    def weights(self, *xs: Shape) -> int:
        """Learnable elements that multiply."""
        return 0

    def biases(self, *xs: Shape) -> int:
        """Learnable elements that are added."""
        return 0

    def norm(self, *xs: Shape) -> int:
        """Learnable scale and shift of a normalisation."""
        return 0

    def macs(self, *xs: Shape) -> int:
        """Multiply-adds, one per weight product."""
        return 0

    def other_ops(self, *xs: Shape) -> int:
        """Scalar operations that are not multiply-adds, as the kind's docstring defines them."""
        return 0

    def is_view(self, *xs: Shape) -> bool:
        """Whether the input is given on without being read or written."""
        return False

    def is_dense(self, *xs: Shape) -> bool:
        """Whether every input channel meets weights of every output channel, as in a product of matrices."""
        return True

    def kernels(self, *xs: Shape) -> tuple[Kernel, ...]:
        """What eager torch starts on a GPU, at least: one kernel, and none for a view.

        A kind that torch computes in several steps writes and reads what passes between them.
        """
        if self.is_view(*xs):
            return ()
        held = self.weights(*xs) + self.biases(*xs) + self.norm(*xs)
        moved = (sum(prod(x) for x in xs), prod(self.output_shape(*xs)))
        return (Kernel(*moved, held, self.macs(*xs), self.in_place),)

    def period(self, axis: int, *xs: Shape) -> int:
        """After how many output positions along an axis the pattern of what they see repeats."""
        return 1

    def sees(self, span: Span, axis: int, *xs: Shape) -> Span:
        """The input positions along an axis (0 height, 1 width) that a span of output positions depends on.

        May reach beyond the input; what is padding is cut off by the caller.
        """
        return span


def chw(x: Shape) -> tuple[int, int, int]:
    """The three dimensions of a feature map, or a :class:`Misfit` that says what came instead."""
    if len(x) != 3:
        raise Misfit(f"needs a feature map [channels, height, width], got {list(x)}")
    return x[0], x[1], x[2]


def vector(x: Shape) -> int:
    """The features of a vector, or a :class:`Misfit` that says what came instead."""
    if len(x) != 1:
        raise Misfit(f"needs a vector [features], got {list(x)}; put a flatten layer before it")
    return x[0]


def divided(channels: int, groups: int, what: str) -> int:
    """``channels/groups``, or a :class:`Misfit` where that is not whole."""
    if channels % groups:
        raise Misfit(f"{channels} {what} channels do not divide into {groups} groups")
    return channels // groups


def area(pair: Pair) -> int:
    """Positions of a kernel or grid."""
    return prod(pair)


def _whole(value: object, least: int) -> int:
    if is_whole(value) and least <= value <= LARGEST:
        return value
    raise Misfit(f"should be a whole number from {least} to {LARGEST:,}, not {shortened(value)}")


def _pair(value: object, least: int) -> Pair:
    parts = value if isinstance(value, (list, tuple)) else (value, value)
    if len(parts) == 2 and all(is_whole(part) and least <= part <= LARGEST for part in parts):
        return parts[0], parts[1]
    raise Misfit(
        f"should be a whole number of at least {least}, or two as [height, width], not {shortened(value)}"
    )


def _padding(value: object) -> Pad:
    if value == "same":
        return "same"
    if isinstance(value, str):
        raise Misfit(f"should be 'same', a whole number or two as [height, width], not {shortened(value)}")
    return _pair(value, 0)


def _indices(value: object) -> tuple[int, ...]:
    if isinstance(value, (list, tuple)) and value:
        return tuple(_whole(part, 0) for part in value)
    raise Misfit(f"should be a list of channels like [0, 2], counted from 0, not {shortened(value)}")


def _probability(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1:
        return float(value)
    raise Misfit(f"should be a number from 0 to below 1, not {shortened(value)}")


Size = Annotated[int, lambda value: _whole(value, 1)]
Steps = Annotated[Pair, lambda value: _pair(value, 1)]
Margin = Annotated[Pair, lambda value: _pair(value, 0)]
Padding = Annotated[Pad, _padding]
Channels = Annotated[tuple[int, ...], _indices]
Probability = Annotated[float, _probability]
