"""Faster, slower, the same or unclear: two measurements compared by their processes.

Samples of one process resemble each other more than those of the next one, so the unit is the process:
its median. Logarithms of medians are compared by Welch's test; where several pairs are, the
chance of any false claim is shared among them (Holm 1979).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, log, log1p
from statistics import fmean, median, variance
from typing import Literal

from costcalc.errors import CostcalcError
from costcalc.latency.runs import Measurement, Process, Run
from costcalc.latency.series import Series, deciding, kept, medians, of_process
from costcalc.latency.student import ALPHA, Difference, expected, welch
from costcalc.latency.summary import LEAST_PROCESSES

__all__ = ["LEAST_PROCESSES", "Judgement", "Pair", "Verdict", "compared", "holm", "ranked"]

Verdict = Literal["FASTER", "SLOWER", "SAME", "UNCLEAR"]
MIN_EFFECT = 0.03
MOST_NEEDED = 100  # more processes than these nobody runs
SEQUENTIAL = "the runs were measured one after the other, so drift is not excluded"
NO_CLOCKS = "no SM clock was recorded on both sides, so no claim is confirmed in cycles"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two measurements: geometric means of process medians in seconds, their ratio ``new / old``, and where
    that lies at the confidence ``level``.

    ``name`` is the new one's, ``against`` the old one's; ``processes`` are theirs, old and new. The interval
    is None below two processes a side. ``reason`` says why a verdict is UNCLEAR, ``needed`` how
    many more processes a side would settle it, None if more than 100.
    """

    name: str
    against: str
    batch: int
    series: Series
    old: float
    new: float
    ratio: float
    low: float | None
    high: float | None
    level: float
    verdict: Verdict
    needed: int | None
    reason: str
    processes: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Pairs, and what to know about all of them.

    ``differences`` is what differs in where and how two runs were measured, and ``matched`` that nothing
    does. ``only_old`` and ``only_new`` have no time on the other side. ``caveats`` hold of every claim.
    """

    pairs: tuple[Pair, ...]
    matched: bool
    differences: tuple[str, ...]
    interleaved: bool
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    caveats: tuple[str, ...]


def compared(old: Run, new: Run, min_effect: float = MIN_EFFECT, allow_mismatch: bool = False) -> Judgement:
    """Two saved runs, paired by name and batch; a single measurement in each is a pair under any name.

    Runs measured differently raise :class:`CostcalcError`, unless that is allowed: then nothing is claimed.
    """
    differences = _differences(old.identifying(), new.identifying())
    if differences and not allow_mismatch:
        raise CostcalcError(
            f"the runs cannot be compared, they differ in {'; '.join(differences)}; "
            "measure both in one run, or compare with --allow-mismatch, which claims nothing"
        )
    olds, news = _by_key(old), _by_key(new)
    if len(olds) == len(news) == 1:  # one architecture and its successor, maybe under another name
        olds = {key: each for key in news for each in olds.values() if key[1] == each.batch}
    sides = [_Sides(olds[key], news[key]) for key in news if key in olds]
    if not sides:
        raise CostcalcError("the runs have no measurement in common; they are paired by name and batch")
    return Judgement(
        pairs=_judged(sides, min_effect, differences),
        matched=not differences,
        differences=differences,
        interleaved=False,
        only_old=tuple(_called(olds[key], new) for key in olds if key not in news),
        only_new=tuple(_called(news[key], old) for key in news if key not in olds),
        caveats=(SEQUENTIAL, *_clockless(sides)),
    )


def ranked(run: Run, min_effect: float = MIN_EFFECT) -> Judgement:
    """Each measurement of a run against the first of the same batch."""
    firsts: dict[int, Measurement] = {}
    sides = []
    for each in _measured(run):
        first = firsts.setdefault(each.batch, each)
        if first is not each:
            sides.append(_Sides(first, each))
    return Judgement(
        pairs=_judged(sides, min_effect, ()),
        matched=True,
        differences=(),
        interleaved=run.interleaved,
        only_old=(),
        only_new=(),
        caveats=(*(() if run.interleaved else (SEQUENTIAL,)), *_clockless(sides)),
    )


@dataclass(frozen=True)
class _Sides:
    """Two measurements, and the logarithms of their process medians."""

    before: Measurement
    after: Measurement

    @cached_property
    def series(self) -> Series:
        found = deciding(self.before)
        return found if found == deciding(self.after) else "wall"

    @cached_property
    def logs(self) -> tuple[list[float], list[float]]:
        old, new = ([log(s) for s in medians(each, self.series)] for each in (self.before, self.after))
        return old, new

    @cached_property
    def cycles(self) -> tuple[list[float], list[float]] | None:
        """Logarithms of SM cycles, where every process knows its clock."""
        old, new = _cycles(self.before, self.series), _cycles(self.after, self.series)
        return (old, new) if old and new else None

    @property
    def processes(self) -> tuple[int, int]:
        return len(self.logs[0]), len(self.logs[1])

    @cached_property
    def difference(self) -> Difference | None:
        return welch(*self.logs) if min(self.processes) > 1 else None

    @property
    def testable(self) -> bool:
        return min(self.processes) >= LEAST_PROCESSES


def _judged(sides: Sequence[_Sides], min_effect: float, differences: Sequence[str]) -> tuple[Pair, ...]:
    alphas = holm([each.difference.p() if each.difference and each.testable else None for each in sides])
    return tuple(
        _pair(each, alpha, min_effect, differences) for each, alpha in zip(sides, alphas, strict=True)
    )


def holm(chances: Sequence[float | None], alpha: float = ALPHA) -> tuple[float, ...]:
    """At which alpha each of several tests is made, so that any false claim among them has the chance alpha.

    The smallest p is held against alpha / m, the next against alpha / (m - 1), until one fails: it and
    those after it keep its alpha. None is not tested, and takes no share.
    """
    tested = sorted((p, place) for place, p in enumerate(chances) if p is not None)
    found = [alpha] * len(chances)
    share = alpha
    failed = False
    for left, (p, place) in zip(range(len(tested), 0, -1), tested, strict=True):
        share = share if failed else alpha / left
        failed = failed or p > share
        found[place] = share
    return tuple(found)


def _pair(sides: _Sides, alpha: float, min_effect: float, differences: Sequence[str]) -> Pair:
    old, new = (fmean(logs) for logs in sides.logs)
    interval = sides.difference.interval(alpha) if sides.difference else None
    verdict, needed, reason = _settled(sides, alpha, min_effect, differences)
    return Pair(
        name=sides.after.name,
        against=sides.before.name,
        batch=sides.after.batch,
        series=sides.series,
        old=exp(old),
        new=exp(new),
        ratio=exp(new - old),
        low=exp(interval[0]) if interval else None,
        high=exp(interval[1]) if interval else None,
        level=1 - alpha,
        verdict=verdict,
        needed=needed,
        reason=reason,
        processes=sides.processes,
    )


def _settled(
    sides: _Sides, alpha: float, min_effect: float, differences: Sequence[str]
) -> tuple[Verdict, int | None, str]:
    """The verdict, how many more processes would give one, and why there is none."""
    if differences:
        return "UNCLEAR", None, f"measured differently: {'; '.join(differences)}"
    if sides.difference is None or not sides.testable:
        short = LEAST_PROCESSES - min(sides.processes)
        reason = f"the unit is the process, and {LEAST_PROCESSES} a side are needed: --processes 5"
        return "UNCLEAR", short, reason
    verdict = _verdict(sides.difference, alpha, min_effect)
    if verdict == "UNCLEAR":
        needed = _needed(sides, alpha, min_effect)
        reason = f"{needed or f'more than {MOST_NEEDED}'} more processes a side would be needed"
        return verdict, needed, reason
    if verdict != "SAME" and sides.cycles:
        cycles = welch(*sides.cycles)
        if _verdict(cycles, alpha, min_effect) != verdict:
            return "UNCLEAR", None, f"the SM clock differed: in cycles the ratio is {exp(cycles.value):.3f}"
    return verdict, None, ""


def _verdict(difference: Difference, alpha: float, min_effect: float) -> Verdict:
    """By how the interval lies to no effect, and to the smallest effect that matters, the same both ways."""
    low, high = difference.interval(alpha)
    margin = log1p(min_effect)
    if abs(difference.value) >= margin and not low <= 0 <= high:
        return "FASTER" if difference.value < 0 else "SLOWER"
    return "SAME" if -margin <= low and high <= margin else "UNCLEAR"


def _needed(sides: _Sides, alpha: float, min_effect: float) -> int | None:
    """How many more processes a side would settle it, if differences and variances stay as they are."""
    old, new = sides.logs
    effect, spreads, margin = abs(fmean(new) - fmean(old)), (variance(old), variance(new)), log1p(min_effect)
    room = effect if effect >= margin else margin - effect

    def settles(count: int) -> bool:
        return expected(room, (spreads[0], count), (spreads[1], count)).p() < alpha

    there = min(sides.processes)
    more = 1 + bisect_left(range(there + 1, there + MOST_NEEDED + 1), True, key=settles)
    return more if more <= MOST_NEEDED else None


def _cycles(measurement: Measurement, series: Series) -> list[float] | None:
    found = [_process_cycles(process, series) for process in measurement.processes if kept([process])]
    return [each for each in found if each is not None] if None not in found else None


def _process_cycles(process: Process, series: Series) -> float | None:
    clocks = [each.telemetry.sm_mhz for each in kept([process]) if each.telemetry and each.telemetry.sm_mhz]
    samples = of_process(process, series)
    return log(median(samples)) + log(fmean(clocks)) if clocks and samples else None


def _clockless(sides: Iterable[_Sides]) -> tuple[str, ...]:
    return (NO_CLOCKS,) if any(each.series == "gpu" and not each.cycles for each in sides) else ()


def _measured(run: Run) -> list[Measurement]:
    return [each for each in run.measurements if medians(each, deciding(each))]


def _by_key(run: Run) -> dict[tuple[str, int, int], Measurement]:
    """Measurements by name, batch, and the how-manieth of these it is."""
    seen: Counter[tuple[str, int]] = Counter()
    found = {}
    for each in _measured(run):
        key = each.name, each.batch
        found[each.name, each.batch, seen[key]] = each
        seen[key] += 1
    return found


def _differences(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(f"{key}: {old[key]} → {new[key]}" for key in old if old[key] != new[key])


def _called(measurement: Measurement, other: Run) -> str:
    """A measurement without a partner, and what became of it in the other run if it was tried there."""
    tried = (
        each
        for each in other.measurements
        if (each.name, each.batch) == (measurement.name, measurement.batch)
    )
    fate = next((f" ({each.status} in the other run)" for each in tried), "")
    return f"{measurement.name} at batch {measurement.batch}{fate}"
