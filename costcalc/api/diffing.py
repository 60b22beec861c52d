"""Two versions of a spec or model: files, git revisions, or what ``show --layers --json`` has kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from costcalc import differences, spec
from costcalc.api import checkouts
from costcalc.api.results import Costed, Costs, Result, noted
from costcalc.api.subjects import Options, costed, costs, is_foreign
from costcalc.differences import Differences, Version
from costcalc.errors import CostcalcError, shortened
from costcalc.graph import Graph
from costcalc.records import View
from costcalc.spec import revisions
from costcalc.views import diffing
from costcalc.views.metrics import LABELS

Side = Costed | Graph | str


@dataclass(frozen=True, repr=False)
class Diff(Result):
    """What changed from an old version to a new one; true where anything did.

    ``costs`` are those of the sides that were counted here.
    """

    differences: Differences
    costs: tuple[Costed, ...]

    def __bool__(self) -> bool:
        return bool(self.differences)

    @property
    def agree(self) -> bool:
        """Whether trace and closed form agree on what was counted here."""
        return not any(each.disagreements for each in self.costs if isinstance(each, Costs))

    def view(self) -> View:
        labels = self.costs[0].labels if self.costs else LABELS
        view = diffing.diff(self.differences, labels)
        return noted(view, self.costs) if self.costs else view


def diff(old: Side, new: Side, how: Options | None = None, how_new: Options | None = None) -> Diff:
    """What changed, and what it did to each count.

    A side is a name as on the command line (``"main:nets/tiny.yaml"`` is a file at a revision of git,
    ``"main:nets:factory"`` a model), a file that ``costcalc show --layers --json`` wrote, a graph, or costs.
    """
    options = how or Options()
    sides = [_side(old, options), _side(new, how_new or options)]
    found = differences.between(*(version for version, _ in sides))
    return Diff(found, tuple(costs for _, costs in sides if costs is not None))


def at(revision: str, name: str) -> str:
    """The name of a file or model at a revision of git: ``nets/tiny.yaml`` → ``main:./nets/tiny.yaml``."""
    if is_foreign(name):
        return f"{revision}:{name}"
    stem = spec.stem(name)
    if revisions.parsed(stem) and not Path(stem).exists():
        then, path = stem.split(":", 1)
        raise CostcalcError(
            f"{shortened(name)} has a revision already; write: costcalc diff {path} --from {then}"
        )
    if stem in spec.presets() or not stem.endswith((".yaml", ".yml")):
        what = "a second name, or one YAML file or module:factory of a git repository"
        raise CostcalcError(f"a difference takes two sides: {shortened(name)} needs {what}")
    path = os.path.relpath(stem)
    local = path if path.startswith("../") else f"./{path}"
    return f"{revision}:{local}{name[len(stem) :]}"


def _side(of: Side, options: Options) -> tuple[Version, Costed | None]:
    """One side, and its costs if they were counted here."""
    if isinstance(of, str) and of.endswith(".json"):
        return checkouts.saved(of, Path(of)), None
    there = checkouts.foreign(of) if isinstance(of, str) else None
    if there is not None:
        return checkouts.counted(*there, options), None
    if isinstance(of, str):
        found, name = costed(of, options), of
    else:
        found = costs(of, options.by) if isinstance(of, Graph) else of
        name = found.subject.name
    return _version(name, found), found


def _version(name: str, found: Costed) -> Version:
    """Costs as one side, with what was written where there is a graph."""
    if isinstance(found, Costs):
        return differences.of_graph(name, found.graph, found.table)
    subject, kinds = found.subject, {part.name: part.kind for part in found.to_depth(1)}
    return Version(name, subject.inputs, subject.outputs, found.whole, found.layers, kinds)
