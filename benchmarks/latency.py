"""Measures every preset on the device at hand in every way, and writes runs and reports.

    python benchmarks/latency.py cuda            # eager and graph, fp32 and fp16, batch 1 and 64
    python benchmarks/latency.py cpu resnet50 googlenet

The first word is the device, the others are presets, by default all that are whole networks. Runs and
calibrations go to ``reports/runs``. What was measured before is not measured again, so that it can be
interrupted; ``costcalc validate RUN.json --calibration FILE`` says how far predictions are from it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from costcalc import spec

PLACE = Path(__file__).resolve().parent.parent / "reports" / "runs"
WAYS = {
    "cuda": (("eager", "graph"), ("fp32", "fp16"), "1,64"),
    "cpu": (("eager",), ("fp32",), "1"),
}


def commands(device: str, names: Sequence[str]) -> Iterator[tuple[Path, list[str]]]:
    """Files to be made, and the commands that make them: of each way a calibration, then a run."""
    modes, dtypes, batches = WAYS[device.partition(":")[0]]
    for mode, dtype in product(modes, dtypes):
        way = ["--device", device, "--mode", mode, "--dtype", dtype]
        known = PLACE / f"calibration-{device.replace(':', '')}.json"
        fitted = PLACE / f"calibrated-{device.replace(':', '')}-{mode}-{dtype}.md"
        run = PLACE / f"{device.replace(':', '')}-{mode}-{dtype}.json"
        yield fitted, ["calibrate", *way, "--save", str(known), "--format", "markdown"]
        measured = ["bench", *names, *way, "--batch", batches, "--processes", "1", "--save", str(run)]
        yield run, [*measured, "--calibration", str(known), "--format", "markdown"]


def networks() -> list[str]:
    """Presets of whole networks: those that take an image and give classes."""
    found = ((name, spec.load(name)) for name in spec.presets())
    return [
        name
        for name, graph in found
        if len(graph.input_shape) == 3 and len(graph.shape_of(graph.outputs[0])) == 1
    ]


def main(device: str, *names: str) -> None:
    """Measure what is missing."""
    PLACE.mkdir(parents=True, exist_ok=True)
    for made, command in commands(device, names or networks()):
        if made.exists():
            continue
        done = subprocess.run(["costcalc", *command], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.returncode)
        if made.suffix == ".md":
            made.write_text(done.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
