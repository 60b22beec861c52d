"""What was measured, and its medians: records, and the file that they are kept in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.plan import Case

SCHEMA = "costcalc.benchmarks/1"
KIB = 1024


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement: nanoseconds of CPU, KiB of memory above the imports, and the count; or an error.

    ``first`` is the first call in a process, ``again`` the median of further ones (None: too long for
    any), ``model`` the memory before the first call, ``peak`` the most during it.
    """

    first: int | None = None
    again: int | None = None
    model: int | None = None
    peak: int | None = None
    count: int | None = None
    error: str = ""


@dataclass(frozen=True)
class Data:
    """All runs of each case, and where and when they were measured."""

    environment: Mapping[str, Any]
    series: Mapping[Case, tuple[Run, ...]]

    def seconds(self, case: Case, first: bool = False) -> float | None:
        """CPU time of a call, the median of all rounds: of the first in a process, or of later ones."""
        taken = self.times(case, first)
        return median(taken) if taken else None

    def times(self, case: Case, first: bool = False) -> list[float]:
        """CPU time of a call in each round; a call too long to be repeated is its own repetition."""
        found = [run.first if first or run.again is None else run.again for run in self.runs(case)]
        return [nanoseconds / 1e9 for nanoseconds in found if nanoseconds is not None]

    def peak(self, case: Case) -> int | None:
        """The most memory above the imports in bytes, the median of all rounds."""
        found = [run.peak for run in self.runs(case) if run.peak is not None]
        return round(median(found) * KIB) if found else None

    def own(self, case: Case) -> int | None:
        """The same above the model, which was there before: what counting itself takes."""
        found = [run.peak - (run.model or 0) for run in self.runs(case) if run.peak is not None]
        return max(round(median(found) * KIB), 0) if found else None

    def count(self, case: Case) -> int | None:
        """What it says, as it says it; None where rounds differ."""
        found = {run.count for run in self.runs(case)}
        return found.pop() if len(found) == 1 else None

    def error(self, case: Case) -> str:
        """Why there is no figure; nothing where there is one, or where it was not measured."""
        return next((run.error for run in self.series.get(case, ()) if run.error), "")

    def runs(self, case: Case) -> list[Run]:
        """Those that gave figures."""
        return [run for run in self.series.get(case, ()) if not run.error]

    def cases(self, group: str) -> list[Case]:
        """The cases of a group in their order."""
        return [case for case in self.series if case.group == group]


def written(data: Data) -> str:
    """A file's text: a line a case."""
    lines = [
        json.dumps({**_kept(case), "runs": [_kept(run) for run in runs]})
        for case, runs in data.series.items()
    ]
    head = json.dumps({"schema": SCHEMA, "environment": data.environment}, indent=1, ensure_ascii=False)
    return f"{head[:-2]},\n" + ' "series": [\n' + ",\n".join(lines) + "\n ]\n}\n"


def _kept(record: Case | Run) -> dict[str, Any]:
    """The fields that are not as they usually are."""
    usual = {field.name: field.default for field in fields(record)}
    return {key: value for key, value in asdict(record).items() if value != usual[key]}


def read(path: Path) -> Data:
    """The file's measurements; raises :class:`ValueError` for another file."""
    found = json.loads(path.read_text("utf-8"))
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise ValueError(f"{path} holds no {SCHEMA}")
    series = {}
    for entry in found["series"]:
        runs = tuple(Run(**run) for run in entry.pop("runs"))
        series[Case(**entry)] = runs
    return Data(found["environment"], series)


def ratio(above: float | None, below: float | None) -> float | None:
    """How many times ``below``; None where either is not known."""
    return above / below if above is not None and below else None


def spread(values: Sequence[float]) -> float:
    """From the least to the most, as a share of the median."""
    return (max(values) - min(values)) / median(values)
