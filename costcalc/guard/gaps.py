"""What keeps a guard from guarding: words that mean nothing, broken models, a lock file out of date."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from costcalc import units
from costcalc.api.results import Costed
from costcalc.errors import ENVIRONMENT, CostcalcError, Place, did_you_mean
from costcalc.findings import BROKEN, NOTHING, STALE, UNKNOWN, Finding, Level
from costcalc.guard import lock
from costcalc.guard.cases import Case
from costcalc.guard.choosing import Chosen
from costcalc.guard.config import Config
from costcalc.guard.entries import Bound
from costcalc.guard.growing import Base
from costcalc.guard.lock import Difference, Entry
from costcalc.guard.wording import at
from costcalc.views.metrics import LABELS

_WRITE = "`costcalc guard lock` writes it"


def unmatched(chosen: Chosen, counts: Mapping[str, Costed | CostcalcError], whole: bool) -> Iterator[Finding]:
    """What a budget says that applies to nothing, and its models that cannot be counted.

    ``whole`` is whether all of its models are looked at; else a block may be in another one.
    """
    budget = chosen.budget
    if not budget.limits_anything:
        message = "this budget limits nothing; say for example macs = '1.5G'"
        yield Finding(NOTHING, "error", "", f"{at(budget.place)}: {message}", budget.place)
    for word, place, why in chosen.unmatched:
        yield Finding(NOTHING, "error", word, f"{at(place)}: {word} {why}", place)
    cases = []
    for model, place in chosen.models:
        found = counts[model.label]
        if isinstance(found, CostcalcError):
            yield from _broken(model.label, found, place)
        else:
            cases.append(Case(budget, model, found))
    if whole and len(cases) == len(chosen.models) > 0:
        yield from _blockless(cases)


def _broken(label: str, error: CostcalcError, rule: Place) -> Iterator[Finding]:
    """Every problem of a model; where only the environment lacks something, there is no verdict."""
    verdict = UNKNOWN if error.exit_code == ENVIRONMENT else BROKEN
    for problem in error.problems:
        spot = problem.place if problem.place and not problem.place.file.startswith("--") else None
        yield Finding(verdict, "error", label, f"{label} cannot be counted: {problem}", rule, spot=spot)


def _blockless(cases: Sequence[Case]) -> Iterator[Finding]:
    """Patterns of blocks that no model of a budget has."""
    budget = cases[0].budget
    bounds: tuple[Bound[Any], ...] = (*budget.bounds, *budget.growth)
    for bound in {each.pattern: each for each in reversed(bounds)}.values():
        if not any(case.parts(bound.pattern) for case in cases):
            names = [name for case in cases for name in case.costed.names]
            hint = did_you_mean(bound.pattern, names) or "; `costcalc show` lists the blocks of a model"
            models = cases[0].model.label if len(cases) == 1 else f"any of its {len(cases)} models"
            message = f"{at(bound.place)}: no block {bound.pattern!r} in {models}{hint}"
            yield Finding(NOTHING, "error", "", message, bound.place, bound.pattern, bound.metric)


def baseless(chosen: Chosen, base: Base | None, config: Config) -> Iterator[Finding]:
    """Limits on growth without anything to measure it against."""
    if chosen.budget.growth and chosen.models and base is None:
        place = chosen.budget.growth[0].place
        message = f"{at(place)}: there is no {config.lock_shown} to measure growth against"
        yield Finding(NOTHING, "error", "", f"{message}; {_WRITE}, or give --base REVISION", place)


def stale(
    config: Config,
    old: Mapping[str, Entry],
    new: Mapping[str, Entry],
    level: Level,
    named: Collection[str] | None = None,
) -> Iterator[Finding]:
    """Models whose costs a lock file has otherwise, or does not have; or has, though they are not ``named``.

    Without names nothing is said of others than the ``new`` ones.
    """
    file = config.lock_shown
    text = lock.text(config.lock_path, file) if config.lock_path.exists() else ""
    for label, entry in new.items():
        if label not in old:
            message = f"{label} is not in {file}; {_WRITE}"
            yield Finding(STALE, level, label, message, Place(file, 1, 1, ""))
        elif differing := list(lock.differences(old[label], entry)):
            place = lock.place(text, file, label, differing[0])
            message = f"{label}: {_told(differing, file)}; {_WRITE} anew"
            yield Finding(STALE, level, label, message, place, differing[0].part, differing[0].metric)
    for label in (label for label in old if named is not None and label not in named):
        message = f"{label} is in {file}, but no longer a model of {config.shown}; {_WRITE} anew"
        yield Finding(STALE, level, label, message, lock.place(text, file, label))


def unreadable(error: CostcalcError, config: Config) -> Iterator[Finding]:
    """What is wrong with a lock file that cannot be read."""
    for problem in error.problems:
        yield Finding(STALE, "error", "", str(problem), problem.place or Place(config.lock_shown, 1, 1, ""))


def _told(differing: Sequence[Difference], file: str) -> str:
    """``costcalc.lock has 41,202,688 MACs, now 63,000,000, and 3 more counts are not as it says``."""
    first, others = differing[0], len(differing) - 1
    more = f", and {units.count(others)} more count{'s' if others > 1 else ''} differ" if others else ""
    old, new = ("none" if each is None else units.count(each) for each in (first.old, first.new))
    what = f"{LABELS[first.metric]} of {first.part}" if first.part else LABELS[first.metric]
    return f"{what} {new}, in {file} {old}{more}"
