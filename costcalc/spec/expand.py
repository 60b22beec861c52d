"""Blueprint → graph: blocks unfolded, repeats written out, sources resolved, values filled in."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import takewhile
from typing import Any, TypeVar

from costcalc.errors import CostcalcError, Misfit, Place, Problem, did_you_mean, shortened
from costcalc.graph import INPUT, Graph, Group, Step, wire
from costcalc.layers import KINDS, Layer
from costcalc.records import TOTAL, Figure
from costcalc.spec.arithmetic import Bound, Env
from costcalc.spec.blueprint import (
    MAX_PROBLEMS,
    Block,
    Blueprint,
    bind,
    find_block,
    input_shape,
    known_kinds,
    value_of,
)
from costcalc.spec.calls import Call, Scope
from costcalc.spec.names import check_name
from costcalc.spec.source import Item, unknown_key
from costcalc.units import is_whole
from costcalc.validated import Faults, Missing, Unknown

MAX_LAYERS = 10_000
MAX_VISITS = 40_000  # entries and connections followed on the way to the layers
MAX_NESTING = 12  # blocks within blocks
WIRING = ("kind", "from", "repeat", "training")

Overrides = Mapping[str, Item]
T = TypeVar("T")


class TooLarge(CostcalcError):
    """The unfolding ends here; nothing that follows is worth reporting."""


def graph_of(blueprint: Blueprint, overrides: Overrides, training: bool) -> Graph:
    """The wired graph; raises :class:`CostcalcError` with every independent error."""
    params = {key: overrides.get(key, item) for key, item in blueprint.params.items()}
    unfolding = _Unfolding(blueprint.blocks, blueprint.broken, overrides, params, used={*params, INPUT})
    unfolding.problems += blueprint.problems
    env = bind(params, unfolding.problems)
    shape = unfolding.tried(lambda: input_shape(overrides.get(INPUT, blueprint.input), env))
    scope = Scope("", env, INPUT)
    last = unfolding.table(blueprint.layers, scope)
    ends = [unfolding.named(item, scope, blueprint.layers, "outputs") for item in blueprint.outputs]
    unfolding.check_overrides(env.read | blueprint.read | {INPUT})
    unfolding.check_figures(blueprint.about.figures)
    return wire(
        blueprint.name,
        shape,
        unfolding.steps,
        unfolding.groups,
        [name for name in (ends or [last]) if name is not None],
        blueprint.about,
        training or blueprint.training,
        unfolding.problems,
    )


def settable(blueprint: Blueprint, overrides: Overrides) -> frozenset[str]:
    """Every path that an override may have in this blueprint."""
    params = {key: overrides.get(key, item) for key, item in blueprint.params.items()}
    unfolding = _Unfolding(blueprint.blocks, blueprint.broken, {}, params, used=set())
    unfolding.table(blueprint.layers, Scope("", bind(params, []), INPUT))
    return frozenset(unfolding.settable())


@dataclass
class _Unfolding:
    """The state of one unfolding: steps and groups so far, what each path gives, problems."""

    blocks: Mapping[str, Block]
    broken: frozenset[str]  # blocks whose form is wrong, reported already
    overrides: Overrides
    params: Collection[str]
    used: set[str]  # override paths that found their place
    fields: list[tuple[str, Sequence[str]]] = field(default_factory=list)  # of each layer and block
    steps: list[Step] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    gives: dict[str, str | None] = field(default_factory=dict)  # path → node, None if broken
    training: set[str] = field(default_factory=set)  # nodes that exist only in training
    problems: list[Problem] = field(default_factory=list)
    places: set[tuple[str, Place | None]] = field(default_factory=set)  # of the problems, each once
    visits: int = 0

    def tried(self, make: Callable[[], T]) -> T | None:
        """What ``make`` gives, or None with its problems noted."""
        try:
            return make()
        except TooLarge:
            raise
        except CostcalcError as error:
            self.note(error.problems)
            return None

    def note(self, problems: Sequence[Problem]) -> None:
        """Keep problems for the end, unless there are more than anybody reads."""
        self.problems += problems
        self.places.update((problem.message, problem.place) for problem in problems)
        if len(self.places) > MAX_PROBLEMS or len(self.problems) > MAX_VISITS:
            raise TooLarge(self.problems)

    def table(self, layers: Mapping[str, Item], scope: Scope) -> str | None:
        """Unfold a layer table in order; returns the node its last layer gives, None if broken."""
        above = {False: scope.entry, True: scope.entry}  # without and with training-only layers
        for name, item in layers.items():
            path = scope.prefix + name
            self.visit(path, scope.anchor or item.place)
            self.gives[path] = None  # a broken layer silences what follows from it
            call = self.tried(partial(self.parsed, name, item, scope))
            training = scope.training if call is None else call.training
            if call is not None:
                sources = self.tried(partial(self.sources, call, scope, above[training], layers))
                self.gives[path] = self.tried(partial(self.repeated, call, sources, scope))
            above[True] = self.gives[path]
            if training == scope.training:
                above[False] = self.gives[path]
        return above[scope.training]

    def visit(self, path: str, place: Place, times: int = 1) -> None:
        """Count an entry; a spec that unfolds without end is cut off here."""
        self.visits += times
        if self.visits > MAX_VISITS or len(self.steps) > MAX_LAYERS:
            message = f"unfolds to more than {MAX_LAYERS:,} layers, or {MAX_VISITS:,} blocks and connections"
            raise TooLarge([*self.problems[:MAX_PROBLEMS], Problem(message, path, place)])

    def parsed(self, name: str, item: Item, scope: Scope) -> Call:
        """An entry with overrides applied and every value evaluated."""
        path = scope.prefix + name
        check_name(name, item.key, path)
        if not isinstance(item.value, dict):
            given = "nothing" if item.value is None else shortened(item.plain())
            message = f"should be a mapping like {{kind: relu}}, not {given}"
            raise CostcalcError([item.problem(message, path)])
        items = {**item.value, **self.overriding(path)}
        if "kind" not in items:
            raise CostcalcError([item.problem("needs 'kind'", path)])
        tried = {
            key: self.tried(partial(value_of, value, scope.env, f"{path}.{key}"))
            for key, value in items.items()
        }
        values = {key: bound for key, bound in tried.items() if bound is not None}
        return Call(
            path=path,
            kind=_typed(values.get("kind"), str, "the name of a layer kind or block", f"{path}.kind"),
            fields={key: bound for key, bound in values.items() if key not in WIRING},
            keys={key: value.key for key, value in items.items()},
            broken=frozenset(tried.keys() - values.keys()),
            source=values.get("from"),
            repeat=self.tried(partial(_times, values.get("repeat"), path)),
            training=scope.training or bool(self.tried(partial(_flag, values.get("training"), path))),
            place=scope.anchor or item.place,
        )

    def overriding(self, path: str) -> dict[str, Item]:
        """The overrides of this layer's fields."""
        mine = self.by_layer.get(path, {})
        self.used.update(f"{path}.{key}" for key in mine)
        return mine

    @cached_property
    def by_layer(self) -> dict[str, dict[str, Item]]:
        """The overrides of each layer, by field."""
        found: dict[str, dict[str, Item]] = defaultdict(dict)
        for path, item in self.overrides.items():
            layer, _, key = path.rpartition(".")
            found[layer][key] = item
        return found

    def sources(
        self, call: Call, scope: Scope, above: str | None, layers: Mapping[str, Item]
    ) -> tuple[str, ...] | None:
        """The nodes that feed a call; None where one of them is broken."""
        if "from" in call.broken:
            return None
        if call.source is None:
            return None if above is None else (above,)
        where, place = f"{call.path}.from", call.source.place
        names = call.source.value if isinstance(call.source.value, list) else [call.source.value]
        if not names:
            raise CostcalcError([Problem("names no layer", where, place)])
        self.visit(call.path, place, len(names))
        found = [self.named(Item(name, place, place), scope, layers, where) for name in names]
        hidden = [name for name in found if name in self.training and not call.training]
        if hidden:
            message = (
                f"takes '{hidden[0]}', which exists only in training; mark this layer `training: true` too"
            )
            raise CostcalcError([Problem(message, where, place)])
        return None if None in found else tuple(name for name in found if name is not None)

    def named(self, item: Item, scope: Scope, layers: Mapping[str, Item], where: str) -> str | None:
        """The node that a layer's name stands for in a scope; None, with a problem noted, if none."""
        name = str(item.value) if type(item.value) is int else item.value  # a layer may be called 1
        if not isinstance(name, str):
            message = f"should be the name of a layer, not {shortened(name)}"
        elif name == INPUT and where.endswith(("outputs", ".output")):
            message = "the input is no output; name a layer"
        elif name == INPUT:
            return scope.entry
        elif scope.prefix + name in self.gives:
            return self.gives[scope.prefix + name]
        elif name in layers:
            message = f"'{name}' stands below; a layer takes only what is above it"
        else:
            mine = takewhile(lambda path: path.startswith(scope.prefix), reversed(self.gives))
            above = [path.removeprefix(scope.prefix) for path in mine][::-1]
            message = f"no layer {shortened(name)} above{did_you_mean(name, [*above, INPUT])}"
            message += (
                "; a file that removes a head of its base restates 'outputs:'" if where == "outputs" else ""
            )
        self.note([item.problem(message, where)])
        return None

    def repeated(self, call: Call, sources: tuple[str, ...] | None, scope: Scope) -> str | None:
        """The call once, or ``name.1`` … ``name.n`` one behind the other; returns the last node."""
        if call.repeat is None:
            return self.once(call, call.path, sources, scope)
        fed, given = sources, None
        for index in range(1, call.repeat + 1):
            given = self.once(call, f"{call.path}.{index}", fed, scope)
            if given is None:
                return None  # broken once is broken n times
            fed = (given,)
        if given is not None and sources is not None:
            self.groups.append(Group(call.path, f"{call.kind} ×{call.repeat}", sources[0], given, call.place))
        return given

    def once(self, call: Call, path: str, sources: tuple[str, ...] | None, scope: Scope) -> str | None:
        self.visit(path, call.place)
        if call.kind in self.broken:
            return None
        block = find_block(call.kind, self.blocks) if call.kind not in KINDS else None
        if block is not None:
            return self.block(block, call, path, sources, scope)
        if call.kind not in KINDS:
            known = known_kinds(self.blocks)
            hint = did_you_mean(call.kind, known) or "; `costcalc kinds` lists them"
            raise CostcalcError(
                [Problem(f"no kind or block {shortened(call.kind)}{hint}", call.path, call.keys["kind"])]
            )
        layer = self.layer(call)
        if sources is None:
            return None
        self.steps.append(Step(path, layer, sources, call.training, call.place))
        if call.training:
            self.training.add(path)
        self.gives[path] = path
        return path

    def layer(self, call: Call) -> Layer:
        """The validated layer; all its errors at once."""
        kind = KINDS[call.kind]
        self.fields.append((call.path, [*WIRING, *kind.fields()]))
        try:
            layer = kind(**{key: bound.value for key, bound in call.fields.items()})
        except Faults as faults:
            fresh = [(key, fault) for (key, *_), fault in faults.found if key not in call.broken]
            raise CostcalcError([_misfit(call, str(key), fault) for key, fault in fresh]) from None
        if call.broken:
            raise CostcalcError(())
        return layer

    def block(
        self, block: Block, call: Call, path: str, sources: tuple[str, ...] | None, scope: Scope
    ) -> str | None:
        """Unfold a block's own table under the call's path."""
        if block.name in scope.stack or len(scope.stack) >= MAX_NESTING:
            way = " → ".join([*scope.stack, block.name])
            why = "uses itself" if block.name in scope.stack else f"is nested deeper than {MAX_NESTING}"
            raise CostcalcError([Problem(f"block '{block.name}' {why}: {way}", call.path, call.place)])
        if sources is not None and len(sources) != 1:
            message = (
                f"a block takes one input, got {len(sources)}; join them with concat, add or multiply first"
            )
            raise CostcalcError([Problem(message, call.path, call.place)])
        entry = sources[0] if sources else None
        anchor = call.place if block.shipped else None
        env = self.arguments(block, call)
        inner = Scope(
            f"{path}.", env, entry, call.training, (*scope.stack, block.name), scope.anchor or anchor
        )
        given = self.table(block.layers, inner)
        if block.output is not None:
            given = self.named(block.output, inner, block.layers, f"{path}.output")
        if given is not None and entry is not None:
            self.groups.append(Group(path, call.kind, entry, given, call.place))
        self.gives[path] = given
        return given

    def arguments(self, block: Block, call: Call) -> Env:
        """The block's parameters: given ones, then defaults, which may use those before them."""
        self.fields.append((call.path, [*WIRING, *block.args]))
        what = f"block '{call.kind}'"
        problems = [
            Problem(unknown_key(key, list(block.args), what), call.path, call.keys[key])
            for key in call.fields
            if key not in block.args
        ]
        missing = [name for name, default in block.args.items() if default is None and name not in call.keys]
        problems += [Problem(f"{what} needs '{name}'", call.path, call.place) for name in missing]
        if problems or call.broken:
            raise CostcalcError(problems)
        env: dict[str, Bound] = {}
        for name, default in block.args.items():
            if name in call.fields:
                env[name] = call.fields[name]
            elif default is not None:
                env[name] = value_of(default, env, f"{call.path}.{name}")
        return env

    def settable(self) -> Iterator[str]:
        """Every path that an override may have."""
        yield from self.params
        yield INPUT
        yield from (f"{path}.{name}" for path, names in self.fields for name in names)

    def check_overrides(self, read: Set[str]) -> None:
        """Every override must have found its place, and a parameter must be read by something."""
        for path, item in self.overrides.items():
            if path in self.params and path not in read and not self.problems:
                self.note([item.problem(f"setting '{path}' changes nothing: no value reads it")])
            elif path not in self.used:
                hint = (
                    did_you_mean(path, self.settable()) or "; a path is a declared parameter or LAYER.FIELD"
                )
                self.note([item.problem(f"nothing to set at '{path}'{hint}")])

    def check_figures(self, figures: Sequence[Figure]) -> None:
        """Every published figure must be of something that is there."""
        for figure in figures:
            if figure.target != TOTAL and figure.target not in self.gives:
                hint = (
                    did_you_mean(figure.target, [TOTAL, *self.gives]) or "; name a layer, a block or 'total'"
                )
                self.note([Problem(f"no block {shortened(figure.target)}{hint}", "claims", figure.place)])


