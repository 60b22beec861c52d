"""The commands about time: measure, compare runs, predict, calibrate, validate."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from costcalc.api.results import Costed, Costs
from costcalc.api.subjects import Options
from costcalc.cli.base import RunGroup, commands
from costcalc.cli.options import (
    AUTO,
    AtLeast,
    AtMost,
    AutoBatches,
    Batches,
    By,
    Calibrations,
    Form,
    How,
    Inputs,
    Json,
    Keys,
    Laid,
    Layers,
    Names,
    On,
    Precise,
    Precision,
    Sets,
    Threads,
    WarmUp,
    Where,
    batches,
    divided,
    options,
    rules,
    words,
)
from costcalc.cli.output import measuring, progress, show
from costcalc.cli.run import say
from costcalc.errors import CostcalcError

if TYPE_CHECKING:
    from costcalc.api import timing
    from costcalc.latency.runs import Rules

FOUND, DOUBTFUL, INTERRUPTED = 1, 4, 130
Processes = Annotated[
    int,
    typer.Option(
        "--processes", metavar="N", min=0, help="measure in N processes; by default 1, or 5 to compare"
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="of random weights and inputs")]
Save = Annotated[
    str, typer.Option("--save", metavar="FILE", help="write all samples into a run file (.json, .json.gz)")
]
Strict = Annotated[bool, typer.Option("--strict", help="exit 4 where a measurement is not to be trusted")]
ByBlock = Annotated[bool, typer.Option("--blocks/--no-blocks", help="every block, or the whole alone")]
Saved = Annotated[str, typer.Argument(metavar="RUN", help="a run file, as --save writes it")]


app = commands(cls=RunGroup, help="Measure latency.", add_completion=False)


@app.command()
def run(
    names: Names,
    device: Where = "auto",
    dtype: Precise = "fp32",
    layout: Laid = "",
    mode: How = "eager",
    batch: AutoBatches = "1",
    threads: Threads = 1,
    processes: Processes = 0,
    blocks: ByBlock = True,
    precision: Precision = "1%",
    min_time: AtLeast = "",
    max_time: AtMost = "15s",
    warmup: WarmUp = "1s",
    seed: Seed = 0,
    save: Save = "",
    strict: Strict = False,
    sets: Sets = None,
    inputs: Inputs = None,
    keys: Keys = None,
    calibrations: Calibrations = None,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Latency of architectures, measured: as a whole and block by block.

    Two or more take turns and are compared. `costcalc bench compare OLD NEW` holds two saved runs against
    each other, `costcalc bench show RUN` shows one again.
    """
    how = _way(device, dtype, layout, mode, threads, rules(precision, min_time, max_time, warmup))
    how |= {"processes": processes, "blocks": blocks, "seed": seed, "calibrations": calibrations}
    how |= {"batch": None if batch == AUTO else batches(batch)}
    settings = [options(own, False, By.trace, inputs, 1, "fp32", keys) for own in divided(names, sets)]
    _conclude(_measured(names, settings, save, how), save, strict, form, json)


def _way(device: str, dtype: str, layout: str, mode: str, threads: int, until: Rules) -> dict[str, Any]:
    """How to measure, as Python is told it."""
    way = {"device": device, "dtype": dtype, "layout": layout, "mode": mode, "threads": threads}
    return {**way, "rules": until, "command": shlex.join(["costcalc", *sys.argv[1:]])}


def _measured(
    names: Sequence[str], settings: Sequence[Options], save: str, how: Mapping[str, Any]
) -> timing.Bench:
    """Measure, once it is known that the run can be saved."""
    from costcalc.api import timing

    timing.writable(save)
    with measuring(len(names)) as tell:
        return timing.measure(*names, options=settings, tell=tell, **how)


def _conclude(found: timing.Bench, save: str, strict: bool, form: str, json: bool) -> None:
    """Save first, then show; an interrupted run says so with its exit code."""
    if save:
        found.save(save)
    show(found.view(), form, json)
    states = {each.status for each in found.run.measurements}
    if "interrupted" in states:
        say(
            f"costcalc: what was measured is saved in {save}"
            if save
            else "costcalc: --save FILE would keep it"
        )
        raise typer.Exit(INTERRUPTED)
    if found.run.refused or not found.measured:
        raise typer.Exit(FOUND)
    if strict and not found.trusted:
        raise typer.Exit(DOUBTFUL)


