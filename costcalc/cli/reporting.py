"""The command that writes reports."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from costcalc import machine
from costcalc.api import limiting, subjects
from costcalc.api.subjects import Options
from costcalc.cli.base import Command
from costcalc.cli.options import (
    By,
    Calibrations,
    Inputs,
    Keys,
    Limited,
    MaybeOn,
    MostActivations,
    MostAlive,
    MostMacs,
    MostParams,
    Precise,
    Sets,
    Training,
    Uncounted,
    Who,
    divided,
    options,
    pairs,
    reported,
    words,
)
from costcalc.cli.output import progress, put
from costcalc.cli.run import say
from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.latency import files
from costcalc.spec.catalogue import STDIN

if TYPE_CHECKING:
    from costcalc.report.architecture import Made
    from costcalc.report.document import Document
    from costcalc.report.making import Wanted
    from costcalc.verdicts import Limit

FOUND = 1
Reported = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME...]",
        help="presets, YAML files, models, or papers: paper-googlenet, paper-inception-v3",
        autocompletion=reported,
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="PLACE",
        help="a folder, or one file: NAME.md, NAME.html; - is standard output",
    ),
]
Written = Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help="markdown or html")]
Samples = Annotated[int, typer.Option("--batch", metavar="N", min=1, help="samples in a pass, with --on")]
Runs = Annotated[
    list[str] | None,
    typer.Option("--run", metavar="RUN", help="show what was measured, of a run file; may be repeated"),
]
Template = Annotated[str, typer.Option("--template", metavar="FILE", help="a jinja2 template of your own")]
Force = Annotated[bool, typer.Option("--force", help="write over files that are not ours, too")]


class Recorded(Command):
    """A command that remembers how it was called, for the footer of what it writes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta["command"] = shlex.join(["costcalc", ctx.info_name, *args])
        return super().parse_args(ctx, args)


COMMAND = Recorded


def report(
    context: typer.Context,
    names: Reported = None,
    output: Output = "",
    form: Written = "",
    sets: Sets = None,
    training: Training = False,
    by: Who = By.trace,
    inputs: Inputs = None,
    keys: Keys = None,
    limit: MostMacs = None,
    params: MostParams = None,
    activations: MostActivations = None,
    peak: MostAlive = None,
    block: Limited = None,
    uncounted: Uncounted = None,
    on: MaybeOn = "",
    batch: Samples = 1,
    dtype: Precise = "fp32",
    runs: Runs = None,
    calibrations: Calibrations = None,
    template: Template = "",
    force: Force = False,
) -> None:
    """Reports for people: words, tables, charts, a diagram.

    One page for each name, and a comparison of several architectures; without names those of costcalc.toml.
    Without -o one report goes to standard output, charts left out. Exit 1 if a limit is exceeded.
    """
    given = options({}, training, by, inputs, 1, "fp32", keys)
    names, each = _chosen(names, sets, given)
    place = _place(names, "" if output == STDIN else output, form, template)
    limits = _limits(limit, params, activations, peak, block)
    with progress(f"reporting on {', '.join(names)}"):
        wanted = _wanted(limits, uncounted, on, batch, dtype, runs, calibrations)
        texts, findings = _reported(names, each, wanted, _made(context, names), place)
    _put(texts, force)
    _conclude(findings)


def _chosen(
    names: list[str] | None, sets: list[str] | None, given: Options
) -> tuple[list[str], list[Options]]:
    """The names to report on, or those of the configuration, and the options of each."""
    from costcalc.report import configured

    own = {} if names else configured.models()
    names = names or list(own)
    return names, _merged(names, own, given, _settings(names, sets))


def _wanted(
    limits: Sequence[Limit],
    uncounted: list[str] | None,
    on: str,
    batch: int,
    dtype: str,
    runs: list[str] | None,
    calibrations: str | None,
) -> Wanted:
    """What the reports hold beside the costs."""
    from costcalc.report import making

    return making.Wanted(limits, uncounted or (), words(on), batch, dtype, runs or (), calibrations)


def _reported(
    names: Sequence[str], each: Sequence[Options], wanted: Wanted, made: Made, place: _Place
) -> tuple[dict[str, str], Sequence[str]]:
    """What is to be written, file by file, and what was found on the way."""
    from costcalc.report import making

    found = making.reports(names, each, wanted, made)
    return place.texts(found.documents, made), found.findings


