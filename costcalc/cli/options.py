"""What commands take: arguments, options, and settings in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc import conventions, render, spec
from costcalc.api.subjects import Options, is_foreign
from costcalc.errors import CostcalcError, Misfit, shortened
from costcalc.units import duration
from costcalc.views.metrics import METRICS

if TYPE_CHECKING:
    from costcalc.latency.runs import Rules

AUTO = "auto"


class By(str, Enum):
    """Who counts."""

    trace = "trace"
    formula = "formula"


def known_form(form: str) -> str:
    """The format, if there is such a one."""
    if form not in (AUTO, "rich", *render.FORMATS):
        raise CostcalcError(f"no format {shortened(form)}{render.known_format(form)}")
    return form


def _ids(incomplete: str) -> list[str]:
    from costcalc import publications

    return [claim.id for claim in publications.all_claims() if claim.id.startswith(incomplete)]


def _presets(incomplete: str) -> list[str]:
    return [name for name in spec.presets() if name.startswith(incomplete)]


def reported(incomplete: str) -> list[str]:
    """Names that reports can be written of: presets, and papers."""
    from costcalc.report import papers

    return [name for name in (*spec.presets(), *papers.names()) if name.startswith(incomplete)]


_WRITTEN = "a preset, a YAML file, REVISION:FILE of git, - for stdin"
Written = Annotated[str, typer.Argument(metavar="SPEC", help=_WRITTEN, autocompletion=_presets)]
Spec = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help=f"{_WRITTEN}, or a model: torchvision:NAME, timm:NAME, module:factory",
        autocompletion=_presets,
    ),
]
Specs = Annotated[
    list[str],
    typer.Argument(
        metavar="SPEC SPEC...",
        help="presets, YAML files, REVISION:FILE of git, or models, two or more",
        autocompletion=_presets,
    ),
]
Claimed = Annotated[
    str,
    typer.Argument(metavar="ID", help="a claim to derive step by step; none lists all", autocompletion=_ids),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="set a parameter or a layer's field; may be repeated"),
]
Training = Annotated[bool, typer.Option("--training", help="keep the branches that exist only in training")]
Who = Annotated[By, typer.Option("--by", help="trace the torch graph, or use the closed form without torch")]
Layers = Annotated[bool, typer.Option("--layers", help="every layer instead of every block")]
Depth = Annotated[
    int | None, typer.Option("--depth", metavar="N", min=1, help="blocks by the first N parts of their names")
]
Metrics = Annotated[
    str, typer.Option("--metrics", metavar="KEY,KEY", help=f"columns, of: {', '.join(METRICS)}")
]
Source = Annotated[bool, typer.Option("--spec", help="print the YAML itself, to start one's own from")]
MostMacs = Annotated[str | None, typer.Option("--limit", metavar="N", help="most MACs, as 1.5e9 or 1.5G")]
MostParams = Annotated[str | None, typer.Option("--params", metavar="N", help="most parameters")]
MostActivations = Annotated[str | None, typer.Option("--activations", metavar="N", help="most activations")]
MostAlive = Annotated[str | None, typer.Option("--peak-activations", metavar="N", help="most alive at once")]
Limited = Annotated[
    list[str] | None,
    typer.Option("--block", metavar="NAME[:METRIC]=N", help="limit on one block, on MACs unless METRIC"),
]
Uncounted = Annotated[
    list[str] | None,
    typer.Option("--allow-uncounted", metavar="OP", help="judge although the cost of OP is not known"),
]
Tools = Annotated[str, typer.Option("--with", metavar="TOOL,TOOL", help=f"of: {', '.join(conventions.KEYS)}")]
RunThem = Annotated[bool, typer.Option("--run/--no-run", help="run the tools that are installed")]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="[NAME=]SHAPE[:DTYPE]",
        help="an input without batch: 3x299x299, 128:int64, mask=128:bool; may be repeated",
    ),
]
Batch = Annotated[int, typer.Option("--batch", metavar="N", help="samples in the pass of a foreign model")]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype", metavar="DTYPE", help="of a foreign model's weights and inputs: fp32, fp16, bf16"
    ),
]
Keys = Annotated[
    list[str] | None,
    typer.Option("-k", metavar="KEY=VALUE", help="argument of a foreign model's factory; may be repeated"),
]
Train = Annotated[bool, typer.Option("--train", help="forward and backward pass, in training mode")]
Whose = Annotated[
    str,
    typer.Option(
        "--convention",
        metavar="TOOL",
        help=f"print what another counter would: {', '.join(conventions.KEYS)}",
        autocompletion=lambda: list(conventions.KEYS),
    ),
]
Form = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help=f"{', '.join(render.FORMATS)} or rich; auto is rich on a terminal, else text",
        callback=known_form,
        autocompletion=lambda: [AUTO, "rich", *render.FORMATS],
    ),
]
Json = Annotated[bool, typer.Option("--json", help="short for --format json")]


Names = Annotated[
    list[str],
    typer.Argument(metavar="SPEC...", help="presets, YAML files or models", autocompletion=_presets),
]
Batches = Annotated[
    str, typer.Option("--batch", metavar="N,N", help="samples in a pass: one number or several, as 1,8,32")
]
AutoBatches = Annotated[
    str,
    typer.Option(
        "--batch", metavar="N,N", help="samples in a pass, as 1,8,32; auto doubles until it no longer pays"
    ),
]
Where = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda or cuda:N; auto takes a GPU if any")
]
Precise = Annotated[
    str, typer.Option("--dtype", metavar="DTYPE", help="fp32 (IEEE), tf32, fp16 or bf16; in bytes and peaks")
]
Laid = Annotated[
    str,
    typer.Option(
        "--layout", metavar="LAYOUT", help="nchw or channels_last; by default the latter for fp16 and bf16"
    ),
]
How = Annotated[str, typer.Option("--mode", metavar="MODE", help="eager, graph (CUDA graph) or compile")]
Threads = Annotated[
    int, typer.Option("--threads", metavar="N", help="threads on a CPU, pinned to as many cores")
]
Precision = Annotated[
    str, typer.Option("--precision", metavar="P", help="stop where the 95 % interval is within ± this")
]
AtLeast = Annotated[
    str, typer.Option("--min-time", metavar="TIME", help="measure at least so long; by default 0.5s")
]
AtMost = Annotated[str, typer.Option("--max-time", metavar="TIME", help="measure at most so long")]
WarmUp = Annotated[str, typer.Option("--warmup", metavar="TIME", help="warm up at least so long")]
On = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="DEVICE,DEVICE",
        help="keys such as h200,a100,t4,rtx4090, or cpu once calibrated; an unknown one lists all",
    ),
]
MaybeOn = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="DEVICE,DEVICE",
        help="predict the latency there: keys such as h200,a100,t4, or cpu once calibrated",
    ),
]
Longest = Annotated[
    str,
    typer.Option(
        "--latency", metavar="TIME", help="most time of a pass, as 5ms, by prediction --on a device"
    ),
]
Calibrations = Annotated[
    str | None,
    typer.Option(
        "--calibration", metavar="FILE", help="take calibrations from there, not from the user's own"
    ),
]


def pairs(given: Sequence[str] | None, option: str, form: str) -> dict[str, str]:
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


def options(
    sets: Mapping[str, str] | Sequence[str] | None,
    training: bool,
    by: By,
    inputs: Sequence[str] | None,
    batch: int,
    dtype: str,
    keys: Sequence[str] | None,
    train: bool = False,
    convention: str = "",
) -> Options:
    """What a command line says of how to count; ``sets`` as given, or those of one spec among several."""
    return Options(
        settings=sets if isinstance(sets, Mapping) else pairs(sets, "--set", "PATH=VALUE"),
        by=by.value,
        training=training,
        arguments=pairs(keys, "-k", "KEY=VALUE"),
        inputs=tuple(inputs or ()),
        batch=batch,
        dtype=dtype,
        backward=train,
        convention=convention,
    )


def batches(listed: str) -> tuple[int, ...]:
    """``"1,8,32"`` → ``(1, 8, 32)``."""
    found = words(listed)
    if not found or not all(word.isascii() and word.isdigit() and int(word[:9]) for word in found):
        raise CostcalcError(f"--batch {shortened(listed)}: write whole numbers from 1 on, such as 1,8,32")
    if repeated := [word for word in found if found.count(word) > 1]:
        raise CostcalcError(f"--batch {listed}: {repeated[0]} is given twice")
    return tuple(int(word) for word in found)


def rules(precision: str, least: str, most: str, warmup: str) -> Rules:
    """When to stop measuring, as a command line says it."""
    from costcalc.latency.runs import Rules

    text = precision.strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise CostcalcError(f"--precision {shortened(precision)}: write a share, such as 1% or 0.01")
    times = {"--min-time": least or "0.5s", "--max-time": most, "--warmup": warmup}
    found = {option: _seconds(option, text) for option, text in times.items()}
    if not least:
        found["--min-time"] = min(found["--min-time"], found["--max-time"])
    if found["--min-time"] > found["--max-time"]:
        raise CostcalcError(f"--min-time {least} is longer than --max-time {most}")
    return Rules(
        precision=share,
        min_time=found["--min-time"],
        max_time=found["--max-time"],
        warmup=found["--warmup"],
    )


def _seconds(option: str, text: str) -> float:
    if text.strip() in ("0", "0s"):
        return 0.0
    try:
        return duration(text)
    except Misfit as misfit:
        raise CostcalcError(f"{option}: {misfit}") from None


def words(listed: str) -> list[str]:
    """``"a, b"`` → ``["a", "b"]``."""
    return [word.strip() for word in listed.split(",") if word.strip()]


def divided(names: Sequence[str], sets: Sequence[str] | None) -> list[dict[str, str]]:
    """To each of several specs the settings it has; one that none of them has is an error."""
    given = pairs(sets, "--set", "PATH=VALUE")
    if not given:
        return [{} for _ in names]
    settable = [frozenset[str]() if is_foreign(name) else spec.settable(name) for name in names]
    specs = [name for name in names if not is_foreign(name)]
    for path, value in given.items():
        if not any(path in paths for paths in settable):
            if not specs:
                raise CostcalcError(f"--set {path}: none of these is a spec; -k KEY=VALUE is for models")
            spec.load(specs[0], {path: value})  # says what is wrong, with the nearest known path
    return [{path: value for path, value in given.items() if path in paths} for paths in settable]
