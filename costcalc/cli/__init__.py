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
    Run.debug = "--debug" in argv
    try:
        code = _run(argv)
        sys.stdout.flush()
        return code
    except CostcalcError as error:
        return _failed(error, argv)
    except KeyboardInterrupt:
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


def _run(argv: Sequence[str]) -> int:
    if argv == ["--version"]:  # needs nothing that a command needs
        from costcalc import machine

        print(machine.told())
        return 0
    import typer

    from costcalc.cli.app import app

    try:
        code = typer.main.get_command(app).main(argv, prog_name="costcalc", standalone_mode=False)
    except typer.exceptions.TyperException as error:
        raise CostcalcError(error.format_message().rstrip(".").replace("Value error, ", "")) from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    if code == INTERRUPTED:  # typer makes an exit code of Ctrl-C
        raise KeyboardInterrupt
    return int(code or 0)


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
