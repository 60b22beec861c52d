"""argv → load, compute, view, render → stdout. The only room that prints or sets exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from itertools import pairwise
from typing import Annotated

import typer

from costcalc import api, formula, layers, machine, render, schema, spec, structure, views
from costcalc.errors import ENVIRONMENT, CostcalcError, shortened
from costcalc.records import View

AUTO = "auto"
FOUND, BUG, INTERRUPTED = 1, 70, 130
MOST_PROBLEMS = 40  # that are worth reading at once
SHORT = {"help_option_names": ["-h", "--help"]}
IS_TERMINAL = sys.stdout.isatty() and sys.stderr.isatty()

app = typer.Typer(
    name="costcalc",
    context_settings=SHORT,
    rich_markup_mode="rich" if IS_TERMINAL else None,  # plain help in pipes: no escape codes in CI logs
    pretty_exceptions_enable=False,
    add_completion=True,
)


class By(str, Enum):
    """Who counts."""

    trace = "trace"
    formula = "formula"


def _known_form(form: str) -> str:
    if form not in (AUTO, "rich", *render.FORMATS):
        raise CostcalcError(f"no format {shortened(form)}{render.known_format(form)}")
    return form


def _presets(incomplete: str) -> list[str]:
    return [name for name in spec.presets() if name.startswith(incomplete)]


Spec = Annotated[
    str, typer.Argument(metavar="SPEC", help="a preset, a YAML file, or - for stdin", autocompletion=_presets)
]
Specs = Annotated[
    list[str],
    typer.Argument(
        metavar="SPEC SPEC...", help="presets or YAML files, two or more", autocompletion=_presets
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="set a parameter or a layer's field; may be repeated"),
]
Training = Annotated[bool, typer.Option("--training", help="keep the branches that exist only in training")]
Who = Annotated[By, typer.Option("--by", help="trace the torch graph, or use the closed form without torch")]
Form = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help=f"{', '.join(render.FORMATS)} or rich; auto is rich on a terminal, else text",
        callback=_known_form,
        autocompletion=lambda: [AUTO, "rich", *render.FORMATS],
    ),
]
Json = Annotated[bool, typer.Option("--json", help="short for --format json")]
BUILD, JUDGE, HELP = "Look", "Judge", "Help"


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
    _Run.debug, _Run.quiet = debug, quiet
    if version:
        _print(
            " · ".join(f"{name} {found or 'missing'}" for name, found in machine.versions().items()) + "\n"
        )
    elif context.invoked_subcommand is None:
        _print(context.get_help() + "\n")


@app.command("list", rich_help_panel=BUILD)
def list_(form: Form = AUTO, json: Json = False) -> None:
    """The presets, with one line, MACs and parameters each."""
    found = []
    for name in spec.presets():
        graph = spec.load(name)
        found.append((graph, structure.whole(graph, formula.costs(graph))))
    _show(views.presets(found), form, json)


@app.command(rich_help_panel=BUILD)
def show(
    name: Spec,
    by_layer: Annotated[bool, typer.Option("--layers", help="every layer instead of every block")] = False,
    sets: Sets = None,
    training: Training = False,
    by: Who = By.trace,
    metrics: Annotated[
        str, typer.Option("--metrics", metavar="KEY,KEY", help=f"columns, of: {', '.join(views.METRICS)}")
    ] = "",
    source: Annotated[
        bool, typer.Option("--spec", help="print the YAML itself, to start one's own from")
    ] = False,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """What each block costs, with totals.

    One row per block: type, output shape, params, MACs, share, activations.
    """
    if source:
        if json or form != AUTO or sets or training or by_layer:
            raise CostcalcError("--spec prints the YAML as it stands; leave out every other option")
        _print(spec.text(name))
        return
    keys = [key.strip() for key in metrics.split(",") if key.strip()]
    views.metrics(keys)
    costs = _costs(name, sets, training, by)
    _show(costs.view(by_layer, keys), form, json, by)
    _agreement([costs])


@app.command(rich_help_panel=BUILD)
def compare(
    names: Specs,
    sets: Sets = None,
    training: Training = False,
    by: Who = By.trace,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Architectures side by side, block by block.

    Blocks are paired by name; ratio and saving are against the first architecture.
    """
    if len(names) < 2:
        raise CostcalcError("compare takes two specs or more, for example: costcalc compare naive reduced")
    graphs = [spec.load(name, own, training) for name, own in zip(names, _divided(names, sets), strict=True)]
    with _progress(f"counting {', '.join(names)}"):
        compared = api.compare(*graphs, by=by.value)
    _show(compared.view(), form, json, by)
    _agreement(compared.costs)


