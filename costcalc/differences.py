"""Two versions of an architecture: what was changed, what only follows, and what it did to each count.

Layers are paired by name; what has the same fields under another name is renamed. The differences of the
layers sum to the difference of the totals.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from costcalc import structure
from costcalc.graph import INPUT, Graph
from costcalc.records import COUNTS, NOTHING, Cost, CostTable, Part, Shape

State = Literal["added", "removed", "changed", "renamed", "moved", "follows", "unchanged"]
FROM, KIND, OUTPUTS = "from", "kind", "outputs"


@dataclass(frozen=True, slots=True)
class Written:
    """What a spec says of a layer: the fields of its kind, those that are no defaults, what feeds it."""

    fields: Mapping[str, object]
    stated: Mapping[str, object]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Version:
    """One side of a difference: its parts, and of a spec what was written of each layer.

    ``kinds`` are those of the blocks, where they are known.
    """

    name: str
    inputs: tuple[Shape, ...]
    outputs: tuple[str, ...]
    whole: Part
    layers: tuple[Part, ...]
    kinds: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, Written] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edit:
    """A field that says something else: ``kernel`` was ``5`` and is ``3``; None where there is none."""

    field: str
    old: object
    new: object


@dataclass(frozen=True, slots=True)
class Changed:
    """A layer or block in both versions; ``old`` is None where it was added, ``new`` where removed.

    ``layers`` are those of a block, in the order of the new version.
    """

    name: str
    state: State
    old: Cost
    new: Cost
    edits: tuple[Edit, ...] = ()
    was: str = ""  # another name
    moved: bool = False
    kind: str = ""
    layers: tuple[Changed, ...] = ()

    def difference(self, metric: str) -> int:
        """New minus old of a metric that adds up."""
        return COUNTS[metric](self.new) - COUNTS[metric](self.old)


@dataclass(frozen=True, slots=True)
class Differences:
    """Everything that differs: edits of the whole (its input, its outputs), and block by block."""

    old: Version
    new: Version
    edits: tuple[Edit, ...]
    blocks: tuple[Changed, ...]

    def __bool__(self) -> bool:
        return bool(self.edits) or any(block.state != "unchanged" for block in self.blocks)


def of_graph(name: str, graph: Graph, table: CostTable) -> Version:
    """A spec as one side."""
    written = {
        node.name: Written(node.layer.values(), node.layer.unusual(), node.sources) for node in graph.nodes
    }
    return Version(
        name=name,
        inputs=(graph.input_shape,),
        outputs=graph.outputs,
        whole=structure.whole(graph, table),
        layers=structure.layers(graph, table),
        kinds={part.name: part.kind for part in structure.blocks(graph, table, 1)},
        written=written,
    )


def between(old: Version, new: Version) -> Differences:
    """What changed from one version to the other."""
    compared = _Compared(old, new)
    edits = [Edit(INPUT, old.inputs, new.inputs)] if old.inputs != new.inputs else []
    if compared.rewired(old.outputs, new.outputs) == "changed":
        edits.append(Edit(OUTPUTS, old.outputs, new.outputs))
    return Differences(old, new, tuple(edits), tuple(compared.blocks()))


class _Compared:
    """Two versions with their layers paired."""

    def __init__(self, old: Version, new: Version) -> None:
        self.old, self.new = old, new
        self.sides = (_by_block(old), _by_block(new))
        self.block_names = _paired(
            list(self.sides[0]), list(self.sides[1]), *(self.block_signature(i) for i in (0, 1))
        )
        self.names: dict[str, str] = {INPUT: INPUT}  # of layers, old → new
        self.moved = _moved(self.block_names, list(self.sides[1]))
        for was, now in self.block_names.items():
            self.pair_layers(was, now)
        self.came_from = {now: was for was, now in self.names.items()}

    def pair_layers(self, was: str, now: str) -> None:
        """Pair the layers of two blocks by what their names add to those of the blocks."""
        old = [part.name[len(was) :] for part in self.sides[0][was]]
        new = [part.name[len(now) :] for part in self.sides[1][now]]
        found = _paired(old, new, self.layer_signature(0, was), self.layer_signature(1, now))
        self.names |= {was + one: now + other for one, other in found.items()}
        self.moved |= {now + name for name in _moved(found, new)}

    def has_moved(self, name: str) -> bool:
        """Whether a layer of the new version stands elsewhere, by itself or with its block."""
        return name in self.moved or _block(name) in self.moved

    def block_signature(self, side: int) -> Callable[[str], Hashable]:
        """What a block is, whatever it is called: its layers, and how they are wired inside."""
        version, parts = (self.old, self.new)[side], self.sides[side]

        def inside(source: str, block: str) -> str:
            return source[len(block) :] if _block(source) == block else ""

        def signature(block: str) -> Hashable:
            return tuple(
                (
                    part.name[len(block) :],
                    _itself(version, part),
                    tuple(inside(source, block) for source in _sources(version, part.name)),
                )
                for part in parts[block]
            )

        return signature

    def layer_signature(self, side: int, block: str) -> Callable[[str], Hashable]:
        version = (self.old, self.new)[side]
        parts = {part.name[len(block) :]: part for part in self.sides[side][block]}
        return lambda name: _itself(version, parts[name])

    def rewired(self, old: Sequence[str], new: Sequence[str]) -> State:
        """Whether sources are others: by an edit, or only because something came, went or moved."""
        if [self.names.get(source) for source in old] == list(new):
            return "unchanged"
        gone = any(source not in self.names for source in old)
        come = any(source not in self.came_from for source in new)
        carried = any(self.has_moved(source) for source in (*new, *(self.names.get(s, "") for s in old)))
        return "follows" if gone or come or carried else "changed"

    def blocks(self) -> list[Changed]:
        """Every block of both, in the order of the new version; removed ones behind what was before them."""
        was_of = {now: was for was, now in self.block_names.items()}
        found = [self.block(was_of.get(name, ""), name) for name in self.sides[1]]
        place = {
            was: index for index, was in enumerate(was_of.get(name, "") for name in self.sides[1]) if was
        }
        after: dict[int, list[Changed]] = defaultdict(list)
        at = -1
        for name in self.sides[0]:
            if name in place:
                at = place[name]
            else:
                after[at].append(self.block(name, ""))
        return [*after[-1], *(each for i, one in enumerate(found) for each in (one, *after[i]))]

    def block(self, was: str, now: str) -> Changed:
        old, new = self.sides[0].get(was, []), self.sides[1].get(now, [])
        before = {part.name: part for part in old}
        layers = [self.layer(before.pop(self.came_from.get(part.name, ""), None), part) for part in new]
        layers += [self.layer(part, None) for part in before.values()]
        moved = now in self.moved
        state = _block_state(was, now, moved, [layer.state for layer in layers])
        return Changed(
            name=now or was,
            state=state,
            old=sum((part.cost for part in old), NOTHING),
            new=sum((part.cost for part in new), NOTHING),
            was=was if was != now and now else "",
            moved=moved,
            kind=(self.new if now else self.old).kinds.get(now or was, ""),
            layers=tuple(layers),
        )

    def layer(self, old: Part | None, new: Part | None) -> Changed:
        """One layer: its edits first; without any, whether its costs or shape follow from others'."""
        if old is None or new is None:
            part = old or new
            assert part is not None
            state: State = "removed" if new is None else "added"
            written = (self.new if old is None else self.old).written.get(part.name)
            fields = (Edit(KIND, *(_said(part, written), None)[:: 1 if new is None else -1]),)
            costs = (part.cost, NOTHING) if new is None else (NOTHING, part.cost)
            return Changed(part.name, state, *costs, edits=fields, kind=part.kind)
        edits = self.edits(old, new)
        expected = self.block_names[_block(old.name)] + old.name[len(_block(old.name)) :]
        was, moved = (old.name if new.name != expected else ""), new.name in self.moved
        same = (old.cost, old.output_shape) == (new.cost, new.output_shape)
        state = "changed" if edits else "renamed" if was else "moved" if moved else "unchanged"
        state = "follows" if state == "unchanged" and not same else state
        return Changed(new.name, state, old.cost, new.cost, tuple(edits), was, moved, new.kind)

    def edits(self, old: Part, new: Part) -> list[Edit]:
        one, other = self.old.written.get(old.name), self.new.written.get(new.name)
        if one is None or other is None:
            return _seen(old, new)
        if old.kind != new.kind:
            found = [Edit(KIND, _said(old, one), _said(new, other))]
        else:
            found = [
                Edit(key, value, other.fields.get(key))
                for key, value in one.fields.items()
                if value != other.fields.get(key)
            ]
        if self.rewired(one.sources, other.sources) == "changed" and not self.has_moved(new.name):
            found.append(Edit(FROM, one.sources, other.sources))
        return found


