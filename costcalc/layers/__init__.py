"""The layer kinds: each is one class below, and being defined is being registered."""

from __future__ import annotations

from costcalc.layers import linear, pointwise, pool, shape
from costcalc.layers.base import Layer
from costcalc.layers.window import Pair, Window

__all__ = ["KINDS", "Layer", "Pair", "Window"]

_ROOMS = (linear, pool, pointwise, shape)

KINDS: dict[str, type[Layer]] = {
    found.kind: found
    for room in _ROOMS
    for found in vars(room).values()
    if isinstance(found, type) and issubclass(found, Layer) and "kind" in vars(found)
}


