"""argv → load, compute, view, render → stdout. The only room that sets exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import pairwise

from costcalc.cli.run import Run, say
from costcalc.errors import ENVIRONMENT, CostcalcError

BUG, INTERRUPTED = 70, 130
MOST_PROBLEMS = 40  # that are worth reading at once


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code; errors go to stderr, as JSON if JSON is asked for."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv == ["--version"]:  # needs nothing that a command needs
        from costcalc import machine

        print(machine.told())
        return 0
    return _run(argv)


def _run(argv: Sequence[str]) -> int:
    import typer

    from costcalc.cli.app import app

    Run.debug = "--debug" in argv
    try:
        code = typer.main.get_command(app).main(argv, prog_name="costcalc", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # typer makes an exit code of Ctrl-C
            say("costcalc: interrupted")
        return int(code or 0)
    except CostcalcError as error:
        return _failed(error, argv)
    except typer.exceptions.TyperException as error:
        return _failed(CostcalcError(error.format_message().rstrip(".").replace("Value error, ", "")), argv)
    except (KeyboardInterrupt, typer.Abort):
        say("costcalc: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (nothing more can be written)
        return 0
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (nothing more can be written)
        return _failed(CostcalcError(f"cannot write: {error.strerror}", ENVIRONMENT), argv)
    except Exception as error:
        if Run.debug:
            raise
        say(f"costcalc: a bug: {type(error).__name__}: {error}; --debug shows where")
        return BUG


def _failed(error: CostcalcError, argv: Sequence[str]) -> int:
    if _wants_json(argv):
        found = [
            {
                "message": problem.message,
                "path": problem.path,
                "file": problem.place.file if problem.place else None,
                "line": problem.place.line if problem.place else None,
                "column": problem.place.column if problem.place else None,
            }
            for problem in error.problems
        ]
        from costcalc import render

        sys.stderr.write(render.problems(found, error.exit_code))
        return error.exit_code
    for problem in error.problems[:MOST_PROBLEMS]:
        say(f"costcalc: {problem}")
        if problem.excerpt():
            say(problem.excerpt())
    if len(error.problems) > MOST_PROBLEMS:
        say(f"costcalc: and {len(error.problems) - MOST_PROBLEMS} more; --json shows all")
    return error.exit_code


def _wants_json(argv: Sequence[str]) -> bool:
    """Whether JSON was asked for, also where the command line could not be parsed."""
    after = [value for flag, value in pairwise(argv) if flag in ("--format", "-f")]
    return "json" in after or bool({"--json", "--format=json", "-fjson"}.intersection(argv))
