"""Predictions against published throughput: what nobody here measured or could have tuned.

timm publishes images per second of its models; these are those with a preset of the same architecture.
Source: github.com/huggingface/pytorch-image-models, results/benchmark-infer-amp-*-pt240-cu124-rtx4090*.csv:
mixed precision on an RTX 4090, eager in NHWC at batch 512, compiled in NCHW at batch 256.
"""

from __future__ import annotations

import pytest

from costcalc import spec
from costcalc.latency.runs import Mode
from costcalc.roofline import devices, model, work
from costcalc.roofline.accuracy import accuracy

# preset: images/s eager, images/s compiled
PUBLISHED = {
    "resnet18": (18247.43, 25948.79),
    "resnet34": (11246.05, 15291.59),
    "resnet50": (5088.39, 8237.46),
    "resnet101": (3320.94, 5204.99),
    "resnet152": (2347.77, 3646.55),
    "densenet121": (3896.08, 6580.95),
    "vgg11": (4978.90, 6868.96),
    "vgg13": (3498.85, 4804.86),
    "vgg16": (2904.86, 3839.88),
    "vgg19": (2485.75, 3200.70),
    "mobilenet-v1": (14689.46, 22998.40),
    "mobilenet-v2": (11768.03, 18995.91),
    "inception-v3": (4356.90, 6933.82),
    "xception": (2265.86, 3195.72),
}
MODES: tuple[tuple[Mode, int], ...] = (("eager", 512), ("compile", 256))


@pytest.mark.parametrize("column", [0, 1], ids=["eager", "compile"])
def test_published_throughput_is_predicted(column: int) -> None:
    mode, batch = MODES[column]
    asked = {name: work.of_graph(spec.load(name), batch) for name in PUBLISHED}
    found = [batch / PUBLISHED[name][column] for name in PUBLISHED]
    guesses = [model.predicted(asked[name], devices.named("rtx4090"), "fp16", mode) for name in PUBLISHED]
    for name, seconds, guess in zip(PUBLISHED, found, guesses, strict=True):
        assert guess.low <= seconds <= guess.high, name
        assert seconds >= 0.95 * guess.roofline_s, name  # nothing beats the roofline
    reached = accuracy(found, [guess.seconds for guess in guesses])
    macs = [float(sum(each.macs for each in asked[name])) for name in PUBLISHED]
    rival = accuracy(found, macs)
    assert reached.rho is not None
    assert rival.rho is not None
    assert reached.rho >= 0.95 > rival.rho
    assert reached.mape <= 0.25
    claimed = reached.orders[0]
    assert claimed.right >= 0.95 * claimed.pairs
