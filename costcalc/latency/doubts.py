"""Why a measurement may be doubted: a closed list of reasons, each with its numbers and a remedy.

Nothing here is stored in a run file; all of it follows from one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from costcalc.latency.runs import Measurement, Process, Rules, Run, Telemetry
from costcalc.latency.series import Series, deciding, kept, round_medians, steering
from costcalc.latency.statistics import FEWEST_ROUNDS, drift, reached, samples_needed, slow_first, two_speeds
from costcalc.latency.summary import HOST_BOUND, Summary, attributed, host_share, summary

UNSTABLE = 0.025  # coefficient of variation, as in trtexec
FLUCTUATING, USELESS = 0.10, 0.25  # interquartile range over median, as in torch.utils.benchmark
SPIKES = 0.01  # of all samples: rarer ones do not reach the 99th percentile
WAITING = 1.1  # wall clock over process time, of a single thread
MOSTLY = 0.5  # of a pass: waiting then is what the network does, and CPU time is not its latency
PRESSURE = 10.0  # percent of the time that some task waits for a CPU

QUIET = "close other programs, or measure on a host that runs nothing else"
CLOCKS = (
    "wait until the device is cool and idle; costcalc never changes clocks, `nvidia-smi -lgc MHZ` fixes them"
)
LONGER = "give it more time, --max-time 60s, or be content with less by a larger --precision"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason to doubt a measurement, what to do about it, and whether ``--strict`` fails for it.

    Serious is what makes the time shown, or its interval, wrong or not what was asked for.
    """

    code: str
    message: str
    remedy: str
    serious: bool


@dataclass(frozen=True)
class Case:
    """A measurement, and what several reasons look at."""

    run: Run
    measurement: Measurement

    @property
    def rules(self) -> Rules:
        return self.run.settings.rules

    @property
    def processes(self) -> tuple[Process, ...]:
        return self.measurement.processes

    @cached_property
    def on_gpu(self) -> bool:
        return any(each.gpu_s for process in self.processes for each in process.rounds)

    @cached_property
    def deciding(self) -> Series:
        """On one thread of a CPU the process's time: what others do to the wall clock is ``noisy_host``."""
        return deciding(self.measurement)

    @cached_property
    def summary(self) -> Summary | None:
        return summary(self.measurement, self.deciding)

    def medians(self, series: Series) -> tuple[tuple[float, ...], ...]:
        """Round medians, process by process."""
        found = (round_medians(kept([process]), series) for process in self.processes)
        return tuple(each for each in found if each)

    @cached_property
    def telemetry(self) -> tuple[Telemetry, ...]:
        """Of kept rounds."""
        return tuple(each.telemetry for each in kept(self.processes) if each.telemetry)

    @cached_property
    def cores(self) -> int | None:
        found = self.run.environment.facts.get("cores")
        return found if isinstance(found, int) else None


@dataclass(frozen=True, slots=True)
class Found:
    """What a reason found."""

    message: str
    remedy: str
    serious: bool = False


def doubts(run: Run, measurement: Measurement) -> tuple[Doubt, ...]:
    """All reasons to doubt one measurement of a run, in the order of :data:`DOUBTS`."""
    case = Case(run, measurement)
    found = ((code, look(case)) for code, look in DOUBTS.items())
    return tuple(Doubt(code, it.message, it.remedy, it.serious) for code, it in found if it)


def _throttled(case: Case) -> Found | None:
    ended = sum(process.stopped == "throttled" for process in case.processes)
    lost = sum(each.discarded for process in case.processes for each in process.rounds)
    if not lost:
        return None
    gave_up = f"; {_of(ended, case)} gave up" if ended else ""
    return Found(f"the GPU was slowed down: {lost} rounds were discarded{gave_up}", CLOCKS, bool(ended))


def _few_samples(case: Case) -> Found | None:
    needed = samples_needed(0.5)
    fewest = min((len(each) for each in case.medians(case.deciding)), default=0)
    if case.summary is None or (case.summary.n >= needed and fewest >= FEWEST_ROUNDS):
        return None
    message = (
        f"{case.summary.n} samples in all and {fewest} rounds in one process, "
        f"of {needed} and {FEWEST_ROUNDS} that are due"
    )
    return Found(message, "give it more time: --max-time 60s", serious=True)


