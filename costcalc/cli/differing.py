"""The command that says what changed between two versions."""

from __future__ import annotations

from typing import Annotated

import typer

from costcalc.api import diffing
from costcalc.cli.options import (
    AUTO,
    Batch,
    By,
    Dtype,
    Form,
    Inputs,
    Json,
    Keys,
    Sets,
    Training,
    Who,
    options,
)
from costcalc.cli.output import progress, show
from costcalc.errors import CostcalcError

FOUND = 1
HEAD = "HEAD"
Old = Annotated[
    str,
    typer.Argument(
        metavar="OLD", help="a preset, a YAML file, REVISION:FILE, a model, or REVISION:module:factory"
    ),
]
New = Annotated[
    str, typer.Argument(metavar="[NEW]", help="the same; without it OLD is shown against its own --from")
]
From = Annotated[
    str, typer.Option("--from", metavar="REV", help="of one file or model, the revision to begin with")
]
To = Annotated[str, typer.Option("--to", metavar="REV", help="and that to end with, not the file as it is")]
ExitCode = Annotated[bool, typer.Option("--exit-code", help="exit 1 if anything changed, as git does")]


def diff(
    old: Old,
    new: New = "",
    since: From = "",
    to: To = "",
    exit_code: ExitCode = False,
    sets: Sets = None,
    training: Training = False,
    by: Who = By.trace,
    inputs: Inputs = None,
    batch: Batch = 1,
    dtype: Dtype = "fp32",
    keys: Keys = None,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """What changed between two versions, and what it did to each count.

    `costcalc diff nets/tiny.yaml --from main` holds a file against a revision of git (without --from: HEAD).
    """
    if new and (since or to):
        raise CostcalcError("--from and --to are of one file or model; leave them out, or NEW")
    ends = (old, new) if new else (diffing.at(since or HEAD, old), diffing.at(to, old) if to else old)
    how = options(sets, training, by, inputs, batch, dtype, keys)
    with progress(f"comparing {' and '.join(ends)}"):
        found = diffing.diff(*ends, how)
    show(found.view(), form, json, by)
    if not found.agree or (exit_code and found):
        raise typer.Exit(FOUND)
