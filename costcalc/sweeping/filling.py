"""A product of settings, filled way by way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from costcalc.errors import CostcalcError
from costcalc.sweeping.axes import Axis, Given
from costcalc.sweeping.ways import COUNTED, Build, Way, record

if TYPE_CHECKING:
    from numpy import ndarray

    Array = ndarray[Any, Any]

Place = tuple[int | slice, ...]  # along every axis one value, or several

AT_ONCE = 2**16  # settings whose intermediate values stay near the processor
MOST_WAYS = 4_000  # each takes as long as loading and counting once


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why ``times`` settings are refused, and one of them."""

    why: str
    times: int
    example: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """Counts of a product of settings: arrays of as many dimensions as there are axes.

    Each is of int64, or of Python's integers where 64 bits are too few. ``counted`` is where a setting
    is not refused; elsewhere the counts are 0. ``ways`` is how often the code that counts was run.
    """

    axes: tuple[Axis, ...]
    counts: Mapping[str, Array]
    counted: Array
    refusals: tuple[Refusal, ...]
    ways: int


def swept(build: Build, over: Sequence[Axis]) -> Sweep:
    """Every setting of a product counted; ``build`` makes the graph of one.

    Axes whose values are read, because they say how often something is repeated, are taken value by
    value. Raises :class:`CostcalcError` where that are more ways than anybody waits for.
    """
    listed = frozenset(axis.path for axis in over if not axis.is_whole or len(axis.values) == 1)
    while True:
        filling = _Filling(build, tuple(over), listed)
        try:
            filling.fill()
        except _Read as found:
            listed |= found.paths
        else:
            refusals = tuple(filling.refusals.values())
            return Sweep(filling.axes, filling.counts, filling.counted, refusals, filling.ways)


def _bearable(ways: int) -> None:
    """Refuse more ways than anybody waits for."""
    if ways > MOST_WAYS:
        raise CostcalcError(
            f"these settings go more than {MOST_WAYS:,} different ways, each counted by itself; vary "
            "fewer parameters that say how often something is repeated, or give them fewer values"
        )


class _Read(Exception):
    """Axes turn out to be read as numbers, so that they are better taken value by value."""

    def __init__(self, paths: frozenset[str]) -> None:
        super().__init__(paths)
        self.paths = paths


class _Filling:
    """The arrays while they are filled. ``listed`` axes are taken value by value, the others recorded."""

    def __init__(self, build: Build, over: tuple[Axis, ...], listed: frozenset[str]) -> None:
        import numpy as np

        self.build, self.axes, self.listed = build, over, listed
        shape = tuple(len(axis.values) for axis in over)
        self.counts = {metric: np.zeros(shape, np.int64) for metric in COUNTED}
        self.counted = np.ones(shape, np.bool_)
        self.refusals: dict[str, Refusal] = {}
        self.ways = 0

    def fill(self) -> None:
        """Count everything."""
        # each of them is at least one way
        _bearable(prod(len(axis.values) for axis in self.axes if axis.path in self.listed))
        every: list[Iterable[int | slice]] = [
            range(len(axis.values)) if axis.path in self.listed else (slice(0, len(axis.values)),)
            for axis in self.axes
        ]
        for at in product(*every):
            part = _Part(self, at)
            for piece in _pieces(at):
                part.fill(piece)

    def record(self, fixed: Mapping[str, Given], axes: Sequence[Axis], values: Sequence[int]) -> Way:
        """One more way, that of these values."""
        self.ways += 1
        _bearable(self.ways)
        way, read = record(self.build, fixed, axes, values)
        if read:
            raise _Read(read)
        return way

    def write(self, at: Place, here: Array, results: Sequence[Any]) -> None:
        """Put counts in their places: those of the settings that are ``here`` at a place."""
        import numpy as np

        for metric, result in zip(COUNTED, results, strict=True):
            try:
                found = np.asarray(result).astype(np.int64)
            except OverflowError:
                found = np.asarray(result)
                self.counts[metric] = self.counts[metric].astype(object)
            np.copyto(_view(self.counts[metric], at), found, where=here)

    def refuse(self, at: Place, here: Array, why: str, example: Mapping[str, str]) -> None:
        """Note that settings are refused: those that are ``here`` at a place."""
        refused = _view(self.counted, at)
        refused &= ~here
        known = self.refusals.get(why, Refusal(why, 0, example))
        self.refusals[why] = Refusal(why, known.times + int(here.sum()), known.example)