def _timeout(case: Case) -> Found | None:
    late = [process for process in case.processes if process.stopped == "timeout"]
    if not late:
        return None
    rounds = (kept([process]) for process in late)
    widths = [reached(round_medians(each, steering(each))) for each in rounds]
    worst = max((width for width in widths if width is not None), default=None)
    known = f"±{_percent(worst)}" if worst is not None else "an unknown precision"
    wanted = f"±{_percent(case.rules.precision)}"
    missed = (
        f"not {wanted}" if worst is None or worst > case.rules.precision else f"but {wanted} not steadily"
    )
    message = f"{_of(len(late), case)} reached {known} in {case.rules.max_time:g} s, {missed}"
    return Found(message, LONGER, serious=True)


def _warmup_unsettled(case: Case) -> Found | None:
    restless = [process for process in case.processes if not process.settled]
    if not restless:
        return None
    longest = max(process.warmup_s for process in restless)
    message = f"{_of(len(restless), case)} had not settled after {longest:.1f} s of warming up"
    return Found(message, "warm up longer: --warmup 20s")


def _first_round_slow(case: Case) -> Found | None:
    slow = [ratio for each in case.medians(case.deciding) if (ratio := slow_first(each))]
    if not slow:
        return None
    message = f"the first round was up to {max(slow):.2f}× slower than the others in {_of(len(slow), case)}"
    return Found(message, "warm up longer: --warmup 5s")


def _two_speeds(case: Case) -> Found | None:
    found = [pair for each in case.medians(case.deciding) if (pair := two_speeds(each))]
    if not found:
        return None
    slow = max(high / low for low, high in found)
    message = (
        f"two speeds, up to {_percent(slow - 1)} apart, in {_of(len(found), case)}: the median is one of them"
    )
    remedy = CLOCKS if case.on_gpu else "pin the CPU's frequency; " + QUIET
    return Found(message, remedy, serious=True)


def _drift(case: Case) -> Found | None:
    found = [change for each in case.medians(case.deciding) if (change := drift(each, case.rules.precision))]
    if not found:
        return None
    worst = max(found, key=abs)
    message = (
        f"the later half of rounds is up to {_percent(abs(worst))} {'slower' if worst > 0 else 'faster'}"
    )
    return Found(f"{message} in {_of(len(found), case)}", "warm up longer: --warmup 10s")


def _fluctuating(case: Case) -> Found | None:
    if case.summary is None or case.summary.spread <= FLUCTUATING:
        return None
    useless = case.summary.spread > USELESS
    middle = f"the middle half of {case.deciding} samples spans {_percent(case.summary.spread)} of the median"
    return Found(f"{middle}{': do not use it' if useless else ''}", QUIET, useless)


def _unstable(case: Case) -> Found | None:
    if case.summary is None or case.summary.cov <= UNSTABLE or _fluctuating(case):
        return None
    message = f"{case.deciding} samples vary by {_percent(case.summary.cov)} (standard deviation over mean)"
    return Found(message, CLOCKS if case.on_gpu else QUIET)


def _outliers(case: Case) -> Found | None:
    if case.summary is None or case.summary.outliers < SPIKES * case.summary.n or not case.summary.outliers:
        return None
    share = _percent(case.summary.outliers / case.summary.n)
    message = f"{case.summary.outliers} of {case.summary.n} samples ({share}) are outliers; they are kept"
    return Found(message, f"trust the median and not the mean; {QUIET}")


def _host_bound(case: Case) -> Found | None:
    share = host_share(case.measurement)
    if share is None or share <= HOST_BOUND:
        return None
    told = (
        f"starting kernels takes the host {_percent(share)} of the GPU's time, which holds gaps between them"
    )
    graph = "" if case.run.settings.mode == "graph" else "--mode graph, or "
    return Found(told, f"{graph}a larger batch")


