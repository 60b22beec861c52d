"""Many settings of one architecture at once, and those that keep limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from costcalc import spec, sweeping
from costcalc.api.limiting import limits
from costcalc.api.results import Result
from costcalc.api.subjects import is_foreign
from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.records import View
from costcalc.sweeping import COUNTED, Refusal, Sweep
from costcalc.verdicts import Limit
from costcalc.views.sweeping import Told, sweep_

if TYPE_CHECKING:
    from numpy import ndarray

    Array = ndarray[Any, Any]

TOP = 10  # settings that are shown unless more are asked for


@dataclass(frozen=True, repr=False, eq=False)
class Swept(Result):
    """Every setting of a product counted; true if one keeps the limits.

    ``found`` holds the counts as arrays of as many dimensions as there are axes.
    """

    name: str
    found: Sweep
    limits: tuple[Limit, ...]

    def __bool__(self) -> bool:
        return bool(self.within.any())

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Why settings are refused, how many, and one of them each."""
        return self.found.refusals

    @cached_property
    def within(self) -> Array:
        """Where a setting is counted and keeps the limits."""
        kept: Array = self.found.counted.copy()
        for limit in self.limits:
            kept &= self.found.counts[limit.metric] <= limit.most
        return kept

    @cached_property
    def columns(self) -> dict[str, Array]:
        """The settings that keep the limits and their counts, one array for each axis and metric."""
        import numpy as np

        places = self.within.nonzero()
        settings = {
            axis.path: np.array([axis.told(value) for value in axis.values])[place]
            for axis, place in zip(self.found.axes, places, strict=True)
        }
        return {**settings, **{metric: counts[places] for metric, counts in self.found.counts.items()}}

    def view(self, sort: str = "", top: int = TOP) -> View:
        metric = sort or next((limit.metric for limit in self.limits), COUNTED[0])
        return sweep_(self._told(sortable(metric), top))

    def _told(self, metric: str, top: int) -> Told:
        found, kept = self.found, self.within if self else self.found.counted
        rows = self._ordered(metric, top, largest=bool(self))
        spans = [
            (key, int(counts[kept].min()), int(counts[kept].max())) for key, counts in found.counts.items()
        ]
        return Told(
            name=self.name,
            paths=tuple(axis.path for axis in found.axes),
            metric=metric,
            rows=tuple(rows),
            spans=tuple(spans),
            settings=found.counted.size,
            counted=int(found.counted.sum()),
            within=int(self.within.sum()),
            limits=self.limits,
            refusals=tuple((each.times, each.why, each.example) for each in found.refusals),
            ways=found.ways,
        )

    def _ordered(self, metric: str, top: int, largest: bool) -> Iterable[tuple[int | str, ...]]:
        """The settings with most of a metric that keep the limits; if none does, those with least."""
        import numpy as np

        found = self.found
        kept = (self.within if largest else found.counted).ravel().nonzero()[0]
        values = found.counts[metric].ravel()[kept]
        order = kept[np.argsort(-values if largest else values, kind="stable")][: top or None]
        places = np.unravel_index(order, found.counted.shape)
        settings = (
            [axis.told(axis.values[at]) for at in place.tolist()]
            for axis, place in zip(found.axes, places, strict=True)
        )
        return zip(*settings, *(counts[places].tolist() for counts in found.counts.values()), strict=True)


def sortable(metric: str) -> str:
    """The metric, if settings can be sorted by it; raises :class:`CostcalcError` with the nearest."""
    if metric not in COUNTED:
        hint = did_you_mean(metric, COUNTED) or f"; there are {', '.join(COUNTED)}"
        raise CostcalcError(f"cannot sort by {shortened(metric)}{hint}")
    return metric


def sweep(
    name: str,
    over: Mapping[str, str | Iterable[object]],
    macs: int | str | None = None,
    *,
    params: int | str | None = None,
    activations: int | str | None = None,
    peak_activations: int | str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Swept:
    """Every setting of a product counted, exactly: ``sweep("mobilenet-v1", {"width": "8:64:8"}, "600M")``.

    ``over`` maps parameters, layers' fields or ``input`` to values: a sequence, or text with ranges whose
    ends both count, ``"128:256:32,300"``; ``"3x128:256:32"`` are square inputs. Limits are as for
    :func:`costcalc.budget`. Settings that the spec refuses are in ``refusals``; if it refuses all, the
    :class:`CostcalcError` of the last is raised.
    """
    if is_foreign(name):
        raise CostcalcError(f"{shortened(name)} is a model; only what a spec leaves open can be varied")
    axes, fixed = sweeping.axes(over), settings or {}
    if twice := [axis.path for axis in axes if axis.path in fixed]:
        raise CostcalcError(f"--over and --set both give '{twice[0]}'")
    given = (macs, params, activations, peak_activations)
    kept = limits(*given, {}) if any(most is not None for most in given) else ()
    found = sweeping.swept(lambda setting: spec.load(name, {**fixed, **setting}), axes)
    if not found.counted.any():
        spec.load(name, {**fixed, **{axis.path: axis.given(axis.values[-1]) for axis in axes}})
    return Swept(name, found, kept)