def _conclude(findings: Sequence[str]) -> None:
    """Say why the exit code is 1, if it is."""
    for line in findings:
        say(f"costcalc: {line}")
    if findings:
        raise typer.Exit(FOUND)


def _made(context: typer.Context, names: Sequence[str]) -> Made:
    """How the reports come about, with the versions of what counts and of where models come from."""
    from costcalc.report.architecture import Made

    is_model = any(map(subjects.is_foreign, names))
    return Made(
        context.meta["command"], machine.versions(machine.REPORTED + (machine.ZOOS if is_model else ()))
    )


def _merged(
    names: Sequence[str],
    own: Mapping[str, Options],
    given: Options,
    settings: Sequence[Mapping[str, str]],
) -> list[Options]:
    """To each name its options: those of the configuration, over which the command line goes."""
    before = [own.get(name, Options()) for name in names]
    return [
        replace(
            given,
            settings=each,
            arguments={**how.arguments, **given.arguments},
            inputs=given.inputs or how.inputs,
            batch=how.batch,
            dtype=how.dtype,
        )
        for how, each in zip(before, settings, strict=True)
    ]


def _settings(names: list[str], sets: list[str] | None) -> list[dict[str, str]]:
    """To each name the settings it has; a paper has none."""
    from costcalc.report import making, papers

    own = [name for name in map(making.known, names) if name not in papers.names()]
    if sets and not own:
        raise CostcalcError("--set is of architectures; a paper has none")
    settings = dict(zip(own, divided(own, sets), strict=True))
    return [settings.get(name, {}) for name in names]


def _limits(
    macs: str | None, params: str | None, activations: str | None, peak: str | None, blocks: list[str] | None
) -> Sequence[Limit]:
    """The limits of a command line, which need not have any."""
    given = (macs, params, activations, peak, pairs(blocks, "--block", "NAME=LIMIT"))
    return limiting.limits(*given) if any(given) else ()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where reports go, and in which form; ``output`` is empty for standard output."""

    output: str
    form: str
    template: str | None
    source: str

    def texts(self, documents: tuple[Document, ...], made: Made) -> dict[str, str]:
        """Every file with its text; the one on standard output has no name."""
        from costcalc.report import writing

        how = (self.template, self.source)
        if not self.output:
            return {"": writing.printed(documents, self.form, *how)}
        return writing.files(self.entered(documents, made), self.form, self.output, *how)

    def entered(self, documents: tuple[Document, ...], made: Made) -> tuple[Document, ...]:
        """With the page that leads to them all, where several lie in a folder without one of its own."""
        from costcalc.report import networks, writing

        if self.form != "markdown" or len(documents) < 2 or writing.is_file(self.output):
            return documents
        entrance = Path(self.output) / networks.ENTRANCE
        if _is_foreign(entrance):
            say(f"costcalc: {entrance} is your own and stays as it is")
            return documents
        return (*documents, networks.index(documents, made))


def _place(names: Sequence[str], output: str, form: str, template: str) -> _Place:
    """Where to, checked before anything is counted."""
    from costcalc.report import writing

    chosen = writing.form(form, output)
    writing.placeable(names, chosen, output)
    return _Place(output, chosen, _read(template) if template else None, template)


def _read(path: str) -> str:
    """The text of a template; raises :class:`CostcalcError`."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise CostcalcError(f"--template {path}: {why}") from None


def _is_foreign(place: Path) -> bool:
    """Whether there is a file that we did not write."""
    from costcalc.report import writing

    try:
        with place.open("rb") as file:
            return not writing.is_ours(file.read(len(writing.MARK)).decode("utf-8", "replace"))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CostcalcError(f"{place}: {error.strerror}", ENVIRONMENT) from None


def _put(texts: Mapping[str, str], force: bool) -> None:
    """What has no name on standard output; else all files or, if one of them is not ours, none."""
    if "" in texts:
        put(texts[""])
        return
    places = {Path(name): text for name, text in texts.items()}
    if alien := [str(place) for place in places if not force and _is_foreign(place)]:
        remedy = "--force writes over it, or choose another place"
        raise CostcalcError(f"{', '.join(alien)}: not written by costcalc; {remedy}")
    for place, text in places.items():
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CostcalcError(f"{place.parent}: {error.strerror}", ENVIRONMENT) from None
        files.replace(place, text)
    put("".join(f"{place}\n" for place in places))
