"""Latency, measured: in processes of their own, which alone touch torch and devices."""

from costcalc.bench.collecting import Progress
from costcalc.bench.messages import Subject
from costcalc.bench.scheduling import Probe, probe, run

__all__ = ["Probe", "Progress", "Subject", "probe", "run"]
