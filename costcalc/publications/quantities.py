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

from costcalc import expression, formula, spec, structure
from costcalc.errors import Misfit, did_you_mean, shortened
from costcalc.graph import Graph
from costcalc.layers import KINDS
from costcalc.records import Cost, Part, Quantity

_CALL = re.compile(r"\b([a-z_]+)\(([^()]*)\)")
SYMBOLIC_FUNCTIONS = ("sqrt", "floor")  # calls that are no quantities


@dataclass(frozen=True, slots=True)
class Target:
    """What a quantity is taken of: a spec, a block of it, and a word: a layer kind or a field."""

    spec: str
    block: str
    word: str


Measure = Callable[[Graph, Target], "int | Fraction"]


def _cost(of: Callable[[Cost], int], graph: Graph, target: Target) -> int:
    return sum(value for _, value in _per_layer(of, graph, target))


def _per_layer(of: Callable[[Cost], int], graph: Graph, target: Target) -> list[tuple[str, int]]:
    rows = zip(_inside(graph, target), formula.costs(graph).rows, strict=True)
    return [(row.name, of(row.cost)) for inside, row in rows if inside]


def _layers(graph: Graph, target: Target) -> int:
    return sum(_inside(graph, target))


def _inside(graph: Graph, target: Target) -> list[bool]:
    """Per node, whether it lies in the target; a target with nothing in it is an error."""
    found = [
        (not target.block or node.name == target.block or node.name.startswith(f"{target.block}."))
        and target.word in ("", node.layer.kind)
        for node in graph.nodes
    ]
    if target.word and target.word not in KINDS:
        raise Misfit(f"no layer kind {shortened(target.word)}{did_you_mean(target.word, KINDS)}")
    if target.block and not any(found) and not target.word:
        raise _no_block(graph, target)
    return found


def _no_block(graph: Graph, target: Target) -> Misfit:
    hint = did_you_mean(target.block, [*graph.groups, *(node.name for node in graph.nodes)])
    return Misfit(f"'{target.spec}' has no block {shortened(target.block)}{hint}")


def _structure(of: Callable[[Part], int], graph: Graph, target: Target) -> int:
    table = formula.costs(graph)
    return of(structure.part(graph, table, target.block) if target.block else structure.whole(graph, table))


def _given(axis: int, graph: Graph, target: Target) -> int:
    """A dimension of what the target gives."""
    group = graph.groups.get(target.block)
    name = group.output if group else target.block or graph.outputs[0]
    return graph.shape_of(name)[axis]


def _taken(axis: int, graph: Graph, target: Target) -> int:
    """A dimension of what reaches the target."""
    group = graph.groups.get(target.block)
    if group:
        return graph.shape_of(group.source)[axis]
    return graph.node(target.block).input_shapes[0][axis] if target.block else graph.input_shape[axis]


def _field(graph: Graph, target: Target) -> int | Fraction:
    """A hyper-parameter of a layer; of a square pair one side."""
    value = getattr(graph.node(target.block).layer, target.word)
    return value[0] if isinstance(value, tuple) else Fraction(str(value))


def _sided(part: Part) -> int:
    field = part.structure.receptive_field
    if field is None or field[0] != field[1]:
        raise Misfit(f"the receptive field of '{part.name}' is no square: {field}")
    return field[0]


SUMS: dict[str, Callable[[Cost], int]] = {
    "macs": lambda cost: cost.macs,
    "params": lambda cost: cost.params,
    "weights": lambda cost: cost.weights,
    "biases": lambda cost: cost.biases,
    "norm": lambda cost: cost.norm,
    "activations": lambda cost: cost.writes,
    "other_ops": lambda cost: cost.other_ops,
}
QUANTITIES: dict[str, Measure] = {
    **{name: partial(_cost, of) for name, of in SUMS.items()},
    "layers": _layers,
    "depth": partial(_structure, lambda part: part.structure.depth),
    "nonlinearities": partial(_structure, lambda part: part.structure.nonlinearities),
    "peak_activations": partial(_structure, lambda part: part.structure.peak_activations),
    "receptive_field": partial(_structure, _sided),
    "channels": partial(_given, 0),
    "side": partial(_given, 1),
    "channels_in": partial(_taken, 0),
    "side_in": partial(_taken, 1),
    "field": _field,
}


def evaluated(text: str) -> tuple[Fraction, tuple[Quantity, ...]]:
    """The exact value of an expression, and the quantities it rests on."""
    template, calls = _calls(text)
    found = tuple(
        Quantity(call, target.spec, _exact(call, target), _terms(call, target))
        for call, target in calls.items()
    )
    names = {f"q{index}": Fraction(one.value) for index, one in enumerate(found)}
    return expression.evaluate(template, Fraction, names), found


def formulated(text: str, symbols: str) -> tuple[str, tuple[Quantity, ...]]:
    """The same on symbols (``"d=2*h,k"``): formulas derived from the code that counts."""
    from costcalc import symbolic

    template, calls = _calls(text)
    assigned = symbolic.assigned(symbols)
    found = {
        call: symbolic.of_spec(target.spec, assigned, _measure(call, target))
        for call, target in calls.items()
    }
    whole = symbolic.parsed(template, {f"q{index}": expr for index, expr in enumerate(found.values())})
    resting = tuple(Quantity(call, calls[call].spec, str(expr)) for call, expr in found.items())
    return str(symbolic.shortest(whole)), resting


def specs(text: str) -> set[str]:
    """The presets and files that an expression speaks of, without their settings."""
    return {spec.stem(target.spec) for target in _calls(text)[1].values()}


def _calls(text: str) -> tuple[str, dict[str, Target]]:
    """The expression with ``q0``, ``q1`` … for its quantities, and these in order."""
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
        return f"q{list(found).index(call[0])}"

    return _CALL.sub(named, text), found


def _measure(call: str, target: Target) -> Callable[[Graph], int]:
    measure = QUANTITIES[call.partition("(")[0]]
    return lambda graph: measure(graph, target)  # type: ignore[return-value]  # counts only, on symbols


@cache
def _exact(call: str, target: Target) -> Fraction:
    graph, measure = _graph(target.spec), QUANTITIES[call.partition("(")[0]]
    try:
        return Fraction(measure(graph, target))
    except KeyError:
        raise _no_block(graph, target) from None


def _terms(call: str, target: Target) -> tuple[tuple[str, int], ...]:
    of = SUMS.get(call.partition("(")[0])
    listed = _per_layer(of, _graph(target.spec), target) if of else []
    return tuple((name, value) for name, value in listed if value)


@cache
def _graph(name: str) -> Graph:
    return spec.load(name)
