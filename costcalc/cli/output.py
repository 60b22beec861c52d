"""What commands put out: views in a format, a spinner, lines on stderr. The only room that prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

import typer

from costcalc import render
from costcalc.cli.options import AUTO, By
from costcalc.cli.run import Run, say
from costcalc.records import View
from costcalc.views.metrics import CONVENTION

if TYPE_CHECKING:
    from costcalc.api.results import Costed
    from costcalc.bench import Progress

FOUND = 1
SILENCE = 10.0  # seconds at most without a word, where there is no bar


def show(view: View, form: str, json: bool, by: By | None = None) -> None:
    """The view on stdout, in the format asked for or in that which suits the place."""
    chosen = "json" if json else form
    if chosen == AUTO:
        chosen = "rich" if sys.stdout.isatty() else "text"
    if chosen == "rich":
        from rich.console import Console

        put(render.rich(view, Console()))
        return
    if chosen == "json":  # nobody else asks for versions, which take a while to find
        from costcalc import machine

        how = {"by": by.value} if by else {}
        is_model = "operators" in str(view.provenance.get("by"))
        versions = machine.versions(machine.REPORTED + machine.ZOOS if is_model else machine.REPORTED)
        known = {"versions": versions, "convention": CONVENTION}
        view = replace(view, provenance={**known, **how, **view.provenance})
    put(render.written(view, chosen))


@contextmanager
def progress(what: str) -> Iterator[None]:
    """A spinner on stderr while it is a terminal."""
    with redirect_stdout(sys.stderr):  # what a model's own code prints is no result
        if Run.quiet or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console

        with Console(stderr=True).status(what):
            yield


@contextmanager
def measuring(names: int) -> Iterator[Callable[[Progress], None]]:
    """What tells of measuring: a bar on stderr while it is a terminal, else a line every ten seconds."""
    if Run.quiet:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        begun: set[tuple[str, int]] = set()

        def tell(now: Progress) -> None:
            begun.add((now.name, now.process))
            done, total = len(begun) - 1, names * now.processes
            bar.update(task, description=_told(now), completed=done, total=total)

        yield tell


class _Lines:
    """Lines about progress, at most one every ten seconds."""

    def __init__(self) -> None:
        self.last = monotonic()

    def __call__(self, now: Progress) -> None:
        if monotonic() - self.last >= SILENCE:
            self.last = monotonic()
            say(f"costcalc: {_told(now)}")


def _told(now: Progress) -> str:
    process = f", process {now.process} of {now.processes}" if now.processes > 1 else ""
    rounds = f", round {now.rounds}" if now.rounds else ""
    near = f", ±{now.precision:.1%}" if now.precision is not None else ""
    return f"{now.name}, batch {now.batch}{process}: {now.phase}{rounds}{near}"


def put(text: str) -> None:
    """Text on stdout."""
    sys.stdout.write(text)


def passed(passed: bool) -> None:
    """End with exit code 1 where something was found."""
    if not passed:
        raise typer.Exit(FOUND)


def agreed(found: Sequence[Costed]) -> None:
    """Exit 1 where trace and closed form differ; the view's notes say where."""
    passed(not any(each.disagreements for each in found))
