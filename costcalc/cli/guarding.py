"""The command that holds a repository's models to their budgets, and those that write its files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc import render
from costcalc.cli.base import RunGroup, commands
from costcalc.cli.options import AUTO, Inputs, Json
from costcalc.cli.output import progress, put, show
from costcalc.cli.run import say
from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.latency import files
from costcalc.records import View

if TYPE_CHECKING:
    from costcalc.guard import Guarded

FOUND = 1


def _junit(found: Guarded, view: View) -> None:
    from costcalc.guard import junit

    put(junit.written(found.findings, found.config.shown, found.strict))


def _github(found: Guarded, view: View) -> None:
    """On stdout what belongs into the log; the summary of the step has a file of its own."""
    from costcalc.guard import github

    put(github.written(view, found.findings, _top(), Path.cwd()))
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with open(file, "a", encoding="utf-8") as summary:
                summary.write(github.summary(view))
        except OSError as error:
            say(f"costcalc: no step summary: {file}: {error.strerror}")


# formats that only this command has, for continuous integration
FOR_CI: dict[str, Callable[[Guarded, View], None]] = {"github": _github, "junit": _junit}
FORMS = (AUTO, "rich", *render.FORMATS, *FOR_CI)


def known_form(form: str) -> str:
    """The format, if this command has it."""
    if form not in FORMS:
        hint = did_you_mean(form, FORMS) or f"; there are {', '.join(FORMS)}"
        raise CostcalcError(f"no format {shortened(form)}{hint}")
    return form


Models = Annotated[
    list[str] | None,
    typer.Argument(metavar="MODEL...", help="of the configuration's models, only these: files or names"),
]
Where = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="the configuration; by default the nearest upwards"),
]
Base = Annotated[
    str,
    typer.Option("--base", metavar="REVISION", help="measure growth against this, not the lock file"),
]
Why = Annotated[bool, typer.Option("--why", help="what is behind an overshoot, and changes that help")]
Strict = Annotated[bool, typer.Option("--strict", help="let warnings fail")]
AllowCode = Annotated[
    bool, typer.Option("--allow-code", help="run code of this repository, to count package.module:factory")
]
Form = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help=f"{', '.join(FORMS[1:])}; auto is rich on a terminal, else text",
        callback=known_form,
        autocompletion=lambda: list(FORMS),
    ),
]


app = commands(cls=RunGroup, help="Hold models to budgets.", add_completion=False)


@app.command()
def run(
    models: Models = None,
    config: Where = None,
    base: Base = "",
    why: Why = False,
    strict: Strict = False,
    allow_code: AllowCode = False,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Are all models within the budgets of costcalc.toml? Exit 0 if they are, 1 if not.

    Also 1 where something matched nothing, 2 where the configuration is wrong, 3 where there is no
    verdict. `costcalc guard init` writes a configuration, `costcalc guard lock` what everything costs now.
    """
    from costcalc import guard

    with progress("counting"):
        found = guard.guarded(config, base=base, models=models or (), allow_code=allow_code, strict=strict)
        view = found.view(why)
    if json or form not in FOR_CI:
        show(view, form, json)
    else:
        FOR_CI[form](found, view)
    if found.code:
        raise typer.Exit(found.code)


def _top() -> Path:
    """The top folder of the repository: the runner's, git's, or else the working folder."""
    from costcalc.spec import revisions

    if workspace := os.environ.get("GITHUB_WORKSPACE"):
        return Path(workspace)
    try:
        return Path(revisions.top())
    except CostcalcError:
        return Path.cwd()


@app.command()
def init(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL...", help="presets, files or models; by default every spec here"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="write over a configuration that is there")] = False,
    allow_code: AllowCode = False,
    inputs: Inputs = None,
) -> None:
    """Write a costcalc.toml with limits just above what each model costs now."""
    from costcalc.guard import config, starting

    path = Path(config.NAME)
    if (there := config.of_folder(Path())) and not force:
        raise CostcalcError(f"{there} is there already; --force writes a {path} over it")
    with progress("counting"):
        text, models = starting.written(names or (), Path.cwd(), allow_code, inputs or ())
    files.replace(path, text)
    put(f"Wrote {path} with limits for {_plural(models)}; set them as you need them.\n")
    put("Next: `costcalc guard` holds the models to it, `costcalc guard lock` keeps what they cost now.\n")


@app.command()
def lock(
    config: Where = None,
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit 1 if the lock file is out of date")
    ] = False,
    allow_code: AllowCode = False,
) -> None:
    """Write what every model costs into costcalc.lock, to be committed."""
    from costcalc import guard

    with progress("counting"):
        found = guard.locked(config, allow_code=allow_code)
    if found.current or (check and not found.differing):
        put(f"{found.shown} is up to date.\n")
    elif check:
        put("".join(f"{each.level}: {each.message}.\n" for each in found.differing))
        raise typer.Exit(FOUND)
    else:
        files.replace(found.path, found.text)
        put(f"Wrote {found.shown} with the counts of {_plural(found.models)}; commit it.\n")


def _plural(models: int) -> str:
    return "1 model" if models == 1 else f"{models} models"
