"""Every reason to doubt a measurement is found where it is, and only there."""

from __future__ import annotations

from itertools import cycle
from random import Random

import pytest
from scripted import COOL, by_process, measured, measurement, on_cpu, on_gpu, process, run

from costcalc.latency.doubts import DOUBTS, Doubt, doubts
from costcalc.latency.runs import Blocks, Measurement, Process, Round, Rules, Run, Telemetry

STEADY = on_gpu([1e-3] * 6)
CPU = {"device": "cpu", "device_name": "some CPU"}


def gpu(*processes: Process, **how: object) -> tuple[Run, Measurement]:
    found = measurement(processes)
    return run(found, **how), found


def cpu(*processes: Process, **how: object) -> tuple[Run, Measurement]:
    return gpu(*processes, **{**CPU, **how})


def seen(**changed: object) -> tuple[Round, ...]:
    """Steady rounds of which the driver says something else."""
    return on_gpu([1e-3] * 6, telemetry=COOL.model_copy(update=changed))


def noisy(size: float) -> tuple[Round, ...]:
    """Samples that vary evenly between ``1 - size`` and ``1 + size``: the middle half spans ``size``."""
    samples = tuple(1e-3 * (1 + size * (place - 500) / 500) for place in range(1001))
    return tuple(Round(gpu_s=samples, wall_s=(1e-3,), enqueue_s=1e-5, telemetry=COOL) for _ in range(6))


def blocks(seconds: float) -> Blocks:
    return Blocks(method="events", seconds={"a": (seconds,)})


HOT = Round(gpu_s=(2e-3,), wall_s=(2e-3,), telemetry=COOL, discarded=True)

# each reason: runs that have it, and what its message says
CASES = [
    ("throttled", gpu(process((HOT, *STEADY))), "1 rounds were discarded", False),
    ("throttled", gpu(process([HOT] * 11, stopped="throttled")), "the process gave up", True),
    ("throttled", gpu(process(STEADY), process([HOT] * 11, stopped="throttled")), "1 of 2 processes", True),
    ("few_samples", gpu(process(on_gpu([1e-3] * 5))), "100 samples in all and 5 rounds in one process", True),
    ("few_samples", gpu(process(on_gpu([1e-3] * 6, 1))), "6 samples", True),
    ("timeout", gpu(process(STEADY, stopped="timeout")), "reached ±0 % in 15 s, but ±1 % not steadily", True),
    (
        "timeout",
        gpu(process(STEADY), process(on_gpu([1e-3, 1.1e-3] * 3), stopped="timeout")),
        "1 of 2 processes reached ±5.5 %",  # 2.5706 * sqrt(0.3 / 6 / 6) / 1.05 * 0.1 * ...
        True,
    ),
    ("timeout", gpu(process(on_gpu([1e-3]), stopped="timeout")), "an unknown precision", True),
    ("warmup_unsettled", gpu(process(STEADY, settled=False, warmup_s=10.04)), "after 10.0 s", False),
    ("first_round_slow", gpu(process(on_gpu([1.4e-3] + [1e-3] * 6))), "up to 1.40× slower", False),
    ("two_speeds", gpu(process(on_gpu([1e-3, 1.1e-3] * 5))), "up to 10 % apart", True),
    ("drift", gpu(process(on_gpu([1e-3 * (1 + n / 100) for n in range(10)]))), "4.9 % slower", False),
    ("drift", gpu(process(on_gpu([1e-3 * (1 - n / 100) for n in range(10)]))), "5.1 % faster", False),
    ("fluctuating", gpu(process(noisy(0.11))), "spans 11 % of the median", False),
    ("fluctuating", gpu(process(noisy(0.26))), "spans 26 % of the median: do not use it", True),
    ("unstable", gpu(process(noisy(0.05))), "vary by 2.9 %", False),  # 5 % / sqrt(3)
    ("outliers", gpu(process(on_gpu([1e-3] * 6) + on_gpu([5e-3], 2))), "2 of 122 samples (1.6 %)", False),
    ("host_bound", gpu(process(on_gpu([1e-3] * 6, enqueue_s=0.81e-3))), "81 % of the GPU's time", False),
    ("power_capped", gpu(process(seen(reasons=("SwPowerCap",)))), "6 of 6 rounds", False),
    ("shared_gpu", gpu(process(seen(other_processes=2))), "2 other processes", True),
    ("no_telemetry", gpu(process(on_gpu([1e-3] * 6, telemetry=None))), "neither clocks", False),
    ("noisy_host", gpu(process(STEADY, pressure=61.0)), "waited for a CPU 61 % of the time", False),
    ("noisy_host", gpu(process(STEADY, load=4.1)), "the load was 4.1 on 4 cores", False),
    ("noisy_host", cpu(process(on_cpu([1e-3] * 6, waiting=1.25))), "a pass waited 20 % of its time", False),
    ("oversubscribed", cpu(process(on_cpu([1e-3] * 6)), threads=5), "5 threads on 4 cores", False),
    ("blocks_perturbed", gpu(process(STEADY, blocks=blocks(0.94e-3))), "94 % of the undisturbed", False),
    ("blocks_perturbed", gpu(process(STEADY, blocks=blocks(1.06e-3))), "106 % of the undisturbed", False),
]

