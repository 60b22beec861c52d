"""The table of devices: peak rates and bandwidth, each figure with its document and derivation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.latency.runs import Dtype


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a peak follows from: ``units`` × FLOPs per unit and clock × clock in GHz."""

    units: int
    flop: int
    ghz: float

    @property
    def flop_s(self) -> float:
        """The peak that follows, in FLOP/s."""
        return self.units * self.flop * self.ghz * 1e9


@dataclass(frozen=True, slots=True)
class Device:
    """What a device can do at most: FLOP/s of matrix units by dtype and of ordinary ones, bytes/s.

    ``aliases`` are the names that drivers give it, ``l2`` is in bytes, None where it is not known.
    ``derivations`` are of ``tensor`` by dtype and, as ``simd``, of the ordinary units; ``pins`` the bits
    of the memory bus and the rate of each in bit/s. Both are empty for what was measured.
    """

    key: str
    name: str
    aliases: tuple[str, ...]
    source: str
    tensor: Mapping[Dtype, float]
    simd: float
    bandwidth: float
    l2: int | None
    derivations: Mapping[str, Derivation]
    pins: tuple[int, float] | None

    @property
    def dtypes(self) -> tuple[Dtype, ...]:
        """What it computes in at a known rate; fp32 on any."""
        return ("fp32", *(dtype for dtype in self.tensor if dtype != "fp32"))

    def peak(self, dtype: Dtype, matrix: bool = True) -> float:
        """FLOP/s at most: of matrix units where they can, else of the ordinary ones, in fp32.

        What is no product of matrices runs at the rate of fp32 whatever its dtype: such kernels compute
        and accumulate in fp32, and memory bounds nearly all of them. Raises :class:`CostcalcError`.
        """
        if dtype not in self.dtypes:
            known = ", ".join(self.dtypes)
            raise CostcalcError(f"{self.name} has no {dtype}; it has {known}")
        return self.tensor.get(dtype, self.simd) if matrix else self.simd


def _device(key: str, entry: Mapping[str, Any]) -> Device:
    rates = {**entry["tensor"], "simd": entry["simd"]}
    memory = entry["memory"]
    return Device(
        key=key,
        name=entry["name"],
        aliases=tuple(entry["aliases"]),
        source=entry["source"],
        tensor={dtype: rate["peak"] * 1e12 for dtype, rate in entry["tensor"].items()},
        simd=entry["simd"]["peak"] * 1e12,
        bandwidth=memory["bandwidth"] * 1e9,
        l2=entry["l2"] * 2**20,
        derivations={
            word: Derivation(entry["units"], rate["flop"], rate["ghz"]) for word, rate in rates.items()
        },
        pins=(memory["bits"], memory["gbps"] * 1e9) if "gbps" in memory else None,
    )


def _table() -> dict[str, Device]:
    text = Path(__file__).with_name("devices.yaml").read_text(encoding="utf-8")
    return {key: _device(key, entry) for key, entry in yaml.safe_load(text).items()}


DEVICES = _table()


def named(key: str) -> Device:
    """The device of that key; raises :class:`CostcalcError` with the nearest."""
    if key.lower() not in DEVICES:
        hint = did_you_mean(key.lower(), DEVICES) or f"; there are {', '.join(DEVICES)}"
        raise CostcalcError(f"no device {shortened(key)}{hint}")
    return DEVICES[key.lower()]


def of_name(name: str) -> Device | None:
    """The device that a driver calls so, None if it is not in the table."""
    found = (device for device in DEVICES.values() if name in device.aliases)
    return next(found, None)