@app.command(rich_help_panel=JUDGE)
def budget(
    name: Spec,
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="N", help="most MACs, as 1.5e9 or 1.5G")
    ] = None,
    params: Annotated[str | None, typer.Option("--params", metavar="N", help="most parameters")] = None,
    activations: Annotated[
        str | None, typer.Option("--activations", metavar="N", help="most activations")
    ] = None,
    peak: Annotated[
        str | None, typer.Option("--peak-activations", metavar="N", help="most alive at once")
    ] = None,
    block: Annotated[
        list[str] | None,
        typer.Option("--block", metavar="NAME[:METRIC]=N", help="limit on one block, on MACs unless METRIC"),
    ] = None,
    sets: Sets = None,
    training: Training = False,
    by: Who = By.trace,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Is it within the limits? Exit 0 if it is, 1 if not."""
    graph = spec.load(name, _pairs(sets, "--set", "PATH=VALUE"), training)
    blocks = _pairs(block, "--block", "NAME=LIMIT")
    with _progress(f"counting {name}"):
        found = api.budget(
            graph,
            limit,
            params=params,
            activations=activations,
            peak_activations=peak,
            blocks=blocks,
            by=by.value,
        )
    _show(found.view(), form, json, by)
    _agreement([found.costs])
    _exit(found.passed)


@app.command(rich_help_panel=JUDGE)
def check(
    name: Spec, sets: Sets = None, training: Training = False, form: Form = AUTO, json: Json = False
) -> None:
    """Do three counts agree, layer by layer?

    The closed form, the fvcore trace and torch's FlopCounterMode; and the published figures. Exit 1 if not.
    """
    graph = spec.load(name, _pairs(sets, "--set", "PATH=VALUE"), training)
    with _progress(f"tracing {name}"):
        found = api.check(graph)
    _show(found.view(), form, json, By.trace)
    _exit(found.passed)


@app.command(rich_help_panel=HELP)
def kinds(form: Form = AUTO, json: Json = False) -> None:
    """What may stand behind `kind:` in a spec, with fields."""
    kinds_ = [(kind, "layer", layers.fields(kind), layers.summary(kind)) for kind in layers.KINDS]
    blocks = [(name, "block", *spec.signature(name)) for name in spec.shipped_blocks()]
    _show(views.kinds([*kinds_, *blocks]), form, json)


@app.command("schema", rich_help_panel=HELP)
def schema_(
    kind: Annotated[str, typer.Argument(metavar="COMMAND", help="whose JSON output; none lists them")] = "",
) -> None:
    """The JSON Schema of a command's --json output."""
    _print(schema.text(kind) if kind else "\n".join(schema.KINDS) + "\n")


@app.command(rich_help_panel=HELP)
def doctor(form: Form = AUTO, json: Json = False) -> None:
    """Versions, devices, what is missing.

    Says how to get it; exit 3 if something required is missing.
    """
    entries, passed = machine.examine()
    _show(views.doctor(entries, passed), form, json)
    if not passed:
        raise typer.Exit(3)


class _Run:
    """The options of this run that stand before the command."""

    debug = False
    quiet = False


def _pairs(given: Sequence[str] | None, option: str, form: str) -> dict[str, str]:
    """``["a=1"]`` → ``{"a": "1"}``; the last of two equal paths would win silently, so it is an error."""
    found: dict[str, str] = {}
    for text in given or ():
        path, mark, value = text.partition("=")
        if not mark or not path.strip():
            raise CostcalcError(f"{option} {text}: write {option} {form}")
        if path.strip() in found:
            raise CostcalcError(f"{option} {text}: '{path}' is given twice")
        found[path.strip()] = value.strip()
    return found


