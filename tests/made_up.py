"""Runs that nobody measured: made up, of the roofline and a random number generator, to be shown in tests."""

from __future__ import annotations

from random import Random

from costcalc import load
from costcalc.latency.runs import (
    Blocks,
    Environment,
    Measurement,
    Memory,
    Mode,
    Process,
    Round,
    Run,
    Settings,
    Telemetry,
)
from costcalc.roofline import devices, model, work

DATE = "1970-01-01T00:00:00Z"
GPU, CPU = "NVIDIA H100 80GB HBM3", "Made-up CPU"


def run(
    names: tuple[str, ...],
    device: str = "cuda:0",
    batches: tuple[int, ...] = (8,),
    processes: int = 5,
    slower: float = 1.0,
    mode: Mode = "graph",
    seed: int = 0,
) -> Run:
    """A run over presets, ``slower`` than 1.6 times the roofline of an H100 by that factor."""
    random = Random(seed)
    made = tuple(
        measurement(name, batch, device, processes, 1.6 * slower, mode, random)
        for batch in batches
        for name in names
    )
    return Run(
        command="made up for tests",
        started=DATE,
        ended=DATE,
        interleaved=len(names) > 1,
        settings=Settings(device=device, mode=mode if device != "cpu" else "eager", processes=processes),
        environment=Environment(
            device_name=GPU if device != "cpu" else CPU,
            driver="0.0" if device != "cpu" else None,
            torch="0.0",
            cuda="0.0" if device != "cpu" else None,
            cudnn="0" if device != "cpu" else None,
            python="0.0",
            costcalc="0.0",
            system="made up",
            facts={"cores": 2},
        ),
        measurements=made,
    )


def measurement(
    name: str, batch: int, device: str, processes: int, factor: float, mode: Mode, random: Random
) -> Measurement:
    graph = load(name)
    asked = work.of_graph(graph, batch)
    factor *= 300 if device == "cpu" else 1
    times: dict[str, float] = {}
    for each in model.timed(asked, devices.named("h100"), "fp32"):
        times[each.block] = times.get(each.block, 0.0) + factor * each.seconds
    made = tuple(process(index, times, device, mode, random) for index in range(processes))
    return Measurement(
        name=graph.name,
        source=graph.about.source,
        spec="0" * 64,
        batch=batch,
        params=sum(each.weights for each in asked),
        macs=sum(each.macs for each in asked),
        peak_activations=476_672 * batch,
        convention="made up",
        work=asked,
        processes=made,
    )


def process(index: int, times: dict[str, float], device: str, mode: Mode, random: Random) -> Process:
    """A process a little faster or slower than others, whose samples vary a little more."""
    pace = random.lognormvariate(0, 0.004)
    whole = sum(times.values()) * pace

    def samples(seconds: float, count: int) -> tuple[float, ...]:
        return tuple(round(seconds * random.lognormvariate(0, 0.003), 9) for _ in range(count))

    is_gpu = device != "cpu"
    telemetry = Telemetry(
        sm_mhz=1980, default_sm_mhz=1980, memory_mhz=2619, temperature_c=40, power_w=300.0, other_processes=0
    )
    rounds = tuple(
        Round(
            gpu_s=samples(whole, 20) if is_gpu else None,
            wall_s=samples(whole * 1.02, 1 if is_gpu else 20),
            cpu_s=None if is_gpu else samples(whole, 20),
            enqueue_s=whole * (0.1 if mode == "graph" else 0.9) if is_gpu else None,
            telemetry=telemetry if is_gpu else None,
        )
        for _ in range(8)
    )
    return Process(
        index=index,
        started=DATE,
        warmup_s=1.0,
        settled=True,
        rounds=rounds,
        stopped="precision",
        single_s=samples(whole * 1.2, 64) if is_gpu else (),
        blocks=Blocks(
            method=("graph events" if mode == "graph" else "events") if is_gpu else "CPU time",
            seconds={name: samples(seconds * 0.99 * pace, 16) for name, seconds in times.items()},
        ),
        memory=Memory(weights=654_784, peak=8_000_000, approximate=not is_gpu),
        load=0.1,
        pressure=0.0,
    )