# and nothing: just below what each looks for
FINE = {
    "steady": gpu(process(STEADY)),
    "steady on a CPU": cpu(process(on_cpu([1e-3] * 6))),
    "many processes": gpu(*[process(STEADY)] * 8),
    "nothing measured": gpu(),
    "host 0.79": gpu(process(on_gpu([1e-3] * 6, enqueue_s=0.79e-3))),
    "variation 2.3 %": gpu(process(noisy(0.04))),
    "1 outlier of 121": gpu(process(on_gpu([1e-3] * 6) + on_gpu([1.2e-3], 1))),
    "two speeds 2 % apart": gpu(process(on_gpu([1e-3, 1.02e-3] * 5))),
    "blocks 98 %": gpu(process(STEADY, blocks=blocks(0.98e-3))),
    "no blocks": gpu(process(STEADY, blocks=Blocks(method=None, reason="fused"))),
    "alone": gpu(process(seen(other_processes=0))),
    "other reasons": gpu(process(seen(reasons=("GpuIdle", "SyncBoost", "other")))),
    "load 4.0 on 4": gpu(process(STEADY, load=4.0, pressure=10.0)),
    "as many threads as cores": cpu(process(on_cpu([1e-3] * 6)), threads=4),
    "threads add up": cpu(process(on_cpu([4e-3] * 6, waiting=0.25)), threads=4),
    "two threads wait": cpu(process(on_cpu([1e-3] * 6, waiting=1.25)), threads=2),
    "cores unknown": cpu(process(on_cpu([1e-3] * 6), load=99.0), threads=99, facts={}),
}


def codes(found: tuple[Doubt, ...]) -> list[str]:
    return [each.code for each in found]


@pytest.mark.parametrize(("code", "case", "message", "serious"), CASES)
def test_found(code: str, case: tuple[Run, Measurement], message: str, serious: bool) -> None:
    found = {each.code: each for each in doubts(*case)}
    assert message in found[code].message
    assert found[code].serious == serious
    assert found[code].remedy


@pytest.mark.parametrize("case", FINE)
def test_nothing_found(case: str) -> None:
    assert doubts(*FINE[case]) == ()


def test_every_reason_has_a_case() -> None:
    assert {code for code, *_ in CASES} == set(DOUBTS)


def test_reasons_come_alone() -> None:
    """What is wrong in one way is not doubted in others; the few that follow from each other are listed."""
    together = {
        "two_speeds": {"unstable"},
        "drift": {"unstable"},
        "first_round_slow": {"unstable", "outliers"},
        "outliers": {"unstable", "few_samples"},
        "timeout": {"unstable", "two_speeds", "few_samples"},
        "throttled": {"no_telemetry"},
    }
    for code, case, *_ in CASES:
        assert set(codes(doubts(*case))) <= {code} | together.get(code, set()), code


