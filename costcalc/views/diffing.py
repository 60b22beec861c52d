"""What changed between two versions, as grids: totals, blocks, edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from costcalc import units
from costcalc.differences import FROM, KIND, Changed, Differences, Edit
from costcalc.graph import INPUT
from costcalc.records import Cell, Column, Grid, Part, View
from costcalc.views.metrics import CONVENTION, LABELS, METRICS, share

TOTALS = (
    *("macs", "params", "weights", "activations", "peak_activations", "other_ops"),
    *("receptive_field", "depth", "nonlinearities"),
)
SUMMED = ("macs", "params", "activations")
WHOLES = ("added", "removed", "renamed", "moved")  # what is said of a block in one line
MOST_EDITS = 2  # that a sentence names
NEARLY = Fraction(995, 1000)  # what would be rounded to 100 %


def diff(found: Differences, labels: Mapping[str, str] = LABELS) -> View:
    """The totals, the blocks that changed and the edits behind it; unchanged blocks are only counted."""
    same = sum(block.state == "unchanged" for block in found.blocks)
    notes = [f"{same} block{'s' if same != 1 else ''} unchanged."] if found else []
    if any(block.state == "follows" for block in found.blocks):
        notes.append("follows: nothing was edited there; what it takes has another shape.")
    grids = [_totals(found, labels)]
    if found:
        grids += [_blocks(found, labels), _edits(found, labels)]
    facts: dict[str, Cell] = {
        "old": found.old.name,
        "new": found.new.name,
        "changed": bool(found),
        "unchanged_blocks": same,
    }
    return View("diff", tuple(grids), facts, (*notes, CONVENTION), (_concluded(found, labels),))


def _title(found: Differences, labels: Mapping[str, str]) -> str:
    changes = [
        f"{labels[key]} {_signed(*_both(found, key))}" for key in SUMMED if len(set(_both(found, key))) > 1
    ]
    told = ", ".join(changes) or ("counts unchanged" if found else "no change")
    return f"{found.new.name} against {_against(found)}: {told}"


def _against(found: Differences) -> str:
    """The old version's name; of the same file its revision is enough."""
    revision, _, path = found.old.name.partition(":")
    same = path.removeprefix("./") in (found.new.name, found.new.name.partition(":")[2].removeprefix("./"))
    versioned = ":" in path or ".yaml" in path or ".yml" in path  # not torchvision:resnet18
    return revision if versioned and revision and same else found.old.name


def _both(found: Differences, key: str) -> tuple[int, int]:
    old, new = (METRICS[key].of(side.whole, side.whole) for side in (found.old, found.new))
    return (old if isinstance(old, int) else 0, new if isinstance(new, int) else 0)


def _signed(old: int, new: int) -> str:
    """``+52.8 %``, or the count where there was nothing to compare with."""
    if not old:
        return f"0 → {units.prose(new)}"
    shown = units.percent(Fraction(new - old, old))
    return shown if new < old else f"+{shown}"


def _totals(found: Differences, labels: Mapping[str, str]) -> Grid:
    columns = (
        Column("metric", "total", "name", {**labels, "input": "input", "output": "output"}),
        Column("old", found.old.name, "count"),
        Column("new", found.new.name, "count"),
        Column("difference", "difference", "count"),
        Column("percent", "change", "percent"),
    )
    old, new = found.old, found.new
    shapes: list[tuple[Cell, ...]] = [
        ("input", _input(old.inputs), _input(new.inputs), None, None),
        ("output", old.whole.output_shape, new.whole.output_shape, None, None),
    ]
    rows = [_total(key, old.whole, new.whole) for key in TOTALS]
    return Grid("totals", _title(found, labels), columns, (*rows, *shapes))


def _input(shapes: Sequence[tuple[int, ...]]) -> Cell:
    return shapes[0] if len(shapes) == 1 else ", ".join(units.shape(shape) or "scalar" for shape in shapes)


def _total(key: str, old: Part, new: Part) -> tuple[Cell, ...]:
    before, after = METRICS[key].of(old, old), METRICS[key].of(new, new)
    if not isinstance(before, int) or not isinstance(after, int):
        return (key, before, after, None, None)
    return (key, before, after, after - before, share(after - before, before))


def _differing(label: str, labels: Mapping[str, str]) -> tuple[Column, ...]:
    return (
        Column("name", label, "name"),
        Column("state", "change", "text"),
        *(Column(key, labels[key], METRICS[key].style) for key in SUMMED),
    )


def _blocks(found: Differences, labels: Mapping[str, str]) -> Grid:
    columns = (*_differing("block", labels), Column("percent", labels["macs"] + " change", "percent"))
    rows = tuple(
        (block.name, _state(block), *_sums(block), share(block.difference("macs"), block.old.macs))
        for block in found.blocks
        if block.state != "unchanged"
    )
    whole = Changed("total", "changed", found.old.whole.cost, found.new.whole.cost)
    total = ("total", "", *_sums(whole), share(whole.difference("macs"), whole.old.macs))
    return Grid("blocks", "blocks that changed, new minus old", columns, rows, total)


def _state(each: Changed) -> str:
    words: list[str] = [each.state] if each.state not in ("renamed", "moved") else []
    words += [f"renamed from {each.was}"] if each.was else []
    words += ["moved"] if each.moved else []
    follows = each.state in ("renamed", "moved") and each.old != each.new
    return ", ".join([*words, *(["follows"] if follows else [])])


def _sums(each: Changed) -> tuple[int, ...]:
    return tuple(each.difference(key) for key in SUMMED)