@app.command("show")
def show_(
    path: Saved,
    blocks: ByBlock = True,
    calibrations: Calibrations = None,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """A saved run, as it was shown when it was measured."""
    from costcalc.api import timing

    show(timing.saved(path, calibrations).view(blocks), form, json)


@app.command()
def compare(
    old: Saved,
    new: Saved,
    min_effect: Annotated[
        float,
        typer.Option("--min-effect", metavar="SHARE", min=0.0, max=1.0, help="smaller changes are SAME"),
    ] = 0.03,
    allow_mismatch: Annotated[
        bool, typer.Option("--allow-mismatch", help="look at runs of different environments; claims nothing")
    ] = False,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """FASTER, SLOWER, SAME or UNCLEAR: a run against an earlier one.

    The unit is the process, so each run needs five of them (--processes 5). Exit 1 if something became
    slower.
    """
    from costcalc.api import timing

    found = timing.compare_runs(old, new, min_effect, allow_mismatch)
    show(found.view(), form, json)
    if not found.passed:
        raise typer.Exit(FOUND)


def predict(
    names: Names,
    on: On,
    batch: Batches = "1",
    dtype: Precise = "fp32",
    mode: How = "eager",
    layout: Laid = "",
    by_layer: Layers = False,
    calibrations: Calibrations = None,
    sets: Sets = None,
    inputs: Inputs = None,
    keys: Keys = None,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Latency on devices that are not at hand, by roofline, with its uncertainty.

    Neither a GPU nor torch is needed for specs. `costcalc calibrate` sharpens it on a machine at hand.
    """
    from costcalc.api import timing

    settings = [options(own, False, By.trace, inputs, 1, "fp32", keys) for own in divided(names, sets)]
    with progress(f"predicting {', '.join(names)}"):
        found = timing.predict(
            *names,
            on=words(on),
            batch=batches(batch),
            dtype=dtype,
            mode=mode,
            layout=layout,
            options=settings,
            calibrations=calibrations,
        )
    if by_layer and len(found.found) > 1:
        raise CostcalcError("--layers is of one architecture on one device at one batch")
    show(found.view(by_layer), form, json)


def calibrate(
    device: Where = "auto",
    dtype: Precise = "fp32",
    layout: Laid = "",
    mode: How = "eager",
    batch: Annotated[
        int,
        typer.Option(
            "--batch", metavar="N", min=0, help="of the anchors; by default 32 on a GPU, 1 on a CPU"
        ),
    ] = 0,
    threads: Threads = 1,
    precision: Precision = "1%",
    min_time: AtLeast = "",
    max_time: AtMost = "15s",
    warmup: WarmUp = "1s",
    path: Annotated[
        str | None, typer.Option("--save", metavar="FILE", help="into this file, not the user's own")
    ] = None,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Measure five networks here, and fit the one factor of the prediction.

    It is stored, and used by every later `costcalc predict` for this device.
    """
    from costcalc.api import timing

    how = _way(device, dtype, layout, mode, threads, rules(precision, min_time, max_time, warmup))
    with measuring(len(timing.ANCHORS)) as tell:
        found = timing.calibrate(batch=batch, path=path, tell=tell, **how)
    show(found.view(), form, json)


def validate(
    paths: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="run files, as bench --save writes them")
    ],
    calibrations: Calibrations = None,
    form: Form = AUTO,
    json: Json = False,
) -> None:
    """Predictions against measured runs: error, rank correlation, order of pairs."""
    from costcalc.api import timing

    show(timing.validate(*paths, calibrations=calibrations).view(), form, json)


def predicted(
    of: Sequence[Costed | str], how: Sequence[Options], on: str, batch: int, dtype: str, mode: str
) -> timing.Predictions:
    """Predictions for a command about costs: of what it has costed, or of names."""
    from costcalc.api import timing

    if any(each.backward for each in how):
        raise CostcalcError("--on predicts a forward pass in inference; leave out --train")
    known = [each.graph if isinstance(each, Costs) else each for each in of]
    names = [each.subject.name if isinstance(each, Costed) else each for each in known]
    return timing.predict(*names, on=words(on), batch=(batch,), dtype=dtype, mode=mode, options=how)


def limited(
    of: Costed | str, how: Options, latency: str, on: str, batch: int, dtype: str, mode: str
) -> tuple[timing.LatencyBudget, ...]:
    """The limit on latency of a command line, if there is one."""
    if bool(latency) != bool(on):
        raise CostcalcError("--latency and --on belong together, for example --latency 5ms --on h200")
    return (predicted([of], [how], on, batch, dtype, mode).within(latency),) if latency else ()
