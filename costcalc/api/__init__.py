"""What the commands do, for Python: load, cost, compare, budget, check, claims, closed forms.

Results print themselves as tables and show as tables in a notebook.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costcalc import checks, conventions, formula, publications, spec
from costcalc.api import subjects
from costcalc.api.diffing import Diff, at, diff
from costcalc.api.explaining import Explained, explained
from costcalc.api.results import Costed, Costs, Counted, Result
from costcalc.api.subjects import Options, costed, is_foreign
from costcalc.api.verdicts import (
    Budget,
    Check,
    Claims,
    ClosedForm,
    Compared,
    Derivation,
    ModelCheck,
    Reconciled,
    Reconciliation,
)
from costcalc.errors import ENVIRONMENT, CostcalcError, Misfit, did_you_mean, shortened
from costcalc.execution import Execution
from costcalc.graph import Graph
from costcalc.records import COUNTS, Cost, Limit, Producer
from costcalc.units import quantity

if TYPE_CHECKING:
    from torch import nn

    from costcalc.foreign import Prepared

__all__ = [
    "Budget",
    "Check",
    "Claims",
    "ClosedForm",
    "Compared",
    "Costed",
    "Costs",
    "Counted",
    "Derivation",
    "Diff",
    "Explained",
    "ModelCheck",
    "Options",
    "Reconciled",
    "Reconciliation",
    "Result",
    "at",
    "budget",
    "check",
    "claim",
    "claims",
    "closed_form",
    "compare",
    "costed",
    "costs",
    "count",
    "count_training",
    "diff",
    "explained",
    "is_foreign",
    "judged",
    "limits",
    "load",
    "reconcile",
]

FORMULATED = ("macs", "weights", "params", "activations")


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

    return Counted(foreign.run(model, args, kwargs))


def count_training(model: nn.Module, *args: Any, **kwargs: Any) -> Counted:
    """The same in training mode, forward and backward: MACs of both, all else of the forward pass."""
    from costcalc import foreign

    return Counted(foreign.run(model, args, kwargs, backward=True))


def _costed(of: Costed | Graph | str, by: Producer) -> Costed:
    """Costs as they are, or of a graph or name."""
    if isinstance(of, Costed):
        return of
    if isinstance(of, str) and is_foreign(of):
        return costed(of, Options(by=by))
    if not isinstance(of, (str, Graph)):
        raise CostcalcError(f"a {type(of).__name__} has no costs yet; give costcalc.count(model, *inputs)")
    return costs(of, by)


def compare(*of: Costed | Graph | str, by: Producer = "trace") -> Compared:
    """Two or more architectures side by side, blocks paired by name."""
    if len(of) < 2:
        raise CostcalcError("a comparison takes two architectures or more")
    found = tuple(_costed(each, by) for each in of)
    if len({str(each.labels) for each in found}) > 1:
        raise CostcalcError("counts of several conventions cannot be compared")
    return Compared(found)


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
    return judged(_costed(of, by), wanted, allow_uncounted)


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
    if isinstance(of, Counted):
        if any(limit.metric == "macs" for limit in wanted):
            of.refuse_uncounted(allow_uncounted)
        if any(not verdict.passed and verdict.limit.metric != "params" for verdict in verdicts):
            of.refuse_assumed()
    return Budget(of, verdicts)


def check(
    of: Graph | str | nn.Module, *args: Any, options: Options | None = None, **kwargs: Any
) -> Check | ModelCheck:
    """Other counts held against ours: of a spec, the fvcore trace and ``FlopCounterMode``, row by row.

    Of a model, ``FlopCounterMode`` and fvcore in its own convention, module by module; an ``nn.Module``
    takes the arguments of its forward pass behind it.
    """
    options = options or Options()
    if not isinstance(of, (str, Graph)) or (isinstance(of, str) and is_foreign(of)):
        return _check_model(_in_inference(of, options, args, kwargs))
    graph = subjects.loaded(of, options) if isinstance(of, str) else of
    closed = formula.costs(graph)
    subjects.traceable(graph, closed)
    from costcalc import trace

    traced, third = trace.costs(graph), trace.third_opinion(graph)
    found = checks.agreement(closed, traced, third)
    return Check(Costs(graph, closed), traced, third, found, checks.figures(graph, closed))


def _check_model(model: Prepared) -> ModelCheck:
    """A model's count beside those who can count it too."""
    from costcalc.foreign import opinions

    counted = Counted(model.whole(), model.source)
    said: dict[str, Mapping[str, int]] = {}
    reasons: dict[str, str] = {}
    total = counted.total
    for key, ask in {"FlopCounterMode": opinions.flop_counter, "fvcore": opinions.fvcore}.items():
        try:
            if key == "fvcore":
                _runnable(total)
            said[key] = ask(model.module, model.args, model.kwargs)
        except Exception as error:  # whatever another program raises is its lack of an opinion
            reasons[key] = " ".join(str(error).split())[:200]
    by = {"FlopCounterMode": "flopcounter", "fvcore": "fvcore"}
    expected = {key: _contained(replace(counted, convention=conventions.named(by[key]))) for key in said}
    return ModelCheck(counted, said, expected, reasons)


