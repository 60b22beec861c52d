"""An execution folded into what it costs: rows by module, parts at any depth, parameters, operators.

Every operator is charged to the innermost module that ran it, every parameter to the module that owns
it (one that is shared, to its first owner), so that the rows add up to the whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

from costcalc.execution import Execution, Holding, Operation, Role
from costcalc.records import NOTHING, Cost, CostTable, Part, Row, Shape, Structure

ROLES: tuple[Role, ...] = ("weight", "bias", "norm")  # as the first counts of a cost


@dataclass(frozen=True, slots=True)
class Parameters:
    """Elements held: learnable ones once, those held again, buffers, and what no operator took."""

    trainable: int
    frozen: int
    shared: int
    buffers: int
    never_executed: int


@dataclass(frozen=True, slots=True)
class Operator:
    """All runs of one operator; ``modules`` are the paths where it ran, in order."""

    name: str
    times: int
    macs: int
    backward_macs: int
    other_ops: int
    knowledge: str
    modules: tuple[str, ...]


@dataclass(frozen=True)
class Attribution:
    """An execution by module.

    ``charged`` replaces the MACs of each module: what another tool's convention makes of them.
    """

    execution: Execution
    charged: Mapping[str, int] | None = None

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.execution.name

    @cached_property
    def _costs(self) -> dict[str, Cost]:
        """What the operators of each module cost, and what it owns."""
        found: dict[str, list[int]] = defaultdict(lambda: [0] * len(fields(Cost)))
        for ran in self.execution.operations:
            counts = found[ran.module]
            for index, count in enumerate((ran.macs, ran.other_ops, ran.reads, ran.writes), 3):
                counts[index] += count
        if self.charged is not None:
            for path in {*found, *self.charged}:
                found[path][3] = self.charged.get(path, 0)
        for held in self.execution.holdings:
            if not held.is_buffer and not held.shared:
                found[held.module][ROLES.index(held.role)] += held.elements
        return {path: Cost(*counts) for path, counts in found.items()}

    @cached_property
    def table(self) -> CostTable:
        """One row per module with costs of its own, in order of execution; what never ran comes last."""
        ran = dict.fromkeys(operation.module for operation in self.execution.operations)
        # a leaf that only renames values is part of the network, a container that does nothing itself is not
        rows = []
        for path in dict.fromkeys([*ran, *self.execution.modules]):
            module = self.execution.modules[path]
            cost = self._costs.get(path, NOTHING)
            if cost != NOTHING or (path in self._calls and not module.children):
                rows.append(Row(self.label(path), module.kind, self._shape(path), cost))
        return CostTable(self.name, "operators", tuple(rows))

    def label(self, path: str) -> str:
        """A module's path; the model itself goes by its class, in parentheses."""
        return path or f"({self.execution.modules[''].kind})"

    @cached_property
    def _calls(self) -> dict[str, list[Shape]]:
        """The first shape that each run of a module gave."""
        found: dict[str, list[Shape]] = defaultdict(list)
        for call in self.execution.calls:
            found[call.module].append(call.outputs[0] if call.outputs else ())
        return found

    def _shape(self, path: str) -> Shape:
        """What the module gave when it last ran, without the batch where that comes first."""
        return self._unbatched(self._calls[path][-1]) if path in self._calls else ()

    def _unbatched(self, shape: Shape) -> Shape:
        return shape[1:] if len(shape) > 1 and shape[0] == self.execution.samples else shape

    @property
    def inputs(self) -> tuple[Shape, ...]:
        """The shapes of the model's inputs, of one sample."""
        return tuple(self._unbatched(shape) for shape in self.execution.inputs)

    @cached_property
    def whole(self) -> Part:
        """The model as one part."""
        shapes = [self._unbatched(shape) for shape in self.execution.outputs]
        cost = self.table.total
        peak = max(self._alive, default=0)
        return Part(self.name, "model", shapes[0] if shapes else (), cost, _measured(peak))

    @property
    def layers(self) -> tuple[Part, ...]:
        """One part per row."""
        return tuple(self._part(row.name, [row]) for row in self.table.rows)

    def blocks(self, depth: int | None = None) -> tuple[Part, ...]:
        """One part per first ``depth`` steps of the paths; by default as many as it takes to have several."""
        depth = depth or self._first_fork
        members: dict[str, list[Row]] = defaultdict(list)
        for row in self.table.rows:
            members[_cut(row.name, depth)].append(row)
        return tuple(self._part(name, rows) for name, rows in members.items())

    def block(self, path: str) -> str:
        """The name of the block, by default depth, that a module is a part of."""
        return _cut(self.label(path), self._first_fork)

    @cached_property
    def _first_fork(self) -> int:
        paths = [row.name.split(".") for row in self.table.rows if row.name != self.label("")]
        deepest = max(map(len, paths), default=1)
        return next((d for d in range(1, deepest) if len({tuple(p[:d]) for p in paths}) > 1), deepest)

    def part(self, name: str) -> Part:
        """The module of that path with all that it contains; KeyError if it has no costs."""
        inside = [row for row in self.table.rows if row.name == name or row.name.startswith(f"{name}.")]
        if not inside:
            raise KeyError(name)
        return self._part(name, inside)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that :meth:`part` knows."""
        paths = [row.name.split(".") for row in self.table.rows]
        return tuple(dict.fromkeys(".".join(path[: n + 1]) for path in paths for n in range(len(path))))

    def _part(self, name: str, rows: Sequence[Row]) -> Part:
        path = "" if name == self.label("") else name
        module = self.execution.modules.get(path)
        times = len(self._calls.get(path, ()))
        kind = module.kind if module else "block"
        called = f"{kind} ({times} calls)" if times > 1 else kind
        peak = max(self._peaks.get(row.name, 0) for row in rows)
        cost = sum((row.cost for row in rows), NOTHING)
        # a container that nothing calls gives what the last inside it gives
        shape = self._shape(path) or rows[-1].output_shape
        return Part(name, called, shape, cost, _measured(peak))

    @cached_property
    def _peaks(self) -> dict[str, int]:
        """The most that is alive while operators of each row run."""
        found: dict[str, int] = {}
        for ran, living in zip(self.execution.operations, self._alive, strict=True):
            label = self.label(ran.module)
            found[label] = max(found.get(label, 0), living)
        return found

    @cached_property
    def _alive(self) -> list[int]:
        return alive(self.execution)

    @cached_property
    def parameters(self) -> Parameters:
        """What the model holds, counted once each."""
        learnable = [found for found in self.execution.holdings if not found.is_buffer]
        once = [found for found in learnable if not found.shared]
        used = {_full(found) for found in learnable if found.used}
        used |= {found.shared for found in learnable if found.used and found.shared}
        return Parameters(
            trainable=sum(found.elements for found in once if found.trainable),
            frozen=sum(found.elements for found in once if not found.trainable),
            shared=sum(found.elements for found in learnable if found.shared),
            buffers=sum(
                found.elements for found in self.execution.holdings if found.is_buffer and not found.shared
            ),
            never_executed=sum(found.elements for found in once if _full(found) not in used),
        )

    @cached_property
    def operators(self) -> tuple[Operator, ...]:
        """What each operator cost in all, dearest first; those that cost nothing are left out."""
        runs: dict[str, list[Operation]] = defaultdict(list)
        for ran in self.execution.operations:
            runs[ran.operator].append(ran)
        found = [self._operator(name, group) for name, group in runs.items()]
        shown = [each for each in found if each.macs or each.other_ops or each.knowledge != "counted"]
        return tuple(sorted(shown, key=lambda each: (-each.macs, -each.other_ops, each.name)))

    def _operator(self, name: str, runs: Sequence[Operation]) -> Operator:
        macs = sum(ran.macs for ran in runs)
        backward = sum(ran.macs for ran in runs if ran.phase == "backward")
        other = sum(ran.other_ops for ran in runs)
        modules = tuple(dict.fromkeys(self.label(ran.module) for ran in runs))
        return Operator(name, len(runs), macs, backward, other, runs[0].knowledge, modules)

    @property
    def uncounted(self) -> tuple[Operator, ...]:
        """Operators of unknown cost: the MACs of the model are at least those counted."""
        return tuple(found for found in self.operators if found.knowledge == "unknown")

    @property
    def backward(self) -> int:
        """MACs of the backward pass."""
        return sum(found.backward_macs for found in self.operators)


def _measured(peak: int) -> Structure:
    """What is known of a foreign part beside its costs: its wiring is not."""
    return Structure(receptive_field=None, depth=None, nonlinearities=None, peak_activations=peak)


def _cut(name: str, depth: int) -> str:
    return ".".join(name.split(".")[:depth])


def _full(found: Holding) -> str:
    return f"{found.module}.{found.name}".lstrip(".")


def alive(execution: Execution) -> list[int]:
    """Elements of activations that must be alive while each operator runs.

    As in a graph: a buffer lives from the operator that makes it to the last that takes it, and an
    elementwise operator overwrites an input of the same size that nobody needs later.
    """
    ran, sizes = execution.operations, execution.sizes
    last = {number: step for step, found in enumerate(ran) for number in (*found.taken, *found.given)}
    last |= dict.fromkeys(execution.leaving, len(ran))
    living = {number: sizes[number] for number in execution.entering}
    total = sum(living.values())
    found = []
    for step, operation in enumerate(ran):
        new = [number for number in operation.given if number not in living]
        freed = [number for number in operation.taken if number in living and last[number] == step]
        if operation.in_place and len(new) == 1:
            # the result takes the place of an input that ends here
            same = next((n for n in freed if living[n] == sizes[new[0]]), None)
            total -= living.pop(same) if same is not None else 0
        for number in new:
            living[number] = sizes[number]
            total += living[number]
        found.append(total)
        for number in (*operation.taken, *operation.given):
            if number in living and last[number] <= step:
                total -= living.pop(number)
    return found
