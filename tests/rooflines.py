"""What tests of rooflines are made of: a device of round numbers, and measurements by pen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from costcalc.latency.runs import (
    Blocks,
    Environment,
    Layout,
    Measurement,
    Mode,
    Process,
    Round,
    Run,
    Settings,
    Status,
)
from costcalc.latency.work import Work
from costcalc.roofline.devices import Device

# 1 TFLOP/s of matrices in fp16, a tenth of it else; 1 GB/s: so a MAC takes 2 ps or 20 ps, a byte 1 ns
ROUND = Device("round", "Round One", ("Round 1",), "made up", {"fp16": 1e12}, 1e11, 1e9, None, {}, None)


def work(
    part: str = "a",
    macs: int = 0,
    weights: int = 0,
    reads: int = 0,
    writes: int = 0,
    matrix: bool = True,
    launches: int = 1,
    pointwise: bool = False,
    operator: str = "op",
) -> Work:
    """An operator; its block is the first part of its name."""
    block = part.partition(".")[0]
    return Work(part, block, operator, macs, weights, reads, writes, matrix, launches, pointwise)


def measurement(
    name: str,
    asked: Sequence[Work],
    seconds: Sequence[float],
    batch: int = 32,
    gpu: bool = True,
    blocks: Mapping[str, float] | None = None,
    status: Status = "ok",
    reason: str = "",
) -> Measurement:
    """One architecture with samples of those seconds, by the GPU's clock or the process's, not the wall's."""
    samples = tuple(seconds)
    made = Round(gpu_s=samples, wall_s=(99.0,)) if gpu else Round(cpu_s=samples, wall_s=(99.0,))
    found = Blocks(method="events", seconds={key: (value,) for key, value in (blocks or {}).items()})
    process = Process(
        index=0,
        started="",
        warmup_s=1.0,
        settled=True,
        rounds=(made,),
        stopped="precision",
        blocks=found if blocks else None,
    )
    return Measurement(
        name=name,
        source="",
        spec="",
        batch=batch,
        params=0,
        macs=sum(each.macs for each in asked),
        peak_activations=0,
        convention="",
        work=tuple(asked),
        status=status,
        reason=reason,
        processes=(process,) if samples else (),
    )


def run(
    *measurements: Measurement,
    device_name: str = "NVIDIA H100 80GB HBM3",
    device: str = "cuda:0",
    mode: Mode = "eager",
    layout: Layout = "channels_last",
    driver: str | None = "1.0",
) -> Run:
    """A run in fp16 on a GPU, in fp32 on a CPU."""
    return Run(
        command="",
        started="2026-01-01T00:00:00Z",
        ended="",
        interleaved=False,
        settings=Settings(
            device=device, dtype="fp32" if device == "cpu" else "fp16", layout=layout, mode=mode
        ),
        environment=Environment(
            device_name=device_name,
            driver=driver,
            torch="2.13",
            cuda=None,
            cudnn=None,
            python="",
            costcalc="",
            system="",
        ),
        measurements=measurements,
    )
