"""Tables and charts of each group of measurements: prompts, sweeps, models, and what grows."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from benchmarks.speed import plan, tables
from benchmarks.speed.figures import Data, ratio
from benchmarks.speed.plan import Case
from benchmarks.speed.tables import off, times
from costcalc import units
from costcalc.records import Cell, Column, Grid
from costcalc.report import inline
from costcalc.report.document import Bar, Bars, Element, Items, Lines, Section, Series, Table, Text

TINY = 5e-5  # of a count: a difference that two decimals of a percentage would hide
CORRECT = (
    "What each says, in multiply-adds (FLOPs halved), against the exact number, which is costcalc's count "
    "of the model; closed form and trace reach it from the spec. Differences are shares, tiny ones numbers. "
    "`costcalc reconcile` explains each, term by term: what a counter bills beside multiply-adds, and what "
    "it does not see."
)
ABOVE_IMPORTS = "memory above the imports, weights included"
MOST_LINES = 6  # that have colours of their own


def section(data: Data, group: str) -> Section:
    """A group's tables and charts."""
    heading, elements = SECTIONS[group]
    failed = sorted({(case.subject, data.error(case)) for case in data.cases(group) if data.error(case)})
    told = tuple(f"{plan.title(who)}: {inline.literal(why)}" for who, why in failed)
    return Section(heading, (*elements(data), *((Items(told),) if told else ())))


def _crossed(
    data: Data,
    key: str,
    title: str,
    group: str,
    across: Callable[[Case], str],
    value: Callable[[Case], Cell],
    style: str,
) -> Grid:
    """A row a subject, a column for each thing counted."""
    cases = data.cases(group)
    heads = list(dict.fromkeys(map(across, cases)))
    place = {(case.subject, across(case)): case for case in cases}
    rows = []
    for who in dict.fromkeys(case.subject for case in cases):
        found = [place.get((who, head)) for head in heads]
        rows.append((plan.title(who), *(value(case) if case else None for case in found)))
    columns = (Column("counter", "counter", "name"), *(Column(head, head, style) for head in heads))  # type: ignore[arg-type]
    return Grid(key, title, columns, tuple(rows))


def _prompts(data: Data) -> tuple[Element, ...]:
    columns = (
        Column("command", "command", "name"),
        Column("time", "CPU time", "seconds"),
        Column("base", "of the imports", "seconds"),
        Column("ratio", "ratio", "figure"),
        Column("imports", "imports", "name"),
    )
    rows: list[tuple[Cell, ...]] = []
    for case in data.cases("prompt"):
        if case.subject == plan.COMMAND:
            base = Case("prompt", plan.BASE, plan.PROMPTS[case.model][0])
            taken, start = data.seconds(case), data.seconds(base)
            told = tables.told(ratio(taken, start), "×")
            rows.append((f"costcalc {case.model}", taken, start, told, base.model))
    grid = Grid("prompt", "", columns, tuple(rows))
    words = "A process from its start to its end, beside one that only imports what the command needs."
    return Text(words), Table(grid)


def _sweeps(data: Data) -> tuple[Element, ...]:
    columns = (
        Column("command", "command", "name"),
        Column("time", "CPU time", "seconds"),
        Column("each", "a setting", "seconds"),
    )
    found = [(case, data.seconds(case)) for case in data.cases("sweep")]
    rows = tuple(
        (f"costcalc {case.model}", taken, taken / plan.SETTINGS if taken else None) for case, taken in found
    )
    words = "Every setting is counted, exactly as by itself; the whole process, from its start to its end."
    return Text(words), Table(Grid("sweep", "", columns, rows))


def _zoo(data: Data) -> tuple[Element, ...]:
    def model(case: Case) -> str:
        return case.model

    return (
        Text(
            "CPU time of one count: the median of calls after the first. The closed form and the trace count "
            "the same network from a spec; all others are given torchvision's model."
        ),
        Table(
            _crossed(
                data, "time", "CPU time of a count", "zoo", model, lambda case: data.seconds(case), "seconds"
            )
        ),
        *_compared(data),
        Table(
            _crossed(
                data,
                "first",
                "CPU time of the first count",
                "zoo",
                model,
                lambda case: data.seconds(case, first=True),
                "seconds",
            ),
            open=False,
        ),
        Table(_crossed(data, "peak", ABOVE_IMPORTS, "zoo", model, data.peak, "bytes"), open=False),
        Table(_crossed(data, "own", "memory above the model", "zoo", model, data.own, "bytes"), open=False),
        *_correct(data),
    )


