"""What commands put out: views in a format, a spinner, lines on stderr. The only room that prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace

from costcalc import machine, render, views
from costcalc.cli.options import AUTO, By
from costcalc.records import View


class Run:
    """The options of this run that stand before the command."""

    debug = False
    quiet = False


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
        how = {"by": by.value} if by else {}
        is_model = "operators" in str(view.provenance.get("by"))
        versions = machine.versions(machine.REPORTED + machine.ZOOS if is_model else machine.REPORTED)
        known = {"versions": versions, "convention": views.CONVENTION}
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


def put(text: str) -> None:
    """Text on stdout."""
    sys.stdout.write(text)


def say(text: str) -> None:
    """A line on stderr."""
    sys.stdout.flush()
    print(text, file=sys.stderr)
