"""A preset's name or a YAML file → a :class:`~costcalc.graph.Graph`. One loader for both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

from costcalc.errors import CostcalcError, Place, Problem, did_you_mean, shortened
from costcalc.graph import About, Graph
from costcalc.layers import KINDS
from costcalc.records import Figure
from costcalc.spec import catalogue, expand
from costcalc.spec.arithmetic import Bound
from costcalc.spec.blueprint import MAX_PROBLEMS, Block, Blueprint, bind, block_of, find_block, value_of
from costcalc.spec.catalogue import presets, shipped_blocks
from costcalc.spec.schema import FileEntry, file_entry
from costcalc.spec.source import Item, read

__all__ = [
    "alone",
    "arguments",
    "figures",
    "is_spec",
    "load",
    "parameters",
    "presets",
    "settable",
    "shipped_blocks",
    "signature",
    "stem",
    "text",
]

Setting = str | int | Sequence[int]  # YAML's notation, a whole number, or several
MAX_BASES = 8
_ALONE = "block"  # what a kind is called where it stands by itself
_INPUTS: tuple[dict[str, int], ...] = ({"f_in": 64}, {"c_in": 64, "h": 32, "w": 32})  # of such a one
_ARGUMENTS = (4, 16, 64)  # required fields of such a one; an identity shortcut wants as many channels


def load(name: str, overrides: Mapping[str, Setting] | None = None, training: bool = False) -> Graph:
    """The architecture that ``name`` means: a preset, a YAML file, ``-`` for standard input.

    ``main:nets/tiny.yaml`` is a file at a revision of git; its graph is called as it was asked for.
    ``overrides`` set declared parameters and layers' fields (``{"classes": "10"}``) in YAML's
    notation, or as one whole number or several; so does a suffix, ``naive@module=inception_4e``.
    ``training`` keeps the layers that exist only in training. Raises :class:`CostcalcError` with every
    independent error.
    """
    stem, given = _split(name)
    items = _items(_both(name, given, overrides))
    path = catalogue.find(stem)
    blueprint = _resolve(path, items, ())
    if items or (training and not blueprint.training):
        blueprint = replace(blueprint, about=replace(blueprint.about, figures=(), changed=True))
    graph = expand.graph_of(blueprint, items, training)
    called = stem if catalogue.version(path) else blueprint.name
    return replace(graph, name=called + name[len(stem) :])


def alone(kind: str, arguments: Mapping[str, int], shape: Sequence[int]) -> Graph:
    """A layer kind or shipped block by itself, on an input of that shape."""
    place = Place(kind, 1, 1, "")
    call = {"kind": Item(kind, place, place)}
    call |= {key: Item(value, place, place) for key, value in arguments.items()}
    entry = Item(call, place, place)
    blueprint = Blueprint(
        name=kind,
        input=Item([Item(size, place, place) for size in shape], place, place),
        params={},
        layers={_ALONE: entry},
        blocks={},
        outputs=(),
        training=False,
        about=About(),
    )
    return expand.graph_of(blueprint, {}, training=False)


def is_spec(name: str) -> bool:
    """Whether a name means a preset or file, and not a block or layer kind."""
    stem_ = _split(name)[0]
    return stem_ in presets() or not (stem_ in KINDS or stem_ in shipped_blocks())


def arguments(kind: str) -> tuple[dict[str, int], dict[str, int]]:
    """An input that a kind or block takes by itself (its dimensions), and values of its required fields."""
    if kind in KINDS:
        required = [name for name in KINDS[kind].fields() if name in KINDS[kind].required()]
    else:
        block = find_block(kind, {})
        required = [name for name, default in (block.args if block else {}).items() if default is None]
    for sizes, value in product(_INPUTS, _ARGUMENTS):
        given = dict.fromkeys(required, value)
        try:
            alone(kind, given, tuple(sizes.values()))
        except CostcalcError as error:
            refused = error
        else:
            return sizes, given
    raise refused


def parameters(name: str, overrides: Mapping[str, Setting] | None = None) -> dict[str, object]:
    """The declared parameters of a spec that stand for themselves, with their values.

    One whose default is computed from others follows them and is left out.
    """
    stem_, given = _split(name)
    items = _items(_both(name, given, overrides))
    blueprint = _resolve(catalogue.find(stem_), items, ())
    env = bind({key: items.get(key, item) for key, item in blueprint.params.items()}, [])
    own = (key for key, item in blueprint.params.items() if "$" not in str(item.plain()))
    return {key: env[key].value for key in own}


def figures(name: str) -> tuple[Figure, ...]:
    """The published figures that a spec carries, without unfolding it."""
    return _resolve(catalogue.find(name), {}, ()).about.figures


def stem(name: str) -> str:
    """The preset or file of a name without its settings: ``naive@module=inception_4e`` → ``naive``."""
    return _split(name)[0]


def text(name: str) -> str:
    """The YAML of a spec as it stands, to start one's own from."""
    return catalogue.text_of(catalogue.find(name))


