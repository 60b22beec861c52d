"""The models that a repository's own configuration names, for reports on all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from costcalc import guard
from costcalc.api.subjects import Options
from costcalc.errors import CostcalcError, Problem
from costcalc.guard import choosing, config


def models() -> dict[str, Options]:
    """What the budgets of the nearest configuration are for: names from the working folder, and options.

    Settings are part of the name, so that one spec with two settings is two models; of one model under
    several budgets there is the first. Raises :class:`CostcalcError` where there is no configuration, where
    a word of it means no model, and for models that run code, which has to be asked for by name.
    """
    here = Path.cwd()
    if not any(map(config.of_folder, (here, *here.parents))):
        raise CostcalcError("name what to report on, for example: costcalc report googlenet -o reports")
    chosen = choosing.chosen(guard.configured(), here, allow_code=True)
    problems = [
        Problem(f"{word} {why}", "models", place) for each in chosen for word, place, why in each.unmatched
    ]
    found: dict[str, Options] = {}
    for model, place in (pair for each in chosen for pair in each.models):
        if model.runs_code:
            why = f"{model.name} runs code of this repository; name the models to report on, it among them"
            problems.append(Problem(why, "models", place))
        given = ",".join(f"{key}={value}" for key, value in sorted(model.options.settings.items()))
        name = f"{model.name}@{given}" if given else model.name
        found.setdefault(name, replace(model.options, settings={}))
    if problems:
        raise CostcalcError(problems)
    return found