class _Part:
    """Settings that share the values of all axes taken value by value, and the ways they go so far."""

    def __init__(self, filling: _Filling, at: Place) -> None:
        self.filling = filling
        pairs = list(zip(filling.axes, at, strict=True))
        self.axes = [axis for axis, place in pairs if isinstance(place, slice)]
        self.fixed = {axis: axis.values[place] for axis, place in pairs if not isinstance(place, slice)}
        self.ways: list[tuple[Way, Mapping[str, str]]] = []  # and the settings that each was found at

    def fill(self, at: Place) -> None:
        """Count a piece: what goes ways known already, then along new ones until nothing is left."""
        import numpy as np

        values = self.values(at)
        left = np.ones([len(each) for each in values], np.bool_)
        known = list(self.ways)
        while left.any():
            if not known:
                place = np.argwhere(left)[0]
                known = [self.record([each[index] for each, index in zip(values, place, strict=True)])]
            way, example = known.pop(0)
            here = left & way.program.holds_on(values)
            if here.any():
                self.write(way, example, *_narrowed(at, here))
                left &= ~here

    def values(self, at: Place) -> list[list[int]]:
        """The values at a place, along the axes that are recorded."""
        cuts = [cut for cut in at if isinstance(cut, slice)]
        return [[int(value) for value in axis.values[cut]] for axis, cut in zip(self.axes, cuts, strict=True)]

    def record(self, values: Sequence[int]) -> tuple[Way, Mapping[str, str]]:
        """One more way, found at these values, and what they are called."""
        fixed = {axis.path: axis.given(value) for axis, value in self.fixed.items()}
        way = self.filling.record(fixed, self.axes, values)
        settings = {**self.fixed, **dict(zip(self.axes, values, strict=True))}
        told = {axis.path: str(axis.told(settings[axis])) for axis in self.filling.axes}
        self.ways.append((way, told))
        return way, told

    def write(self, way: Way, example: Mapping[str, str], at: Place, here: Array) -> None:
        """The counts of the settings that go this way, or why they are refused."""
        if way.refused:
            self.filling.refuse(at, here, way.refused, example)
        else:
            self.filling.write(at, here, way.program.counts_on(self.values(at)))


def _narrowed(at: Place, here: Array) -> tuple[Place, Array]:
    """A place without the ends along each axis where nothing is ``here``, and what is here in it."""
    found: list[int | slice] = []
    axis = 0
    for cut in at:
        if isinstance(cut, slice):
            there = here.swapaxes(0, axis).reshape(here.shape[axis], -1).any(axis=1).nonzero()[0]
            first, last = int(there[0]), int(there[-1])
            here = here[(slice(None),) * axis + (slice(first, last + 1),)]
            cut, axis = slice(cut.start + first, cut.start + last + 1), axis + 1
        found.append(cut)
    return tuple(found), here


def _view(whole: Array, at: Place) -> Array:
    """A part of an array that writes through, also where it is a single value."""
    place: tuple[Any, ...] = (*at, ...)
    view: Array = whole[place]
    return view


def _pieces(at: Place) -> Iterator[Place]:
    """A part of the settings in pieces that are worth counting at once: halved along the longest axis."""
    lengths = [cut.stop - cut.start if isinstance(cut, slice) else 1 for cut in at]
    if prod(lengths) <= AT_ONCE:
        yield at
        return
    longest = lengths.index(max(lengths))
    cut = at[longest]
    assert isinstance(cut, slice)
    middle = (cut.start + cut.stop) // 2
    for half in (slice(cut.start, middle), slice(middle, cut.stop)):
        yield from _pieces((*at[:longest], half, *at[longest + 1 :]))
