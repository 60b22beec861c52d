"""The commands: each loads, computes and shows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc import api, formula, layers, machine, schema, spec, views
from costcalc.cli import differing, guarding, reporting, timing
from costcalc.cli.options import (
    AUTO,
    Batch,
    By,
    Claimed,
    Depth,
    Dtype,
    Form,
    How,
    Inputs,
    Json,
    Keys,
    Layers,
    Limited,
    Longest,
    MaybeOn,
    Metrics,
    MostActivations,
    MostAlive,
    MostMacs,
    MostParams,
    RunThem,
    Sets,
    Source,
    Spec,
    Specs,
    Tools,
    Train,
    Training,
    Uncounted,
    Who,
    Whose,
    divided,
    options,
    pairs,
    words,
)
from costcalc.cli.output import Run, progress, put
from costcalc.cli.output import show as show_
from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.records import View

if TYPE_CHECKING:
    from costcalc.api.timing import LatencyBudget

FOUND = 1
SHORT = {"help_option_names": ["-h", "--help"]}
IS_TERMINAL = sys.stdout.isatty() and sys.stderr.isatty()

app = typer.Typer(
    name="costcalc",
    context_settings=SHORT,
    rich_markup_mode="rich" if IS_TERMINAL else None,  # plain help in pipes: no escape codes in CI logs
    pretty_exceptions_enable=False,
    add_completion=True,
)


BUILD, JUDGE, TIME, HELP = "Look", "Judge", "Time", "Help"


@app.callback(invoke_without_command=True)
def costcalc(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print versions and exit")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of a bug")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress on stderr")] = False,
) -> None:
    """What a neural network costs before anyone trains or ships it, exactly.

    costcalc compare naive reduced

    costcalc budget googlenet --limit 1.5e9

    costcalc show my_net.yaml --set classes=10
    """
    Run.debug, Run.quiet = debug, quiet
    if version:
        put(" · ".join(f"{name} {found or 'missing'}" for name, found in machine.versions().items()) + "\n")
    elif context.invoked_subcommand is None:
        put(context.get_help() + "\n")


@app.command("list", rich_help_panel=BUILD)
def list_(form: Form = AUTO, json: Json = False) -> None:
    """The presets, with one line, MACs and parameters each."""
    graphs = [spec.load(name) for name in spec.presets()]
    show_(views.presets([(graph, formula.costs(graph).total) for graph in graphs]), form, json)


@app.command(rich_help_panel=BUILD)
def show(
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
        if json or form != AUTO or by_layer or how != api.Options():
            raise CostcalcError("--spec prints the YAML as it stands; leave out every other option")
        put(spec.text(name))
        return
    views.metrics(words(metrics))
    if by_layer and depth:
        raise CostcalcError("--layers shows every layer and --depth blocks; give one of them")
    with progress(f"counting {name}"):
        costs = api.costed(name, how)
    show_(costs.view(by_layer, words(metrics), depth), form, json, by)
    _agreement([costs])


@app.command(rich_help_panel=BUILD)
def compare(
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
    size, kind = (1, "fp32") if on else (batch, dtype)  # with a device they say what it is given
    with progress(f"counting {', '.join(names)}"):
        each = [
            options(own, training, by, inputs, size, kind, keys, train, convention)
            for own in divided(names, sets)
        ]
        costs = [api.costed(name, how) for name, how in zip(names, each, strict=True)]
        view = api.compare(*costs).view()
        if on:
            view = timing.predicted(costs, each, on, batch, dtype, mode).beside(view)
    show_(view, form, json, by)
    _agreement(costs)


Why = Annotated[bool, typer.Option("--why", help="what is behind an overshoot, and known changes that help")]


@app.command(rich_help_panel=JUDGE)
def budget(
    name: Spec,
    limit: MostMacs = None,
    params: MostParams = None,
    activations: MostActivations = None,
    peak: MostAlive = None,
    block: Limited = None,
    allow_uncounted: Uncounted = None,
    sets: Sets = None,
    training: Training = False,
    by: Who = By.trace,
    inputs: Inputs = None,
    batch: Batch = 1,
    dtype: Dtype = "fp32",
    keys: Keys = None,
    train: Train = False,
    convention: Whose = "",
    latency: Longest = "",
    on: MaybeOn = "",
    mode: How = "eager",
    why: Why = False,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Is it within the limits? Exit 0 if it is, 1 if not.

    A limit on the latency is on the predicted one, of --batch samples in --dtype; where the limit lies in
    the range of the prediction there is no verdict, exit 3.
    """
    size, kind = (1, "fp32") if on else (batch, dtype)  # with a device they say what it is given
    how = options(sets, training, by, inputs, size, kind, keys, train, convention)
    given = (limit, params, activations, peak, pairs(block, "--block", "NAME=LIMIT"))
    limits = api.limits(*given) if any(given) or not latency else ()
    with progress(f"counting {name}"):
        costs = [api.costed(name, how)] if limits else []
        timed = timing.limited(costs[0] if costs else name, how, latency, on, batch, dtype, mode)
        found = [api.judged(each, limits, allow_uncounted or ()) for each in costs]
    show_(_joined(found, timed, why), form, json, by)
    _agreement(costs)
    _verdict(found, timed)


