"""The commands that show: what there is, what it costs, side by side, in symbols."""

from __future__ import annotations

from typing import Annotated

import typer

from costcalc import spec
from costcalc.api.subjects import Options, costed
from costcalc.cli.options import (
    AUTO,
    Batch,
    By,
    Depth,
    Dtype,
    Form,
    How,
    Inputs,
    Json,
    Keys,
    Layers,
    MaybeOn,
    Metrics,
    Sets,
    Source,
    Spec,
    Specs,
    Train,
    Training,
    Who,
    Whose,
    divided,
    options,
    pairs,
    words,
)
from costcalc.cli.output import agreed, progress, put, show
from costcalc.errors import CostcalcError
from costcalc.views import costs as showing
from costcalc.views.metrics import metrics as known


def list_(form: Form = AUTO, json: Json = False) -> None:
    """The presets, with one line, MACs and parameters each."""
    from costcalc import formula

    graphs = [spec.load(name) for name in spec.presets()]
    show(showing.presets([(graph, formula.costs(graph).total) for graph in graphs]), form, json)


def show_(
    name: Spec,
    by_layer: Layers = False,
    depth: Depth = None,
    sets: Sets = None,
    training: Training = False,
    by: Who = By.trace,
    metrics: Metrics = "",
    source: Source = False,
    inputs: Inputs = None,
    batch: Batch = 1,
    dtype: Dtype = "fp32",
    keys: Keys = None,
    train: Train = False,
    convention: Whose = "",
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """What each block costs, with totals.

    One row per block: type, output shape, params, MACs, share, activations.
    """
    how = options(sets, training, by, inputs, batch, dtype, keys, train, convention)
    if source:
        if json or form != AUTO or by_layer or how != Options():
            raise CostcalcError("--spec prints the YAML as it stands; leave out every other option")
        put(spec.text(name))
        return
    known(words(metrics))
    if by_layer and depth:
        raise CostcalcError("--layers shows every layer and --depth blocks; give one of them")
    with progress(f"counting {name}"):
        costs = costed(name, how)
    show(costs.view(by_layer, words(metrics), depth), form, json, by)
    agreed([costs])


def compare_(
    names: Specs,
    sets: Sets = None,
    training: Training = False,
    by: Who = By.trace,
    inputs: Inputs = None,
    batch: Batch = 1,
    dtype: Dtype = "fp32",
    keys: Keys = None,
    train: Train = False,
    convention: Whose = "",
    on: MaybeOn = "",
    mode: How = "eager",
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Architectures side by side, block by block.

    Blocks are paired by name; ratio and saving are against the first architecture. With --on also the
    predicted latency on a device, of --batch samples in --dtype.
    """
    if len(names) < 2:
        raise CostcalcError("compare takes two specs or more, for example: costcalc compare naive reduced")
    from costcalc.api.comparing import compare

    size, kind = (1, "fp32") if on else (batch, dtype)  # with a device they say what it is given
    with progress(f"counting {', '.join(names)}"):
        each = [
            options(own, training, by, inputs, size, kind, keys, train, convention)
            for own in divided(names, sets)
        ]
        costs = [costed(name, how) for name, how in zip(names, each, strict=True)]
        view = compare(*costs).view()
        if on:
            from costcalc.cli import timing

            view = timing.predicted(costs, each, on, batch, dtype, mode).beside(view)
    show(view, form, json, by)
    agreed(costs)


def formula_(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="a preset, a YAML file, a block or a layer kind")
    ],
    symbols: Annotated[
        str,
        typer.Option("--symbols", metavar="d,k", help="parameters to keep as symbols; d=2*h says d is even"),
    ] = "",
    sets: Sets = None,
    latex: Annotated[bool, typer.Option("--latex", help="formulas in LaTeX")] = False,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """The closed form in its parameters, in symbols.

    Derived from the code that counts, and held against plain counts.
    """
    from costcalc.api.formulating import closed_form

    with progress(f"deriving {name}"):
        found = closed_form(name, symbols, latex=latex, settings=pairs(sets, "--set", "PATH=VALUE"))
    show(found.view(), form, json, By.formula)
