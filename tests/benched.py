"""What tests of measuring share: brief rules, a small network."""

from __future__ import annotations

from typing import Any

from costcalc.latency.runs import Rules, Settings

BRISK = Rules(precision=0.2, min_time=0.02, max_time=0.3, warmup=0.02)
TINY = """
name: tiny
input: [3, 16, 16]
layers:
  conv: {kind: conv, out: 8, kernel: 3, pad: 1}
  relu: {kind: relu}
  mix: {kind: pair}
  flat: {kind: flatten}
  fc: {kind: linear, out: 10}
blocks:
  pair: {layers: {a: {kind: conv, out: 8, kernel: 3, pad: 1}, b: {kind: relu}}}
"""


def cpu(**changed: Any) -> Settings:
    """How to measure here, in no time."""
    return Settings(**{"device": "cpu", "rules": BRISK, **changed})
