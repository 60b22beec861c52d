"""Rounds of measurements: the subjects take turns, each in its own process, and what is done is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from benchmarks.speed import figures, plan
from benchmarks.speed.figures import Data, Run

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT, ONCE = 180, 5.0  # seconds: of a case until it is ended, of a call that one round suffices for
DONE = {plan.COMMAND: (0, 1), plan.BASE: (0,)}  # exit codes; that of a finding is as good as any
Say = Callable[[str], None]


class Subjects:
    """The processes of all subjects, each started when it is first asked."""

    def __init__(self, peers: Path | None) -> None:
        self.peers = peers
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.versions: dict[str, str] = {}
        self.broken: dict[str, str] = {}

    def measure(self, case: plan.Case) -> Run:
        """One measurement, or the reason why there is none."""
        if case.subject in (plan.COMMAND, plan.BASE):
            return prompted(case)
        if case.subject not in self.processes:
            self._start(case.subject)
        if case.subject in self.broken:
            return Run(error=self.broken[case.subject])
        process = self.processes[case.subject]
        answer = self._asked(process, {"case": asdict(case), "limit": LIMIT})
        if answer is None:
            _end(self.processes.pop(case.subject))  # the next case is given another one
            return Run(error="its process ended")
        return Run(**answer)

    def _start(self, subject: str) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.worker", subject],
            cwd=ROOT,
            env=surroundings(self.peers, subject),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes[subject] = process
        ready = self._asked(process, None) or {"error": "does not start: its process ended"}
        if "error" in ready:
            self.broken[subject] = ready["error"]
        else:
            self.versions[subject] = ready["version"]

    @staticmethod
    def _asked(process: subprocess.Popen[str], question: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The next line of its answers; None if it has ended."""
        asks: IO[str] | None = process.stdin
        answers: IO[str] | None = process.stdout
        assert asks is not None
        assert answers is not None
        with suppress(BrokenPipeError):
            if question is not None:
                print(json.dumps(question), file=asks, flush=True)
        line = answers.readline()
        return json.loads(line) if line else None

    def close(self) -> None:
        """End every process."""
        for process in self.processes.values():
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    with suppress(BrokenPipeError):
        process.communicate()


def surroundings(peers: Path | None, subject: str) -> dict[str, str]:
    """The environment of a process: one thread, this costcalc, and the folder of that counter."""
    paths = [str(ROOT)]
    if peers and (folder := peers / plan.distribution(subject)).is_dir():
        paths.insert(0, str(folder.resolve()))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    # installed packages have their bytecode; without it costcalc would be compiled anew at each start
    left = ("COSTCALC", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(left)}
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(paths), "NO_COLOR": "1"}


def prompted(case: plan.Case) -> Run:
    """A command line, or an import, in a process of its own: CPU time from its start to its end."""
    words = ["-m", "costcalc", *case.model.split()] if case.subject == plan.COMMAND else ["-c", case.model]
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env=surroundings(None, "count"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read().split("\n")[0]
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in DONE[case.subject]:
        return Run(error=f"exit code {process.returncode}: {said}"[:160])
    return Run(first=round((used.ru_utime + used.ru_stime) * 1e9), peak=used.ru_maxrss)


def still(cases: Sequence[plan.Case], rounds: int, known: Data) -> Iterator[tuple[int, plan.Case]]:
    """What is left to be measured, round by round; ``known`` may grow meanwhile.

    A case that failed, or that takes long, is measured in the first round only.
    """
    seen: Counter[plan.Case] = Counter()
    for number in range(rounds):
        for case in plan.turned(cases, number):
            runs = known.series.get(case, ())
            seen[case] += 1
            taken = known.seconds(case, first=True)
            if len(runs) < seen[case] and not (runs and (known.error(case) or (taken or 0) > ONCE)):
                yield number, case


def measured(
    cases: Sequence[plan.Case],
    rounds: int,
    data: Data,
    subjects: Subjects,
    keep: Callable[[Data], None],
    say: Say,
) -> Data:
    """Measure what is left, telling and keeping each; an interruption leaves what was kept."""
    series = {case: data.series.get(case, ()) for case in cases}
    data = replace(data, series=series)
    loads: dict[str, float] = dict(data.environment.get("load", {}))
    for number, case in still(cases, rounds, data):
        loads.setdefault(str(number + 1), round(os.getloadavg()[0], 2))
        run = subjects.measure(case)
        series[case] = (*series[case], run)
        versions = {**data.environment.get("counters", {}), **subjects.versions}
        data = replace(data, environment={**data.environment, "counters": versions, "load": loads})
        keep(data)
        say(f"round {number + 1} of {rounds}: {told(case)}: {_figures(run)}")
    return data


def told(case: plan.Case) -> str:
    """Which measurement it is, in words."""
    if case.subject in (plan.COMMAND, plan.BASE):
        return f"{case.group} {case.subject} {case.model}"
    return f"{case.group} {case.subject} {case.model} {case.size}" + f" × {case.batch}" * (case.batch > 1)


def _figures(run: Run) -> str:
    if run.error or run.first is None:
        return run.error
    parts = [f"{run.first / 1e6:,.3f} ms", f"again {run.again / 1e6:,.3f} ms" if run.again else ""]
    return ", ".join(filter(None, (*parts, f"{(run.peak or 0) / figures.KIB:,.1f} MiB")))