def _seen(old: Part, new: Part) -> list[Edit]:
    """What shows that a layer of a model is another one: its kind, its params. Shapes may follow."""
    if old.kind != new.kind:
        return [Edit(KIND, old.kind, new.kind)]
    counts = [(key, COUNTS[key](old.cost), COUNTS[key](new.cost)) for key in ("weights", "biases", "norm")]
    return [Edit(*count) for count in counts if count[1] != count[2]]


def _block(name: str) -> str:
    return name.partition(".")[0]


def _by_block(version: Version) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = defaultdict(list)
    for part in version.layers:
        found[_block(part.name)].append(part)
    return dict(found)


def _sources(version: Version, name: str) -> tuple[str, ...]:
    written = version.written.get(name)
    return written.sources if written else ()


def _itself(version: Version, part: Part) -> Hashable:
    """What a layer is without its name: its fields, or of a model what it gives and costs."""
    written = version.written.get(part.name)
    if written is None:
        return (part.kind, part.output_shape, part.cost)
    return (part.kind, tuple(sorted((key, str(value)) for key, value in written.fields.items())))


def _said(part: Part, written: Written | None) -> object:
    """A whole layer as a value: its kind, and its fields where they are known."""
    return (part.kind, written.stated) if written else part.kind


def _block_state(was: str, now: str, moved: bool, layers: Sequence[State]) -> State:
    if not was or not now:
        return "added" if now else "removed"
    if {"added", "removed", "changed", "renamed", "moved"} & set(layers) - ({"moved"} if moved else set()):
        return "changed"
    if was != now:
        return "renamed"
    return "moved" if moved else "follows" if "follows" in layers else "unchanged"


