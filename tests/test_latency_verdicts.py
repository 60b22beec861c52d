"""Verdicts: what is claimed, how often it is wrong, and what is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, log
from random import Random
from statistics import geometric_mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import by_process, measured, measurement, on_cpu, process, run

from costcalc.errors import CostcalcError
from costcalc.latency import verdicts
from costcalc.latency.runs import Measurement, Round, Rules, Telemetry
from costcalc.latency.verdicts import (
    NO_CLOCKS,
    SEQUENTIAL,
    Pair,
    compared,
    holm,
    ranked,
)

LEVELS = st.lists(st.floats(0.5, 2), min_size=5, max_size=9)


def judged(old: list[float], new: list[float], **how: object) -> Pair:
    (pair,) = compared(run(by_process(old)), run(by_process(new)), **how).pairs  # type: ignore[arg-type]
    return pair


def spread(mean: float, size: float, count: int = 8) -> list[float]:
    """Numbers of a mean, evenly apart on a logarithmic scale."""
    middle = (count - 1) / 2
    return [mean * exp(size * (place - middle) / middle) for place in range(count)]


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        (spread(1.1, 0.02), "SLOWER"),
        (spread(1 / 1.1, 0.02), "FASTER"),
        (spread(1.0, 0.02), "SAME"),
        (spread(1.015, 0.005), "SAME"),  # a difference, but one that matters to nobody
        (spread(1.1, 0.3), "UNCLEAR"),
        (spread(1.0, 0.3), "UNCLEAR"),
        (spread(1.029, 0.02), "UNCLEAR"),  # a difference, and it may or may not matter
    ],
)
def test_verdicts(new: list[float], verdict: str) -> None:
    pair = judged(spread(1.0, 0.02), new)
    assert pair.verdict == verdict
    assert (pair.reason != "") == (verdict == "UNCLEAR")
    assert (pair.needed is not None) <= (verdict == "UNCLEAR")


def test_numbers_by_hand() -> None:
    old, new = [1.0, 1.1, 0.9, 1.05, 0.95], [2.0, 2.2, 1.8, 2.1, 1.9]
    pair = judged(old, new)
    assert pair.old == pytest.approx(geometric_mean(old))
    assert pair.new == pytest.approx(geometric_mean(new))
    assert pair.ratio == pytest.approx(2)
    # equal variances and sizes: 8 degrees of freedom, t = 2.306
    logs = [log(each) for each in old]
    mean = sum(logs) / 5
    error = (2 * sum((each - mean) ** 2 for each in logs) / 4 / 5) ** 0.5
    assert pair.low == pytest.approx(2 * exp(-2.306 * error), rel=1e-4)
    assert pair.high == pytest.approx(2 * exp(2.306 * error), rel=1e-4)
    assert (pair.level, pair.processes, pair.series, pair.verdict) == (0.95, (5, 5), "gpu", "SLOWER")


@given(LEVELS, LEVELS, st.floats(0, 0.2))
def test_old_and_new_change_places(old: list[float], new: list[float], effect: float) -> None:
    forth, back = judged(old, new, min_effect=effect), judged(new, old, min_effect=effect)
    mirrored = {"FASTER": "SLOWER", "SLOWER": "FASTER"}
    assert back.verdict == mirrored.get(forth.verdict, forth.verdict)
    assert back.ratio * forth.ratio == pytest.approx(1)
    assert (back.low or 0) * (forth.high or 0) == pytest.approx(1)
    assert back.needed == forth.needed


@given(LEVELS, LEVELS, st.floats(1e-3, 1e3))
def test_the_unit_of_time_does_not_matter(old: list[float], new: list[float], scale: float) -> None:
    one, other = judged(old, new), judged([scale * s for s in old], [scale * s for s in new])
    assert one.ratio == pytest.approx(other.ratio)
    assert one.low == pytest.approx(other.low)


@given(LEVELS, LEVELS)
def test_claims_follow_from_the_interval(old: list[float], new: list[float]) -> None:
    pair = judged(old, new)
    assert pair.low is not None
    assert pair.high is not None
    assert pair.low <= pair.ratio <= pair.high
    if pair.verdict == "FASTER":
        assert pair.high < 1
        assert pair.ratio <= 1 / 1.03
    elif pair.verdict == "SLOWER":
        assert pair.low > 1
        assert pair.ratio >= 1.03
    elif pair.verdict == "SAME":
        assert pair.low >= 1 / 1.03
        assert pair.high <= 1.03


@pytest.mark.parametrize(("old", "new"), [(1, 8), (8, 1), (4, 4), (4, 8), (2, 3)])
def test_below_five_processes_nothing_is_claimed(old: int, new: int) -> None:
    pair = judged([1.0] * old, [2.0] * new)
    assert pair.verdict == "UNCLEAR"
    assert pair.needed == 5 - min(old, new)
    assert "--processes 5" in pair.reason
    assert (pair.low is None) == (min(old, new) == 1)


def test_samples_are_not_the_unit() -> None:
    """Two processes of many rounds that agree to a millionth are two numbers."""
    old = measurement([process([each]) for each in by_process([1.0] * 2).processes[0].rounds * 2])
    assert compared(run(old), run(old)).pairs[0].verdict == "UNCLEAR"


def test_needed_processes_settle_it() -> None:
    """As many more with the same mean and variance, and the verdict is there; with one less it is not."""
    for mean, size in ((1.05, 0.1), (1.01, 0.05), (1.2, 0.4)):
        old, new = _varied(0.0, size, 8), _varied(log(mean), size, 8)
        needed = judged(old, new).needed
        assert needed is not None
        assert needed > 1
        enough, less = (
            judged(_varied(0.0, size, 8 + more), _varied(log(mean), size, 8 + more))
            for more in (needed, needed - 1)
        )
        assert enough.verdict != "UNCLEAR"
        assert less.verdict == "UNCLEAR"
        assert f"{needed} more processes a side" in judged(old, new).reason


def _varied(mean: float, size: float, count: int) -> list[float]:
    """Exactly this mean and this standard deviation of logarithms, for any count."""
    raw = [Random(place).gauss(0, 1) for place in range(count)]
    centre = sum(raw) / count
    deviation = (sum((each - centre) ** 2 for each in raw) / (count - 1)) ** 0.5
    return [3 * exp(mean + size * (each - centre) / deviation) for each in raw]


def test_what_nobody_can_settle() -> None:
    pair = judged(_varied(0.0, 0.1, 8), _varied(log(1.0299), 0.1, 8))
    assert pair.needed is None
    assert "more than 100 more processes" in pair.reason


@pytest.mark.parametrize(
    ("chances", "alphas"),
    [
        ([0.001], [0.05]),
        ([0.001, 0.03], [0.025, 0.05]),  # the second is tested by itself, after the first
        ([0.03, 0.001], [0.05, 0.025]),
        ([0.03, 0.04], [0.025, 0.025]),  # the first fails, and with it the second
        ([0.01, 0.02, 0.9], [0.05 / 3, 0.025, 0.05]),
        ([0.02, 0.02, 0.9], [0.05 / 3] * 3),
        ([None, 0.04], [0.05, 0.05]),
        ([], []),
    ],
)
def test_holm(chances: list[float | None], alphas: list[float]) -> None:
    assert holm(chances) == pytest.approx(alphas)


@pytest.fixture
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What more would be needed takes most of the time, and changes no verdict."""
    monkeypatch.setattr(verdicts, "_needed", lambda *_: None)


