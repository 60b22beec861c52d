"""The command that judges limits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.api import limiting
from costcalc.api.limiting import Budget
from costcalc.api.subjects import Options, costed
from costcalc.cli.options import (
    AUTO,
    Batch,
    By,
    Dtype,
    Form,
    How,
    Inputs,
    Json,
    Keys,
    Limited,
    Longest,
    MaybeOn,
    MostActivations,
    MostAlive,
    MostMacs,
    MostParams,
    Sets,
    Spec,
    Train,
    Training,
    Uncounted,
    Who,
    Whose,
    options,
    pairs,
)
from costcalc.cli.output import agreed, passed, progress, show
from costcalc.errors import ENVIRONMENT
from costcalc.records import View
from costcalc.views.judging import joined

if TYPE_CHECKING:
    from costcalc.api.results import Costed
    from costcalc.api.timing import LatencyBudget

Why = Annotated[bool, typer.Option("--why", help="what is behind an overshoot, and known changes that help")]


def budget(
    name: Spec,
    limit: MostMacs = None,
    params: MostParams = None,
    activations: MostActivations = None,
    peak: MostAlive = None,
    block: Limited = None,
    allow_uncounted: Uncounted = None,
    sets: Sets = None,
    training: Training = False,
    by: Who = By.trace,
    inputs: Inputs = None,
    batch: Batch = 1,
    dtype: Dtype = "fp32",
    keys: Keys = None,
    train: Train = False,
    convention: Whose = "",
    latency: Longest = "",
    on: MaybeOn = "",
    mode: How = "eager",
    why: Why = False,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Is it within the limits? Exit 0 if it is, 1 if not.

    A limit on the latency is on the predicted one, of --batch samples in --dtype; where the limit lies in
    the range of the prediction there is no verdict, exit 3.
    """
    size, kind = (1, "fp32") if on else (batch, dtype)  # with a device they say what it is given
    how = options(sets, training, by, inputs, size, kind, keys, train, convention)
    given = (limit, params, activations, peak, pairs(block, "--block", "NAME=LIMIT"))
    limits = limiting.limits(*given) if any(given) or not latency else ()
    with progress(f"counting {name}"):
        costs = [costed(name, how)] if limits else []
        timed = _timed(costs[0] if costs else name, how, latency, on, batch, dtype, mode)
        found = [limiting.judged(each, limits, allow_uncounted or ()) for each in costs]
    show(_joined(found, timed, why), form, json, by)
    agreed(costs)
    _verdict(found, timed)


def _timed(
    of: Costed | str, how: Options, latency: str, on: str, batch: int, dtype: str, mode: str
) -> tuple[LatencyBudget, ...]:
    """Verdicts on the predicted latency, if there is a limit on it."""
    if not (latency or on):
        return ()
    from costcalc.cli import timing

    return timing.limited(of, how, latency, on, batch, dtype, mode)


def _verdict(found: Sequence[Budget], timed: Sequence[LatencyBudget]) -> None:
    """Exit 1 where a limit is exceeded, else 3 where a prediction is no verdict."""
    passed(all(found) and all(each.passed or not each.decided for each in timed))
    if not all(each.decided for each in timed):
        raise typer.Exit(ENVIRONMENT)


def _joined(found: Sequence[Budget], timed: Sequence[LatencyBudget], why: bool) -> View:
    """All verdicts in one view, with the reasons for those on counts that are exceeded if wanted."""
    counted = [_told(each) if why else each.view() for each in found]
    return reduce(joined, [*counted, *(each.view() for each in timed)])


def _told(found: Budget) -> View:
    from costcalc.api.explaining import explained

    return explained(found).beside(found.view())
