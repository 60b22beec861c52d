"""What commands there are; each is loaded when it is run.

Loading all of them would take longer than most of them take to answer.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer

from costcalc.cli.base import Command, Group, commands
from costcalc.cli.run import Run

LOOK, JUDGE, TIME, HELP = "Look", "Judge", "Time", "Help"


class Known(NamedTuple):
    """A command before it is loaded: where it is written, under which heading it is listed, its line."""

    home: str
    panel: str
    summary: str


COMMANDS = {
    "list": Known("looking.list_", LOOK, "The presets, with one line, MACs and parameters each."),
    "show": Known("looking.show_", LOOK, "What each block costs, with totals."),
    "compare": Known("looking.compare_", LOOK, "Architectures side by side, block by block."),
    "budget": Known("judging.budget", JUDGE, "Is it within the limits? Exit 0 if it is, 1 if not."),
    "check": Known("checking.check", JUDGE, "Do three counts agree, layer by layer?"),
    "reconcile": Known("checking.reconcile", JUDGE, "Why other counters say something else, term by term."),
    "claims": Known("checking.claims", JUDGE, "Which published numbers are right, rounded or wrong."),
    "sweep": Known("sweeping.sweep", JUDGE, "Which settings of an architecture fit, largest first."),
    "formula": Known("looking.formula_", LOOK, "The closed form in its parameters, in symbols."),
    "diff": Known(
        "differing.diff", LOOK, "What changed between two versions, and what it did to each count."
    ),
    "report": Known("reporting.report", LOOK, "Reports for people: words, tables, charts, a diagram."),
    "guard": Known("guarding.app", JUDGE, "Hold models to budgets."),
    "bench": Known("timing.app", TIME, "Measure latency."),
    "predict": Known(
        "timing.predict", TIME, "Latency on devices that are not at hand, by roofline, with its uncertainty."
    ),
    "calibrate": Known(
        "timing.calibrate", TIME, "Measure five networks here, and fit the one factor of the prediction."
    ),
    "validate": Known(
        "timing.validate", TIME, "Predictions against measured runs: error, rank correlation, order of pairs."
    ),
    "kinds": Known("helping.kinds", HELP, "What may stand behind `kind:` in a spec, with fields."),
    "schema": Known("helping.schema_", HELP, "The JSON Schema of a command's --json output."),
    "doctor": Known("helping.doctor", HELP, "Versions, devices, what is missing."),
}


class Commands(Group):
    """All commands by name; one that is only listed stays unloaded."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {
            name: Command(name, help=known.summary, rich_help_panel=known.panel)
            for name, known in COMMANDS.items()
        }

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and loaded(found.name or ""), rest


app = commands(name="costcalc", cls=Commands)


@app.callback(invoke_without_command=True)
def costcalc(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print versions and exit")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of a bug")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress on stderr")] = False,
) -> None:
    """What a neural network costs before anyone trains or ships it, exactly.

    costcalc compare naive reduced

    costcalc budget googlenet --limit 1.5e9

    costcalc show my_net.yaml --set classes=10
    """
    Run.debug, Run.quiet = debug, quiet
    if version:
        from costcalc import machine

        print(machine.told())
    elif context.invoked_subcommand is None:
        print(context.get_help())


def loaded(name: str) -> Any:
    """The command of that name, or the group of commands, ready to run."""
    home, _, attribute = COMMANDS[name].home.partition(".")
    room = import_module(f"costcalc.cli.{home}")
    found = getattr(room, attribute)
    if not isinstance(found, typer.Typer):
        alone = commands(add_completion=False)
        alone.command(name, cls=getattr(room, "COMMAND", Command))(found)
        found = alone
    return typer.main.get_command(found)
