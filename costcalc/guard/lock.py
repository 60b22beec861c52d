"""``costcalc.lock``: what every model costs, one line per count and one per block, to be committed.

A pull request that changes a cost changes a line of it. The same costs give the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costcalc.api.counted import Counted
from costcalc.api.results import Costed
from costcalc.checks import JUDGED
from costcalc.errors import CostcalcError, Place, Problem
from costcalc.guard import config, places
from costcalc.records import Part
from costcalc.units import is_whole

VERSION = 1
MAX_BYTES = 16 * 2**20
HEAD = f"""# What each model of {config.NAME} costs, exactly: written by `costcalc guard lock`, not by hand.
# Commit it: a change that costs something shows here, and growth is measured against it.
version = {VERSION}
"""
_REMEDY = "`costcalc guard lock` writes it anew"
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MARKS = ("<<<<<<< ", ">>>>>>> ", "||||||| ")


@dataclass(frozen=True)
class Entry:
    """What a model costs: counts by metric, and those of each block, in graph order.

    Without the MACs where an operator of unknown cost is in it.
    """

    counts: Mapping[str, int]
    blocks: Mapping[str, Mapping[str, int]]

    def of(self, part: str) -> Mapping[str, int]:
        """The counts of a block, or of the whole where no ``part`` is named; none where there is no such."""
        return self.blocks.get(part, {}) if part else self.counts


@dataclass(frozen=True, slots=True)
class Difference:
    """A count that a lock file has otherwise: of a block, or of the whole where ``part`` is empty.

    None where the lock file, or the model, has no such count.
    """

    part: str
    metric: str
    old: int | None
    new: int | None


def entry(costed: Costed, allowed: Sequence[str]) -> Entry:
    """What is kept of a model; operators of unknown cost that are ``allowed`` count as nothing."""
    unknown = isinstance(costed, Counted) and costed.unknown(allowed)
    metrics = [metric for metric in JUDGED if not (metric == "macs" and unknown)]

    def counts(part: Part) -> dict[str, int]:
        return {metric: JUDGED[metric](part) for metric in metrics}

    return Entry(counts(costed.whole), {part.name: counts(part) for part in costed.blocks})


def written(entries: Mapping[str, Entry]) -> str:
    """The lock file of models by label, sorted."""
    return HEAD + "".join(_table(label, entries[label]) for label in sorted(entries))


def _table(label: str, found: Entry) -> str:
    lines = ["", f"[models.{_key(label)}]"]
    lines += [f"{metric} = {count:_}" for metric, count in found.counts.items()]
    lines += [f"[models.{_key(label)}.blocks]"]
    for name, counts in found.blocks.items():
        lines.append(
            f"{_key(name)} = {{{', '.join(f'{metric} = {count:_}' for metric, count in counts.items())}}}"
        )
    return "\n".join(lines) + "\n"


def _key(text: str) -> str:
    """A key of TOML, bare where it can be; else a string as in JSON, which lets one character more stand."""
    if _BARE.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def text(path: Path, file: str) -> str:
    """The text of a lock file, whatever its line ends."""
    return config.text(path, file, MAX_BYTES).replace("\r\n", "\n")


def read(text: str, file: str) -> dict[str, Entry]:
    """Models by label; raises :class:`CostcalcError` for what no lock file says, with the line."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(_MARKS):
            place = Place(file, number, 1, line.rstrip("\r"))
            raise CostcalcError([Problem(f"a merge left its marks here; {_REMEDY}", "", place)])
    try:
        data = config.loads(text)
    except (ValueError, RecursionError) as error:
        raise CostcalcError([Problem(f"is no lock file: {error}; {_REMEDY}", file)]) from None
    models = data.get("models", {})
    if data.get("version") != VERSION or not isinstance(models, dict):
        raise CostcalcError([Problem(f"is no lock file of this version of costcalc; {_REMEDY}", file)])
    return {label: _entry(label, table, text, file) for label, table in models.items()}


def _entry(label: str, table: object, text: str, file: str) -> Entry:
    counts: dict[str, Any] = dict(table) if isinstance(table, dict) else {"": None}
    blocks: Any = counts.pop("blocks", {})
    if isinstance(blocks, dict) and all(_are_counts(each) for each in (counts, *blocks.values())):
        return Entry(counts, blocks)
    where = place(text, file, label)
    raise CostcalcError([Problem(f"the entry of {label} is not what was written; {_REMEDY}", "", where)])


def _are_counts(table: object) -> bool:
    return isinstance(table, dict) and all(
        key in JUDGED and is_whole(value) and value >= 0 for key, value in table.items()
    )


def place(text: str, file: str, label: str, difference: Difference | None = None) -> Place:
    """Where a model's entry stands, or the count in it that differs."""
    found = places.places(text, file, config.loads)
    path: places.Path = ("models", label)
    if difference:
        path = (*path, *(("blocks", difference.part) if difference.part else (difference.metric,)))
    while path not in found and len(path) > 1:
        path = path[:-1]
    return found.get(path, Place(file, 1, 1, ""))


def differences(old: Entry, new: Entry) -> Iterator[Difference]:
    """Every count that is not as it was, those of the whole first."""
    tables = [("", old.counts, new.counts)]
    for part in dict.fromkeys([*old.blocks, *new.blocks]):
        tables.append((part, old.blocks.get(part, {}), new.blocks.get(part, {})))
    for part, before, after in tables:
        for metric in JUDGED:
            if before.get(metric) != after.get(metric):
                yield Difference(part, metric, before.get(metric), after.get(metric))
