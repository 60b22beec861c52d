"""From measurements to the page: which sections it has, and what is said in short."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePath

from benchmarks.speed import goals, groups, plan, tables
from benchmarks.speed.figures import Data, ratio
from benchmarks.speed.goals import Goal
from benchmarks.speed.plan import Case
from costcalc.report import markdown
from costcalc.report.document import Document, Items, Section, Table, Text
from costcalc.report.wording import listed, several

MARK = "<!-- generated: `python -m benchmarks.speed render` writes over it -->\n"


def files(data: Data, output: Path) -> dict[str, str]:
    """The page and its charts, path → text; charts lie in ``charts`` beside the page."""
    texts = markdown.written(document(data, output.stem))
    return {str(PurePath(output.parent) / name): MARK + text for name, text in texts.items()}


def document(data: Data, name: str) -> Document:
    """All of it; a group that was not measured has no section."""
    found = goals.judged(data)
    sections = (
        Section("In short", (Items(tuple(_short(data, found))),)),
        Section("Goals", (Text(READING), Table(tables.goals(found)), *_floors(found))),
        *(groups.section(data, group) for group in groups.SECTIONS if data.cases(group)),
        Section("How noisy the machine was", (Text(NOISE), Table(tables.noise(data)), Text(_loads(data)))),
        Section("Where and how", (Items(METHOD), Items(tuple(_where(data))))),
    )
    quick = " A quick run on a few models, to try the harness." if data.environment["quick"] else ""
    lead = f"What counting takes: costcalc beside {listed(list(plan.PEERS.values()))}.{quick}"
    return Document(name, "Benchmarks", lead, sections, FOOTER)


FOOTER = (
    "Measured by `python -m benchmarks.speed run`, written by `python -m benchmarks.speed render` from "
    "[the measurements](runs/benchmarks.json).",
)
READING = (
    "Ratios of CPU times within one run: the median of all rounds of the first, over that of the second. "
    "Goals are about calls after the first in a process; **first calls**, which pay for what is set up "
    "once, stand beside them. Prompts are whole processes."
)
NOISE = (
    "The same measurement twice in every round, as if it were two subjects. "
    "A ratio that differs from 1 by less than these do says nothing. Spread: from the fastest round to the "
    "slowest, over the median."
)
METHOD = (
    "Each subject has a process of its own, which imports all that it needs and then measures every case in "
    "a fork of itself: no call has been made there before. One thread.",
    "Times are CPU times of the process, user and system. Building the model and its input is left out. In a "
    "round the subjects take turns at one model, another of them beginning each time; a call of more than "
    "5 s is measured in the first round only.",
    "Memory is anonymous memory at its peak during the first call, above what the imports left: pages of "
    "libraries are left out, and weights are in it where a counter is given a model that can be run.",
    "Weights hold a constant, since costs do not depend on them; models are in eval mode, gradients as torch "
    "has them by default.",
)


def _short(data: Data, found: list[Goal]) -> list[str]:
    """Verdicts, the goals about models and growth in a sentence each, and who counts right."""
    verdicts = Counter(goal.verdict for goal in found)
    told = [
        f"**{verdicts[word]} {word}**" for word in (goals.MET, goals.MISSED, goals.OPEN) if verdicts[word]
    ]
    models = [case.model for case in data.cases("zoo") if case.subject == "count"]
    lines = [f"Of {several(len(found), 'goal')}: {listed(told)}."]
    return [*lines, *_leading(data, models), *_growing(data), *_exact(data, models)]


def _leading(data: Data, models: list[str]) -> list[str]:
    """How the count of any model stands to the fastest peer, model by model."""
    shares = {}
    for model in models:
        fastest = goals.fastest(data, model)
        cases = [Case("zoo", who, model, plan.side(model)) for who in ("count", fastest or "")]
        if share := ratio(*map(data.seconds, cases)):
            shares[model] = share
    if not shares:
        return []
    low, high = (choose(shares, key=lambda name: shares[name]) for choose in (min, max))
    return [
        "Any model, with a row for each of its modules, beside the fastest peer of each: between "
        f"{tables.times(shares[low])} ({low}) and {tables.times(shares[high])} ({high}) of its time."
    ]


def _growing(data: Data) -> list[str]:
    """What resolution does to a trace, by costcalc and by fvcore alone."""
    sizes = sorted({case.size for case in data.cases("resolution")})
    grown = {}
    for who in ("trace", "fvcore"):
        ends = [data.seconds(Case("resolution", who, "vgg16", size)) for size in (*sizes[-1:], *sizes[:1])]
        if share := ratio(*ends) if ends else None:
            grown[who] = tables.times(share)
    if len(grown) < 2:
        return []
    return [
        f"vgg16 at {sizes[-1]} pixels takes costcalc's trace {grown['trace']} its time at {sizes[0]}, fvcore "
        f"alone {grown['fvcore']}."
    ]


def _exact(data: Data, models: list[str]) -> list[str]:
    """Which peers count multiply-adds as they are, on every model."""
    if not models:
        return []
    right = [
        plan.title(peer) for peer in plan.PEERS if all(tables.off(data, peer, model) == 0 for model in models)
    ]
    return [f"Exact on {several(len(models), 'model')}: {listed(['costcalc', *right])}."]


def _floors(found: list[Goal]) -> tuple[Items, ...]:
    """Why what is missed cannot be met, where that is known."""
    missed = [goal.what for goal in found if goal.verdict == goals.MISSED]
    lines = tuple(f"{what}: {why}" for what, why in goals.FLOORS.items() if what in missed)
    return (Items(lines),) if lines else ()


def _loads(data: Data) -> str:
    loads = [f"{value:.2f}" for value in data.environment.get("load", {}).values()]
    return f"Load average of the machine when each round began: {listed(loads)}."


def _where(data: Data) -> list[str]:
    here = data.environment
    machine = f"{here['cpu']}{' (a virtual machine)' if here['virtual'] else ''}"
    counters = {plan.title(key): found for key, found in here["counters"].items() if key not in plan.OURS}
    return [
        f"{machine}, {several(here['cores'], 'core')}, {here['memory'] / 2**30:.1f} GiB; {here['system']}",
        f"{here['python']}; {_versions(here['libraries'])}",
        f"Counters: {_versions(counters)}",
        f"costcalc as of the sources with hash `{here['sources']}`",
        f"{here['date']}; {several(here['rounds'], 'round')}",
    ]


def _versions(of: dict[str, str | None]) -> str:
    return ", ".join(f"{name} {version}" for name, version in of.items() if version)