def settable(name: str) -> frozenset[str]:
    """Every path that ``overrides`` may set in a spec."""
    stem, given = _split(name)
    items = _items(given)
    return expand.settable(_resolve(catalogue.find(stem), items, ()), items)


def signature(block: str) -> tuple[str, str]:
    """A shipped block's arguments as a person lists them, and its one line."""
    item, found = catalogue.shipped_block(block), find_block(block, {})
    assert item is not None
    assert found is not None
    listed = (key if value is None else f"{key}={value.value}" for key, value in found.args.items())
    return ", ".join(listed), str(item.mapping()["summary"].value)


def _split(name: str) -> tuple[str, dict[str, str | int]]:
    """``"naive@module=inception_4e,size=7"`` → the name and its overrides."""
    stem, mark, rest = name.rpartition("@")
    if not mark or not stem or "=" not in rest or catalogue.exists(Path(name)):
        return name, {}
    found: dict[str, str | int] = {}
    for part in re.split(r",(?![^\[]*\])", rest):
        key, _, value = part.partition("=")
        if key in found:
            raise CostcalcError(f"{shortened(name)}: '{key}' is given twice")
        found[key] = value
    return stem, found


def _both(
    name: str, given: Mapping[str, str | int], overrides: Mapping[str, Setting] | None
) -> dict[str, Setting]:
    twice = given.keys() & (overrides or {}).keys()
    if twice:
        raise CostcalcError(f"{shortened(name)} and --set both give '{min(twice)}'")
    return {**given, **(overrides or {})}


def _items(overrides: Mapping[str, Setting]) -> dict[str, Item]:
    return {path: _item(path, value) for path, value in overrides.items()}


def _item(path: str, value: Setting) -> Item:
    if not isinstance(value, str):
        place = Place(f"--set {path}={value}", 1, 1, "")
        if isinstance(value, int):
            return Item(value, place, place)
        return Item([Item(part, place, place) for part in value], place, place)
    shown = f"--set {path}={value}"
    if not path.strip() or not value.strip():
        raise CostcalcError(f"{shortened(shown)}: write --set PATH=VALUE, for example --set classes=10")
    return read(value, shown if len(shown) <= 80 else f"--set {path}")


def _resolve(path: Path, overrides: Mapping[str, Item], chain: tuple[Path, ...]) -> Blueprint:
    """The file with its bases merged in; ``overrides`` matter where a part is taken out of one."""
    item, entry, found = (_preset if catalogue.is_preset(path) else _file)(path)
    problems = [*found]
    if path in chain or len(chain) >= MAX_BASES:
        way = " → ".join(catalogue.shown(link) for link in (*chain, path))
        raise CostcalcError(
            [Problem(f"'base' leads in a circle or too deep: {way}", "base", item.at(("base",)).place)]
        )
    own = item.mapping()
    if entry.base is None:
        problems += _incomplete(entry, item)
        if "input" not in own or not entry.layers:
            raise CostcalcError(problems)
        return _merged(None, entry, item, path, problems)
    above = {**_laid_over({}, own.get("params")), **overrides}  # what this file sets wins in its base too
    base = _resolve_base(entry.base, own["base"], above, path, chain)
    if entry.part is not None:
        base = _part(base, entry, item, path, overrides)
    return _merged(base, entry, item, path, problems)


def _file(path: Path) -> tuple[Item, FileEntry, tuple[Problem, ...]]:
    """A file as written, as validated, and what is wrong with its form."""
    doubled: list[Problem] = []
    item = read(catalogue.text_of(path), catalogue.shown(path), doubled)
    entry, problems = file_entry(item)
    return item, entry, (*problems, *doubled)


_preset = cache(_file)  # what is shipped does not change while it is used


def _resolve_base(
    name: str, item: Item, overrides: Mapping[str, Item], path: Path, chain: tuple[Path, ...]
) -> Blueprint:
    """The base of a file; what is wrong with finding it stands at the file's own ``base:``."""
    beside = None if path == Path(catalogue.STDIN) else path
    try:
        found = catalogue.find(name, beside)
        if not found.is_file() and not catalogue.version(found):
            raise CostcalcError(f"{shortened(name)} is not a file")
    except CostcalcError as error:
        raise CostcalcError([item.problem(str(error), "base")]) from None
    return _resolve(found, overrides, (*chain, path))


def _incomplete(entry: FileEntry, item: Item) -> list[Problem]:
    own = item.mapping()
    problems = [
        Problem(f"needs '{key}', or a 'base' to take it from", "", item.place)
        for key in ("input", "layers")
        if key not in own
    ]
    if entry.part is not None:
        problems.append(own["part"].problem("'part' needs a 'base' to take the part from", "part"))
    if own.get("layers") and own["layers"].value == {}:
        problems.append(own["layers"].problem("has no layers", "layers"))
    return problems


