"""The graph: named layers with their sources and shapes, resolved and checked once.

A :class:`Graph` that exists is valid: every source exists and comes earlier, every shape fits,
every layer is used. :func:`wire` is the only way to make one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from costcalc.errors import CostcalcError, Misfit, Place, Problem
from costcalc.layers import Layer
from costcalc.records import Figure, Shape

INPUT = "input"  # the name of the graph's input among sources
MAX_ELEMENTS = 10**13  # of one tensor or parameter: beyond any machine, within torch's 64 bits


@dataclass(frozen=True, slots=True)
class Step:
    """A layer before wiring: its name, what feeds it, and where it was written."""

    name: str
    layer: Layer
    sources: tuple[str, ...]
    training: bool = False
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A layer in its place: shapes without batch; ``training`` if inference leaves it out.

    ``place`` is where it was written, or the block that it comes from.
    """

    name: str
    layer: Layer
    sources: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    training: bool
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """A named block: its kind, the node or input that feeds it, and the node it gives on.

    ``place`` is where it was written.
    """

    name: str
    kind: str
    source: str
    output: str
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class About:
    """What a spec says of itself: one line, family, source and published figures."""

    summary: str = ""
    family: str = ""
    source: str = ""
    figures: tuple[Figure, ...] = ()
    changed: bool = False  # by settings from outside, so that published figures are not about it


@dataclass(frozen=True)
class Graph:
    """An architecture: nodes in order of execution, blocks by name, and the names of the outputs."""

    name: str
    input_shape: Shape
    nodes: tuple[Node, ...]
    groups: Mapping[str, Group]
    outputs: tuple[str, ...]
    about: About = About()

    def __repr__(self) -> str:
        ins, out = (list(shape) for shape in (self.input_shape, self.shape_of(self.outputs[0])))
        return f"<Graph {self.name}: {len(self.nodes)} layers, {ins} -> {out}>"

    def shape_of(self, name: str) -> Shape:
        """The shape a node gives; ``"input"`` is the graph's own input."""
        return self.input_shape if name == INPUT else self.node(name).output_shape

    def node(self, name: str) -> Node:
        """The node of that name; KeyError if there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> Mapping[str, Node]:
        return {node.name: node for node in self.nodes}

    def place_of(self, name: str) -> Place | None:
        """Where a layer or block was written, None if that is not known; KeyError if there is none."""
        return (self.groups[name] if name in self.groups else self.node(name)).place


def wire(
    name: str,
    input_shape: Shape | None,
    steps: Sequence[Step],
    groups: Iterable[Group] = (),
    outputs: Sequence[str] = (),
    about: About | None = None,
    training: bool = False,
    problems: Sequence[Problem] = (),
) -> Graph:
    """Resolve shapes in order and return the graph, without training-only layers unless wanted.

    ``outputs`` default to the last layer. Shape errors that do not follow from another are raised
    at once, as one :class:`CostcalcError`, with the ``problems`` that were found before.
    """
    nodes, misfits = _shaped(input_shape, steps, training)
    kept = [node for node in nodes if training or not node.training]
    last = [node.name for node in kept if not node.training][-1:]
    inside = {node.name for node in kept}
    hidden = {step.name for step in steps} - inside  # broken, or left out with its training-only branch
    ends = [end for end in dict.fromkeys([*(outputs or last), *_training_ends(kept)]) if end not in hidden]
    found = [*problems, *misfits] or _unused(steps, ends)  # a broken layer is no proof of disuse
    if not found and not (last and ends):
        found = [Problem("there is no layer outside training", name, steps[0].place if steps else None)]
    if found or input_shape is None:
        raise CostcalcError(found)
    blocks = {group.name: group for group in groups if group.output in inside}
    return Graph(name, input_shape, tuple(kept), blocks, tuple(ends), about or About())


def _shaped(
    input_shape: Shape | None, steps: Sequence[Step], training: bool
) -> tuple[list[Node], list[Problem]]:
    """Nodes with their shapes; what follows a broken layer is passed over, not reported again.

    A branch that inference leaves out need not fit the input of inference.
    """
    shapes: dict[str, Shape | None] = {INPUT: input_shape}
    nodes: list[Node] = []
    problems: list[Problem] = []
    for step in steps:
        shapes[step.name] = None
        xs = [shapes[source] for source in step.sources]
        ins = tuple(x for x in xs if x is not None)
        if len(ins) < len(xs):
            continue
        try:
            out = _fitted(step.layer, ins)
        except Misfit as misfit:
            if training or not step.training:
                problems.append(Problem(f"{step.layer.kind}: {misfit}", step.name, step.place))
            continue
        shapes[step.name] = out
        nodes.append(Node(step.name, step.layer, step.sources, ins, out, step.training, step.place))
    return nodes, problems


def _fitted(layer: Layer, xs: tuple[Shape, ...]) -> Shape:
    least, most = layer.inputs
    if len(xs) < least or (most is not None and len(xs) > most):
        wanted = f"{least}" if least == most else f"at least {least}"
        raise Misfit(f"takes {wanted} input{'s' if wanted != '1' else ''}, got {len(xs)}; see 'from'")
    out = layer.output_shape(*xs)
    if prod(out) > MAX_ELEMENTS or layer.weights(*xs) > MAX_ELEMENTS:
        raise Misfit(f"is too large: more than {MAX_ELEMENTS:.0e} elements in {list(out)} or its weights")
    return out


def _training_ends(nodes: Sequence[Node]) -> list[str]:
    used = {source for node in nodes for source in node.sources}
    return [node.name for node in nodes if node.training and node.name not in used]


def _unused(steps: Sequence[Step], ends: Sequence[str]) -> list[Problem]:
    """Layers of inference that nothing takes: a dead branch is never counted silently."""
    used = {source for step in steps if not step.training for source in step.sources}.union(ends)
    message = "nothing takes what it gives; name it under 'outputs:', take it with 'from:', or remove it"
    return [
        Problem(message, step.name, step.place)
        for step in steps
        if not step.training and step.name not in used
    ]
