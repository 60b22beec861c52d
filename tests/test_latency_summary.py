"""What samples say, and time by block."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import by_process, measurement, on_cpu, on_gpu, process

from costcalc.latency.runs import Blocks, Measurement, Round
from costcalc.latency.summary import attributed, deciding, medians, summary

TIMES = st.lists(st.floats(1e-5, 10), min_size=1, max_size=30)


def singles(count: int) -> Measurement:
    return measurement([process(on_gpu([1.0]), single_s=tuple(float(each) for each in range(1, count + 1)))])


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (10, ()),
        (11, ()),
        (63, ()),
        (64, ("p90",)),
        (129, ("p90",)),
        (130, ("p90", "p95")),
        (661, ("p90", "p95")),
        (662, ("p90", "p95", "p99")),
    ],
)
def test_percentiles_need_samples(count: int, shown: tuple[str, ...]) -> None:
    found = summary(singles(count), "single")
    assert found is not None
    assert found.n == count
    assert tuple(name for name, value in found.percentiles.items() if value is not None) == shown
    assert list(found.percentiles) == ["p90", "p95", "p99"]


def test_means_of_passes_have_no_percentiles() -> None:
    one = measurement([process(on_gpu([1.0] * 10, 100))])
    several = measurement([process(on_gpu([1.0] * 10, 100, calls=2))])
    cpu = measurement([process(on_cpu([1.0] * 10, 100))])
    rounds = measurement([process(on_gpu([1.0] * 1000, 1))])

    def known(of: Measurement, series: str) -> bool:
        found = summary(of, series)  # type: ignore[arg-type]
        assert found is not None
        return found.percentiles["p99"] is not None

    assert known(one, "gpu")
    assert not known(several, "gpu")
    assert not known(measurement([*one.processes, *several.processes]), "gpu")
    assert known(cpu, "wall")
    assert known(cpu, "cpu")
    assert not known(rounds, "wall")  # one number a round, the mean of it
    assert not known(rounds, "enqueue")


def test_numbers_by_hand() -> None:
    rounds = (Round(gpu_s=(1.0, 2.0, 3.0), wall_s=(2.0,)), Round(gpu_s=(4.0, 5.0), wall_s=(4.5,)))
    found = summary(measurement([process(rounds)]), "gpu")
    assert found is not None
    assert (found.n, found.rounds, found.minimum, found.median, found.mean) == (5, 2, 1, 3, 3)
    assert (found.p25, found.p75, found.mad, found.outliers) == (2, 4, 1, 0)
    assert found.spread == pytest.approx(2 / 3)
    assert found.cov == pytest.approx(2.5**0.5 / 3)
    # round medians 2 and 4.5: 3.25 ± 12.706 * 1.25
    assert found.interval_kind == "within"
    assert found.interval == pytest.approx((3.25 - 12.706 * 1.25, 3.25 + 12.706 * 1.25), abs=1e-3)
    assert found.precision == pytest.approx(12.706 * 1.25 / 3, abs=1e-3)


def test_discarded_rounds_count_for_nothing() -> None:
    hot = Round(gpu_s=(9.0,) * 50, wall_s=(9.0,), discarded=True)
    found = measurement([process((hot, *on_gpu([1.0] * 6))), process([hot])])
    whole = summary(found, "gpu")
    assert whole is not None
    assert (whole.n, whole.rounds, whole.mean) == (120, 6, 1.0)
    assert medians(found, "gpu") == (1.0,)


def test_a_process_is_known_by_its_median() -> None:
    rounds = (Round(wall_s=(1.0, 2.0, 9.0)), Round(wall_s=(3.0, 4.0)))
    assert medians(measurement([process(rounds), process(rounds[1:])]), "wall") == (3.0, 3.5)


def test_processes_are_the_unit_from_five_on() -> None:
    four, five = by_process([1.0, 1.1, 0.9, 1.0]), by_process([1.0, 1.1, 0.9, 1.0, 1.0])
    few, enough = summary(four, "gpu"), summary(five, "gpu")
    assert few is not None
    assert enough is not None
    assert few.interval_kind == "within"
    assert enough.interval_kind == "process"
    # sd of the five 0.0707, t(4) = 2.776
    assert enough.interval == pytest.approx((1 - 0.0878, 1 + 0.0878), abs=1e-4)


def test_an_interval_of_processes_ignores_how_many_rounds_they_had() -> None:
    levels = [1.0, 1.02, 0.98, 1.01, 0.99]
    short = measurement([process(on_gpu([level] * 6)) for level in levels])
    long = measurement([process(on_gpu([level] * 60)) for level in levels])
    assert getattr(summary(short, "gpu"), "interval", 0) == getattr(summary(long, "gpu"), "interval", 1)


def test_nothing_measured_is_no_number() -> None:
    assert summary(measurement([]), "gpu") is None
    assert summary(by_process([1.0]), "cpu") is None
    assert summary(by_process([1.0]), "single") is None
    single = summary(singles(3), "single")
    assert single is not None
    assert (single.rounds, single.interval, single.precision) == (0, None, None)


def test_what_comparisons_are_made_on() -> None:
    assert deciding(by_process([1.0])) == "gpu"
    assert deciding(measurement([process(on_cpu([1.0]))])) == "cpu"
    assert deciding(measurement([process([Round(wall_s=(1.0,))])])) == "wall"


@given(st.lists(TIMES, min_size=1, max_size=6))
def test_order_of_magnitudes(rounds: list[list[float]]) -> None:
    found = summary(measurement([process(Round(wall_s=tuple(each)) for each in rounds)]), "wall")
    assert found is not None
    assert found.minimum <= found.p25 <= found.median <= found.p75
    assert found.n == sum(map(len, rounds))
    assert found.minimum <= found.mean * (1 + 1e-12)


def with_blocks(*seconds: dict[str, tuple[float, ...]], total: float = 1.0) -> Measurement:
    blocks = [Blocks(method="events", seconds=each) for each in seconds]
    return measurement([process(on_gpu([total] * 6), blocks=each) for each in blocks])


@pytest.mark.parametrize(
    ("total", "perturbed"), [(1 / 0.94, True), (1 / 0.96, False), (1 / 1.04, False), (1 / 1.06, True)]
)
def test_blocks_must_close(total: float, perturbed: bool) -> None:
    found = attributed(with_blocks({"a": (0.2, 0.3, 0.4), "b": (0.7,)}, total=total))
    assert found is not None
    assert found.perturbed == perturbed
    assert found.closure == pytest.approx(1 - abs(1 - total) / total)
    assert sum(row.median for row in found.rows) + found.unattributed == pytest.approx(found.total)
    assert next((row.name, row.median, row.p25, row.p75) for row in found.rows) == ("a", 0.3, 0.25, 0.35)
    # shares of a whole: of the undisturbed pass, or of the blocks if these are no part of it
    whole = 1.0 if perturbed else 1 / total
    assert sum(row.share for row in found.rows) == pytest.approx(whole)


def test_blocks_of_all_processes() -> None:
    found = attributed(with_blocks({"a": (0.4,), "b": (0.5,)}, {"a": (0.5,), "b": (0.5,)}, {"a": (0.6,)}))
    assert found is not None
    assert {row.name: row.median for row in found.rows} == {"a": 0.5, "b": 0.5}
    assert found.unattributed == 0


@pytest.mark.parametrize(("method", "total"), [("CPU time", 1.0), ("wall clock", 2.0)])
def test_blocks_on_a_cpu_are_held_against_the_same_clock(method: str, total: float) -> None:
    blocks = Blocks(method=method, seconds={"a": (total,)})  # type: ignore[arg-type]
    found = attributed(measurement([process(on_cpu([1.0] * 6, waiting=2.0), blocks=blocks)]))
    assert found is not None
    assert (found.method, found.total, found.closure) == (method, total, 1.0)


def test_no_blocks_is_a_reason_or_nothing() -> None:
    fused = Blocks(method=None, reason="fused")
    found = attributed(measurement([process(on_gpu([1.0]), blocks=fused)]))
    assert found is not None
    assert (found.method, found.reason, found.rows, found.perturbed) == (None, "fused", (), False)
    assert attributed(measurement([process(on_gpu([1.0]))])) is None
    assert attributed(measurement([process([], blocks=fused)])) is None
