"""The pytest plugin: a fixture that holds a model to a budget, in one line of a model's own test-suite.

    def test_cost(cost_budget):
        cost_budget(model, torch.randn(1, 3, 224, 224), macs="4.2G", params="26M", blocks={"layer1": "700M"})
        cost_budget("nets/tiny.yaml", macs="40M")
        cost_budget("nets/tiny.yaml")  # the limits that costcalc.toml has for it

Nothing of costcalc is loaded before the fixture is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from torch import nn

    from costcalc.api.limiting import Budget
    from costcalc.graph import Graph
    from costcalc.guard import Guarded

LIMITS = ("macs", "params", "activations", "peak_activations", "blocks")


@pytest.fixture(scope="session")
def cost_budget() -> Callable[..., Budget | Guarded]:
    """``cost_budget(model, *inputs, macs="4.2G", blocks={"layer1": "700M"})`` fails a test above a limit.

    Takes an ``nn.Module`` with the arguments of its forward pass, or the name of a spec, preset or model;
    limits are those of :func:`costcalc.budget`. A name without limits has those of ``costcalc.toml``.
    Gives the verdicts.
    """
    return held


def held(
    of: nn.Module | Graph | str,
    *args: Any,
    macs: int | str | None = None,
    params: int | str | None = None,
    activations: int | str | None = None,
    peak_activations: int | str | None = None,
    blocks: Mapping[str, int | str] | None = None,
    allow_uncounted: Sequence[str] = (),
    **kwargs: Any,
) -> Budget | Guarded:
    """What the fixture does; see there."""
    __tracebackhide__ = True
    from costcalc.errors import CostcalcError

    limits = dict(zip(LIMITS, (macs, params, activations, peak_activations, blocks or {}), strict=True))
    try:
        _refuse_inputs(of, args, kwargs)
        if any(each or each == 0 for each in limits.values()):
            found, said = _limited(of, args, kwargs, limits, allow_uncounted)
        else:
            found, said = _configured(of)
    except CostcalcError as error:
        found, said = None, [str(problem) for problem in error.problems]
    if not found:
        pytest.fail("\n".join(said), pytrace=False)
    return found


def _refuse_inputs(of: nn.Module | Graph | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """A name has inputs of its own; what is given beside one is a limit with a slip in it."""
    from costcalc.errors import CostcalcError, did_you_mean
    from costcalc.graph import Graph

    if not isinstance(of, (str, Graph)):
        return
    if args:
        raise CostcalcError("inputs are for an nn.Module; a name has its own")
    for key in kwargs:
        hint = did_you_mean(key, LIMITS) or f"; there are {', '.join(LIMITS)}"
        raise CostcalcError(f"no limit {key!r}{hint}")


def _configured(of: nn.Module | Graph | str) -> tuple[Budget | Guarded | None, Sequence[str]]:
    """A model under the limits that the configuration has for it; what warns does not fail."""
    from costcalc import guard

    if not isinstance(of, str):
        return None, ['no limit given, and the configuration has those of names alone; say macs="4.2G"']
    found = guard.guarded(models=[of], allow_code=True)
    return found, [f"{each.message}." for each in found.findings if each.level == "error"]


def _limited(
    of: nn.Module | Graph | str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    limits: Mapping[str, Any],
    allowed: Sequence[str],
) -> tuple[Budget | Guarded | None, Sequence[str]]:
    """Anything that can be counted under the limits given."""
    from costcalc.api import counting, limiting, subjects
    from costcalc.api.results import Costed
    from costcalc.api.subjects import Options
    from costcalc.graph import Graph
    from costcalc.guard import wording

    if isinstance(of, str):
        how = Options(by="trace" if subjects.is_foreign(of) else "formula")
        costs: Costed = subjects.costed(of, how)
    else:
        costs = (
            counting.costs(of, "formula") if isinstance(of, Graph) else counting.count(of, *args, **kwargs)
        )
    found = limiting.judged(costs, limiting.limits(**limits), allowed)
    lines = []
    for verdict, line in zip(found.verdicts, found.view().summary, strict=False):
        if not verdict.passed:
            where = wording.sitting(costs, verdict.limit.part, verdict.limit.metric)
            lines.append(f"{line.removesuffix('.')}{where}.")
    return found, lines
