"""What commands take: arguments, options, and settings in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import typer

from costcalc import publications, render, spec
from costcalc.errors import CostcalcError, shortened

AUTO = "auto"


class By(str, Enum):
    """Who counts."""

    trace = "trace"
    formula = "formula"


def known_form(form: str) -> str:
    """The format, if there is such a one."""
    if form not in (AUTO, "rich", *render.FORMATS):
        raise CostcalcError(f"no format {shortened(form)}{render.known_format(form)}")
    return form


def _ids(incomplete: str) -> list[str]:
    return [claim.id for claim in publications.all_claims() if claim.id.startswith(incomplete)]


def _presets(incomplete: str) -> list[str]:
    return [name for name in spec.presets() if name.startswith(incomplete)]


Spec = Annotated[
    str, typer.Argument(metavar="SPEC", help="a preset, a YAML file, or - for stdin", autocompletion=_presets)
]
Specs = Annotated[
    list[str],
    typer.Argument(
        metavar="SPEC SPEC...", help="presets or YAML files, two or more", autocompletion=_presets
    ),
]
Claimed = Annotated[
    str,
    typer.Argument(metavar="ID", help="a claim to derive step by step; none lists all", autocompletion=_ids),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="set a parameter or a layer's field; may be repeated"),
]
Training = Annotated[bool, typer.Option("--training", help="keep the branches that exist only in training")]
Who = Annotated[By, typer.Option("--by", help="trace the torch graph, or use the closed form without torch")]
Form = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help=f"{', '.join(render.FORMATS)} or rich; auto is rich on a terminal, else text",
        callback=known_form,
        autocompletion=lambda: [AUTO, "rich", *render.FORMATS],
    ),
]
Json = Annotated[bool, typer.Option("--json", help="short for --format json")]


def pairs(given: Sequence[str] | None, option: str, form: str) -> dict[str, str]:
    """``["a=1"]`` → ``{"a": "1"}``; the last of two equal paths would win silently, so it is an error."""
    found: dict[str, str] = {}
    for text in given or ():
        path, mark, value = text.partition("=")
        if not mark or not path.strip():
            raise CostcalcError(f"{option} {text}: write {option} {form}")
        if path.strip() in found:
            raise CostcalcError(f"{option} {text}: '{path}' is given twice")
        found[path.strip()] = value.strip()
    return found


def divided(names: Sequence[str], sets: Sequence[str] | None) -> list[dict[str, str]]:
    """To each of several specs the settings it has; one that none of them has is an error."""
    given = pairs(sets, "--set", "PATH=VALUE")
    if not given:
        return [{} for _ in names]
    settable = [spec.settable(name) for name in names]
    for path, value in given.items():
        if not any(path in paths for paths in settable):
            spec.load(names[0], {path: value})  # says what is wrong, with the nearest known path
    return [{path: value for path, value in given.items() if path in paths} for paths in settable]
