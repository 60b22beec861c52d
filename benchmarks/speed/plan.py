"""What is measured: who counts, which models, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from costcalc import conventions

MODELS = (
    "alexnet googlenet vgg16 inception_v3 resnet50 resnet152 densenet121 vit_b_16 convnext_tiny swin_t"
).split()
SIDES = {"inception_v3": 299}  # pixels; 224 for the others
# the same networks as specs, as far as there are presets of them
SPECS = {
    "alexnet": "alexnet-torchvision",
    "googlenet": "googlenet-torchvision",
    "inception_v3": "inception-v3",
    **{name: name for name in ("vgg16", "resnet50", "resnet152", "densenet121")},
}
OURS = {
    "load": "costcalc, reading the spec",
    "setting": "costcalc, recorded closed form",
    "formula": "costcalc, closed form by layer",
    "trace": "costcalc, trace of the spec",
    "show": "costcalc, table of all layers",
    "count": "costcalc, any model",
}
# as conventions call them, with a name that is short enough for a table
PEERS = {
    "fvcore": "fvcore",
    "flopcounter": "FlopCounterMode (meta)",
    "flopcounter-cpu": "FlopCounterMode (CPU)",
    "ptflops": "ptflops (pytorch)",
    "ptflops-aten": "ptflops (aten)",
    "thop": "thop",
    "ultralytics-thop": "ultralytics-thop",
    "torchinfo": "torchinfo",
    "torchprofile": "torchprofile",
    "calflops": "calflops",
    "deepspeed": "DeepSpeed",
}
COMMAND, BASE = "costcalc", "python"  # subjects of the prompt: a command line, and what Python imports alone
CHAIN = "chain"
RESOLUTIONS, BATCHES, DEPTHS = (224, 448, 896, 2048), (1, 4, 16, 64), (100, 300, 1000, 5000)
CLOSED_FORM, FRAMEWORKS = "import typer, rich.table, pydantic, yaml", "import torch, fvcore.nn"
HELP = "import typer, rich"
# each beside what it is held against, and the most that it may take of that
PROMPTS = {
    "--help": (HELP, 1.1),
    "--version": (HELP, 1.1),
    "show googlenet --by formula": (CLOSED_FORM, 1.3),
    "budget googlenet --limit 1.5e9 --by formula": (CLOSED_FORM, 1.3),
    "compare naive reduced --by formula": (CLOSED_FORM, 1.3),
    "claims G05": (CLOSED_FORM, 1.3),
    "claims": (CLOSED_FORM, 1.3),
    "show googlenet": (FRAMEWORKS, 1.2),
}
# a million settings each: widths and resolutions, depths and resolutions
SWEEPS = (
    "sweep mobilenet-v1 --over width=1:100 --over input=3x32:428:4 --over classes=1:100",
    "sweep resnet50 --over n4=1:20 --over input=3x224:1792:32 --over classes=1:1000",
)
SETTINGS = 10**6
PROMPT_TIMES = 3  # a round: they are short, and the noisiest


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement: a ``subject`` counts a ``model`` of ``size`` pixels a side (a chain: layers).

    ``group`` is the table it belongs to; ``again`` means the same measurement once more, to see the noise.
    """

    group: str
    subject: str
    model: str
    size: int = 0
    batch: int = 1

    @property
    def measured(self) -> tuple[str, str, int, int]:
        """What is measured, whichever table it is for."""
        return self.subject, self.model, self.size, self.batch


AGAIN = (
    ("fvcore", "googlenet"),
    ("flopcounter", "resnet50"),
    ("count", "resnet50"),
    ("trace", "resnet50"),
    ("formula", "googlenet"),
)


def title(subject: str) -> str:
    """What a reader knows it as."""
    return {COMMAND: COMMAND, BASE: BASE, **OURS, **PEERS}[subject]


def distribution(subject: str) -> str:
    """What has to be installed for it."""
    return "costcalc" if subject in OURS else conventions.named(subject).distribution


def per_mac(subject: str) -> int:
    """What it adds for one multiply-add: two where it says FLOPs and means them."""
    return 2 if subject not in OURS and conventions.named(subject).calls_it == "FLOPs" else 1


def side(model: str) -> int:
    """Pixels a side of the usual input."""
    return SIDES.get(model, 224)


def full() -> list[Case]:
    """Everything, in the order of one round."""
    return [
        *_prompts(tuple(PROMPTS)),
        *(Case("sweep", COMMAND, command) for command in SWEEPS),
        *_zoo(MODELS, tuple(PEERS)),
        *_resolutions(RESOLUTIONS, ("fvcore", "flopcounter", "flopcounter-cpu", "torchinfo")),
        *_batches(BATCHES, ("fvcore", "flopcounter", "flopcounter-cpu", "torchinfo")),
        *_depths(DEPTHS, ("fvcore", "flopcounter", "torchinfo")),
    ]


def quick() -> list[Case]:
    """A little of everything."""
    return [
        *_prompts(("show googlenet --by formula", "--help", "show googlenet")),
        *_zoo(("googlenet", "resnet50", "vit_b_16"), tuple(PEERS)),
        *_resolutions((224, 448), ("fvcore", "flopcounter")),
        *_batches((1, 4), ("fvcore", "flopcounter")),
        *_depths((100, 300), ("fvcore", "flopcounter")),
    ]


def only(cases: Sequence[Case], groups: Collection[str]) -> list[Case]:
    """Those of some groups, and what is measured again of them."""
    chosen = {case.measured for case in cases if case.group in groups}
    return [
        case for case in cases if case.group in groups or (case.group == "again" and case.measured in chosen)
    ]


def _prompts(commands: Sequence[str]) -> Iterator[Case]:
    """Each base just before what is held against it: what ran last is still near the processor."""
    bases = dict.fromkeys(PROMPTS[command][0] for command in commands)
    for _ in range(PROMPT_TIMES):
        yield Case("again", BASE, CLOSED_FORM)
        for base in bases:
            yield Case("prompt", BASE, base)
            own = (command for command in commands if PROMPTS[command][0] == base)
            yield from (Case("prompt", COMMAND, command) for command in own)


def _zoo(models: Sequence[str], peers: Sequence[str]) -> Iterator[Case]:
    for model in models:
        ours = ("load", "setting", "formula", "trace", "count") if model in SPECS else ("count",)
        cases = [Case("zoo", subject, model, side(model)) for subject in (*ours, *peers)]
        yield from cases
        yield from (replace(case, group="again") for case in cases if (case.subject, model) in AGAIN)


def _resolutions(sizes: Sequence[int], peers: Sequence[str]) -> Iterator[Case]:
    for size in sizes:
        yield from (Case("resolution", who, "vgg16", size) for who in ("formula", "trace", "count", *peers))


def _batches(batches: Sequence[int], peers: Sequence[str]) -> Iterator[Case]:
    for batch in batches:
        yield from (Case("batch", who, "resnet50", 224, batch) for who in ("count", *peers))


def _depths(depths: Sequence[int], peers: Sequence[str]) -> Iterator[Case]:
    for depth in depths:
        yield from (
            Case("depth", who, CHAIN, depth) for who in ("load", "formula", "trace", "show", "count", *peers)
        )


def turned(cases: Sequence[Case], number: int) -> list[Case]:
    """The cases of a round: of each thing counted, another subject begins in every round."""
    found = []
    for _, group in groupby(cases, key=lambda case: (case.model, case.size, case.batch)):
        same = list(group)
        start = number % len(same)
        found += same[start:] + same[:start]
    return found