@pytest.mark.usefixtures("_quickly")
def test_many_pairs_share_one_chance() -> None:
    """Ten identical architectures: some claim is false in about 5 % of runs, not in 40 %."""
    false = 0
    for seed in range(60):
        chance = Random(seed)
        olds, news = (
            [by_process([exp(chance.gauss(0, 0.05)) for _ in range(5)], name=str(n)) for n in range(10)]
            for _ in range(2)
        )
        pairs = compared(run(*olds), run(*news), min_effect=0).pairs
        false += any(pair.verdict in ("FASTER", "SLOWER") for pair in pairs)
    assert false <= 8


def noise(seed: int) -> Callable[[], float]:
    """A process's effect: 2 % lognormal, and one in twelve processes 10 % slower or so."""
    chance = Random(seed)

    def effect() -> float:
        slow = 1 + chance.expovariate(10) if chance.random() < 1 / 12 else 1.0
        return exp(chance.gauss(0, 0.02)) * slow

    return effect


@pytest.mark.usefixtures("_quickly")
@pytest.mark.parametrize("count", [5, 8])
def test_identical_code_is_seldom_called_different(count: int) -> None:
    """Not even where the smallest effect matters: any other claims less."""
    claims = 0
    for seed in range(1000):
        effect = noise(seed)
        old, new = ([effect() for _ in range(count)] for _ in range(2))
        claims += judged(old, new, min_effect=0).verdict in ("FASTER", "SLOWER")
    assert claims <= 70


