"""What an operator asks of a device."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """What one operator asks of a device in one pass of a whole batch: for rooflines.

    ``part`` is the dotted name of its layer or module, ``block`` the row that it is shown in. ``weights``
    are the elements it reads whatever the batch is (parameters, buffers), ``reads`` and ``writes``
    activation elements. ``matrix`` is whether matrix units can do its multiply-adds: dense convolutions
    and products, but no grouped ones. ``launches`` is how many kernels eager torch starts for it at
    least, ``pointwise`` whether a compiler can fuse it with its neighbours.
    """

    part: str
    block: str
    operator: str
    macs: int
    weights: int
    reads: int
    writes: int
    matrix: bool
    launches: int
    pointwise: bool
