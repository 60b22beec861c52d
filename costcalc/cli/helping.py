"""The commands that help: what a spec may say, schemas, what is installed."""

from __future__ import annotations

from typing import Annotated

import typer

from costcalc import layers, machine, schema, spec
from costcalc.cli.options import AUTO, Form, Json
from costcalc.cli.output import put, show
from costcalc.errors import ENVIRONMENT
from costcalc.views import helping


def kinds(form: Form = AUTO, json: Json = False) -> None:
    """What may stand behind `kind:` in a spec, with fields."""
    kinds_ = [(kind, "layer", layers.fields(kind), layers.summary(kind)) for kind in layers.KINDS]
    blocks = [(name, "block", *spec.signature(name)) for name in spec.shipped_blocks()]
    show(helping.kinds([*kinds_, *blocks]), form, json)


def schema_(
    kind: Annotated[str, typer.Argument(metavar="COMMAND", help="whose JSON output; none lists them")] = "",
) -> None:
    """The JSON Schema of a command's --json output."""
    put(schema.text(kind) if kind else "\n".join(schema.KINDS) + "\n")


def doctor(form: Form = AUTO, json: Json = False) -> None:
    """Versions, devices, what is missing.

    Says how to get it; exit 3 if something required is missing.
    """
    entries, passed = machine.examine()
    show(helping.doctor(entries, passed), form, json)
    if not passed:
        raise typer.Exit(ENVIRONMENT)