def _misfit(call: Call, key: str, fault: Misfit) -> Problem:
    if isinstance(fault, Unknown):
        known = list(KINDS[call.kind].fields())
        return Problem(unknown_key(key, known, call.kind), call.path, call.keys[key])
    if isinstance(fault, Missing):
        return Problem(f"{call.kind} {fault}", call.path, call.place)
    return Problem(str(fault), f"{call.path}.{key}", call.fields[key].place)


def _typed(bound: Bound | None, wanted: type, what: str, path: str) -> Any:
    if bound is None:
        raise CostcalcError(())  # reported already
    if isinstance(bound.value, wanted):
        return bound.value
    raise CostcalcError([Problem(f"should be {what}, not {shortened(bound.value)}", path, bound.place)])


def _flag(bound: Bound | None, path: str) -> bool:
    return bound is not None and bool(_typed(bound, bool, "true or false", f"{path}.training"))


def _times(bound: Bound | None, path: str) -> int | None:
    if bound is None:
        return None
    times = bound.value
    if is_whole(times) and not issubclass(type(times), int):
        times = operator.index(times)  # a number that records is read; one that is a formula is refused
    if type(times) is int and 1 <= times <= MAX_LAYERS:
        return times
    message = f"should be a whole number from 1 to {MAX_LAYERS:,}, not {shortened(bound.value)}"
    raise CostcalcError([Problem(message, f"{path}.repeat", bound.place)])
