"""Real processes on this machine: a run, Ctrl-C, and a worker that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from statistics import median

import pytest
import torch
from benched import TINY, cpu

from costcalc import bench
from costcalc.latency import runs, summary
from costcalc.latency.runs import Run, read

CHILDREN = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")


def test_a_run_on_this_cpu(written: Callable[..., str], tmp_path: Path) -> None:
    """One worker of each kind: a spec from standard input, and a model that prints."""
    told: list[bench.Progress] = []
    subjects = [bench.Subject("-", text=TINY), bench.Subject("nets:Chatty", inputs=("3",))]
    run = bench.run(subjects, (1, 4), cpu(device="auto"), "costcalc bench", told.append)
    assert run.settings.device == ("cuda:0" if torch.cuda.is_available() else "cpu")
    assert [(each.name, each.batch, each.status) for each in run.measurements] == [
        *(("tiny", 1, "ok"), ("tiny", 4, "ok"), ("nets:Chatty", 1, "ok"), ("nets:Chatty", 4, "ok"))
    ]
    for each in run.measurements:
        found = summary.summary(each, summary.deciding(each))
        assert found is not None
        assert isfinite(found.median)
        assert 0 < found.minimum <= found.p25 <= found.median <= found.p75
        assert bool(each.processes[0].single_s) == torch.cuda.is_available()
    tiny = run.measurements[0]
    blocks = summary.attributed(tiny)
    assert blocks is not None
    assert [row.name for row in blocks.rows] == ["conv", "relu", "mix", "flat", "fc"]
    assert tiny.macs * 4 == run.measurements[1].macs
    assert {progress.phase for progress in told} >= {"building", "warming up", "measuring"}
    path = tmp_path / "run.json"
    path.write_text(runs.written(run))
    assert read(str(path)) == run


FICKLE = """
import os, time, torch

class Fickle(torch.nn.Module):
    def forward(self, x):
        for _ in range(600):
            if x.is_meta or os.path.exists("heard"):
                break
            time.sleep(0.1)
        else:
            raise TimeoutError("nobody heard that it began")
        if len(x) == 2 and not x.is_meta:
            os.write(2, b"and now\\nfor something else\\n")
            os._exit(3)
        if len(x) == 4 and not x.is_meta:
            raise torch.AcceleratorError("CUDA error: device-side assert triggered")
        return x + 1
"""


def test_a_model_that_ends_the_process_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits until the parent has heard of its first event, though there is only little to tell."""
    (tmp_path / "fickle.py").write_text(FICKLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    subject = bench.Subject("fickle:Fickle", inputs=("4",))
    run = bench.run([subject], (1, 2, 4, 8), cpu(), "", lambda _: Path("heard").touch())
    found = [(each.batch, each.status, each.reason) for each in run.measurements]
    why = "the process that measured ended with exit code 3: for something else"
    lost = "AcceleratorError: CUDA error: device-side assert triggered"
    assert found == [(1, "ok", ""), (2, "error", why), (4, "error", lost), (8, "ok", "")]
    assert run.refused == ()


needs_children = pytest.mark.skipif(not CHILDREN.exists(), reason="a worker is found in /proc")
SCRIPT = """
import sys
from costcalc import bench
from costcalc.latency.runs import Rules, Settings, written

assert "torch" not in sys.modules
subject = bench.Subject("here:Slow", inputs=("4",))
how = Settings(device="cpu", rules=Rules(precision=0.0001, min_time=600, max_time=600, warmup=0.1))
run = bench.run([subject], (1, 2), how, "it", lambda told: print(told.phase, told.rounds, flush=True))
assert "torch" not in sys.modules
print(written(run), end="")
"""
SLOW = """
import os, time, torch

class Slow(torch.nn.Module):
    def forward(self, x):
        print("on standard output")
        os.write(1, b"and below it\\n")
        time.sleep(0.005)
        return x + 1
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that measures a model of its working folder, for minutes."""
    (tmp_path / "here.py").write_text(SLOW)
    (tmp_path / "torch_is_not_this.py").write_text("")
    started = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=os.setpgrp,  # Ctrl-C is for these alone
    )
    yield started
    if started.poll() is None:
        os.killpg(started.pid, signal.SIGKILL)
    started.communicate()


def until_measuring(program: subprocess.Popen[str], rounds: int = 2) -> None:
    assert program.stdout is not None
    for told in program.stdout:
        if told == f"measuring {rounds}\n":
            return
    assert program.stderr is not None
    raise AssertionError(program.stderr.read())


def worker_of(program: subprocess.Popen[str]) -> int:
    """The number of its one child."""
    (child,) = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
    return int(child)


def run_of(program: subprocess.Popen[str], tmp_path: Path) -> Run:
    out, err = program.communicate(timeout=30)
    assert err == ""
    path = tmp_path / "run.json"
    path.write_text(out.splitlines()[-1])
    return read(str(path))


@needs_children
def test_control_c_gives_what_was_measured(program: subprocess.Popen[str], tmp_path: Path) -> None:
    until_measuring(program)
    child = worker_of(program)
    os.kill(child, signal.SIGINT)  # it is the parent that ends it
    until_measuring(program, rounds=4)
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does it: to parent and worker
    run = run_of(program, tmp_path)
    assert program.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)  # it is no more
    (found,) = run.measurements
    assert (found.status, found.name, found.batch) == ("interrupted", "here:Slow", 1)
    (process,) = found.processes
    assert process.stopped == "interrupted"
    assert len(process.rounds) >= 2
    # a pass sleeps for 5 ms: no clock can see less
    assert all(0.005 <= median(each.wall_s) < 0.5 for each in process.rounds)


@needs_children
def test_a_worker_that_the_system_kills_is_told_of(program: subprocess.Popen[str], tmp_path: Path) -> None:
    until_measuring(program)
    os.kill(worker_of(program), signal.SIGKILL)
    assert program.stdout is not None
    for told in program.stdout:  # the batch that is left is measured by another
        if told == "measuring 1\n":
            break
    program.send_signal(signal.SIGINT)
    one, two = run_of(program, tmp_path).measurements
    assert (one.batch, one.status) == (1, "oom")
    assert one.reason == (
        "the process that measured was killed (SIGKILL): most likely the system ran out of memory"
    )
    assert (two.batch, two.status, len(two.processes)) == (2, "interrupted", 1)
