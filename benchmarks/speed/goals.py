"""The goals as ratios within one run: what is wanted, what was measured, and whether it is met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.speed import plan
from benchmarks.speed.figures import Data, ratio
from benchmarks.speed.plan import CHAIN, PEERS, Case

MIB = 1024**2
# a goal by its words → why no more is to be had, for those that a measurement has shown to be out of reach
FLOORS: dict[str, str] = {}
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
    for subject, words in (("formula", "closed form by layer"), ("setting", "closed form recorded once")):
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
