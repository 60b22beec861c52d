"""The commands that hold counts against others, and published numbers against counts."""

from __future__ import annotations

from typing import Annotated

import typer

from costcalc.cli.options import (
    AUTO,
    Batch,
    By,
    Claimed,
    Dtype,
    Form,
    Inputs,
    Json,
    Keys,
    RunThem,
    Sets,
    Spec,
    Tools,
    Training,
    options,
    words,
)
from costcalc.cli.output import passed, progress, show
from costcalc.errors import CostcalcError


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