def _edits(found: Differences, labels: Mapping[str, str]) -> Grid:
    """What was edited, each with its own difference; what follows in one line, so that all sum up."""
    columns = (*_differing("edited", labels)[:1], Column("edits", "from old to new", "text"))
    columns += _differing("", labels)[2:]
    rows: list[tuple[Cell, ...]] = [
        (edit.field, _edit(edit, named=False), *(None for _ in SUMMED)) for edit in found.edits
    ]
    listed = [each for block in found.blocks for each in _listed(block)]
    rows += [(each.name, _told(each), *_sums(each)) for each in listed]
    following = [each for block in found.blocks for each in _following(block)]
    if following:
        counted = f"{len(following)} layer{'s' if len(following) > 1 else ''}"
        sums = (sum(each.difference(key) for each in following) for key in SUMMED)
        rows.append(("what follows", counted, *sums))
    whole = Changed("total", "changed", found.old.whole.cost, found.new.whole.cost)
    return Grid("edits", "what was edited, new minus old", columns, tuple(rows), ("total", "", *_sums(whole)))


def _listed(block: Changed) -> list[Changed]:
    """A block that came, went or only has another name or place is one line; else its edited layers."""
    if block.state in WHOLES:
        return [block]
    return [layer for layer in block.layers if layer.state not in ("follows", "unchanged")]


def _following(block: Changed) -> list[Changed]:
    return [layer for layer in block.layers if layer.state == "follows"] if block.state not in WHOLES else []


def _told(each: Changed) -> str:
    """An edited layer or block in words."""
    edits = [_edit(edit) for edit in each.edits]
    if each.state in ("added", "removed"):
        what = (each.kind or "block") if len(each.layers) > 1 else _whole(each)
        layers = f", {len(each.layers)} layers" if len(each.layers) > 1 else ""
        return f"{each.state}: {what}{layers}"
    return ", ".join([*([_state(each)] if each.was or each.moved else []), *edits])


def _whole(each: Changed) -> str:
    """The layer that was added or removed, itself or as the only one of its block."""
    layer = each.layers[0] if each.layers else each
    (edit,) = layer.edits
    return _value(edit.old if each.state == "removed" else edit.new)


def _edit(edit: Edit, named: bool = True) -> str:
    field = {KIND: "", FROM: "takes "}.get(edit.field, f"{edit.field} ") if named else ""
    return f"{field}{_value(edit.old)} → {_value(edit.new)}"


def _value(value: object) -> str:
    """A value as a spec would have it: ``3``, ``1×7``, ``conv {out: 64, kernel: 3}``."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Mapping):
        fields = ", ".join(f"{key}: {_value(each)}" for key, each in value[1].items())
        return f"{value[0]} {{{fields}}}" if fields else str(value[0])
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, tuple) and value and all(isinstance(each, int) for each in value):
        return str(value[0]) if value == (value[0],) * 2 else units.shape(value)
    if isinstance(value, int) and value >= 10_000:  # no field of a layer, rather what a model's layer holds
        return units.count(value)
    if isinstance(value, tuple):
        return ", ".join(_value(each) for each in value)
    return str(value)


def _concluded(found: Differences, labels: Mapping[str, str]) -> str:
    """The verdict in a sentence: each count that changed, and where most of the MACs come from."""
    against = f"{found.new.name} against {_against(found)}"
    if not found:
        return f"{against}: no change."
    parts = [_count(found, key, labels) for key in SUMMED]
    changed = [part for part in parts if part]
    if not changed:
        return f"{against}: {' and '.join(labels[key] for key in SUMMED)} unchanged."
    return f"{against}: {'; '.join(changed)}."


def _count(found: Differences, key: str, labels: Mapping[str, str]) -> str:
    old, new = _both(found, key)
    if old == new:
        return ""
    before, after = units.distinct(old, new)
    said = f"{labels[key]} {before.strip()} → {after.strip()} ({_signed(old, new)})"
    return said + (_where(found, new - old) if key == "macs" else "")


def _where(found: Differences, difference: int) -> str:
    """The block with most of a difference in MACs, and what was edited there."""
    if _only_input(found):
        return f", all of it from input {_edit(found.edits[0], named=False)}"
    sign = 1 if difference > 0 else -1
    block = max(found.blocks, key=lambda block: sign * block.difference("macs"))
    part = Fraction(block.difference("macs"), difference)
    if part > 1:  # elsewhere it became less
        much = "most"
    elif part >= NEARLY:
        much = "all" if part == 1 else "nearly all"
    else:
        much = units.percent(part, 0)
    return f", {much} of it in {block.name} ({_because(block)})"


def _because(block: Changed) -> str:
    """What was edited in a block, in a few words; if nothing, that it follows."""
    edited = [each for each in _listed(block) if each is not block]
    if not edited:
        return _told(block) if block.state in WHOLES else block.state
    more = ["and more"] if len(edited) > MOST_EDITS else []
    return "; ".join([*(_briefly(each, block.name) for each in edited[:MOST_EDITS]), *more])


def _briefly(each: Changed, block: str) -> str:
    whole = each.state in ("added", "removed") or any(edit.field == KIND for edit in each.edits)
    return f"{each.name.removeprefix(f'{block}.')} {each.state}" if whole else _told(each)


def _only_input(found: Differences) -> bool:
    """Whether the input is all that was edited."""
    follow = all(block.state in ("follows", "unchanged") for block in found.blocks)
    return follow and [edit.field for edit in found.edits] == [INPUT]
