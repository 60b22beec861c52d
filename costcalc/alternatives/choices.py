"""The strengths in which a change can be made, and what of a graph is asked to find them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from costcalc.errors import Misfit
from costcalc.graph import INPUT, Graph
from costcalc.layers import Layer
from costcalc.layers.linear import Conv

STEP = 8  # filters, channels and ranks come in multiples of it, as tensor cores want them


@dataclass(frozen=True)
class Choices:
    """The strengths in which a change can be made to one layer, from the least to the most.

    ``usual`` is the one to take where none is enough; ``made`` gives the changed graph and raises
    :class:`CostcalcError` or :class:`Misfit` where shapes do not fit; ``said`` tells it in words.
    ``full`` is the value that would change nothing.
    """

    values: tuple[int, ...]
    usual: int
    made: Callable[[int], Graph]
    said: Callable[[int], str]
    full: int = 1

    def mildness(self, value: int) -> Fraction:
        """How near a value is to changing nothing: 1/2 where half of the filters are left."""
        return Fraction(min(value, self.full), max(value, self.full))


def once(said: str, made: Callable[[], Graph]) -> Choices:
    """A change that can be made in one way only."""
    return Choices((1,), 1, lambda _: made(), lambda _: said)


def descending(
    strengths: tuple[int, int, int], usual: int, made: Callable[[int], Graph], said: Callable[[int], str]
) -> Choices:
    """Multiples of ``step`` below ``full``, down to one part in ``least`` of it, with one that is usual."""
    full, step, least = strengths
    values = tuple(range((full - 1) // step * step, max(step, -(-full // least)) - 1, -step))
    if not values:
        raise Misfit("is too small")
    return Choices(values, max(usual // step * step, values[-1]), made, said, full)


def layer_of(graph: Graph, name: str) -> Layer:
    """The layer of that name; raises :class:`Misfit` for the input."""
    if name == INPUT:
        raise Misfit("is no layer")
    return graph.node(name).layer


def conv_of(graph: Graph, name: str) -> Conv:
    """The convolution of that name; raises :class:`Misfit` for anything else."""
    layer = layer_of(graph, name)
    if not isinstance(layer, Conv):
        raise Misfit("is no convolution")
    return layer


def channels_of(graph: Graph, name: str) -> int:
    """The channels or features that a layer takes."""
    return graph.node(name).input_shapes[0][0]