def test_ten_percent_are_found() -> None:
    found = 0
    for seed in range(400):
        chance = Random(seed)
        old, new = ([mean * exp(chance.gauss(0, 0.01)) for _ in range(8)] for mean in (1.0, 1.1))
        found += judged(old, new).verdict == "SLOWER"
    assert found >= 396


def harness(seed: int, mean: float) -> Measurement:
    """Five processes that each measured noise which remembers itself, at an effect of their own."""
    effect = noise(seed)
    rules = Rules(warmup=0, min_time=0, max_time=1)
    return measurement(
        measured(_remembering(1000 * seed + place, mean * effect()), rules, gpu=False)[0]
        for place in range(5)
    )


def _remembering(seed: int, mean: float) -> Iterator[float]:
    chance, state = Random(seed), 0.0
    while True:
        state = 0.9 * state + chance.gauss(0, 0.01)
        yield mean * (1 + state)


def test_identical_code_through_the_harness() -> None:
    claims = slower = 0
    for seed in range(50):
        old, same, more = harness(2 * seed, 5e-3), harness(2 * seed + 1, 5e-3), harness(2 * seed + 1, 8e-3)
        claims += compared(run(old), run(same)).pairs[0].verdict in ("FASTER", "SLOWER")
        slower += compared(run(old), run(more)).pairs[0].verdict == "SLOWER"
    assert claims <= 5
    assert slower >= 48


def test_a_claim_must_hold_in_cycles() -> None:
    old = by_process(spread(1.0, 0.01), clocks=[1980])
    throttled = by_process(spread(1.1, 0.01), clocks=[1800])  # as many cycles, at a lower clock
    slower = by_process(spread(1.1, 0.01), clocks=[1980])
    assert compared(run(old), run(slower)).pairs[0].verdict == "SLOWER"
    (pair,) = compared(run(old), run(throttled)).pairs
    assert pair.verdict == "UNCLEAR"
    assert pair.reason == "the SM clock differed: in cycles the ratio is 1.000"


def test_cycles_are_the_median_time_at_the_mean_clock() -> None:
    def rounds(seconds: float, clocks: tuple[int, ...]) -> tuple[Round, ...]:
        samples = (seconds, seconds, 9 * seconds)
        return tuple(
            Round(gpu_s=samples, wall_s=(seconds,), telemetry=Telemetry(sm_mhz=clock)) for clock in clocks
        )

    old = measurement(process(rounds(each, (2000, 1000))) for each in spread(1.0, 0.01))
    new = measurement(process(rounds(each, (1200, 1200))) for each in spread(1.25, 0.01))
    (pair,) = compared(run(old), run(new)).pairs
    assert pair.reason == "the SM clock differed: in cycles the ratio is 1.000"  # 1.25 * 1200 / 1500


def test_clocks_that_are_not_known_confirm_nothing() -> None:
    known, unknown = by_process(spread(1.0, 0.01)), by_process(spread(1.1, 0.01), clocks=[1980, None])
    found = compared(run(known), run(unknown))
    assert found.pairs[0].verdict == "SLOWER"
    assert found.caveats == (SEQUENTIAL, NO_CLOCKS)
    assert not found.interleaved
    assert compared(run(known), run(known)).caveats == (SEQUENTIAL,)


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"device_name": "Tesla T4"}, "device_name: NVIDIA H200 → Tesla T4"),
        ({"driver": None}, "driver: 580 → None"),
        ({"torch": "2.14.0"}, "torch: 2.13.0 → 2.14.0"),
        ({"cuda": "12.8"}, "cuda: 13.0 → 12.8"),
        ({"cudnn": "9.2"}, "cudnn: 9.1 → 9.2"),
        ({"dtype": "fp16"}, "dtype: fp32 → fp16"),
        ({"layout": "channels_last"}, "layout: nchw → channels_last"),
        ({"mode": "graph"}, "mode: eager → graph"),
        ({"threads": 2}, "threads: 1 → 2"),
    ],
)
def test_runs_measured_differently_are_not_compared(changed: dict[str, object], difference: str) -> None:
    old, new = run(by_process([1.0] * 5)), run(by_process([2.0] * 5), **changed)
    with pytest.raises(CostcalcError, match="--allow-mismatch") as error:
        compared(old, new)
    assert error.value.exit_code == 2
    assert difference in str(error.value)
    found = compared(old, new, allow_mismatch=True)
    assert not found.matched
    assert found.differences == (difference,)
    (pair,) = found.pairs
    assert (pair.verdict, pair.ratio) == ("UNCLEAR", 2.0)
    assert difference in pair.reason


