"""The sentences of findings: what, where, by how much, and what to do."""

from __future__ import annotations

import shlex
from fractions import Fraction

from costcalc import units
from costcalc.api.results import Costed
from costcalc.checks import JUDGED
from costcalc.errors import Place
from costcalc.findings import CLOSE, Amount, Growth, Predicted
from costcalc.guard import locating
from costcalc.guard.cases import Case
from costcalc.guard.entries import Longest, T, Threshold
from costcalc.guard.growing import Base


def at(place: Place) -> str:
    """``nets/tiny.yaml:7``."""
    return f"{place.file}:{place.line}"


def over(case: Case, part: str, metric: str, figures: Amount, limit: Threshold[int]) -> str:
    """A count above its limit."""
    actual, most = units.distinct(figures.actual, figures.limit)
    share = figures.share
    of_limit = f" ({units.percent(share, 2)} of the limit)" if share is not None else ""
    return (
        f"{case.model.label} {part}".strip()
        + f" has {actual} {case.label(metric)}, {_limit(limit, most)}: {units.count(figures.over)} too many"
        + f"{of_limit}{sitting(case.costed, part, metric)}; {_rule(case, limit)}; {_remedy(case)}"
    )


def grown(
    case: Case,
    part: str,
    metric: str,
    figures: Growth,
    base: Base,
    top: tuple[str, int],
    limit: Threshold[Fraction],
    spot: Place | None,
) -> str:
    """A count that grew more than it may; ``top`` is the block that grew most, and by how much."""
    more = figures.actual - (figures.base or 0)
    share = f", {units.percent(figures.share, 2)}" if figures.share is not None else ""
    block, by = top
    where = f", most in {block} ({', '.join([f'+{units.prose(by)}', *_spotted(spot)])})" if block else ""
    where = f", written in {at(spot)}" if part and spot else where
    allowed = _limit(limit, units.percent(limit.most) if limit.most else "none")
    actual = f"{units.prose(figures.actual)} {case.label(metric)}"
    return (
        f"{case.model.label} {part}".strip()
        + f" has {actual}, {units.count(more)} more than in {base.name}{share} ({allowed})"
        + f"{where}; {_rule(case, limit)}{_meant(case, base)}"
    )


def _meant(case: Case, base: Base) -> str:
    """What to do about growth: accept it, or see what it comes from."""
    if not base.revision:
        return "; if it is meant: `costcalc guard lock`"
    if case.model.file is None and not case.model.runs_code:
        return ""
    words = ["costcalc", "diff", _as_argument(case.model.name), "--from", base.name]
    words += [
        word for key, value in case.model.options.settings.items() for word in ("--set", f"{key}={value}")
    ]
    words += [
        word for key, value in case.model.options.arguments.items() for word in ("-k", f"{key}={value}")
    ]
    words += [word for shape in case.model.options.inputs for word in ("--input", shape)]
    return f"; `{shlex.join(words)}` says what changed"


def late(
    case: Case,
    longest: Longest,
    figures: Predicted,
    limit: Threshold[float],
    verdict: str,
    spot: Place | None,
) -> str:
    """A latency above its limit, or too close to it."""
    band = f"{units.seconds(figures.low)} to {units.seconds(figures.high)}"
    where = f"on {longest.device} at batch {longest.batch}"
    shown = f"{case.model.label} takes {units.seconds(figures.seconds)} {where} by prediction ({band})"
    most = _limit(limit, units.seconds(figures.limit))
    if verdict == CLOSE:
        measured = f"costcalc bench {shlex.quote(case.model.name)} --batch {longest.batch}"
        remedy = f"that lies in the range, so there is no verdict: measure it there, `{measured}`"
        return f"{shown}, {most}: {remedy}; {_rule(case, limit)}"
    sitting = f", longest in a block written in {at(spot)}" if spot else ""
    return f"{shown}, {most}: {units.seconds(figures.over)} too long{sitting}; {_rule(case, limit)}"


def _limit(limit: Threshold[T], most: str) -> str:
    return f"limit {most}" if limit.level == "error" else f"warned above {most}"


def _rule(case: Case, limit: Threshold[T]) -> str:
    reason = f" ({case.budget.reason})" if case.budget.reason else ""
    return f"the limit stands in {at(limit.place)}{reason}"


def _remedy(case: Case) -> str:
    name = shlex.quote(_as_argument(case.model.label))
    if case.model.foreign:
        code = "--allow-code " if case.model.runs_code else ""
        return f"`costcalc guard --why {code}{name}` ranks what is behind it"
    return f"`costcalc guard --why {name}` names what would lower it"


def _as_argument(name: str) -> str:
    """A name that a shell's command takes for no option."""
    return f"./{name}" if name.startswith("-") else name


def sitting(costed: Costed, part: str, metric: str) -> str:
    """``, most in conv2 (61.0 %, nets/tiny.yaml:7)``; of a block where it was written."""
    if part:
        spot = locating.spot(costed, part)
        return f", written in {at(spot)}" if spot else ""
    top = locating.costliest(costed, metric)
    share = Fraction(JUDGED[metric](top), JUDGED[metric](costed.whole))
    told = [units.percent(share), *_spotted(locating.spot(costed, top.name))]
    return f", most in {top.name} ({', '.join(told)})"


def _spotted(spot: Place | None) -> list[str]:
    return [at(spot)] if spot else []
