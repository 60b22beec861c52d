"""Where a cost sits: the costliest block, and the line of the user's file that it was written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from costcalc.api.predicting import Predictions
from costcalc.api.results import Costed, Costs
from costcalc.checks import JUDGED
from costcalc.errors import Place
from costcalc.records import Part
from costcalc.roofline import model
from costcalc.spec.catalogue import is_shipped


def costliest(costed: Costed, metric: str) -> Part:
    """The block that has most of a metric, the first of equals."""
    return max(costed.blocks, key=JUDGED[metric])


def spot(costed: Costed, name: str) -> Place | None:
    """Where a block or layer was written in a file of the user's; None for presets and foreign models."""
    if not isinstance(costed, Costs):
        return None
    for part in _upwards(name):
        try:
            place = costed.graph.place_of(part)
        except KeyError:
            continue
        if place and not is_shipped(place.file):
            return place
    return None


def _upwards(name: str) -> Iterable[str]:
    """``"a.b.c"`` → ``a.b.c``, ``a.b``, ``a``."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def grown(
    new: Mapping[str, Mapping[str, int]], old: Mapping[str, Mapping[str, int]], metric: str
) -> tuple[str, int]:
    """The block that grew most in a metric, and by how much; no name where none grew."""
    by = {name: counts.get(metric, 0) - old.get(name, {}).get(metric, 0) for name, counts in new.items()}
    name = max(by, key=by.__getitem__, default="")
    return (name, by[name]) if name and by[name] > 0 else ("", 0)


def slowest(found: Predictions) -> str:
    """The block whose operators take longest in a prediction."""
    each = found.found[0]
    taken: dict[str, float] = {}
    for ran in model.timed(each.work, each.device, found.dtype, found.mode):
        taken[ran.block] = taken.get(ran.block, 0.0) + ran.seconds
    return max(taken, key=taken.__getitem__, default="")
