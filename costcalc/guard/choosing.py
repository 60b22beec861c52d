"""From the words of a configuration to models: files, presets and foreign models, globs resolved."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from costcalc import spec
from costcalc.api.subjects import Options, is_foreign
from costcalc.errors import CostcalcError, Place, Problem, did_you_mean, shortened
from costcalc.guard.config import Config
from costcalc.guard.entries import Budget
from costcalc.machine import ZOOS

ENDINGS = (".yaml", ".yml")
MOST_FILES = 20_000  # below a folder, looked at for a near name


@dataclass(frozen=True)
class Model:
    """A model as a budget means it.

    ``label`` is its name in tables and in the lock file, the same wherever costcalc is started;
    ``name`` is what leads to it from the working folder; ``file`` the spec's file, None for what has none.
    """

    label: str
    name: str
    options: Options
    file: Path | None
    foreign: bool

    @property
    def runs_code(self) -> bool:
        """Whether counting it runs code of the repository, as ``package.module:factory`` does."""
        return self.foreign and self.name.partition(":")[0] not in ZOOS


@dataclass(frozen=True)
class Chosen:
    """A budget with its models, each at the place that names it, and the words that mean none."""

    budget: Budget
    models: tuple[tuple[Model, Place], ...]
    unmatched: tuple[tuple[str, Place, str], ...]


def chosen(config: Config, here: Path, wanted: Sequence[str] = (), allow_code: bool = False) -> list[Chosen]:
    """Every budget with its models, or with those ``wanted`` alone; ``here`` is the working folder.

    Raises :class:`CostcalcError` for settings that a model cannot have, for one ``wanted`` that no budget
    names, and, unless ``allow_code``, for models that run code.
    """
    found = [_of(config, budget, here) for budget in config.budgets]
    problems = [problem for each in found for problem in _unfit(each)]
    kept = [_wanted(each, config, here, wanted) for each in found] if wanted else found
    problems += [_unnamed(name, found) for name in wanted if not _named(name, config, here, found)]
    problems += [
        Problem(f"{model.name} runs code of this repository; --allow-code allows that", "models", place)
        for each in kept
        for model, place in each.models
        if model.runs_code and not allow_code
    ]
    if problems:
        raise CostcalcError(problems)
    return kept


def _of(config: Config, budget: Budget, here: Path) -> Chosen:
    models: dict[str, tuple[Model, Place]] = {}
    unmatched = []
    for word, place in budget.models:
        found, why = _meant(word, config.root)
        if not found:
            unmatched.append((word, place, why))
        for name, path in found:
            model = _model(name, path, budget, config.root, here)
            models.setdefault(model.label, (model, place))
    return Chosen(budget, tuple(models.values()), tuple(unmatched))


def _meant(word: str, root: Path) -> tuple[list[tuple[str, bool]], str]:
    """Names that a word stands for, and whether each is a file below the ``root``; or why there are none."""
    full = str(root / word)
    file = spec.stem(full)
    if os.path.isdir(file):
        return [], f"is a folder; write {word.rstrip('/')}/*.yaml"
    if os.path.exists(file):
        return [(word, True)], ""
    if spec.stem(word) in spec.presets():
        return [(word, False)], ""
    if any(mark in word for mark in "*?["):
        return _matching(word, root)
    if is_foreign(word):
        return [(word, False)], ""
    near = islice(glob.iglob("**/*", root_dir=root, recursive=True), MOST_FILES)
    known = [*spec.presets(), *(name.replace(os.sep, "/") for name in near if name.endswith(ENDINGS))]
    return [], f"is no file beside the configuration, and no preset{did_you_mean(word, known)}"


def _matching(pattern: str, root: Path) -> tuple[list[tuple[str, bool]], str]:
    """What a glob matches: files where it looks like a path, else presets."""
    if "/" in pattern or pattern.endswith(ENDINGS):
        files = [(name, True) for name in sorted(_files(pattern, root))]
        return files, f"matches no spec below {root}" if str(root) != "." else "matches no spec"
    names = [(name, False) for name in spec.presets() if fnmatchcase(name, pattern)]
    return names, "matches no preset; for files write */… or ….yaml"


def _files(pattern: str, root: Path) -> list[str]:
    """Specs by a glob, as paths with ``/`` from the ``root``; hidden folders only where they are named."""
    found = {os.path.normpath(name).replace(os.sep, "/") for name in _globbed(pattern, root)}
    return [name for name in found if name.endswith(ENDINGS) and (root / name).is_file()]


def _globbed(pattern: str, root: Path) -> Iterator[str]:
    """As :func:`glob.glob`, but ``**`` goes through no links of folders, which may lead in a circle."""
    pattern = f"{pattern}/*" if pattern.endswith("/**") else pattern
    before, deep, after = pattern.partition("**/")
    if not deep or not (before == "" or before.endswith("/")):
        yield from glob.glob(pattern, root_dir=root)
        return
    for start in glob.glob(before, root_dir=root) if before else [""]:
        for folder, below, _ in os.walk(root / start):
            below[:] = [name for name in below if not name.startswith(".")]
            where = os.path.relpath(folder, root) if not os.path.isabs(start) else folder
            yield from (os.path.join(where, name) for name in _globbed(after, Path(folder)))


def real(file: Path) -> Path:
    """The path by real folders, as git knows it; what a link in the last place points to is not followed."""
    return Path(os.path.realpath(file.parent)) / file.name


def _model(name: str, is_file: bool, budget: Budget, root: Path, here: Path) -> Model:
    foreign = not is_file and is_foreign(name) and spec.stem(name) not in spec.presets()
    called, file = name, None
    if is_file:
        full = str(root / name)
        file = Path(os.path.normpath(here / spec.stem(full)))
        called = os.path.relpath(here / full, here)
        called = called if "/" in called else f"./{called}"  # never a preset or an option
        name = _within(os.path.normpath(name), root, here).replace(os.sep, "/")
    options = Options(
        settings=budget.settings,
        by="trace" if foreign else "formula",
        arguments=budget.arguments,
        inputs=budget.inputs,
        batch=budget.batch,
        dtype=budget.dtype,
    )
    return Model(name + _suffix(budget), called, options, file, foreign)


def _within(name: str, root: Path, here: Path) -> str:
    """A path from the ``root``, if it is absolute and leads to a file below it."""
    below = os.path.relpath(name, here / root) if os.path.isabs(name) else name
    return name if below.startswith("..") else below


def _suffix(budget: Budget) -> str:
    """What tells a model from the same one under another budget: settings, arguments, inputs."""
    given = {**budget.settings, **budget.arguments}
    parts = ["@" + ",".join(f"{key}={value}" for key, value in sorted(given.items()))] if given else []
    parts += [f" input={each}" for each in budget.inputs]
    parts += [f" batch={budget.batch}"] if budget.batch != 1 else []
    return "".join([*parts, *([f" {budget.dtype}"] if budget.dtype != "fp32" else [])])


def _unfit(found: Chosen) -> list[Problem]:
    """What foreign models and specs cannot have."""
    budget, problems = found.budget, []
    strange = {
        "arguments": bool(budget.arguments),
        "batch": budget.batch != 1,
        "dtype": budget.dtype != "fp32",
    }
    for model, place in found.models:
        if not model.label.isprintable():  # nor could a lock file hold it
            problems.append(Problem(f"{shortened(model.label)} is no printable name", "models", place))
        if model.foreign and budget.settings:
            problems.append(Problem(f"{model.name} is no spec; it takes 'arguments'", "settings", place))
        if not model.foreign and (key := next((key for key, given in strange.items() if given), "")):
            problems.append(Problem(f"{model.name} is a spec; '{key}' is for foreign models", key, place))
    return problems


def _wanted(found: Chosen, config: Config, here: Path, wanted: Sequence[str]) -> Chosen:
    kept = [pair for pair in found.models if any(_is(name, pair[0], config, here) for name in wanted)]
    return Chosen(found.budget, tuple(kept), ())


def _is(name: str, model: Model, config: Config, here: Path) -> bool:
    """Whether a word of the command line means the model: by its label, its name or its file."""
    if name in (model.label, model.name):
        return True
    files = {os.path.normpath(here / name), os.path.normpath(here / config.root / name)}
    return model.file is not None and str(model.file) in files


def _named(name: str, config: Config, here: Path, found: Sequence[Chosen]) -> bool:
    return any(_is(name, model, config, here) for each in found for model, _ in each.models)


def _unnamed(name: str, found: Sequence[Chosen]) -> Problem:
    labels = list(dict.fromkeys(model.label for each in found for model, _ in each.models))
    return Problem(f"no budget is for {shortened(name)}{did_you_mean(name, labels)}")
