"""The multiply-adds of a layer as a product with numbers filled in.

Each kind that multiplies has one function here: from its fields and shapes to factors. They are held
against what was counted for every layer that is shown, and for every preset by a test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from costcalc import units
from costcalc.errors import CostcalcError
from costcalc.graph import Node
from costcalc.records import Part, Shape
from costcalc.report.document import Formula
from costcalc.report.inline import code
from costcalc.report.wording import grouped

Factors = tuple[tuple[str, tuple[int, ...]], ...]  # what is multiplied, and its numbers


def _seen(word: str, groups: int) -> str:
    return word if groups == 1 else f"{word} of a group"


def _conv(layer: Any, given: Shape, taken: Shape) -> Factors:
    return (
        ("filters", (layer.out,)),
        (_seen("channels", layer.groups), (taken[0] // layer.groups,)),
        ("kernel", layer.kernel),
        ("positions", given[1:]),
    )


def _depthwise(layer: Any, given: Shape, taken: Shape) -> Factors:
    return ("filters", (given[0],)), ("kernel", layer.kernel), ("positions", given[1:])


def _transposed(layer: Any, given: Shape, taken: Shape) -> Factors:
    return (
        ("channels", (taken[0],)),
        (_seen("filters", layer.groups), (layer.out // layer.groups,)),
        ("kernel", layer.kernel),
        ("positions of the input", taken[1:]),
    )


def _dense(layer: Any, given: Shape, taken: Shape) -> Factors:
    return ("outputs", (layer.out,)), ("inputs", (taken[0],))


FACTORS: dict[str, Callable[[Any, Shape, Shape], Factors]] = {
    "conv": _conv,
    "depthwise": _depthwise,
    "transposed_conv": _transposed,
    "linear": _dense,
    "rbf": _dense,
}


def factors(node: Node) -> Factors:
    """What the multiply-adds of a layer are the product of."""
    return FACTORS[node.layer.kind](node.layer, node.output_shape, node.input_shapes[0])


def product(node: Node, macs: int) -> Formula:
    """The factors and what they come to: ``192·64·3·3·56·56 = 346,816,512``.

    Raises :class:`CostcalcError` where that is not the ``macs`` that were counted.
    """
    numbers = [number for _, found in factors(node) for number in found]
    if prod(numbers) != macs:
        raise CostcalcError(f"{node.name}: {prod(numbers):,} by its factors, {macs:,} as counted")
    total, written = units.count(macs), list(map(str, numbers))
    latex = " = ".join((r" \cdot ".join(written), grouped(str(macs))))
    return Formula(latex, f"{'·'.join(written)} = {total}")


def formula(label: str, expression: str) -> Formula:
    """What a count is in symbols: ``"2*c**2"`` → ``MACs = 2·c²``, for eyes and in LaTeX."""
    from costcalc import symbolic

    latex = grouped(symbolic.written(symbolic.shortest(symbolic.parsed(expression)), latex=True))
    return Formula(rf"\text{{{label}}} = {latex}", f"{label} = {units.formula(expression)}")


def told(node: Node) -> str:
    """What is multiplied: ``192 filters × 64 channels × 3×3 kernel × 56×56 positions``."""
    return " · ".join(f"{units.shape(numbers)} {word}" for word, numbers in factors(node))


def costliest(nodes: Sequence[Node], parts: Sequence[Part], most: int) -> list[tuple[list[Node], int]]:
    """The products with most MACs, the costliest first, each with the layers that have it."""
    alike: dict[tuple[Factors, int], list[Node]] = {}
    for node, part in zip(nodes, parts, strict=True):
        if part.cost.macs:
            alike.setdefault((factors(node), part.cost.macs), []).append(node)
    ranked = sorted(alike.items(), key=lambda pair: -pair[0][1])
    return [(found, macs) for (_, macs), found in ranked[:most]]


def sentence(nodes: Sequence[Node]) -> str:
    """Which layer is multiplied out, and what its factors are."""
    first, *others = nodes
    more = f", and {len(others)} more like it" if others else ""
    return f"{code(first.name)} ({first.layer.kind}{more}): {told(first)}"
