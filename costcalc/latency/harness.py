"""How a process measures: warm up, rounds until they agree, single passes, blocks, memory.

Time and device are protocols, so that scripts can stand in for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from statistics import fmean, median
from typing import Protocol

from costcalc.latency.runs import Blocks, Memory, Process, Round, Rules, Stopped, Telemetry
from costcalc.latency.series import round_medians, steering
from costcalc.latency.statistics import FEWEST_ROUNDS, agree, precise, samples_needed

ROUND_S, FEWEST_SAMPLES = 0.05, 20  # a round lasts so long and has so many samples
FEWEST_AT_ALL = 3  # rounds, however slow a pass is
SHORTEST_SAMPLE = 2e-4  # seconds between two events, which resolve 0.5 µs: an error of 0.25 %
WARMUP_CAP, WARMUP_ROUNDS, WARMUP_TOLERANCE = 10.0, 3, 0.01
FEWEST_WARMUP_ROUNDS = 10  # that fit under the cap
PAUSE, GROWTH, MOST_RETRIES = 0.05, 0.5, 10  # seconds before a retry; by how much it grows at most
SLOW_CLOCK = 0.75  # of the default clock, as in nvbench
THROTTLING = frozenset({"HwSlowdown", "SwThermal", "HwThermal", "HwPowerBrake"})
POWER_CAP = "SwPowerCap"
BLOCK_PASSES, FEWEST_BLOCK_PASSES = 64, 3
LONGEST = 300  # characters of an exception's message
DIGITS = 9  # of a GPU's seconds that are kept: events resolve 500 ns


class Clock(Protocol):
    """Time, in monotonic seconds."""

    def now(self) -> float:
        """The time."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Device(Protocol):
    """One architecture at one batch on one device, ready to run."""

    def round(self, samples: int, calls: int) -> Round:
        """So many samples of so many passes each, with one synchronisation."""

    def single(self) -> float:
        """Seconds of one pass from one synchronisation to the next."""

    def telemetry(self) -> Telemetry | None:
        """What the driver says now."""

    def blocks(self, passes: int) -> Blocks | None:
        """Time per block, in passes of their own."""

    def memory(self) -> Memory | None:
        """Bytes, in a pass of its own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a round, and the seconds a pass takes in it."""

    samples: int
    calls: int
    pass_s: float


@dataclass(frozen=True, slots=True)
class Warm:
    """How warming up ended."""

    seconds: float
    settled: bool
    plan: Plan


def measure(
    device: Device,
    clock: Clock,
    rules: Rules,
    index: int,
    started: str,
    tell: Callable[[Round], None],
    *,
    blocks: bool = True,
) -> Process:
    """Measure in this process; ``tell`` hears of every round, kept or discarded.

    Where every round was throttled nothing more is measured: that would tell of the cooling too.
    """
    warm = _warmed(device, clock, rules)
    rounds, stopped = _measured(device, clock, rules, warm.plan, tell)
    is_cool = not all(each.discarded for each in rounds)
    return Process(
        index=index,
        started=started,
        warmup_s=warm.seconds,
        settled=warm.settled,
        rounds=rounds,
        stopped=stopped,
        # on a CPU every sample is such a pass already
        single_s=_singles(device, clock, rules) if is_cool and steering(rounds) == "gpu" else (),
        blocks=_blocks(device, _block_passes(rules, warm.plan.pass_s)) if is_cool and blocks else None,
        memory=_memory(device),
    )


def throttled(telemetry: Telemetry | None) -> bool:
    """Whether a GPU was slowed down by heat or its supply: such a round tells of the cooling.

    A cap on power is none of these: it is how a loaded card always runs, and takes an H100 that multiplies
    large matrices in fp16 down to 60 % of its default clock.
    """
    if telemetry is None:
        return False
    now, default = telemetry.sm_mhz, telemetry.default_sm_mhz
    slow = now is not None and default is not None and now < SLOW_CLOCK * default
    return (slow and POWER_CAP not in telemetry.reasons) or not THROTTLING.isdisjoint(telemetry.reasons)


def warmup_cap(rules: Rules) -> float:
    """Seconds after which warming up ends, settled or not.

    Not above ``max_time``: who has little time to measure has little to warm up.
    """
    return max(rules.warmup, min(WARMUP_CAP, rules.max_time))


