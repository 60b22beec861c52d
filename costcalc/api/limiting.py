"""Verdicts on limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from costcalc import checks
from costcalc.api.counting import costs_of
from costcalc.api.results import Costed, Result, noted
from costcalc.errors import CostcalcError, Misfit, did_you_mean, shortened
from costcalc.graph import Graph
from costcalc.records import Producer, View
from costcalc.units import quantity
from costcalc.verdicts import Limit, Verdict
from costcalc.views import judging


@dataclass(frozen=True, repr=False)
class Budget(Result):
    """Verdicts on limits; true where all are kept."""

    costs: Costed
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether every limit is kept."""
        return all(verdict.passed for verdict in self.verdicts)

    def __bool__(self) -> bool:
        return self.passed

    def view(self) -> View:
        costs = self.costs
        name = costs.subject.name
        return noted(judging.budget(name, self.verdicts, costs.whole, costs.blocks, costs.labels), [costs])


def budget(
    of: Costed | Graph | str,
    macs: int | str | None = None,
    *,
    params: int | str | None = None,
    activations: int | str | None = None,
    peak_activations: int | str | None = None,
    blocks: Mapping[str, int | str] | None = None,
    by: Producer = "trace",
    allow_uncounted: Sequence[str] = (),
) -> Budget:
    """Verdicts on limits, given as integers or as ``"1.5G"``.

    ``blocks`` limits single blocks: ``{"inception_3a": "130M"}`` on MACs,
    ``{"inception_3a:params": "160K"}`` on another metric. A limit on the MACs of a model with operators
    of unknown cost is no verdict but a :class:`CostcalcError`, unless they are in ``allow_uncounted``.
    """
    wanted = limits(macs, params, activations, peak_activations, blocks or {})
    return judged(costs_of(of, by), wanted, allow_uncounted)


def limits(
    macs: int | str | None,
    params: int | str | None,
    activations: int | str | None,
    peak_activations: int | str | None,
    blocks: Mapping[str, int | str],
) -> tuple[Limit, ...]:
    """Limits as people give them; raises :class:`CostcalcError` for what is no quantity, or for none."""
    given = {"macs": macs, "params": params, "activations": activations, "peak_activations": peak_activations}
    found = [Limit(metric, _most(most, metric)) for metric, most in given.items() if most is not None]
    for name, most in blocks.items():
        part, _, metric = name.partition(":")
        found.append(Limit(_limited(metric or "macs"), _most(most, metric or "macs"), part))
    if not found:
        raise CostcalcError("no limit given; for example --limit 1.5e9, --params 7M or --block NAME=130M")
    return tuple(found)


def judged(of: Costed, wanted: Sequence[Limit], allow_uncounted: Sequence[str] = ()) -> Budget:
    """Verdicts on costs; see :func:`budget`."""
    verdicts = checks.budget(wanted, of.named)
    of.refuse_verdicts(verdicts, allow_uncounted)
    return Budget(of, verdicts)


def _limited(metric: str) -> str:
    if metric in checks.JUDGED:
        return metric
    hint = did_you_mean(metric, checks.JUDGED) or f"; there are {', '.join(checks.JUDGED)}"
    raise CostcalcError(f"no limit on {shortened(metric)}{hint}")


def _most(value: int | str, metric: str) -> int:
    try:
        return quantity(
            str(value), {"weights": "params", "peak_activations": "activations"}.get(metric, metric)
        )
    except Misfit as misfit:
        raise CostcalcError(f"limit on {metric}: {misfit}") from None
