"""The command that counts many settings of one architecture."""

from __future__ import annotations

from typing import Annotated

import typer

from costcalc.cli.options import (
    AUTO,
    By,
    Form,
    Json,
    MostActivations,
    MostAlive,
    MostMacs,
    MostParams,
    Sets,
    Written,
    pairs,
)
from costcalc.cli.output import passed, progress, show

Over = Annotated[
    list[str],
    typer.Option(
        "--over",
        metavar="PATH=VALUES",
        help="what to vary: width=8:64:8 (both ends count), groups=1,2,4, input=3x128:512:32; repeatable",
    ),
]
Sort = Annotated[
    str,
    typer.Option(
        "--sort", metavar="METRIC", help="most of this first; by default of what is limited, or MACs"
    ),
]
Top = Annotated[int, typer.Option("--top", metavar="N", min=0, help="show so many settings, 0 for all")]


def sweep(
    name: Written,
    over: Over,
    sets: Sets = None,
    limit: MostMacs = None,
    params: MostParams = None,
    activations: MostActivations = None,
    peak: MostAlive = None,
    sort: Sort = "",
    top: Top = 10,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Which settings of an architecture fit, largest first.

    Counts every combination of the values given, a million in about a second. Exit 1 if none is within the
    limits.
    """
    from costcalc.api import sweeping

    if sort:
        sweeping.sortable(sort)
    varied, fixed = pairs(over, "--over", "PATH=VALUES"), pairs(sets, "--set", "PATH=VALUE")
    given = {"params": params, "activations": activations, "peak_activations": peak}
    with progress(f"counting settings of {name}"):
        found = sweeping.sweep(name, varied, limit, settings=fixed, **given)
    show(found.view(sort, top), form, json, By.formula)
    passed(bool(found))
