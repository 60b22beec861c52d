"""Specs and models for Python: load, cost, count."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from costcalc import spec
from costcalc.api import subjects
from costcalc.api.results import Costed, Costs
from costcalc.api.subjects import Options, costed, is_foreign
from costcalc.errors import CostcalcError, shortened
from costcalc.graph import Graph
from costcalc.records import Producer

if TYPE_CHECKING:
    from torch import nn

    from costcalc.api.counted import Counted


def load(name: str, *, training: bool = False, **parameters: Any) -> Graph:
    """The architecture of a preset or YAML file: ``load("googlenet", classes=10)``.

    ``training`` keeps branches that exist only in training. Raises :class:`CostcalcError`.
    """
    given = {key: value if isinstance(value, str) else json.dumps(value) for key, value in parameters.items()}
    return spec.load(name, given, training)


def costs(graph: Graph | str, by: Producer = "trace") -> Costs:
    """The cost of every layer, traced and held against the closed form, or by formula alone.

    Raises :class:`CostcalcError` if a trace would take more memory or time than is sensible.
    """
    if by not in ("trace", "formula"):
        raise CostcalcError(f"nobody counts by {shortened(by)}; there are 'trace' and 'formula'")
    return subjects.costs(load(graph) if isinstance(graph, str) else graph, by)


def count(model: nn.Module, *args: Any, **kwargs: Any) -> Counted:
    """The cost of one forward pass of any ``nn.Module`` on those arguments, in inference mode.

    Tensors give shapes only and may lie on any device, ``meta`` included; nothing is computed, and the
    model is left as found. Counts are of the pass as given; ``.per_sample(32)`` divides by a batch.
    Raises :class:`CostcalcError` with the model's own message, or the reason why it cannot be counted.
    """
    from costcalc import foreign
    from costcalc.api.counted import Counted

    return Counted(foreign.run(model, args, kwargs))


def count_training(model: nn.Module, *args: Any, **kwargs: Any) -> Counted:
    """The same in training mode, forward and backward: MACs of both, all else of the forward pass."""
    from costcalc import foreign
    from costcalc.api.counted import Counted

    return Counted(foreign.run(model, args, kwargs, backward=True))


def costs_of(of: Costed | Graph | str, by: Producer) -> Costed:
    """Costs as they are, or of a graph or name."""
    if isinstance(of, Costed):
        return of
    if isinstance(of, str) and is_foreign(of):
        return costed(of, Options(by=by))
    if not isinstance(of, (str, Graph)):
        raise CostcalcError(f"a {type(of).__name__} has no costs yet; give costcalc.count(model, *inputs)")
    return costs(of, by)
