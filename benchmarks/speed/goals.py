"""The goals as ratios within one run: what is wanted, what was measured, and whether it is met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.speed import plan
from benchmarks.speed.figures import Data, ratio
from benchmarks.speed.plan import CHAIN, PEERS, Case

MIB = 1024**2
# a goal by its words → why no more is to be had, for those that a measurement has shown to be out of reach
_UNSEEN = (
    "a hundred layers fit into memory that the imports left free, so that their layers seem to take "
    "less; what every further layer takes stands in the line below it"
)
_RECORDED = (
    "FlopCounterMode adds up one number for each operator. Of ResNet-50's 11 ms in a profile, 6 are "
    "the pass with a full record of every operator (module, arguments, shapes, buffers, what is "
    "held), 3 make the model countable and put it back exactly as it was, 1.5 say who owns what and "
    "fold it by module. Less would be a count without a breakdown, or a model that is not restored"
)
FLOORS: dict[str, str] = {
    "costcalc claims ÷ import typer, rich.table, pydantic, yaml": (
        "109 claims rest on 133 specs, each of them read and counted anew, and on 30 formulas that "
        "are derived on symbols: importing sympy alone takes 2.8 times as long as those imports. One "
        "claim (`costcalc claims G05`) is within the bound"
    ),
    "googlenet: fvcore ÷ closed form by layer": (
        "that is a row of seven counts for each of 197 layers, 3 µs a row; the totals, from a "
        "recording of the same code, are the line below"
    ),
    **{f"{model}: any model ÷ FlopCounterMode on meta": _RECORDED for model in ("resnet50", "vit_b_16")},
    **{
        f"{stage}: memory of a layer of 5,000 ÷ of 100": _UNSEEN
        for stage in ("reading the spec", "closed form", "table of all layers")
    },
}
MET, MISSED, OPEN = "met", "missed", "not measured"
SAME_TIME = 1.0  # of two measurements, one of which should be no slower
FASTER, FEW = 2000, 5.0  # times; what "a few seconds" is taken for


@dataclass(frozen=True, slots=True)
class Goal:
    """At most (or ``least``: at least) ``bound`` is wanted; ``value`` was measured, None if it was not.

    ``first`` is the same of first calls, for which nothing is wanted. ``unit`` is ``×``, ``s`` or ``MiB``.
    """

    number: int
    what: str
    bound: float
    value: float | None
    first: float | None = None
    least: bool = False
    unit: str = "×"

    @property
    def verdict(self) -> str:
        """Whether it is met; what was not measured is neither met nor missed."""
        if self.value is None:
            return OPEN
        return MET if (self.value >= self.bound if self.least else self.value <= self.bound) else MISSED


def judged(data: Data) -> list[Goal]:
    """Every goal that the run is about."""
    parts = (_prompt, _closed_form, _trace, _memory, _models, _fastest, _depth)
    return [goal for part in parts for goal in part(data)]


def _prompt(data: Data) -> Iterator[Goal]:
    for command, (base, most) in plan.PROMPTS.items():
        taken = data.seconds(Case("prompt", plan.COMMAND, command))
        start = data.seconds(Case("prompt", plan.BASE, base))
        yield Goal(1, f"costcalc {command} ÷ {base}", most, ratio(taken, start))


def _zoo(subject: str, model: str) -> Case:
    return Case("zoo", subject, model, plan.side(model))


def _beside(data: Data, subject: str, peer: str, model: str) -> tuple[float | None, float | None]:
    """A subject's time as a multiple of a peer's: repeated, and at the first call."""
    ours, theirs = _zoo(subject, model), _zoo(peer, model)
    later, first = (ratio(data.seconds(ours, f), data.seconds(theirs, f)) for f in (False, True))
    return later, first


def _closed_form(data: Data) -> Iterator[Goal]:
    for subject, words in (("formula", "closed form by layer"), ("setting", "recorded closed form")):
        pair = _beside(data, "fvcore", subject, "googlenet")
        yield Goal(2, f"googlenet: fvcore ÷ {words}", FASTER, *pair, least=True)
    traced = data.seconds(_zoo("fvcore", "googlenet"))
    for command in plan.SWEEPS:
        taken, name = data.seconds(Case("sweep", plan.COMMAND, command)), command.split()[1]
        each = taken / plan.SETTINGS if taken else None
        yield Goal(2, f"{name}: a million settings, from the prompt", FEW, taken, unit="s")
        yield Goal(2, f"fvcore's googlenet ÷ one of these {name}", FASTER, ratio(traced, each), least=True)


def _trace(data: Data) -> Iterator[Goal]:
    for model, most in (("vgg16", 0.1), ("googlenet", SAME_TIME), ("resnet50", SAME_TIME)):
        yield Goal(3, f"{model}: trace of the spec ÷ fvcore", most, *_beside(data, "trace", "fvcore", model))
    small, large = (Case("resolution", "trace", "vgg16", size) for size in (224, 2048))
    later, at_first = (ratio(data.seconds(large, f), data.seconds(small, f)) for f in (False, True))
    yield Goal(3, "vgg16: trace of the spec at 2048 pixels ÷ at 224", 1.2, later, at_first)


def _memory(data: Data) -> Iterator[Goal]:
    peaks = [data.peak(case) for case in data.cases("resolution") if case.subject == "trace"]
    known = [peak / MIB for peak in peaks if peak is not None]
    worst = max(known) if known and len(known) == len(peaks) else None
    yield Goal(3, "vgg16: memory of the trace above the imports, at any resolution", 20, worst, unit="MiB")


def _models(data: Data) -> Iterator[Goal]:
    for model in ("resnet50", "vit_b_16"):
        pair = _beside(data, "count", "flopcounter", model)
        yield Goal(4, f"{model}: any model ÷ FlopCounterMode on meta", 0.15, *pair)


def fastest(data: Data, model: str) -> str | None:
    """The peer that takes the least time for a model, be its count right or wrong."""
    times = {peer: data.seconds(_zoo(peer, model)) for peer in PEERS}
    return min((peer for peer in PEERS if times[peer]), key=lambda peer: times[peer] or 0, default=None)


def _fastest(data: Data) -> Iterator[Goal]:
    for model in plan.MODELS:
        peer = fastest(data, model)
        pair = _beside(data, "count", peer, model) if peer else (None, None)
        words = f"the fastest peer, {plan.title(peer)}" if peer else "the fastest peer"
        yield Goal(4, f"{model}: any model ÷ {words}", SAME_TIME, *pair)


def _depth(data: Data) -> Iterator[Goal]:
    short, long = plan.DEPTHS[0], plan.DEPTHS[-1]
    stages = {
        "load": "reading the spec",
        "formula": "closed form",
        "trace": "trace",
        "show": "table of all layers",
    }
    for subject, words in stages.items():
        cases = [Case("depth", subject, CHAIN, size) for size in (long, short)]
        later, first = (
            ratio(*[each / case.size if (each := data.seconds(case, f)) else None for case in cases])
            for f in (False, True)
        )
        yield Goal(5, f"{words}: a layer of {long:,} ÷ a layer of {short}", 1.3, later, first)
        memory = ratio(*[each / case.size if (each := data.peak(case)) else None for case in cases])
        yield Goal(5, f"{words}: memory of a layer of {long:,} ÷ of {short}", 1.3, memory)
        further = ratio(
            *[_further(data, subject, *sizes) for sizes in (plan.DEPTHS[-2:], plan.DEPTHS[-3:-1])]
        )
        span = "{1:,} to {2:,} ÷ from {0:,} to {1:,}".format(*plan.DEPTHS[-3:])
        yield Goal(5, f"{words}: memory of each further layer, from {span}", 1.3, further)


def _further(data: Data, subject: str, few: int, many: int) -> float | None:
    """What each layer beyond the first few takes, in bytes."""
    peaks = [data.peak(Case("depth", subject, CHAIN, size)) for size in (few, many)]
    known = [peak for peak in peaks if peak is not None]
    return (known[1] - known[0]) / (many - few) if len(known) == 2 else None
