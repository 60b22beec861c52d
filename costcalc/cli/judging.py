"""The commands that judge: limits, other counts, published claims."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.api.subjects import Options, costed
from costcalc.cli.options import (
    AUTO,
    Batch,
    By,
    Claimed,
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
    RunThem,
    Sets,
    Spec,
    Tools,
    Train,
    Training,
    Uncounted,
    Who,
    Whose,
    options,
    pairs,
    words,
)
from costcalc.cli.output import agreed, passed, progress, show
from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.records import View

if TYPE_CHECKING:
    from costcalc.api.limiting import Budget
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
    from costcalc.api import limiting

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


def check(
    name: Spec,
    sets: Sets = None,
    training: Training = False,
    inputs: Inputs = None,
    batch: Batch = 1,
    dtype: Dtype = "fp32",
    keys: Keys = None,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Do three counts agree, layer by layer?

    The closed form (of a model: its operators), the fvcore trace and torch's FlopCounterMode; and the
    published figures. Exit 1 if not.
    """
    how = options(sets, training, By.trace, inputs, batch, dtype, keys)
    from costcalc.api import checking

    with progress(f"tracing {name}"):
        found = checking.check(name, options=how)
    show(found.view(), form, json, By.trace)
    passed(found.passed)


def reconcile(
    name: Spec,
    using: Tools = "",
    run: RunThem = True,
    sets: Sets = None,
    training: Training = False,
    inputs: Inputs = None,
    batch: Batch = 1,
    dtype: Dtype = "fp32",
    keys: Keys = None,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Why other counters say something else, term by term.

    Each figure is the MACs and named terms, exactly. Tools that are installed are run; exit 1 if one differs.
    """
    how = options(sets, training, By.trace, inputs, batch, dtype, keys)
    from costcalc.api import checking

    with progress(f"asking others about {name}"):
        found = checking.reconcile(name, using=words(using), run=run, options=how)
    show(found.view(), form, json)
    passed(found.passed)


def claims(
    id: Claimed = "",
    paper: Annotated[
        str,
        typer.Option("--paper", metavar="KEY", help="of one publication, such as googlenet or rethinking"),
    ] = "",
    of: Annotated[str, typer.Option("--of", metavar="PRESET", help="that rest on one preset")] = "",
    verdict: Annotated[
        str, typer.Option("--verdict", metavar="WORDS", help="such as confirmed or wrong")
    ] = "",
    why: Annotated[
        bool, typer.Option("--why", help="the reason for every verdict in one more column")
    ] = False,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Which published numbers are right, rounded or wrong.

    One line each; with an ID its derivation. Exit 1 if a verdict on record no longer follows.
    """
    if id and (paper or of or verdict):
        raise CostcalcError("an ID names one claim; leave out --paper, --of and --verdict")
    from costcalc.api import publishing

    if id:
        derived = publishing.claim(id)
        show(derived.view(), form, json, By.formula)
        passed(derived.verdict.passed)
        return
    with progress("judging claims"):
        found = publishing.claims(paper, of, verdict)
    show(found.view(why), form, json, By.formula)
    passed(found.passed)


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
    from costcalc.api.explaining import explained
    from costcalc.views.judging import joined

    counted = [explained(each).beside(each.view()) if why else each.view() for each in found]
    return reduce(joined, [*counted, *(each.view() for each in timed)])
