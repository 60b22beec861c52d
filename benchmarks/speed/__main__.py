"""The command line: install the counters, measure, write the page."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed import environment, figures, page, plan, running

HERE = Path(__file__).resolve().parent
RUNS, PAGE = Path("reports/runs/benchmarks.json"), Path("reports/benchmarks.md")
UNUSABLE, INTERRUPTED = 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the commands; the exit code."""
    options = _options().parse_args(argv)
    chosen: int = options.command(options)
    return chosen


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    commands = parser.add_subparsers(required=True)
    peers = commands.add_parser("peers", help="install every counter into a folder of its own")
    peers.add_argument("folder", type=Path)
    peers.set_defaults(command=_peers)
    run = commands.add_parser("run", help="measure what is not measured yet, then write the page")
    run.add_argument("--peers", type=_folder, help="where `peers` put them; else those that are installed")
    run.add_argument("--rounds", type=_rounds, default=3)
    run.add_argument("--quick", action="store_true", help="a few models, to try it")
    run.add_argument("--only", type=_groups, default="", help="groups, such as prompt,depth")
    run.add_argument("--anew", action="store_true", help="measure all again")
    run.set_defaults(command=_run)
    render = commands.add_parser("render", help="write the page again, from the measurements alone")
    render.set_defaults(command=_render)
    for each in (run, render):
        each.add_argument("--data", type=Path, default=RUNS, help="the measurements")
        each.add_argument("-o", "--output", type=Path, default=PAGE, help="the page")
    return parser


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"no folder {text!r}; `python -m benchmarks.speed peers` makes one")
    return Path(text)


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds, 1 or more")
    return int(text)


def _groups(text: str) -> str:
    """Groups as written; of an unknown one nothing would be measured, and the page would be empty."""
    there = list(dict.fromkeys(case.group for case in plan.full() if case.group != "again"))
    if unknown := [group for group in text.split(",") if text and group not in there]:
        raise argparse.ArgumentTypeError(f"no group {unknown[0]!r}; there are {', '.join(there)}")
    return text


def _peers(options: argparse.Namespace) -> int:
    """Each as its own folder, without what it depends on unless its list says so: torch is there."""
    for wanted in sorted((HERE / "peers").glob("*.txt")):
        target = options.folder / wanted.stem
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade"]
        done = subprocess.run(
            [*command, "--target", target, "-r", wanted], env={**os.environ, "DS_BUILD_OPS": "0"}
        )
        print(f"{wanted.stem}: {'cannot be installed' if done.returncode else target}", file=sys.stderr)
    return 0


def _run(options: argparse.Namespace) -> int:
    part = options.data.with_suffix(".part.json")
    here = environment.found(options.rounds, options.quick, options.only)
    known = figures.Data(here, {})
    if part.exists() and not options.anew:
        before = figures.read(part)
        is_same = environment.same(dict(before.environment), here)
        _say("goes on with what was measured before" if is_same else "something has changed: begins anew")
        known = before if is_same else known
    cases = plan.quick() if options.quick else plan.full()
    cases = plan.only(cases, options.only.split(",")) if options.only else cases
    subjects = running.Subjects(options.peers)
    try:
        data = running.measured(cases, options.rounds, known, subjects, lambda data: _keep(part, data), _say)
    except KeyboardInterrupt:
        _say(f"interrupted; what was measured is in {part}, the same command goes on")
        return INTERRUPTED
    finally:
        subjects.close()
    _keep(options.data, data)
    part.unlink(missing_ok=True)
    return _render(options)


def _keep(path: Path, data: figures.Data) -> None:
    """Written aside first, so that an interruption leaves the file before or the file after."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    aside.write_text(figures.written(data), "utf-8")
    aside.replace(path)


def _render(options: argparse.Namespace) -> int:
    """The page and its charts, each path on a line of its own."""
    if not options.data.exists():
        _say(f"{options.data} is not there; `python -m benchmarks.speed run` measures")
        return UNUSABLE
    for path, text in sorted(page.files(figures.read(options.data), options.output).items()):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, "utf-8")
        print(path)
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
