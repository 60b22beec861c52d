"""Arithmetic on what specs cost: ``params(alexnet) / params(googlenet)``.

A quantity is ``NAME(SPEC)``, ``NAME(SPEC:BLOCK)`` or, of the layers of one kind alone,
``NAME(SPEC:BLOCK, KIND)``. Every value comes from the closed form of a graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from operator import attrgetter
from typing import Any

from costcalc import expression, formula, spec, structure
from costcalc.errors import Misfit, did_you_mean, shortened
from costcalc.graph import Graph
from costcalc.layers import KINDS
from costcalc.publications.records import Quantity
from costcalc.records import COUNTS, Part, Shape

_CALL = re.compile(r"\b([a-z_]+)\(([^()]*)\)")
_NAMED = "__{}__"  # stands for a quantity while the arithmetic is parsed; nobody can write it
SYMBOLIC_FUNCTIONS = ("sqrt", "floor")  # calls that are no quantities


@dataclass(frozen=True, slots=True)
class Target:
    """What a quantity is taken of: a spec, a block of it, and a word: a layer kind, or a field."""

    spec: str
    block: str
    word: str


Measure = Callable[[Graph, Target], "int | Fraction"]


def _count(key: str, graph: Graph, target: Target) -> int:
    return sum(value for _, value in _per_layer(key, graph, target))


def _per_layer(key: str, graph: Graph, target: Target) -> list[tuple[str, int]]:
    rows = zip(_inside(graph, target), formula.costs(graph).rows, strict=True)
    return [(row.name, COUNTS[key](row.cost)) for inside, row in rows if inside]


def _layers(graph: Graph, target: Target) -> int:
    return sum(_inside(graph, target))


def _inside(graph: Graph, target: Target) -> list[bool]:
    """Per node, whether it lies in the block and is of the kind; there may be none of a kind."""
    if target.word and target.word not in KINDS:
        raise Misfit(f"no layer kind {shortened(target.word)}{did_you_mean(target.word, KINDS)}")
    under = [
        not target.block or node.name == target.block or node.name.startswith(f"{target.block}.")
        for node in graph.nodes
    ]
    if not any(under):
        raise _no_block(graph, target)
    kinds = [target.word in ("", node.layer.kind) for node in graph.nodes]
    return [inside and fits for inside, fits in zip(under, kinds, strict=True)]


def _no_block(graph: Graph, target: Target) -> Misfit:
    hint = did_you_mean(target.block, [*graph.groups, *(node.name for node in graph.nodes)])
    return Misfit(f"'{target.spec}' has no block {shortened(target.block)}{hint}")


def _wordless(target: Target) -> None:
    if target.word:
        raise Misfit(f"'{target.word}' does not belong here; only counts take a kind, and field a field")


def _structure(of: Callable[[Part], int], graph: Graph, target: Target) -> int:
    _wordless(target)
    table = formula.costs(graph)
    return of(structure.part(graph, table, target.block) if target.block else structure.whole(graph, table))


def _given(axis: int, graph: Graph, target: Target) -> int:
    """A dimension of what the target gives."""
    _wordless(target)
    group = graph.groups.get(target.block)
    return _dimension(graph.shape_of(group.output if group else target.block or graph.outputs[0]), axis)


def _taken(axis: int, graph: Graph, target: Target) -> int:
    """A dimension of what reaches the target."""
    _wordless(target)
    group = graph.groups.get(target.block)
    if group:
        return _dimension(graph.shape_of(group.source), axis)
    return _dimension(graph.node(target.block).input_shapes[0] if target.block else graph.input_shape, axis)


def _dimension(shape: Shape, axis: int) -> int:
    if axis >= len(shape):
        raise Misfit(f"{list(shape)} has no height and width")
    if axis and shape[1] != shape[2]:
        raise Misfit(f"{list(shape)} is no square")
    return shape[axis]


def _field(graph: Graph, target: Target) -> int | Fraction:
    """A number among a layer's fields; of a pair the larger, so of 1×7 the 7."""
    layer = graph.node(target.block).layer
    value = getattr(layer, target.word) if target.word in layer.fields() else None
    if isinstance(value, tuple):
        return int(max(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Misfit(f"{layer.kind} has no number {shortened(target.word)}")
    return Fraction(str(value))


def _sided(part: Part) -> int:
    field = part.structure.receptive_field
    if field is None or field[0] != field[1]:
        raise Misfit(f"the receptive field of '{part.name}' is no square: {field}")
    return field[0]


# what is a formula on symbols too; the rest takes a maximum, or is a field
FORMULATED: dict[str, Callable[[Graph, Target], int]] = {
    **{key: partial(_count, key) for key in COUNTS},
    "channels": partial(_given, 0),
    "side": partial(_given, 1),
    "channels_in": partial(_taken, 0),
    "side_in": partial(_taken, 1),
}
QUANTITIES: dict[str, Measure] = {
    **FORMULATED,
    "layers": _layers,
    "depth": partial(_structure, attrgetter("structure.depth")),
    "nonlinearities": partial(_structure, attrgetter("structure.nonlinearities")),
    "peak_activations": partial(_structure, attrgetter("structure.peak_activations")),
    "receptive_field": partial(_structure, _sided),
    "field": _field,
}


def evaluated(text: str) -> tuple[Fraction, tuple[Quantity, ...]]:
    """The exact value of an expression, and the quantities it rests on."""
    template, calls = _calls(text)
    found = tuple(
        Quantity(call, target.spec, _exact(call, target), _terms(call, target))
        for call, target in calls.items()
    )
    names = {_NAMED.format(index): Fraction(one.value) for index, one in enumerate(found)}
    return expression.evaluate(template, Fraction, names), found


def formulated(text: str, symbols: str) -> tuple[Any, tuple[Quantity, ...]]:
    """The same on symbols (``"d=2*h,k"``): a sympy expression, derived from the code that counts."""
    from costcalc import symbolic

    template, calls = _calls(text)
    assigned = symbolic.assigned(symbols)
    found = [
        symbolic.of_spec(target.spec, assigned, _counted(call, target)) for call, target in calls.items()
    ]
    whole = symbolic.parsed(template, {_NAMED.format(index): expr for index, expr in enumerate(found)})
    pairs = zip(calls.items(), found, strict=True)
    resting = tuple(Quantity(call, target.spec, symbolic.written(expr)) for (call, target), expr in pairs)
    return symbolic.shortest(whole), resting


def specs(text: str) -> set[str]:
    """The presets and files that an expression speaks of, without their settings."""
    return {spec.stem(target.spec) for target in _calls(text)[1].values()}


def _calls(text: str) -> tuple[str, dict[str, Target]]:
    """The expression with a name in place of every quantity, and these in order."""
    found: dict[str, Target] = {}

    def named(call: re.Match[str]) -> str:
        if call[1] in SYMBOLIC_FUNCTIONS:
            return call[0]
        if call[1] not in QUANTITIES:
            hint = did_you_mean(call[1], QUANTITIES) or f"; there are {', '.join(QUANTITIES)}"
            raise Misfit(f"no quantity {shortened(call[1])}{hint}")
        where, _, word = call[2].partition(", ")
        name, _, block = where.partition(":")
        found.setdefault(call[0], Target(name, block, word))
        return _NAMED.format(list(found).index(call[0]))

    if "__" in text:
        raise Misfit(f"{shortened(text)}: '__' is not allowed")
    return _CALL.sub(named, text), found


def _counted(call: str, target: Target) -> Callable[[Graph], int]:
    key = call.partition("(")[0]
    if key not in FORMULATED:
        raise Misfit(f"{key} is no formula on symbols; there are {', '.join(FORMULATED)}")
    return lambda graph: FORMULATED[key](graph, target)


@cache
def _exact(call: str, target: Target) -> Fraction:
    graph, measure = _graph(target.spec), QUANTITIES[call.partition("(")[0]]
    try:
        return Fraction(measure(graph, target))
    except KeyError:
        raise _no_block(graph, target) from None


@cache
def _terms(call: str, target: Target) -> tuple[tuple[str, int], ...]:
    key = call.partition("(")[0]
    listed = _per_layer(key, _graph(target.spec), target) if key in COUNTS else []
    return tuple((name, value) for name, value in listed if value)


@cache
def _graph(name: str) -> Graph:
    return spec.load(name)
