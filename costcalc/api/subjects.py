"""From what stands on a command line to costs: a spec's name, a file, or the name of a foreign model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from costcalc import formula, spec
from costcalc.api.results import Costed, Costs
from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.graph import Graph
from costcalc.records import Cost, CostTable, Producer
from costcalc.spec.catalogue import is_foreign as is_foreign

if TYPE_CHECKING:
    from costcalc.foreign import Prepared

TRACE_BYTES = 8 * 2**30  # what a trace may take: it holds real weights and activations
TRACE_MACS = 2 * 10**12  # and computes them, in seconds to minutes


@dataclass(frozen=True, slots=True)
class Options:
    """How to count what a name stands for.

    ``settings`` and ``by`` are for specs; ``arguments`` (of the factory), ``inputs`` (shapes as
    ``3x224x224`` or ``128:int64``), ``batch`` and ``dtype`` for foreign models. ``training`` keeps what
    exists only in training, ``backward`` adds the backward pass, ``convention`` is whose counts to print.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    by: Producer = "trace"
    training: bool = False
    arguments: Mapping[str, str] = field(default_factory=dict)
    inputs: Sequence[str] = ()
    batch: int = 1
    dtype: str = "fp32"
    backward: bool = False
    convention: str = ""


def costed(name: str, options: Options) -> Costed:
    """The costs of what the name stands for, in the convention asked for."""
    if not is_foreign(name) and not options.backward and not options.convention:
        return costs(loaded(name, options), options.by)
    from costcalc import conventions
    from costcalc.api.counted import Counted

    convention = conventions.named(options.convention) if options.convention else None
    model = prepared(name, options)
    how = (options.training, options.backward)
    execution = model.whole(*how) if convention else model.run(*how)  # other tools do not divide
    return Counted(execution, model.source, convention)


def prepared(name: str, options: Options) -> Prepared:
    """A model, or a spec's torch graph as one, with what one pass of it takes."""
    if options.by == "formula":
        raise CostcalcError(
            f"{name}: the closed form is of specs, in inference and in MACs; leave out --by formula"
        )
    from costcalc import foreign

    if not is_foreign(name):
        return foreign.of_graph(loaded(name, options))
    if options.settings:
        first = next(iter(options.settings))
        raise CostcalcError(f"--set {first}: {name} is no spec; -k KEY=VALUE gives its factory arguments")
    called, inline, suffix = foreign.split(name)
    arguments = {**options.arguments, **inline}
    return foreign.prepared(called, arguments, options.inputs, options.batch, options.dtype, suffix)


def loaded(name: str, options: Options) -> Graph:
    """The graph of a spec; options that only a foreign model has are refused."""
    given = {"-k": options.arguments, "--batch": options.batch != 1, "--dtype": options.dtype != "fp32"}
    for option, is_given in given.items():
        if is_given:
            raise CostcalcError(
                f"{option} is for foreign models such as torchvision:resnet50; {name} is a spec"
            )
    settings = dict(options.settings)
    if len(options.inputs) > 1:
        raise CostcalcError(f"--input: {name} is a spec and takes one input, not {len(options.inputs)}")
    if options.inputs:
        settings.setdefault("input", options.inputs[0])
    return spec.load(name, settings, options.training)


def costs(graph: Graph, by: Producer) -> Costs:
    """The costs of a graph, traced and held against the closed form, or by formula alone."""
    closed = formula.costs(graph)
    if by == "formula":
        return Costs(graph, closed)
    traceable(graph, closed)
    from costcalc import checks, trace

    traced = trace.costs(graph)
    return Costs(graph, traced, checks.agreement(closed, traced))


def traceable(graph: Graph, table: CostTable) -> None:
    """Refuse what a trace could not hold or finish, where it has to compute; the closed form answers."""
    from costcalc import meta

    if not meta.records() and (why := too_large(table.total)):
        message = f"tracing '{graph.name}' would {why}; `--by formula` answers without"
        raise CostcalcError(message, ENVIRONMENT)


def too_large(total: Cost) -> str:
    """Why a program that really computes should not run this, or nothing."""
    taken = 4 * (total.params + total.writes)
    if taken > TRACE_BYTES:
        return f"take about {taken / 2**30:,.0f} GiB"
    return f"compute {total.macs:.1e} multiply-adds" if total.macs > TRACE_MACS else ""