def _paired(
    old: Sequence[str],
    new: Sequence[str],
    of_old: Callable[[str], Hashable],
    of_new: Callable[[str], Hashable],
) -> dict[str, str]:
    """Old names → new ones: the same name, or else what is the same under others, as often on both sides."""
    present = set(new)
    found = {name: name for name in old if name in present}
    gone: dict[Hashable, list[str]] = defaultdict(list)
    come: dict[Hashable, list[str]] = defaultdict(list)
    for names, of, left in ((old, of_old, gone), (new, of_new, come)):
        for name in names:
            if name not in found:
                left[of(name)].append(name)
    for signature, names in gone.items():
        if len(names) == len(come[signature]):
            found |= dict(zip(names, come[signature], strict=True))
    return found


def _moved(names: Mapping[str, str], order: Sequence[str]) -> set[str]:
    """The new names that stand elsewhere among the paired: all but a longest sequence in the old order."""
    place = {name: index for index, name in enumerate(order)}
    tails: list[int] = []  # of the sequences of each length, the earliest end
    links: list[tuple[int, int]] = []  # each name's place, and the length of the sequence it ends
    for now in names.values():
        length = bisect_left(tails, place[now])
        tails[length : length + 1] = [place[now]]
        links.append((place[now], length))
    wanted, kept = len(tails) - 1, set[int]()
    bound = len(order)
    for at, length in reversed(links):
        if length == wanted and at < bound:
            kept.add(at)
            wanted, bound = wanted - 1, at
    return {now for now in names.values() if place[now] not in kept}