WORSE = {
    "few_samples": (process(on_gpu([1e-3] * 5)), process(STEADY), "5 rounds in one process"),
    "timeout": (
        process(on_gpu([1e-3, 1.1e-3] * 3), stopped="timeout"),
        process(STEADY, stopped="timeout"),
        "2 of 2 processes reached ±5.5 %",
    ),
    "warmup_unsettled": (
        process(STEADY, settled=False, warmup_s=10.5),
        process(STEADY, settled=False, warmup_s=10.1),
        "2 of 2 processes had not settled after 10.5 s",
    ),
    "first_round_slow": (
        process(on_gpu([1.4e-3] + [1e-3] * 6)),
        process(on_gpu([1.2e-3] + [1e-3] * 6)),
        "up to 1.40× slower than the others in 2 of 2",
    ),
    "two_speeds": (
        process(on_gpu([1e-3, 1.2e-3] * 5)),
        process(on_gpu([1e-3, 1.1e-3] * 5)),
        "up to 20 % apart, in 2 of 2",
    ),
    "drift": (
        process(on_gpu([1e-3 * (1 + n / 50) for n in range(10)])),
        process(on_gpu([1e-3 * (1 - n / 100) for n in range(10)])),
        "up to 9.6 % slower in 2 of 2",
    ),
    "shared_gpu": (process(seen(other_processes=3)), process(seen(other_processes=1)), "up to 3"),
    "noisy_host": (process(STEADY, load=9.5), process(STEADY, load=4.5), "the load was 9.5"),
}


@pytest.mark.parametrize("code", WORSE)
def test_of_several_processes_the_worst_is_told(code: str) -> None:
    worse, better, message = WORSE[code]
    for processes in ((worse, better), (better, worse)):
        found = {each.code: each for each in doubts(*gpu(*processes))}
        assert message in found[code].message


def test_remedies_fit_the_device() -> None:
    (on_a_cpu, *_), (on_a_gpu, *_) = (
        doubts(*case)
        for case in (
            cpu(process(on_cpu([1e-3, 1.1e-3] * 5))),
            gpu(process(on_gpu([1e-3, 1.1e-3] * 5))),
        )
    )
    assert on_a_cpu.code == on_a_gpu.code == "two_speeds"
    assert "nvidia-smi" not in on_a_cpu.remedy
    assert "nvidia-smi" in on_a_gpu.remedy
    perturbed = process(STEADY, blocks=blocks(0.5e-3))
    (eager,), (graph,) = doubts(*gpu(perturbed)), doubts(*gpu(perturbed, mode="graph"))
    assert "--mode graph" in eager.remedy
    assert "--mode graph" not in graph.remedy


def test_remedies_know_what_was_tried() -> None:
    bound = on_gpu([1e-3] * 6, enqueue_s=0.9e-3)
    (eager,), (graph,) = doubts(*gpu(process(bound))), doubts(*gpu(process(bound), mode="graph"))
    assert eager.remedy == "--mode graph, or a larger batch"
    assert graph.remedy == "a larger batch"


def test_wall_noise_on_a_cpu_is_told_but_not_serious() -> None:
    chance = Random(0)
    rounds = [
        Round(cpu_s=(1e-3,) * 20, wall_s=tuple(1e-3 * (1 + chance.random()) for _ in range(20)))
        for _ in range(6)
    ]
    (found,) = doubts(*cpu(process(rounds)))
    assert found.code == "noisy_host"
    assert not found.serious
    assert "the middle half of wall times spans" in found.message
    assert "CPU time" in found.remedy


@pytest.mark.parametrize(("enqueue", "bound"), [(0.81, True), (0.79, False)])
def test_host_bound_through_the_harness(enqueue: float, bound: bool) -> None:
    found, _ = measured(cycle([1e-3]), enqueue=enqueue)
    assert codes(doubts(*gpu(found))) == (["host_bound"] if bound else [])


def test_two_speeds_through_the_harness() -> None:
    rules = Rules(warmup=0, min_time=0.5, max_time=5)
    found, _ = measured(cycle([1e-3] * 300 + [1.1e-3] * 300), rules)
    assert "two_speeds" in codes(doubts(*gpu(found)))


def test_throttling_through_the_harness() -> None:
    hot = Telemetry(sm_mhz=1980, default_sm_mhz=1980, reasons=("HwThermal",))
    capped = Telemetry(sm_mhz=1600, default_sm_mhz=1980, reasons=("SwPowerCap",))
    found, _ = measured(cycle([1e-3]), telemetry=[hot, hot, capped])
    told = {each.code: each.message for each in doubts(*gpu(found))}
    assert "2 rounds were discarded" in told["throttled"]
    assert "1 of 6 rounds" in told["power_capped"]


def test_processes_are_doubted_each_for_itself() -> None:
    """Processes at different speeds are what intervals of processes are for, and no two speeds of one."""
    levels = [1e-3, 1.05e-3, 1e-3, 1.05e-3, 1e-3]
    found = measurement([process(on_gpu([level] * 6)) for level in levels])
    assert doubts(run(found), found) == ()
    assert doubts(run(by_process([])), by_process([])) == ()
