"""Budgets that guard a repository: a configuration, a lock file, and what holds them against the models."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from costcalc import findings
from costcalc.api.results import Costed, Costs, Result
from costcalc.api.subjects import costed
from costcalc.errors import ENVIRONMENT, USAGE, CostcalcError, Problem
from costcalc.findings import Finding
from costcalc.guard import choosing, config, explaining, gaps, growing, judging, lock
from costcalc.guard.cases import Case
from costcalc.guard.choosing import Chosen, Model
from costcalc.guard.config import Config
from costcalc.records import View
from costcalc.views import guarding

__all__ = ["Guarded", "Locked", "configured", "guarded", "locked"]

FOUND = 1
Counts = Mapping[str, Costed | CostcalcError]  # by label: costs, or why there are none


@dataclass(frozen=True, repr=False)
class Guarded(Result):
    """What became of every limit of a configuration; true where nothing failed.

    ``cases`` are the models that could be counted, under each budget that names them; ``base`` is what
    growth was measured against, empty where there is nothing; ``strict`` takes warnings for failures.
    """

    config: Config
    findings: tuple[Finding, ...]
    cases: tuple[Case, ...]
    base: str = ""
    strict: bool = False

    @property
    def passed(self) -> bool:
        """Whether no limit failed, and nothing that should have been judged was not."""
        return self.code == 0

    def __bool__(self) -> bool:
        return self.passed

    @property
    def code(self) -> int:
        """The exit code: 1 for a failure, 3 where there is no verdict and nothing worse, else 0."""
        fatal = ("error", "warning") if self.strict else ("error",)
        bad = [each for each in self.findings if each.level in fatal]
        if any(each.verdict not in findings.UNDECIDED for each in bad):
            return FOUND
        return ENVIRONMENT if bad else 0

    @property
    def exceeded(self) -> tuple[tuple[Case, Finding], ...]:
        """Counts above their limits, with what they are counts of."""
        words = (findings.EXCEEDED, findings.WARNED)
        cases = {each.model.label: each for each in self.cases}
        return tuple(
            (cases[each.model], each)
            for each in self.findings
            if each.verdict in words and not isinstance(each.figures, findings.Predicted)
        )

    def view(self, why: bool = False) -> View:
        outcome = {0: guarding.PASSED, FOUND: guarding.FAILED}.get(self.code, guarding.OPEN)
        specs = any(isinstance(each.costed, Costs) for each in self.cases)
        foreign = any(not isinstance(each.costed, Costs) for each in self.cases)
        view = guarding.guard(self.findings, self.config.shown, self.base, specs, foreign, outcome)
        return explaining.beside(view, self.exceeded) if why else view


@dataclass(frozen=True)
class Locked:
    """A lock file to be written: where, what messages call that, its text, how many models are in it.

    ``differing`` says how the file that is there differs in its counts, if any; ``current`` is whether it
    is the same to the letter.
    """

    path: Path
    shown: str
    text: str
    models: int
    differing: tuple[Finding, ...]
    current: bool


def configured(path: str | Path | None = None) -> Config:
    """The configuration in a file, by default that of the working folder or the nearest above it."""
    file = Path(path) if path is not None else config.find(Path.cwd())
    shown = os.path.relpath(file)
    return config.read(file, str(path) if path is not None and shown.startswith("..") else shown)


def guarded(
    path: str | Path | None = None,
    *,
    base: str = "",
    models: Sequence[str] = (),
    allow_code: bool = False,
    strict: bool = False,
) -> Guarded:
    """Every model of a configuration held against its limits, or those ``models`` alone.

    ``base`` is a revision of git that growth is measured against, by default the lock file. Models that
    run code are refused unless ``allow_code``; ``strict`` lets warnings fail. Raises
    :class:`CostcalcError` for a configuration that is wrong; a model that is wrong is a finding.
    """
    here = Path.cwd()
    found = configured(path)
    chosen = choosing.chosen(found, here, models, allow_code)
    kept = _lock_of(found)
    with _importable(here / found.root):
        counts = _counted(chosen)
        before = growing.of_revision(found, here, base) if base else growing.of_lock(found, kept)
        cases = tuple(_cases(chosen, counts))
        judged = [finding for case in cases for finding in judging.judged(case, before)]
    said = [finding for each in chosen for finding in gaps.unmatched(each, counts, not models)]
    said += [finding for each in chosen for finding in gaps.baseless(each, before, found)]
    if kept is not None:
        said += gaps.stale(found, kept, _entries(chosen, counts), found.lock, None if models else counts)
    return Guarded(found, _grouped([*judged, *_once(said)]), cases, before.name if before else "", strict)


def locked(path: str | Path | None = None, *, allow_code: bool = False) -> Locked:
    """The lock file of a configuration as it should be; nothing is written.

    Raises :class:`CostcalcError` if any model cannot be counted, with all that is wrong.
    """
    here = Path.cwd()
    found = configured(path)
    chosen = choosing.chosen(found, here, (), allow_code)
    with _importable(here / found.root):
        counts = _counted(chosen)
    _refuse_broken(chosen, counts)
    entries = _entries(chosen, counts)
    try:
        differing = tuple(gaps.stale(found, _lock_of(found) or {}, entries, "error", counts))
    except CostcalcError as error:  # a lock file that nobody can read is written anew all the same
        differing = tuple(gaps.unreadable(error, found))
    text = lock.written(entries)
    current = not differing and lock.text(found.lock_path, found.lock_shown) == text
    return Locked(found.lock_path, found.lock_shown, text, len(entries), differing, current)


def _lock_of(found: Config) -> dict[str, lock.Entry] | None:
    """What the lock file says, None if there is none."""
    if not found.lock_path.exists():
        return None
    return lock.read(lock.text(found.lock_path, found.lock_shown), found.lock_shown)


def _counted(chosen: Sequence[Chosen]) -> Counts:
    """Costs of every model, each counted once however many budgets name it."""
    counts: dict[str, Costed | CostcalcError] = {}
    for each in chosen:
        for model, _ in each.models:
            if model.label not in counts:
                counts[model.label] = _costs(model)
    return counts


def _costs(model: Model) -> Costed | CostcalcError:
    try:
        return costed(model.name, model.options)
    except CostcalcError as error:
        return error


def _cases(chosen: Sequence[Chosen], counts: Counts) -> Iterator[Case]:
    for each in chosen:
        for model, _ in each.models:
            costs = counts[model.label]
            if isinstance(costs, Costed):
                yield Case(each.budget, model, costs)


def _entries(chosen: Sequence[Chosen], counts: Counts) -> dict[str, lock.Entry]:
    """What a lock file should say of the models that can be counted.

    An operator is allowed to be unknown where any budget of the model allows it.
    """
    allowed: dict[str, set[str]] = {}
    for each in chosen:
        for model, _ in each.models:
            allowed.setdefault(model.label, set()).update(each.budget.allow_uncounted)
    return {
        label: lock.entry(costs, sorted(allowed[label]))
        for label, costs in counts.items()
        if isinstance(costs, Costed)
    }


def _refuse_broken(chosen: Sequence[Chosen], counts: Counts) -> None:
    """Raise all that keeps a lock file from being whole."""
    errors = [each for each in counts.values() if isinstance(each, CostcalcError)]
    unmatched = [
        Problem(f"{word} {why}", "models", place) for each in chosen for word, place, why in each.unmatched
    ]
    problems = [problem for error in errors for problem in error.problems] + unmatched
    if problems:
        lacking = not unmatched and all(error.exit_code == ENVIRONMENT for error in errors)
        raise CostcalcError(problems, ENVIRONMENT if lacking else USAGE)


def _once(found: Sequence[Finding]) -> list[Finding]:
    """What is wrong with a model is told once, however many budgets name it."""
    return list({(each.verdict, each.model, each.message): each for each in reversed(found)}.values())[::-1]


def _grouped(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings of one model together, models in the order of their first."""
    order = {model: index for index, model in reversed(list(enumerate(each.model for each in found)))}
    return tuple(sorted(found, key=lambda each: order[each.model]))


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Modules beside the configuration can be imported, from wherever costcalc was started."""
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before
