"""One worker process: started with a job, read event by event, always ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import IO

from costcalc.bench import messages
from costcalc.bench.messages import Event, Job
from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.latency.runs import Status

PATIENCE = 5.0  # seconds that a worker has to end, once it is asked to
LAST_WORDS = 2000  # bytes of what it wrote to standard error
LAST_LINE = 300  # characters


class WorkerDiedError(Exception):
    """A worker ended before its job was done; ``killed_by`` is the signal, if it was one.

    ``said`` is what it wrote to standard error last.
    """

    def __init__(self, reason: str, killed_by: signal.Signals | None = None, said: str = "") -> None:
        super().__init__(f"{reason}:\n{said}" if said else reason)
        self.killed_by = killed_by
        last = " ".join(said.splitlines()[-1:])
        self.reason = f"{reason}: {last[:LAST_LINE]}" if last else reason

    @property
    def status(self) -> Status:
        """What that makes of the measurement under way: the system ends thus who takes all memory."""
        return "oom" if self.killed_by is not None and self.killed_by.name == "SIGKILL" else "error"

    def error(self) -> Exception:
        """What to raise where no measurement was under way; what a model raises is told as an event."""
        if self.killed_by is None:
            return RuntimeError(str(self))
        return CostcalcError(str(self), ENVIRONMENT)


def events(job: Job) -> Generator[Event, None, None]:
    """Start a worker for the job and give what it tells; raises :class:`WorkerDiedError` if it breaks down.

    It is ended when the generator is closed: nothing outlives the parent's interest.
    """
    with TemporaryFile() as errors, _started(job, errors) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith(b"\n"):  # else it was killed in the middle of one
                yield messages.event(line)
        code = process.wait()
        if code:
            raise _died(code, errors)


@contextmanager
def _started(job: Job, errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        sys.executable,
        *(["-P"] if sys.version_info >= (3, 11) else []),
        "-m",
        "costcalc.bench.worker",
    ]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=errors, env=_environment(job.settings.threads)
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(BrokenPipeError), process.stdin as stream:  # it may have died: its last words say why
            stream.write(job.model_dump_json().encode())
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _environment(threads: int) -> dict[str, str]:
    """Ours, with the threads that libraries read at their start, and modules found where we find them."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "PYTHONPATH": paths,
    }


def _died(code: int, errors: IO[bytes]) -> WorkerDiedError:
    if code < 0:
        killed_by = signal.Signals(-code)
        guess = ": most likely the system ran out of memory" if killed_by.name == "SIGKILL" else ""
        return WorkerDiedError(f"the process that measured was killed ({killed_by.name}){guess}", killed_by)
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - LAST_WORDS))
    said = errors.read().decode(errors="replace").strip()
    return WorkerDiedError(f"the process that measured ended with exit code {code}", said=said)