def _compared(data: Data) -> tuple[Element, ...]:
    """Bars for the models that the goals speak of."""
    charts = []
    for model in ("googlenet", "resnet50", "vit_b_16"):
        taken = [(case.subject, data.seconds(case)) for case in data.cases("zoo") if case.model == model]
        known = [(who, value) for who, value in taken if value is not None]
        bars = tuple(
            Bar(plan.title(who), value, units.seconds(value))
            for who, value in sorted(known, key=lambda one: one[1])
        )
        if bars:
            charts.append(Bars(f"time-{model}", f"CPU time to count {model}", bars, "seconds"))
    return tuple(charts)


def _correct(data: Data) -> tuple[Element, ...]:
    models = list(dict.fromkeys(case.model for case in data.cases("zoo")))
    columns = (Column("counter", "counter", "name"), *(Column(model, model, "figure") for model in models))
    exact = {model: data.count(Case("zoo", "count", model, plan.side(model))) for model in models}
    rows: list[tuple[Cell, ...]] = [("exact MACs", *(each and units.count(each) for each in exact.values()))]
    for who in dict.fromkeys(case.subject for case in data.cases("zoo") if case.subject != "load"):
        rows.append((plan.title(who), *(_off(off(data, who, model), exact[model]) for model in models)))
    return Text(CORRECT), Table(Grid("correct", "what they count", columns, tuple(rows)))


def _off(much: Fraction | None, exact: int | None) -> str | None:
    """A difference as a share, a tiny one as the number that it is."""
    if much is None or not exact:
        return None
    if abs(much / exact) >= TINY:
        return f"{float(much / exact):+.2%}".replace("%", " %")
    return f"{float(much):+,g}" if much else "exact"


def _growth(
    group: str, size: Callable[[Case], int], words: str, title: str
) -> Callable[[Data], tuple[Element, ...]]:
    """Tables of times and memory as something grows, and a chart of each subject against its own start."""

    def elements(data: Data) -> tuple[Element, ...]:
        def head(case: Case) -> str:
            return f"{size(case):,}"

        return (
            Text(words),
            Table(
                _crossed(
                    data,
                    f"{group}-time",
                    "CPU time of a count",
                    group,
                    head,
                    lambda case: data.seconds(case),
                    "seconds",
                )
            ),
            *_lines(data, group, size, title),
            Table(
                _crossed(data, f"{group}-peak", ABOVE_IMPORTS, group, head, data.peak, "bytes"),
                open=False,
            ),
        )

    return elements


def _lines(data: Data, group: str, size: Callable[[Case], int], title: str) -> tuple[Element, ...]:
    """How many times its own time at the smallest size each takes; of a chain, the time of a layer."""
    cases = data.cases(group)
    sizes = list(dict.fromkeys(map(size, cases)))
    series = []
    for who in dict.fromkeys(case.subject for case in cases):
        taken = [_each(data, case) for case in cases if case.subject == who]
        ratios = [ratio(value, taken[0]) for value in taken]
        known = tuple(value for value in ratios if value is not None)
        if len(known) == len(sizes):
            series.append(Series(plan.title(who), known, tuple(map(times, known))))
    labels = tuple(f"{each:,}" for each in sizes)
    shown = [Lines(f"{group}-growth", title, labels, tuple(series[:MOST_LINES]), "times its own")]
    return tuple(shown) if series else ()


def _each(data: Data, case: Case) -> float | None:
    """The time of a model, or of one layer of a chain."""
    taken = data.seconds(case)
    return taken and taken / (case.size if case.model == plan.CHAIN else 1)


def _side(case: Case) -> int:
    return case.size


def _batch(case: Case) -> int:
    return case.batch


SECTIONS: dict[str, tuple[str, Callable[[Data], tuple[Element, ...]]]] = {
    "prompt": ("At the prompt", _prompts),
    "sweep": ("A million settings", _sweeps),
    "zoo": ("Ten models", _zoo),
    "resolution": (
        "Growth in resolution",
        _growth(
            "resolution",
            _side,
            "VGG-16, by pixels a side.",
            f"time to count vgg16, at {plan.RESOLUTIONS[0]} pixels = 1",
        ),
    ),
    "batch": (
        "Growth in batch",
        _growth("batch", _batch, "ResNet-50, by images a batch.", "time to count resnet50, at batch 1 = 1"),
    ),
    "depth": (
        "Growth in depth",
        _growth(
            "depth",
            _side,
            "A chain of 1×1 convolutions and activations, by layers. The table of all layers includes the "
            f"closed form. Linear: {plan.DEPTHS[-1] // plan.DEPTHS[0]}× at {plan.DEPTHS[-1]:,} layers.",
            f"time per layer of a chain, at {plan.DEPTHS[0]} layers = 1",
        ),
    ),
}
