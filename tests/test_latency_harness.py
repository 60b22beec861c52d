"""How measuring goes on and stops, by scripts: no test looks at a clock of this world."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count, cycle, repeat
from random import Random
from statistics import median

import pytest
from scripted import BRISK, COOL, FakeDevice, measured

from costcalc.latency.harness import throttled
from costcalc.latency.runs import Blocks, Round, Rules, Telemetry
from costcalc.latency.student import half_width

HOT = Telemetry(sm_mhz=1980, default_sm_mhz=1980, reasons=("HwThermal",))
CAPPED = Telemetry(sm_mhz=1500, default_sm_mhz=1980, reasons=("SwPowerCap",))


def ar1(seed: int, mean: float, noise: float, memory: float) -> Iterator[float]:
    """Noise that remembers: ``memory`` of each deviation stays in the next."""
    chance, state = Random(seed), 0.0
    while True:
        state = memory * state + chance.gauss(0, noise * (1 - memory**2) ** 0.5)
        yield mean * max(0.1, 1 + state)


@pytest.mark.parametrize("gpu", [True, False])
def test_a_steady_device_stops_at_the_fewest_rounds(gpu: bool) -> None:
    found, device = measured(repeat(1.0), BRISK.model_copy(update={"max_time": 1e4}), gpu=gpu)
    assert found.settled
    assert found.stopped == "precision"
    assert len(found.rounds) == 6
    assert len(device.asked) == 3 + 6  # three agree, and the device is warm
    assert {s for each in found.rounds for s in each.gpu_s or each.wall_s} == {1.0}
    assert all(len(each.gpu_s or each.wall_s) == 20 for each in found.rounds)
    assert device.clock.pauses == []


def test_what_a_process_tells() -> None:
    blocks = Blocks(method="events", seconds={"a": (1e-3,)})
    found, device = measured(repeat(1e-3), blocks=blocks)
    assert (found.index, found.started) == (0, "2026-01-01T00:00:00Z")
    assert found.blocks == blocks
    assert device.block_passes == 64
    assert found.memory is not None
    assert found.memory.weights == 4


@pytest.mark.parametrize(
    ("pass_s", "samples", "calls"),
    [
        (5e-3, 20, 1),  # 20 samples last 100 ms
        (1e-3, 50, 1),  # 50 ms hold 50
        (2e-4, 250, 1),  # exactly what events resolve well enough
        (1.5e-4, 167, 2),  # 50 ms / 300 µs = 166.7
        (1e-5, 250, 20),
        (0.5, 5, 1),  # 15 s / 6 rounds = 2.5 s
        (2.0, 1, 1),
    ],
)
def test_the_size_of_a_round(pass_s: float, samples: int, calls: int) -> None:
    found, device = measured(repeat(pass_s))
    asked_samples, asked_calls = device.asked[-1]
    assert asked_calls == calls
    assert asked_samples == pytest.approx(samples, abs=1)
    assert found.rounds[-1].calls == calls


def test_a_cpu_needs_no_events_and_so_no_repeated_calls() -> None:
    found, device = measured(repeat(1e-5), gpu=False)
    assert {calls for _, calls in device.asked} == {1}
    assert len(found.rounds[-1].wall_s) == pytest.approx(5000, abs=1)


def test_the_size_of_a_round_with_spikes() -> None:
    _, device = measured(cycle([1e-3, 3e-3]))
    assert device.asked[-1] == (25, 1)  # 50 ms hold 25 passes of 2 ms each on average
    _, device = measured(cycle([1e-4] * 9 + [1e-3]))
    assert device.asked[-1][1] == 2  # events that are usually 100 µs apart


@pytest.mark.parametrize(("pass_s", "rounds"), [(0.3, 6), (1.0, 6), (2.4, 6), (4.0, 4), (6.0, 3), (20.0, 3)])
def test_slow_networks_have_a_few_rounds_and_end(pass_s: float, rounds: int) -> None:
    found, device = measured(repeat(pass_s), gpu=False)
    assert len(found.rounds) == rounds
    assert device.clock.spent <= 15 + 15 / 6 + 10 + 1 + 5 + 15 + 7 * pass_s  # rounds, warm-up, singles
    assert found.single_s == ()  # the samples of a CPU are passes one at a time
    assert device.block_passes == max(3, int(5 / pass_s))


def test_it_measures_as_long_as_is_asked_for() -> None:
    rules = Rules(warmup=2, min_time=3, max_time=15)
    found, _ = measured(repeat(1e-3), rules)
    assert found.warmup_s == pytest.approx(2, abs=0.06)
    assert len(found.rounds) == pytest.approx(60, abs=2)  # of 50 ms each


def test_warming_up_waits_until_three_rounds_agree() -> None:
    settling = (1e-3 * (1 + 0.5 * 0.99**place) for place in count())
    found, _ = measured(settling)
    assert found.settled
    assert found.warmup_s > 0.3
    assert median(found.rounds[0].gpu_s or ()) < 1.02e-3
    assert found.stopped == "precision"


def test_warming_up_ends_unsettled() -> None:
    slower = (1e-3 * 1.0006**place for place in count())
    found, _ = measured(slower)
    assert not found.settled
    assert found.warmup_s == pytest.approx(10, abs=1.1)


def test_who_asks_for_less_waits_less() -> None:
    def slower() -> Iterator[float]:
        return (1e-3 * 1.0003**place for place in count())  # 3 % in three rounds

    strict, _ = measured(slower(), Rules(warmup=0, min_time=0, max_time=4))
    assert not strict.settled
    assert strict.warmup_s == pytest.approx(4, abs=0.5)
    relaxed, _ = measured(slower(), Rules(warmup=0, min_time=0, max_time=4, precision=0.05))
    assert relaxed.settled
    assert relaxed.warmup_s < 1


def test_two_speeds_run_out_of_time() -> None:
    speeds = cycle([1e-3] * 100 + [1.1e-3] * 100)
    found, _ = measured(speeds, Rules(warmup=0, min_time=0.5, max_time=5, precision=0.005))
    assert found.stopped == "timeout"


def test_autocorrelated_noise_runs_out_of_time() -> None:
    found, device = measured(ar1(1, 5e-3, 0.2, 0.999), Rules(warmup=0, min_time=0.5, max_time=5))
    assert found.stopped == "timeout"
    assert 45 <= len(found.rounds) <= 55  # of 100 ms
    assert device.clock.spent < 5 + 5 + 3  # rounds, warm-up, singles


def test_throttled_rounds_are_discarded_and_repeated() -> None:
    heard: list[Round] = []
    found, device = measured(repeat(1e-3), telemetry=[HOT, HOT, COOL], tell=heard.append)
    assert [each.discarded for each in found.rounds] == [True, True] + [False] * 6
    assert tuple(heard) == found.rounds
    assert device.clock.pauses == [0.05, 0.1]
    assert found.rounds[0].telemetry == HOT
    assert found.stopped == "precision"


def test_a_good_round_forgives() -> None:
    script = [HOT, HOT, COOL, HOT]
    found, device = measured(repeat(1e-3), telemetry=script)
    assert device.clock.pauses == [0.05, 0.1, 0.05]
    assert sum(not each.discarded for each in found.rounds) == 6


def test_ten_retries_and_no_more() -> None:
    found, device = measured(repeat(1e-3), telemetry=repeat(HOT))
    assert found.stopped == "throttled"
    assert [each.discarded for each in found.rounds] == [True] * 11
    steps = [
        later - earlier for earlier, later in zip(device.clock.pauses, device.clock.pauses[1:], strict=False)
    ]
    assert len(device.clock.pauses) == 10
    assert all(0 < step <= 0.5 + 1e-9 for step in steps)


def test_what_was_throttled_throughout_is_not_measured_further() -> None:
    found, device = measured(repeat(1e-3), telemetry=repeat(HOT), blocks=Blocks(method="events"))
    assert (found.single_s, found.blocks, device.block_passes) == ((), None, 0)
    some, _ = measured(repeat(1e-3), telemetry=chain([COOL], repeat(HOT)), blocks=Blocks(method="events"))
    assert some.stopped == "throttled"
    assert some.single_s
    assert some.blocks is not None


def test_a_good_round_gives_all_retries_back() -> None:
    found, _ = measured(repeat(1e-3), telemetry=[*[HOT] * 6, COOL, *[HOT] * 6])
    assert found.stopped == "precision"
    assert sum(each.discarded for each in found.rounds) == 12


def test_what_fails_afterwards_does_not_take_the_total_along(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("CUDA out of memory.\nTried to allocate " + "2" * 400)

    monkeypatch.setattr(FakeDevice, "blocks", full)
    monkeypatch.setattr(FakeDevice, "memory", full)
    found, _ = measured(repeat(1e-3))
    assert (found.stopped, len(found.rounds), found.memory) == ("precision", 6, None)
    assert found.single_s
    assert found.blocks is not None
    assert (found.blocks.method, found.blocks.seconds) == (None, {})
    assert found.blocks.reason.startswith("RuntimeError: CUDA out of memory. Tried to allocate 222")
    assert len(found.blocks.reason) < 330


def test_ten_retries_are_enough() -> None:
    found, _ = measured(repeat(1e-3), telemetry=[HOT] * 10)
    assert found.stopped == "precision"


def test_a_cap_on_power_is_kept() -> None:
    found, device = measured(repeat(1e-3), telemetry=repeat(CAPPED))
    assert not any(each.discarded for each in found.rounds)
    assert device.clock.pauses == []


@pytest.mark.parametrize(
    ("reasons", "mhz", "expected"),
    [
        ((), 1980, False),
        (("GpuIdle", "ApplicationsClocks", "SwPowerCap", "SyncBoost", "other"), 1980, False),
        (("HwSlowdown",), 1980, True),
        (("SwThermal",), 1980, True),
        (("HwThermal",), 1980, True),
        (("SwPowerCap", "HwPowerBrake"), 1980, True),
        (("SwPowerCap",), 1170, False),  # an H100 at its 700 W
        (("SwPowerCap", "HwThermal"), 1170, True),
        (("other",), 1170, True),
        ((), 1485, False),  # exactly 75 % of the default
        ((), 1484, True),
        ((), None, False),
    ],
)
def test_what_is_throttled(reasons: tuple[str, ...], mhz: int | None, expected: bool) -> None:
    assert throttled(Telemetry(sm_mhz=mhz, default_sm_mhz=1980, reasons=reasons)) == expected


def test_nothing_known_is_not_throttled() -> None:
    assert not throttled(None)
    assert not throttled(Telemetry(sm_mhz=100))


@pytest.mark.parametrize(
    ("pass_s", "singles"),
    [
        (1e-4, 662),  # p99, within the shortest time
        (5e-3, 100),  # 0.5 s
        (50e-3, 64),  # p90, within a third of the time
        (0.5, 10),  # 5 s, but a median takes 11
        (2.0, 8),  # and not more than all of the time
        (30.0, 1),
    ],
)
def test_single_passes_fit_the_device(pass_s: float, singles: int) -> None:
    found, _ = measured(repeat(pass_s), Rules(warmup=0, min_time=0.5, max_time=15))
    assert len(found.single_s) == pytest.approx(singles, abs=1)


def test_the_interval_of_rounds_holds_where_that_of_samples_does_not() -> None:
    """Noise of 3 % that remembers 0.9 of itself: a 95 % interval should hold in 95 of 100 processes."""
    rules = Rules(warmup=0, min_time=0, max_time=5)
    by_rounds = by_samples = 0
    for seed in range(100):
        found, _ = measured(ar1(seed, 5e-3, 0.03, 0.9), rules, gpu=False)
        medians = [median(each.wall_s) for each in found.rounds]
        by_rounds += _holds(medians, 5e-3)
        by_samples += _holds([sample for each in found.rounds for sample in each.wall_s], 5e-3)
    assert by_rounds >= 75
    assert by_samples <= 55


def _holds(values: list[float], truth: float) -> bool:
    return abs(sum(values) / len(values) - truth) <= half_width(values)