def test_what_does_not_matter_may_differ() -> None:
    old = run(by_process([1.0] * 5))
    new = run(by_process([1.0] * 5), seed=7, processes=8, python="3.12", system="other", facts={})
    found = compared(old, new)
    assert (found.matched, found.differences, found.pairs[0].verdict) == (True, (), "SAME")


def test_a_gpu_and_a_cpu_are_compared_by_the_wall_clock() -> None:
    on_a_cpu = measurement([process(on_cpu([3.0], waiting=2.0))] * 5)
    found = compared(run(by_process([1.0] * 5)), run(on_a_cpu, device_name="CPU"), allow_mismatch=True)
    assert (found.pairs[0].series, found.pairs[0].ratio) == ("wall", pytest.approx(6))


def test_cpus_are_compared_by_the_time_of_the_process() -> None:
    old = measurement([process(on_cpu([1.0], waiting=1.0 + place)) for place in range(5)])
    new = measurement([process(on_cpu([1.5], waiting=9.0 - place)) for place in range(5)])
    (pair,) = compared(run(old), run(new)).pairs
    assert (pair.series, pair.verdict, pair.ratio) == ("cpu", "SLOWER", pytest.approx(1.5))


def test_pairs_are_of_one_name_and_batch() -> None:
    def net(name: str, batch: int, seconds: float) -> Measurement:
        return by_process([seconds] * 5, name=name, batch=batch)

    lost = measurement([], name="c", batch=8, status="oom", reason="out of memory")
    old = run(net("a", 1, 1), net("a", 8, 2), net("b", 1, 3), net("c", 8, 1))
    new = run(net("a", 8, 4), net("a", 1, 2), net("d", 1, 3), lost)
    found = compared(old, new)
    assert [(pair.name, pair.batch, pair.ratio) for pair in found.pairs] == [("a", 8, 2), ("a", 1, 2)]
    assert found.only_old == ("b at batch 1", "c at batch 8 (oom in the other run)")
    assert found.only_new == ("d at batch 1",)


def test_a_name_measured_twice_is_two_pairs() -> None:
    old = run(by_process([1.0] * 5), by_process([2.0] * 5))
    assert [pair.ratio for pair in compared(old, old).pairs] == [1, 1]


def test_a_single_measurement_may_change_its_name() -> None:
    old, new = by_process([1.0] * 5, name="base"), by_process([2.0] * 5, name="head")
    (pair,) = compared(run(old), run(new)).pairs
    assert (pair.against, pair.name, pair.verdict) == ("base", "head", "SLOWER")
    assert compared(run(old), run(new)).only_old == ()


@pytest.mark.parametrize(
    "new",
    [
        run(by_process([1.0] * 5, batch=2)),
        run(measurement([])),
        run(by_process([1.0], name="x"), by_process([1.0], name="y")),
    ],
)
def test_nothing_in_common_is_an_error(new: object) -> None:
    with pytest.raises(CostcalcError, match="no measurement in common"):
        compared(run(by_process([1.0] * 5)), new)  # type: ignore[arg-type]


def test_ranking_is_against_the_first_of_each_batch() -> None:
    nets = [
        by_process([seconds] * 5, name=name, batch=batch)
        for name, batch, seconds in (("a", 1, 1), ("a", 8, 10), ("b", 1, 2), ("b", 8, 10), ("c", 8, 5))
    ]
    found = ranked(run(*nets, measurement([], name="d")))
    told = [(pair.against, pair.name, pair.batch, pair.verdict) for pair in found.pairs]
    assert told == [("a", "b", 1, "SLOWER"), ("a", "b", 8, "SAME"), ("a", "c", 8, "FASTER")]
    assert found.interleaved
    assert found.matched
    assert found.caveats == ()
    assert ranked(run(*nets, interleaved=False)).caveats == (SEQUENTIAL,)