def _merged(
    base: Blueprint | None, entry: FileEntry, item: Item, path: Path, problems: list[Problem]
) -> Blueprint:
    """The file laid over its base: entries of the same name replace, ``null`` removes."""
    own = {key: item.mapping()[key] for key in entry.given()}
    below = base or Blueprint(path.stem, item, {}, {}, {}, (), False, About())
    blocks, unknown = _blocks(below.blocks, entry, item, path)
    return Blueprint(
        name=entry.name or path.stem,
        input=own.get("input", below.input),
        params=_laid_over(below.params, own.get("params")),
        layers=_laid_over(below.layers, own.get("layers")),
        blocks={**below.blocks, **blocks},
        outputs=_listed(own["outputs"]) if "outputs" in own else below.outputs,
        training=entry.training,
        about=_about(entry, item),
        broken=frozenset(item.at(("blocks",)).mapping() if "blocks" in own else ()) - blocks.keys(),
        problems=(*below.problems, *problems, *unknown),
        read=below.read,
    )


def _listed(item: Item) -> tuple[Item, ...]:
    return tuple(item.value) if isinstance(item.value, list) else ()


def _laid_over(below: Mapping[str, Item], item: Item | None) -> dict[str, Item]:
    above = item.mapping() if item else {}
    removed = {key for key, value in above.items() if value.value is None and key in below}
    return {key: value for key, value in {**below, **above}.items() if key not in removed}


def _blocks(
    below: Mapping[str, Block], entry: FileEntry, item: Item, path: Path
) -> tuple[dict[str, Block], list[Problem]]:
    """The file's own blocks; a bare word makes one name stand for another block."""
    found: dict[str, Block] = {}
    problems: list[Problem] = []
    for name, block in entry.blocks.items():
        here, where = item.mapping()["blocks"].mapping()[name], f"blocks.{name}"
        target = found.get(block) or find_block(block, below) if isinstance(block, str) else None
        if name in KINDS:
            problems.append(
                Problem(f"'{name}' is a layer kind; give the block another name", where, here.key)
            )
        elif not isinstance(block, str):
            found[name] = block_of(name, block, here, shipped=catalogue.is_shipped(catalogue.shown(path)))
        elif target is not None:
            found[name] = replace(target, name=name)
        else:
            hint = did_you_mean(block, [*below, *found, *shipped_blocks()])
            problems.append(here.problem(f"no block {shortened(block)}{hint}", where))
        if len(problems) > MAX_PROBLEMS:
            raise CostcalcError(problems)
    return found, problems


def _part(
    base: Blueprint, entry: FileEntry, item: Item, path: Path, overrides: Mapping[str, Item]
) -> Blueprint:
    """One block of the base on its own: fed what reaches it there, its arguments as parameters."""
    own, problems = item.mapping(), list[Problem]()
    declared = _laid_over(base.params, own.get("params"))
    params = {key: overrides.get(key, value) for key, value in declared.items()}
    env = bind(params, problems)
    if problems:
        raise CostcalcError(problems)
    chosen = value_of(own["part"], env, "part")
    graph = expand.graph_of(replace(base, params=params), {}, training=True)
    blocks = {**base.blocks, **_blocks(base.blocks, entry, item, path)[0]}
    call, block = _called(base, graph, blocks, chosen)
    given = {key: _bound_item(value_of(value, env, key)) for key, value in call.items() if key in block.args}
    arguments = {key: given.get(key, default) for key, default in block.args.items()}
    shape = graph.shape_of(graph.groups[str(chosen.value)].source)
    return Blueprint(
        name=str(chosen.value),
        input=_bound_item(Bound(list(shape), chosen.place)),
        params={
            **{key: value for key, value in declared.items() if key not in arguments},
            **{key: value for key, value in arguments.items() if value is not None},
        },
        layers=block.layers,
        blocks=blocks,
        outputs=() if block.output is None else (block.output,),
        training=False,
        about=About(),
        read=frozenset(params),
    )


def _called(
    base: Blueprint, graph: Graph, blocks: Mapping[str, Block], chosen: Bound
) -> tuple[dict[str, Item], Block]:
    """The entry of the base that was chosen as a part, and the block it calls."""
    name = str(chosen.value)
    call = base.layers[name].mapping() if name in base.layers else {}
    block = find_block(str(call["kind"].value), blocks) if call else None
    if "repeat" in call:
        message = f"'{name}' is repeated; a part is one block, fed from outside"
    elif block is None or name not in graph.groups:
        known = [key for key in base.layers if key in graph.groups]
        hint = did_you_mean(name, known) or "; there are " + ", ".join(known)
        message = f"no block {shortened(name)} in '{base.name}'{hint}"
    else:
        return call, block
    raise CostcalcError([Problem(message, "part", chosen.place)])


def _bound_item(bound: Bound) -> Item:
    """A value as if it had been written where it was given."""
    value = bound.value
    parts = [Item(part, bound.place, bound.place) for part in value] if isinstance(value, list) else value
    return Item(parts, bound.place, bound.place)


def _about(entry: FileEntry, item: Item) -> About:
    figures = tuple(
        figure
        for index, found in enumerate(entry.claims)
        for figure in found.figures(item.at(("claims", index, "of")).place)
    )
    return About(entry.summary, entry.family, entry.source, figures)
