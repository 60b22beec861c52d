"""What passes from room to room: frozen records without behaviour beyond arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from operator import add, attrgetter
from typing import Literal

from costcalc.errors import Place

Shape = tuple[int, ...]  # without batch: (C, H, W) or (features,)
Producer = Literal["formula", "trace", "operators"]
TOTAL = "total"  # what a claim calls the whole graph
Mark = Literal["", "%", "×"]


@dataclass(frozen=True, slots=True)
class Marked:
    """An exact value that is read like the printed one beside it: a count, a share or a ratio."""

    value: Fraction
    mark: Mark


Cell = int | float | Fraction | Marked | str | bool | None | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """Exact additive counts, per sample, of a forward pass in inference mode.

    ``weights``, ``biases`` and ``norm`` (learnable scale and shift) are elements; ``macs`` are
    multiply-adds of convolutions and linear layers; ``other_ops`` all other scalar operations;
    ``reads`` and ``writes`` are activation elements taken and given.
    """

    weights: int
    biases: int
    norm: int
    macs: int
    other_ops: int
    reads: int
    writes: int

    @property
    def params(self) -> int:
        """Learnable elements."""
        return self.weights + self.biases + self.norm

    def __add__(self, other: Cost) -> Cost:
        return Cost(*map(add, _counts(self), _counts(other)))


NOTHING = Cost(0, 0, 0, 0, 0, 0, 0)
_counts: Callable[[Cost], tuple[int, ...]] = attrgetter(*(field.name for field in fields(Cost)))


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of any number of costs."""
    return Cost(*map(sum, zip(*map(_counts, (NOTHING, *costs)), strict=True)))


# what adds up, by the word for it: elements written are what people call activations
COUNTS: dict[str, Callable[[Cost], int]] = {
    **{field.name: attrgetter(field.name) for field in fields(Cost)},
    "params": attrgetter("params"),
    "activations": attrgetter("writes"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One layer of a graph and its cost."""

    name: str
    kind: str
    output_shape: Shape
    cost: Cost


@dataclass(frozen=True, slots=True)
class CostTable:
    """The cost of every layer of one graph, in graph order, by one producer."""

    graph: str
    by: Producer
    rows: tuple[Row, ...]

    @property
    def total(self) -> Cost:
        """The sum over all rows."""
        return total(row.cost for row in self.rows)


@dataclass(frozen=True, slots=True)
class Structure:
    """What does not add up: measured on the longest path through a part of a graph.

    ``receptive_field`` is (height, width) in positions of the part's input that one position of its
    (first) output can see, None without a grid;
    ``depth`` counts weighted layers; ``peak_activations`` are elements alive at once while it runs.
    """

    receptive_field: tuple[int, int] | None
    depth: int | None
    nonlinearities: int | None
    peak_activations: int


@dataclass(frozen=True, slots=True)
class Part:
    """A layer, a block or a whole graph, with cost and structure: what metrics are taken of."""

    name: str
    kind: str
    output_shape: Shape
    cost: Cost
    structure: Structure


@dataclass(frozen=True, slots=True)
class Subject:
    """What is shown of an architecture beside its costs; shapes are of one sample, without batch."""

    name: str
    summary: str
    source: str
    inputs: tuple[Shape, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A published figure: ``metric`` of ``target`` (a block, or the whole graph) with its source.

    ``within`` is the relative tolerance; None means half a unit of the last printed digit, or, if
    ``truncated``, the whole unit that was cut off.
    ``holds`` records whether the figure is known to hold; ``note`` explains where it does not;
    ``place`` is where it was written.
    """

    target: str
    metric: str
    published: str
    source: str
    within: Fraction | None
    truncated: bool
    holds: bool
    note: str
    place: Place | None = None


Style = Literal[
    "group",
    "name",
    "text",
    "place",
    "shape",
    "count",
    "percent",
    "ratio",
    "number",
    "figure",
    "formula",
    "latex",
    "seconds",
    "bytes",
    "rate",
    "rho",
]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a grid: ``key`` in data formats, ``label`` for eyes, ``style`` of its cells.

    ``words`` says for eyes what stands as a key in data; ``under`` is the object that holds the
    key in JSON, where keys are names that users chose.
    """

    key: str
    label: str
    style: Style
    words: Mapping[str, str] = field(default_factory=dict)
    under: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of raw values; ``total`` is its last row."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What a command shows: a kind (the name of its schema), grids, facts for machines only,
    notes below the grids, and a closing summary, one sentence an entry. ``provenance`` says how
    it came about and ``warnings`` what to doubt, for machines.
    """

    kind: str
    grids: tuple[Grid, ...]
    facts: Mapping[str, Cell]
    notes: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    passed: bool = True
    provenance: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
