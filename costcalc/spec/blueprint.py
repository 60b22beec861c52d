"""A file with its bases and parts resolved: everything still items, nothing expanded yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from costcalc.errors import CostcalcError, Misfit, Problem
from costcalc.graph import About
from costcalc.layers import KINDS
from costcalc.spec import catalogue
from costcalc.spec.arithmetic import Bound, Env, Silent, Watched, evaluate
from costcalc.spec.schema import BlockEntry
from costcalc.spec.source import Item
from costcalc.units import is_whole

_SHAPE = re.compile(r"[0-9]{1,9}(x[0-9]{1,9}){0,2}")
LARGEST_EXTENT = 2**24
MAX_PROBLEMS = 50  # after so many nobody reads on, and looking for what was meant takes a while


@dataclass(frozen=True, slots=True)
class Block:
    """A wiring table with arguments; an argument without default is None and must be given."""

    name: str
    args: Mapping[str, Item | None]
    layers: Mapping[str, Item]
    output: Item | None
    shipped: bool


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A resolved file. ``blocks`` are its own; the shipped ones are found behind them."""

    name: str
    input: Item
    params: Mapping[str, Item]
    layers: Mapping[str, Item]
    blocks: Mapping[str, Block]
    outputs: tuple[Item, ...]
    training: bool
    about: About
    broken: frozenset[str] = frozenset()  # blocks whose form is wrong
    read: frozenset[str] = frozenset()  # parameters that choosing a part has used already
    problems: tuple[Problem, ...] = ()  # of the file's form; told with those of its layers


def block_of(name: str, entry: BlockEntry, item: Item, shipped: bool) -> Block:
    """The block that a validated entry describes."""
    layers = item.mapping()["layers"].mapping()
    args: dict[str, Item | None] = {}
    given = item.mapping().get("args")
    if isinstance(entry.args, list):
        args = dict.fromkeys(entry.args)
    elif given is not None:
        args = {key: None if value.value is None else value for key, value in given.mapping().items()}
    return Block(name, args, layers, item.mapping().get("output"), shipped)


def find_block(kind: str, blocks: Mapping[str, Block]) -> Block | None:
    """The block of that kind: the file's own, else the shipped one, else None."""
    return blocks[kind] if kind in blocks else _shipped(kind)


@cache
def _shipped(kind: str) -> Block | None:
    item = catalogue.shipped_block(kind)
    if item is None:
        return None
    body = item.plain()
    entry = BlockEntry(**{key: body[key] for key in ("args", "layers", "output") if key in body})
    return block_of(kind, entry, item, shipped=True)


def known_kinds(blocks: Mapping[str, Block]) -> list[str]:
    """Every word that may stand behind ``kind:``."""
    return sorted({*KINDS, *blocks, *catalogue.shipped_blocks()})


def bind(items: Mapping[str, Item], problems: list[Problem]) -> Watched:
    """Items with their parameters filled in, each from those before it; what fails is broken and noted."""
    env = Watched()
    for key, item in items.items():
        try:
            env[key] = value_of(item, env, key)
        except CostcalcError as error:
            problems += error.problems
            env[key] = Bound(None, item.place, broken=True)
            if len(problems) > MAX_PROBLEMS:
                raise CostcalcError(problems) from None
    return env


def value_of(item: Item, env: Env, path: str) -> Bound:
    """The evaluated value; a bare ``$name`` keeps the place where the parameter was given."""
    if not isinstance(item.value, (list, dict)) and (
        not isinstance(item.value, str) or "$" not in item.value
    ):
        return Bound(item.value, item.place)  # as most do
    plain = item.plain()
    try:
        value = evaluate(plain, env)
    except Silent:
        raise CostcalcError(()) from None
    except Misfit as misfit:
        raise CostcalcError([item.problem(str(misfit), path)]) from None
    name = plain.strip()[1:] if isinstance(plain, str) and plain.strip().startswith("$") else ""
    return Bound(value, env[name].place if name in env else item.place)


def input_shape(item: Item, env: Env) -> tuple[int, ...]:
    """``[C, H, W]`` or ``[features]``, also written ``3x224x224``."""
    bound = value_of(item, env, "input")
    value = bound.value
    if isinstance(value, str) and _SHAPE.fullmatch(value):
        value = [int(part) for part in value.split("x")]
    if is_whole(value):
        value = [value]
    sizes = value if isinstance(value, list) else []
    whole = all(is_whole(size) and 1 <= size <= LARGEST_EXTENT for size in sizes)
    if len(sizes) not in (1, 3) or not whole:
        message = f"should be [channels, height, width] or [features], each from 1 to {LARGEST_EXTENT:,}"
        raise CostcalcError([Problem(message, "input", bound.place)])
    return tuple(sizes)