def _divided(names: Sequence[str], sets: Sequence[str] | None) -> list[dict[str, str]]:
    """To each of several specs the settings it has; one that none of them has is an error."""
    pairs = _pairs(sets, "--set", "PATH=VALUE")
    if not pairs:
        return [{} for _ in names]
    settable = [spec.settable(name) for name in names]
    for path, value in pairs.items():
        if not any(path in paths for paths in settable):
            spec.load(names[0], {path: value})  # says what is wrong, with the nearest known path
    return [{path: value for path, value in pairs.items() if path in paths} for paths in settable]


def _costs(name: str, sets: Sequence[str] | None, training: bool, by: By) -> api.Costs:
    graph = spec.load(name, _pairs(sets, "--set", "PATH=VALUE"), training)
    with _progress(f"counting {name}"):
        return api.costs(graph, by.value)


def _show(view: View, form: str, json: bool, by: By | None = None) -> None:
    chosen = "json" if json else form
    if chosen == AUTO:
        chosen = "rich" if sys.stdout.isatty() else "text"
    if chosen == "rich":
        from rich.console import Console

        _print(render.rich(view, Console()))
        return
    if chosen == "json":  # nobody else asks for versions, which take a while to find
        how = {"by": by.value} if by else {}
        known = {"versions": machine.versions(), "convention": views.CONVENTION}
        view = replace(view, provenance={**known, **how})
    _print(render.written(view, chosen))


def _agreement(found: Sequence[api.Costs]) -> None:
    """Exit 1 where trace and closed form differ; the view's notes say where."""
    _exit(not any(cost.disagreements for cost in found))


def _exit(passed: bool) -> None:
    if not passed:
        raise typer.Exit(FOUND)


@contextmanager
def _progress(what: str) -> Iterator[None]:
    """A spinner on stderr while it is a terminal."""
    if _Run.quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def _print(text: str) -> None:
    sys.stdout.write(text)


def _say(text: str) -> None:
    sys.stdout.flush()
    print(text, file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code; errors go to stderr, as JSON if JSON is asked for."""
    argv = list(sys.argv[1:] if argv is None else argv)
    _Run.debug = "--debug" in argv
    try:
        code = typer.main.get_command(app).main(argv, prog_name="costcalc", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except CostcalcError as error:
        return _failed(error, argv)
    except typer.exceptions.TyperException as error:
        return _failed(CostcalcError(error.format_message().rstrip(".").replace("Value error, ", "")), argv)
    except (KeyboardInterrupt, typer.Abort):
        _say("costcalc: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (nothing more can be written)
        return 0
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (nothing more can be written)
        return _failed(CostcalcError(f"cannot write: {error.strerror}", ENVIRONMENT), argv)
    except Exception as error:
        if _Run.debug:
            raise
        _say(f"costcalc: a bug: {type(error).__name__}: {error}; --debug shows where")
        return BUG


def _failed(error: CostcalcError, argv: Sequence[str]) -> int:
    if _wants_json(argv):
        found = [
            {
                "message": problem.message,
                "path": problem.path,
                "file": problem.place.file if problem.place else None,
                "line": problem.place.line if problem.place else None,
                "column": problem.place.column if problem.place else None,
            }
            for problem in error.problems
        ]
        sys.stderr.write(render.problems(found, error.exit_code))
        return error.exit_code
    for problem in error.problems[:MOST_PROBLEMS]:
        _say(f"costcalc: {problem}")
        if problem.excerpt():
            _say(problem.excerpt())
    if len(error.problems) > MOST_PROBLEMS:
        _say(f"costcalc: and {len(error.problems) - MOST_PROBLEMS} more; --json shows all")
    return error.exit_code


def _wants_json(argv: Sequence[str]) -> bool:
    """Whether JSON was asked for, also where the command line could not be parsed."""
    after = [value for flag, value in pairwise(argv) if flag in ("--format", "-f")]
    return "json" in after or bool({"--json", "--format=json", "-fjson"}.intersection(argv))
