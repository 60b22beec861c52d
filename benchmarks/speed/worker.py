"""The process of one subject: it imports once, and measures each case in a fork of itself.

    python -m benchmarks.speed.worker SUBJECT

Takes a case a line on its standard input, as JSON, and answers each with a line: what was measured, or
``error``. The first line says that all is imported, and which version it is. A fork is as a fresh process
after its imports: no call has been made in it.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed import plan

START = 300  # seconds that imports may take
LONG, ENOUGH, BRIEF = 3.0, 0.25, 0.002  # seconds: of a call, of all that follow, of one timed by many
MOST_SAID = 160  # letters of an exception's message


def main(subject: str) -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    signal.alarm(START)
    ready = _ready(subject)
    signal.alarm(0)
    print(json.dumps(ready), file=answers)
    if "error" in ready:
        return
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        print(_apart(plan.Case(**asked["case"]), asked["limit"]), file=answers)


def _ready(subject: str) -> dict[str, str]:
    """The version, all being imported; or why not."""
    wanted = plan.distribution(subject)
    try:
        version = metadata.version(wanted)
        from benchmarks.speed import drivers

        drivers.prepare(subject)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)
    except metadata.PackageNotFoundError:
        return {"error": f"not installed: pip install {wanted}"}
    except Exception as error:
        return {"error": f"does not start: {_said(error)}"}
    return {"version": version}


def _apart(case: plan.Case, limit: int) -> str:
    """The answer of a fork, which is ended after so many seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(limit)
        try:
            answer = measured(case)
        except Exception as error:
            answer = {"error": _said(error)}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)  # nothing that a tool left behind is run
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if told:
        return told.decode()
    ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    why = f"not done after {limit} s" if ended == signal.SIGALRM else f"its process ended with signal {ended}"
    return json.dumps({"error": why})


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:MOST_SAID]


def measured(case: plan.Case) -> dict[str, Any]:
    """Times in nanoseconds of CPU, memory in KiB, and the count.

    ``first`` is the first call in this process, ``again`` the median of those that follow (none follow a
    long one). ``peak`` is how far memory rose above the imports, of which ``model`` was there before the
    first call. Pages of files, such as those of libraries, are left out of both.
    """
    from benchmarks.speed import drivers

    gc.collect()  # what the imports left over is no part of what they take
    imported = _memory("RssAnon")
    call = drivers.call(case)
    gc.collect()
    model = _memory("RssAnon")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    first, count = _timed(call, 1)
    peak = _memory("VmHWM") - _memory("RssFile") - _memory("RssShmem")
    found = {
        "first": first,
        "count": count,
        "model": max(model - imported, 0),
        "peak": max(peak - imported, 0),
    }
    if first < LONG * 1e9:
        again, same = _repeated(call)
        if same != count:
            return {"error": f"counts {count} at first, and {same} when called again"}
        found["again"] = again
    return found


def _repeated(call: Callable[[], int]) -> tuple[int, int]:
    """The median time of further calls, and the last count."""
    times, (spent, count) = 1, _timed(call, 1)
    while spent * times < BRIEF * 1e9:
        times *= 2
        spent, count = _timed(call, times)
    samples = [spent]
    while sum(samples) * times < ENOUGH * 1e9 or (len(samples) < 3 and spent < ENOUGH * 1e9):
        samples.append(_timed(call, times)[0])
    return round(median(samples)), count


def _timed(call: Callable[[], int], times: int) -> tuple[int, int]:
    """Nanoseconds of CPU that a call takes, of so many in a row, and its count."""
    gc.collect()
    start = time.process_time_ns()
    for _ in range(times):
        count = call()
    return round((time.process_time_ns() - start) / times), count


def _memory(field: str) -> int:
    """A line of this process's status, in KiB."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main(sys.argv[1])
