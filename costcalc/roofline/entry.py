"""One calibration: how far above its roofline a device really is, in one way of running."""

from __future__ import annotations

from statistics import median
from typing import Annotated

from pydantic import Field, model_validator

from costcalc.latency.runs import Dtype, Layout, Mode, Record
from costcalc.roofline import devices
from costcalc.roofline.devices import Device

CPU = "cpu"
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Anchor(Record):
    """A known architecture, measured; ``host_s`` of that went into starting kernels while nothing ran."""

    name: str
    batch: int
    measured_s: Positive
    host_s: float = Field(ge=0, allow_inf_nan=False)
    roofline_s: Positive

    @model_validator(mode="after")
    def _ran(self) -> Anchor:
        if self.host_s >= self.measured_s:
            raise ValueError("host_s leaves nothing of measured_s")
        return self

    @property
    def ratio(self) -> float:
        """How often the roofline fits into what the device took."""
        return (self.measured_s - self.host_s) / self.roofline_s


class Calibration(Record):
    """What was measured on one device in one way of running.

    ``on`` is the device as torch calls it, cpu or cuda:0. ``launch_s`` is what starting the smallest kernel
    takes: of the host, or of the device in a CUDA graph. ``copy_bytes_s`` and ``dense_flop_s`` are the rates
    of a large copy (what it reads and what it writes) and of a large product of matrices or convolution.
    """

    device_name: str
    on: str
    driver: str | None
    torch: str
    dtype: Dtype
    layout: Layout
    mode: Mode
    threads: int
    created: str
    anchors: tuple[Anchor, ...] = Field(min_length=1)
    launch_s: Positive
    copy_bytes_s: Positive
    dense_flop_s: Positive

    @property
    def key(self) -> tuple[object, ...]:
        """What it holds for: of two with one key the later stands."""
        where = (self.device_name, self.driver, self.torch)
        return (*where, self.dtype, self.layout, self.mode, self.threads)

    @property
    def kappa(self) -> float:
        """The one scalar: the median over the anchors."""
        return median(anchor.ratio for anchor in self.anchors)

    def device(self) -> Device:
        """The peaks that ``kappa`` is relative to."""
        return peaks(self.device_name, self.on, self.dtype, self.copy_bytes_s, self.dense_flop_s)


def peaks(name: str, on: str, dtype: Dtype, copy_bytes_s: float, dense_flop_s: float) -> Device:
    """What a device can do by its datasheet; where there is none, as measured, in that dtype only."""
    return devices.of_name(name) or Device(
        key=CPU if on == CPU else name,
        name=name,
        aliases=(name,),
        source="measured: a large product or convolution, and a large copy",
        tensor={} if dtype == "fp32" else {dtype: dense_flop_s},
        simd=dense_flop_s,
        bandwidth=copy_bytes_s,
        l2=None,
        derivations={},
        pins=None,
    )
