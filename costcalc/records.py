"""What passes from room to room: frozen records without behaviour beyond arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from operator import attrgetter
from typing import Literal

from costcalc.errors import Place
from costcalc.printed import OFF, Outcome

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
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Cost)))


NOTHING = Cost(0, 0, 0, 0, 0, 0, 0)
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
        return sum((row.cost for row in self.rows), NOTHING)


@dataclass(frozen=True, slots=True)
class Work:
    """What one operator asks of a device in one pass of a whole batch: for rooflines.

    ``part`` is the dotted name of its layer or module, ``block`` the row that it is shown in. ``weights``
    are the elements it reads whatever the batch is (parameters, buffers), ``reads`` and ``writes``
    activation elements. ``matrix`` is whether matrix units can do its multiply-adds: dense convolutions
    and products, but no grouped ones. ``launches`` is how many kernels eager torch starts for it at
    least, ``pointwise`` whether a compiler can fuse it with its neighbours.
    """

    part: str
    block: str
    operator: str
    macs: int
    weights: int
    reads: int
    writes: int
    matrix: bool
    launches: int
    pointwise: bool


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


@dataclass(frozen=True, slots=True)
class Limit:
    """The most a metric may be: of the block ``part``, or of the whole graph where that is empty."""

    metric: str
    most: int
    part: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A limit beside what it limits: within if ``actual <= limit.most``."""

    limit: Limit
    actual: int

    @property
    def passed(self) -> bool:
        """Whether the limit is kept."""
        return self.actual <= self.limit.most

    @property
    def headroom(self) -> int:
        """What is left below the limit; negative is the overshoot."""
        return self.limit.most - self.actual


@dataclass(frozen=True, slots=True)
class FigureVerdict:
    """A published figure beside the exact value."""

    figure: Figure
    exact: int
    outcome: Outcome

    @property
    def confirmed(self) -> bool:
        """Whether the exact value bears the figure out."""
        return self.outcome != OFF

    @property
    def passed(self) -> bool:
        """Whether the outcome is the recorded one."""
        return self.confirmed == self.figure.holds


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A quantity of one layer on which two producers differ."""

    layer: str
    quantity: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to hold a claim against what is computed.

    ``published`` is the figure as printed, or ``implied`` by the words; empty where it is only derived
    here. One that ``contradicts`` makes the claim wrong where it is off. ``exact`` is arithmetic
    on quantities of specs, ``macs(naive) / macs(reduced)``; with ``symbols`` it is a formula in them.
    """

    label: str
    published: str
    exact: str
    symbols: str = ""
    mark: Mark = ""
    truncated: bool = False
    within: Fraction | None = None
    implied: bool = False
    contradicts: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A quantitative sentence of a publication, how it can be read, and the verdict on record.

    ``publication`` is the key of who says it, ``where`` the place in it, ``repeated`` the keys of
    others that say the same.
    """

    id: str
    text: str
    publication: str
    where: str
    repeated: tuple[str, ...]
    verdict: str
    readings: tuple[Reading, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a reading rests on: ``text`` as it stands in the arithmetic, of which spec, and its value."""

    text: str
    spec: str
    value: Fraction | str  # a formula where the reading is on symbols
    terms: tuple[tuple[str, int], ...] = ()  # the layers that a sum is made of, without those of nothing


@dataclass(frozen=True, slots=True)
class ReadingVerdict:
    """A reading computed; ``outcome`` is None where nothing is printed."""

    reading: Reading
    quantities: tuple[Quantity, ...]
    exact: Fraction | str
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """A claim computed, and the verdicts that follow from that."""

    claim: Claim
    readings: tuple[ReadingVerdict, ...]
    following: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the verdict on record follows."""
        return self.claim.verdict in self.following


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