@app.command(rich_help_panel=JUDGE)
def check(
    name: Spec,
    sets: Sets = None,
    training: Training = False,
    inputs: Inputs = None,
    batch: Batch = 1,
    dtype: Dtype = "fp32",
    keys: Keys = None,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Do three counts agree, layer by layer?

    The closed form (of a model: its operators), the fvcore trace and torch's FlopCounterMode; and the
    published figures. Exit 1 if not.
    """
    how = options(sets, training, By.trace, inputs, batch, dtype, keys)
    with progress(f"tracing {name}"):
        found = api.check(name, options=how)
    show_(found.view(), form, json, By.trace)
    _exit(found.passed)


@app.command(rich_help_panel=JUDGE)
def reconcile(
    name: Spec,
    using: Tools = "",
    run: RunThem = True,
    sets: Sets = None,
    training: Training = False,
    inputs: Inputs = None,
    batch: Batch = 1,
    dtype: Dtype = "fp32",
    keys: Keys = None,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Why other counters say something else, term by term.

    Each figure is the MACs and named terms, exactly. Tools that are installed are run; exit 1 if one differs.
    """
    how = options(sets, training, By.trace, inputs, batch, dtype, keys)
    with progress(f"asking others about {name}"):
        found = api.reconcile(name, using=words(using), run=run, options=how)
    show_(found.view(), form, json)
    _exit(found.passed)


@app.command(rich_help_panel=JUDGE)
def claims(
    id: Claimed = "",
    paper: Annotated[
        str,
        typer.Option("--paper", metavar="KEY", help="of one publication, such as googlenet or rethinking"),
    ] = "",
    of: Annotated[str, typer.Option("--of", metavar="PRESET", help="that rest on one preset")] = "",
    verdict: Annotated[
        str, typer.Option("--verdict", metavar="WORDS", help="such as confirmed or wrong")
    ] = "",
    why: Annotated[
        bool, typer.Option("--why", help="the reason for every verdict in one more column")
    ] = False,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Which published numbers are right, rounded or wrong.

    One line each; with an ID its derivation. Exit 1 if a verdict on record no longer follows.
    """
    if id and (paper or of or verdict):
        raise CostcalcError("an ID names one claim; leave out --paper, --of and --verdict")
    if id:
        derived = api.claim(id)
        show_(derived.view(), form, json, By.formula)
        _exit(derived.verdict.passed)
        return
    with progress("judging claims"):
        found = api.claims(paper, of, verdict)
    show_(found.view(why), form, json, By.formula)
    _exit(found.passed)


@app.command("formula", rich_help_panel=BUILD)
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
    with progress(f"deriving {name}"):
        found = api.closed_form(name, symbols, latex=latex, settings=pairs(sets, "--set", "PATH=VALUE"))
    show_(found.view(), form, json, By.formula)


app.command(rich_help_panel=BUILD)(differing.diff)
app.command(cls=reporting.Recorded, rich_help_panel=BUILD)(reporting.report)
app.add_typer(guarding.app, name="guard", rich_help_panel=JUDGE)
app.add_typer(timing.app, name="bench", rich_help_panel=TIME)
app.command(rich_help_panel=TIME)(timing.predict)
app.command(rich_help_panel=TIME)(timing.calibrate)
app.command(rich_help_panel=TIME)(timing.validate)


@app.command(rich_help_panel=HELP)
def kinds(form: Form = AUTO, json: Json = False) -> None:
    """What may stand behind `kind:` in a spec, with fields."""
    kinds_ = [(kind, "layer", layers.fields(kind), layers.summary(kind)) for kind in layers.KINDS]
    blocks = [(name, "block", *spec.signature(name)) for name in spec.shipped_blocks()]
    show_(views.kinds([*kinds_, *blocks]), form, json)


@app.command("schema", rich_help_panel=HELP)
def schema_(
    kind: Annotated[str, typer.Argument(metavar="COMMAND", help="whose JSON output; none lists them")] = "",
) -> None:
    """The JSON Schema of a command's --json output."""
    put(schema.text(kind) if kind else "\n".join(schema.KINDS) + "\n")


@app.command(rich_help_panel=HELP)
def doctor(form: Form = AUTO, json: Json = False) -> None:
    """Versions, devices, what is missing.

    Says how to get it; exit 3 if something required is missing.
    """
    entries, passed = machine.examine()
    show_(views.doctor(entries, passed), form, json)
    if not passed:
        raise typer.Exit(3)


def _verdict(found: Sequence[api.Budget], timed: Sequence[LatencyBudget]) -> None:
    """Exit 1 where a limit is exceeded, else 3 where a prediction is no verdict."""
    _exit(all(found) and all(each.passed or not each.decided for each in timed))
    if not all(each.decided for each in timed):
        raise typer.Exit(ENVIRONMENT)


def _joined(found: Sequence[api.Budget], timed: Sequence[LatencyBudget], why: bool) -> View:
    """All verdicts in one view, with the reasons for those on counts that are exceeded if wanted."""
    counted = [api.explained(each).beside(each.view()) if why else each.view() for each in found]
    return reduce(views.joined, [*counted, *(each.view() for each in timed)])


def _agreement(found: Sequence[api.Costed]) -> None:
    """Exit 1 where trace and closed form differ; the view's notes say where."""
    _exit(not any(isinstance(cost, api.Costs) and cost.disagreements for cost in found))


def _exit(passed: bool) -> None:
    if not passed:
        raise typer.Exit(FOUND)
