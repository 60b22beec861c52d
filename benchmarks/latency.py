"""Measures networks on the device at hand, and writes runs and calibrations to ``reports/runs``.

    python benchmarks/latency.py cuda                       # CUDA graphs in fp16, then eager in fp32
    python benchmarks/latency.py cuda graph-fp32 blocks     # another way; GoogLeNet block by block
    python benchmarks/latency.py cpu eager-fp32 resnet50 googlenet

The first word is the device. The others are ways, and presets: by default a representative few on a GPU, and
all that are whole networks on a CPU. A way takes about four minutes on an H100.
What was measured before is not measured again, so that it can be interrupted.
``costcalc validate RUN.json --calibration FILE`` says how far predictions are from what was measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from costcalc import spec
from costcalc.roofline import calibration

PLACE = Path(__file__).resolve().parent.parent / "reports" / "runs"
FEW = (
    "alexnet nin vgg16 googlenet googlenet-torchvision bn-inception inception-v3 resnet18 resnet50 "
    "squeezenet1.0 mobilenet-v2 xception densenet121"
).split()
# one process a network: enough for rates and rank correlations, and no claim about which is faster
QUICK = "--precision 2% --min-time 0.3s --max-time 2s --warmup 0.5s".split()


@dataclass(frozen=True)
class Way:
    """How to measure; anchors of a calibration are large enough to keep the device busy."""

    mode: str
    dtype: str
    batches: str
    anchors: str
    rules: Sequence[str]
    blocks: bool = True


WAYS = {
    "cuda": {
        "graph-fp16": Way("graph", "fp16", "1,64", "128", QUICK),
        "eager-fp32": Way("eager", "fp32", "1,64", "64", QUICK, blocks=False),  # they are as in the graph
        "graph-fp32": Way("graph", "fp32", "1,64", "64", QUICK),
    },
    "cpu": {"eager-fp32": Way("eager", "fp32", "1", "1", ())},
}
USUAL = ("graph-fp16", "eager-fp32")
BLOCKS = "blocks"  # not a way: GoogLeNet block by block, in five processes


def commands(device: str, ways: Sequence[str], names: Sequence[str]) -> Iterator[list[str]]:
    """What is still to be measured: of each way a calibration and a run."""
    kind = device.partition(":")[0]
    known = PLACE / f"calibration-{kind}.json"
    for called, way in WAYS[kind].items():
        how = ["--device", device, "--mode", way.mode, "--dtype", way.dtype, *way.rules]
        if called in ways and not _is_calibrated(known, way):
            yield ["calibrate", *how, "--batch", way.anchors, "--save", _shown(known)]
        run = PLACE / f"{kind}-{called}.json.gz"
        options = ["--batch", way.batches, "--processes", "1", *([] if way.blocks else ["--no-blocks"])]
        if called in ways and not run.exists():
            yield ["bench", *names, *how, *options, "--save", _shown(run), "--calibration", _shown(known)]
    run = PLACE / f"{kind}-googlenet.json.gz"  # in the last way, the exact one
    if BLOCKS in ways and not run.exists():
        how = ["--device", device, "--mode", way.mode, "--batch", way.batches, *way.rules]
        yield ["bench", "googlenet", *how, "--processes", "5", "--save", _shown(run)]


def _is_calibrated(known: Path, way: Way) -> bool:
    entries = calibration.load(str(known)) if known.exists() else ()
    return any((each.mode, each.dtype) == (way.mode, way.dtype) for each in entries)


def _shown(path: Path) -> str:
    """The path as it may stand in a run file: nobody's own folders."""
    return os.path.relpath(path)


def networks() -> list[str]:
    """Presets of whole networks: those that take an image and give classes."""
    found = ((name, spec.load(name)) for name in spec.presets())
    return [
        name
        for name, graph in found
        if len(graph.input_shape) == 3 and len(graph.shape_of(graph.outputs[0])) == 1
    ]


def main(device: str, *words: str) -> None:
    """Measure what is missing."""
    PLACE.mkdir(parents=True, exist_ok=True)
    known = (*WAYS[device.partition(":")[0]], BLOCKS)
    ways = [word for word in words if word in known] or USUAL
    names = [word for word in words if word not in known]
    wanted = names or (FEW if device.startswith("cuda") else networks())
    for command in commands(device, ways, wanted):
        print("costcalc", *command, flush=True)
        done = subprocess.run([sys.executable, "-m", "costcalc", *command])
        if done.returncode:
            sys.exit(done.returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