def _warmed(device: Device, clock: Clock, rules: Rules) -> Warm:
    """Run until the time is over and three rounds in a row agree: as closely as is asked for, or 1 %."""
    began = clock.now()
    cap = warmup_cap(rules)
    tolerance = max(WARMUP_TOLERANCE, rules.precision)
    plan = _sized(device.single(), 1, cap / FEWEST_WARMUP_ROUNDS)
    found: list[float] = []
    while True:
        last = device.round(plan.samples, plan.calls)
        found += round_medians([last], steering([last]))
        plan = _planned(last, cap / FEWEST_WARMUP_ROUNDS)
        spent = clock.now() - began
        settled = len(found) >= WARMUP_ROUNDS and agree(found[-WARMUP_ROUNDS:], tolerance)
        if (settled and spent >= rules.warmup) or spent >= cap:
            return Warm(spent, settled, _planned(last, rules.max_time / FEWEST_ROUNDS))


def _planned(last: Round, longest: float) -> Plan:
    """The size of rounds after one was seen."""
    short = median(last.gpu_s) if last.gpu_s else SHORTEST_SAMPLE
    return _sized(fmean(last.wall_s), ceil(SHORTEST_SAMPLE / short), longest)


def _sized(pass_s: float, calls: int, longest: float) -> Plan:
    sample_s = pass_s * calls
    wanted = max(FEWEST_SAMPLES, ceil(ROUND_S / sample_s))
    return Plan(max(1, min(wanted, int(longest / sample_s))), calls, pass_s)


def _measured(
    device: Device, clock: Clock, rules: Rules, plan: Plan, tell: Callable[[Round], None]
) -> tuple[tuple[Round, ...], Stopped]:
    """Rounds until there are enough. A throttled one is discarded and repeated after a pause that grows."""
    rounds: list[Round] = []
    found: list[float] = []
    began, pause, retries = clock.now(), PAUSE, 0
    while True:
        last = _observed(device, plan)
        rounds.append(last)
        tell(last)
        if not last.discarded:
            pause, retries = PAUSE, 0
            found += round_medians([last], steering([last]))
            if stopped := _stopped(found, clock.now() - began, rules):
                return tuple(rounds), stopped
        elif retries == MOST_RETRIES:
            return tuple(rounds), "throttled"
        else:
            clock.sleep(pause)
            pause, retries = pause + min(pause, GROWTH), retries + 1


def _observed(device: Device, plan: Plan) -> Round:
    """A round, and what the driver says right after it: asking takes time, which no sample should hold."""
    last = device.round(plan.samples, plan.calls)
    telemetry = device.telemetry()
    return last.model_copy(update={"telemetry": telemetry, "discarded": throttled(telemetry)})


def _stopped(found: list[float], spent: float, rules: Rules) -> Stopped | None:
    if spent >= rules.min_time and precise(found, rules.precision):
        return "precision"
    return "timeout" if spent >= rules.max_time and len(found) >= FEWEST_AT_ALL else None


def _singles(device: Device, clock: Clock, rules: Rules) -> tuple[float, ...]:
    """Passes one at a time: enough for the 99th percentile if that is quickly done, for the 90th in a third
    of the time, and on a slow device for a median.
    """
    began = clock.now()
    found: list[float] = []
    budgets = ((0.5, rules.max_time), (0.9, rules.max_time / 3), (0.99, rules.min_time))
    for share, budget in budgets:
        while len(found) < samples_needed(share) and (not found or clock.now() - began < budget):
            found.append(device.single())
    return tuple(found)


def _blocks(device: Device, passes: int) -> Blocks | None:
    """Time per block, or why there is none: the total is measured already, and stays."""
    try:
        return device.blocks(passes)
    except Exception as error:  # a second CUDA graph takes memory of its own
        return Blocks(method=None, reason=said(error))


def _memory(device: Device) -> Memory | None:
    """Bytes, where the pass that tells them succeeds."""
    try:
        return device.memory()
    except Exception:
        return None


def said(error: BaseException) -> str:
    """An exception in a line."""
    text = " ".join(str(error).split()) or "without a message"
    return f"{type(error).__name__}: {text if len(text) <= LONGEST else text[:LONGEST] + '…'}"


def _block_passes(rules: Rules, pass_s: float) -> int:
    return max(FEWEST_BLOCK_PASSES, min(BLOCK_PASSES, int(rules.max_time / 3 / pass_s)))
