"""A preset's name or a YAML file → a :class:`~costcalc.graph.Graph`. One loader for both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from costcalc.errors import CostcalcError, Problem, did_you_mean, shortened
from costcalc.graph import About, Graph, renamed
from costcalc.layers import KINDS
from costcalc.spec import expand, library
from costcalc.spec.blueprint import Block, Blueprint, bind, block_of, find_block, value_of
from costcalc.spec.library import presets, shipped_blocks
from costcalc.spec.schema import FileEntry, file_entry
from costcalc.spec.source import Item, read

__all__ = ["load", "presets", "settable", "shipped_blocks", "signature", "text"]

MAX_BASES = 8


def load(name: str, overrides: Mapping[str, str] | None = None, training: bool = False) -> Graph:
    """The architecture that ``name`` means: a preset, a YAML file, ``-`` for standard input.

    ``overrides`` set declared parameters and layers' fields (``{"classes": "10"}``) in YAML's
    notation; so does a suffix, ``naive@module=inception_4e``. ``training`` keeps the layers that
    exist only in training. Raises :class:`CostcalcError` with every independent error.
    """
    stem, given = _split(name)
    items = _items({**given, **(overrides or {})})
    blueprint = _resolve(library.find(stem), items, ())
    graph = expand.graph_of(blueprint, items, training)
    return renamed(graph, blueprint.name + name[len(stem) :])


def text(name: str) -> str:
    """The YAML of a spec as it stands, to start one's own from."""
    return library.text_of(library.find(name))


def settable(name: str) -> frozenset[str]:
    """Every path that ``overrides`` may set in a spec."""
    stem, given = _split(name)
    items = _items(given)
    return expand.settable(_resolve(library.find(stem), items, ()), items)


def signature(block: str) -> tuple[str, str]:
    """A shipped block's arguments as a person lists them, and its one line."""
    item, found = library.shipped_block(block), find_block(block, {})
    assert item is not None
    assert found is not None
    listed = (key if value is None else f"{key}={value.value}" for key, value in found.args.items())
    return ", ".join(listed), str(item.mapping()["summary"].value)


def _split(name: str) -> tuple[str, dict[str, str]]:
    """``"naive@module=inception_4e,size=7"`` → the name and its overrides."""
    stem, mark, rest = name.rpartition("@")
    if not mark or "=" not in rest or Path(name).exists():
        return name, {}
    pairs = (part.partition("=") for part in re.split(r",(?![^\[]*\])", rest))
    return stem, {key: value for key, _, value in pairs}


def _items(overrides: Mapping[str, str]) -> dict[str, Item]:
    return {path: _item(path, value) for path, value in overrides.items()}


def _item(path: str, value: str) -> Item:
    shown = f"--set {path}={value}"
    if not path.strip() or not value.strip():
        raise CostcalcError(f"{shortened(shown)}: write --set PATH=VALUE, for example --set classes=10")
    return read(value, shown if len(shown) <= 80 else f"--set {path}")


def _resolve(path: Path, overrides: Mapping[str, Item], chain: tuple[Path, ...]) -> Blueprint:
    """The file with its bases merged in; ``overrides`` matter where a part is chosen by one."""
    item = read(library.text_of(path), library.shown(path))
    entry, problems = file_entry(item)
    if path in chain or len(chain) >= MAX_BASES:
        way = " → ".join(library.shown(link) for link in (*chain, path))
        raise CostcalcError(
            [Problem(f"'base' leads in a circle or too deep: {way}", "base", item.at(("base",)).place)]
        )
    own = item.mapping()
    if entry.base is None:
        problems += _incomplete(entry, item)
        if "input" not in own or not entry.layers:
            raise CostcalcError(problems)
        return _merged(None, entry, item, path, problems)
    with_place = own["base"]
    try:
        base_path = library.find(entry.base, beside=None if path == Path(library.STDIN) else path)
    except CostcalcError as error:
        raise CostcalcError([with_place.problem(str(error), "base")]) from None
    base = _resolve(base_path, {}, (*chain, path))
    if entry.part is not None:
        base = _part(base, entry, item, path, overrides)
    return _merged(base, entry, item, path, problems)


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
    own = {key: item.mapping()[key] for key in entry.model_fields_set}
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
        about=_about(entry, path),
        problems=(*below.problems, *problems, *unknown),
    )


def _listed(item: Item) -> tuple[Item, ...]:
    return tuple(item.value) if isinstance(item.value, list) else ()


def _laid_over(below: Mapping[str, Item], item: Item | None) -> dict[str, Item]:
    above = item.mapping() if item else {}
    return {key: value for key, value in {**below, **above}.items() if value.value is not None}


def _blocks(
    below: Mapping[str, Block], entry: FileEntry, item: Item, path: Path
) -> tuple[dict[str, Block], list[Problem]]:
    """The file's own blocks; a bare word makes one name stand for another block."""
    found: dict[str, Block] = {}
    problems: list[Problem] = []
    for name, block in entry.blocks.items():
        here, where = item.mapping()["blocks"].mapping()[name], f"blocks.{name}"
        target = find_block(block, {**below, **found}) if isinstance(block, str) else None
        if name in KINDS:
            problems.append(
                Problem(f"'{name}' is a layer kind; give the block another name", where, here.key)
            )
        elif not isinstance(block, str):
            found[name] = block_of(name, block, here, shipped=library.is_shipped(library.shown(path)))
        elif target is not None:
            found[name] = replace(target, name=name)
        else:
            hint = did_you_mean(block, [*below, *found, *shipped_blocks()])
            problems.append(here.problem(f"no block {shortened(block)}{hint}", where))
    return found, problems


def _part(
    base: Blueprint, entry: FileEntry, item: Item, path: Path, overrides: Mapping[str, Item]
) -> Blueprint:
    """One block of the base on its own: fed what reaches it there, its arguments as parameters."""
    own = item.mapping()
    params = own["params"].mapping() if "params" in own else {}
    env = bind({key: overrides.get(key, value) for key, value in params.items()}, {})
    chosen = value_of(own["part"], env, "part")
    name = str(chosen.value)
    blocks = {**base.blocks, **_blocks(base.blocks, entry, item, path)[0]}
    call = base.layers.get(name)
    block = find_block(str(call.mapping()["kind"].value), blocks) if call else None
    graph = expand.graph_of(base, {}, training=True)
    if call is None or block is None or name not in graph.groups:
        known = [key for key in base.layers if key in graph.groups]
        hint = did_you_mean(name, known) or "; there are " + ", ".join(known)
        raise CostcalcError(
            [Problem(f"no block {shortened(name)} in '{base.name}'{hint}", "part", chosen.place)]
        )
    shape = graph.shape_of(graph.groups[name].source)
    place = own["part"].place
    given = {key: value for key, value in call.mapping().items() if key in block.args}
    defaults = {key: value for key, value in block.args.items() if value is not None}
    return Blueprint(
        name=name,
        input=Item([Item(size, place, place) for size in shape], place, place),
        params={**base.params, **defaults, **given},
        layers=block.layers,
        blocks=blocks,
        outputs=() if block.output is None else (block.output,),
        training=False,
        about=About(),
    )


def _about(entry: FileEntry, path: Path) -> About:
    claims = tuple(claim for found in entry.claims for claim in found.claims())
    return About(entry.summary, entry.family, entry.source, library.shown(path), claims)