def _power_capped(case: Case) -> Found | None:
    capped = sum("SwPowerCap" in each.reasons for each in case.telemetry)
    if not capped:
        return None
    message = (
        f"the limit on power held the clock down in {capped} of {len(case.telemetry)} rounds; they are kept"
    )
    return Found(message, "this is how a loaded card runs; compare only with runs under the same limit")


def _shared_gpu(case: Case) -> Found | None:
    others = max((each.other_processes or 0 for each in case.telemetry), default=0)
    if not others:
        return None
    remedy = "stop the others, `nvidia-smi` lists them, or take another GPU: --device cuda:1"
    return Found(f"up to {others} other processes used the GPU", remedy, serious=True)


def _no_telemetry(case: Case) -> Found | None:
    rounds = [each for process in case.processes for each in process.rounds]
    if not case.on_gpu or any(each.telemetry for each in rounds):
        return None
    why = case.run.environment.facts.get("nvml")
    message = f"neither clocks nor throttling of the GPU are known{f': {why}' if why else ''}"
    return Found(
        message, "pip install 'costcalc[gpu]' if it is missing; `nvidia-smi` shows what the driver says"
    )


def _noisy_host(case: Case) -> Found | None:
    pressure = _most(process.pressure for process in case.processes)
    load = _most(process.load for process in case.processes)
    found = []
    if pressure is not None and pressure > PRESSURE:
        found.append(f"tasks waited for a CPU {pressure:.0f} % of the time")
    if load is not None and case.cores is not None and load > case.cores:
        found.append(f"the load was {load:.1f} on {case.cores} cores")
    wall, cpu = summary(case.measurement, "wall"), summary(case.measurement, "cpu")
    waited = 1 - cpu.median / wall.median if wall and cpu and case.run.settings.threads == 1 else 0.0
    if waited > 1 - 1 / WAITING:
        found.append(f"a pass waited {_percent(waited)} of its time")
    if wall and case.deciding == "cpu" and wall.spread > FLUCTUATING:
        found.append(f"the middle half of wall times spans {_percent(wall.spread)} of their median")
    remedy = QUIET if case.on_gpu else f"{QUIET}; CPU time suffers less than wall time"
    if waited > MOSTLY:
        remedy = (
            f"the model itself may wait (for input, threads, another device): its wall time counts; {remedy}"
        )
    return Found("; ".join(found), remedy, waited > MOSTLY) if found else None


def _oversubscribed(case: Case) -> Found | None:
    threads = case.run.settings.threads
    if case.on_gpu or case.cores is None or threads <= case.cores:
        return None
    return Found(f"{threads} threads on {case.cores} cores wait for each other", f"--threads {case.cores}")


def _blocks_perturbed(case: Case) -> Found | None:
    found = attributed(case.measurement)
    if found is None or not found.perturbed:
        return None
    explained = _percent((found.total - found.unattributed) / found.total)
    message = f"blocks sum up to {explained} of the undisturbed time: their shares are shown, not their times"
    remedy = (
        "--mode graph marks blocks without host time"
        if case.run.settings.mode == "eager"
        else "a larger batch"
    )
    hooks = "a larger batch, for the marks themselves take microseconds each"
    return Found(message, remedy if case.on_gpu else f"{hooks}; or {QUIET}")


DOUBTS: Mapping[str, Callable[[Case], Found | None]] = {
    "throttled": _throttled,
    "few_samples": _few_samples,
    "timeout": _timeout,
    "warmup_unsettled": _warmup_unsettled,
    "first_round_slow": _first_round_slow,
    "two_speeds": _two_speeds,
    "drift": _drift,
    "fluctuating": _fluctuating,
    "unstable": _unstable,
    "outliers": _outliers,
    "host_bound": _host_bound,
    "power_capped": _power_capped,
    "shared_gpu": _shared_gpu,
    "no_telemetry": _no_telemetry,
    "noisy_host": _noisy_host,
    "oversubscribed": _oversubscribed,
    "blocks_perturbed": _blocks_perturbed,
}


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _of(count: int, case: Case) -> str:
    total = len(case.processes)
    return "the process" if total == 1 else f"{count} of {total} processes"


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 0.1 else f"{share * 100:.0f} %"