def _runnable(total: Cost) -> None:
    """Refuse to let others run what would take them too much memory or time."""
    if why := subjects.too_large(total):
        raise CostcalcError(f"it would {why}", ENVIRONMENT)


def _in_inference(
    of: Graph | str | nn.Module, options: Options, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Prepared:
    """A model for others to count, which they do in inference mode."""
    if isinstance(of, str):
        if options.training and is_foreign(of):
            raise CostcalcError(f"--training: other counters see {of} in inference mode only")
        return subjects.prepared(of, options)
    from costcalc import foreign

    if isinstance(of, Graph):
        return foreign.of_graph(of)
    return foreign.Prepared(type(of).__name__, of, args, kwargs, 0, "")


def _contained(counted: Counted) -> dict[str, int]:
    """MACs of the whole and of each block, in its convention, for the whole batch.

    A module whose ``forward`` is run without calling it is charged by nobody else.
    """
    aside = {counted.attribution.label(""), *counted.execution.by_hand}
    parts = [part for part in counted.blocks if part.name not in aside]
    return {"": counted.total.macs, **{part.name: part.cost.macs for part in parts}}


def reconcile(
    of: Graph | str | nn.Module,
    *args: Any,
    using: Sequence[str] = (),
    run: bool = True,
    options: Options | None = None,
    **kwargs: Any,
) -> Reconciliation:
    """What other counters make of a model or spec: each figure as the MACs and named terms.

    ``using`` are keys of conventions, by default all; those that are installed are ``run`` and held
    against their terms. An ``nn.Module`` takes the arguments of its forward pass behind it.
    """
    model = _in_inference(of, options or Options(), args, kwargs)
    execution = model.whole()
    others = [each for each in conventions.CONVENTIONS.values() if each.key != "costcalc"]
    chosen = [conventions.named(key) for key in using] or others
    found = [
        Reconciled(
            each,
            each.terms(execution),
            *(_measured(each.key, model, execution) if run else (None, "")),
        )
        for each in chosen
    ]
    return Reconciliation(model.name, tuple(found))


def _measured(key: str, model: Prepared, execution: Execution) -> tuple[int | None, str]:
    """What the counter itself says, or why it says nothing."""
    from costcalc.foreign import opinions

    total = Counted(execution).total
    try:
        _runnable(total)
        return opinions.total(key, model.module, model.args, model.kwargs), ""
    except CostcalcError as error:
        return None, str(error)


def claims(paper: str = "", of: str = "", verdict: str = "") -> Claims:
    """Every published claim, computed from the closed form and judged.

    ``paper`` is the key of a publication, ``of`` a preset that the claim rests on, ``verdict`` a
    verdict; each narrows the choice. Raises :class:`CostcalcError` for unknown words.
    """
    found = publications.chosen(paper, of, verdict)
    return Claims(tuple(publications.judged(claim) for claim in found))


def claim(id: str) -> Derivation:
    """One claim with numbers filled in, step by step."""
    return Derivation(publications.judged(publications.named(id)))


def closed_form(
    name: str, symbols: str = "", *, latex: bool = False, settings: Mapping[str, str] | None = None
) -> ClosedForm:
    """The formulas of a preset, file, block or layer kind in its parameters.

    ``symbols`` chooses some (``"d,k"``) or says what they are (``"d=2*h,k"``: d is even); by default
    all whole-number parameters that do not decide how often something is repeated.
    """
    from costcalc import symbolic

    of = symbolic.source(name, settings or {})
    assigned = symbolic.assigned(symbols) if symbols else {}
    for parameter in assigned:
        if parameter not in of.defaults:
            hint = did_you_mean(parameter, of.defaults) or f"; there are {', '.join(of.defaults) or 'none'}"
            why = "has a number by --set" if parameter in (settings or {}) else "is no whole-number parameter"
            raise CostcalcError(f"'{parameter}' {why} of {shortened(name)}{hint}")
    found = symbolic.derive(of, assigned, _counts) if assigned else symbolic.derive_all(of, _counts)
    written = {key: symbolic.written(expr, latex) for key, expr in found.expressions.items()}
    kept = {key: value for key, value in of.defaults.items() if key not in found.at and of.reads(key)}
    return ClosedForm(name, written, found.at, found.values, kept, found.exceptions, latex)


def _counts(graph: Graph) -> dict[str, int]:
    """What a closed form is shown of."""
    total = formula.costs(graph).total
    return {key: COUNTS[key](total) for key in FORMULATED}


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
