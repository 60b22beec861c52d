"""What the costs of an architecture come to, in words and exact figures, by plain rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate

from costcalc import units
from costcalc.api.counted import Counted
from costcalc.api.results import Costed
from costcalc.publications.records import ClaimVerdict
from costcalc.publications.verdicts import CONFIRMED, DERIVED, MEANINGS, NO_COST, TO_STATED_PRECISION
from costcalc.records import Part
from costcalc.report.inline import code, literal
from costcalc.report.wording import capitalised, listed, several

MOST_NAMED = 4  # blocks that a sentence can name
HELD = Fraction(1, 2)  # of a count: what the fewest blocks are named for
COMING_OUT = (CONFIRMED, TO_STATED_PRECISION)
UNJUDGED = (DERIVED, NO_COST)


def lead(of: Costed) -> str:
    """What it is, and the four counts."""
    subject, whole, labels = of.subject, of.whole, of.labels
    taken = [units.shape(shape) or "a scalar" for shape in subject.inputs]
    counted, written = _bounds(of)
    what = f"{literal(capitalised(subject.summary)).rstrip('.')}. " if subject.summary else ""
    return (
        f"{what}One pass over {_inputs(taken)} takes {counted}**{units.count(whole.cost.macs)} "
        f"{labels['macs']}** and holds **{units.count(whole.cost.params)} params**. It writes "
        f"{written}**{units.count(whole.cost.writes)} activations**, of which at most "
        f"**{units.count(whole.structure.peak_activations)}** must be alive at once."
    )


def _inputs(shapes: Sequence[str]) -> str:
    return f"{'an input' if len(shapes) == 1 else 'inputs'} of {listed(shapes)}"


def _bounds(of: Costed) -> tuple[str, str]:
    """What stands before MACs and activations that are no exact counts; why is said by the view."""
    if not isinstance(of, Counted):
        return "", ""
    least, most = bool(of.uncounted), bool(of.execution.assumed)
    macs = {(True, False): "at least ", (False, True): "at most ", (True, True): "about "}
    return macs.get((least, most), ""), "at most " if most else ""


def items(of: Costed) -> tuple[str, ...]:
    """Where each count sits, and how deep the network is."""
    return (
        f"**{of.labels['macs']}.** {dominating(of.blocks, of.labels['macs'], lambda part: part.cost.macs)}",
        f"**Params.** {dominating(of.blocks, 'params', lambda part: part.cost.params)}",
        f"**Activations.** {_written(of)}",
        *([f"**Depth.** {_deep(of)}"] if of.whole.structure.depth is not None else []),
    )


def dominating(parts: Sequence[Part], label: str, count: Callable[[Part], int]) -> str:
    """The fewest blocks that hold half of a count, or the costliest few where these are many."""
    ranked = sorted((part for part in parts if count(part)), key=count, reverse=True)
    whole = sum(map(count, parts))
    if not ranked:
        return f"There are no {label}."
    if len(ranked) == 1:
        return f"All {units.count(whole)} {label} are in {code(ranked[0].name)}."
    empty = len(parts) - len(ranked)
    none = f"; {empty} of the {len(parts)} blocks {'has' if empty == 1 else 'have'} none" if empty else ""
    counts = list(map(count, ranked))
    if counts[0] == counts[-1]:
        share = units.percent(Fraction(counts[0], whole))
        names = listed([code(part.name) for part in ranked])
        holding = names if len(ranked) <= MOST_NAMED else several(len(ranked), "block")
        return f"{holding} hold {units.count(counts[0])} {label} each, {share}{none}."
    chosen = ranked[: _fewest(counts)]
    held = units.percent(Fraction(sum(map(count, chosen)), whole))
    if len(chosen) == 1:
        return f"{code(chosen[0].name)} holds {held} of the {label}{none}."
    named = [f"{code(part.name)} ({units.percent(Fraction(count(part), whole))})" for part in chosen]
    return f"{listed(named)} together hold {held} of the {label}{none}."


def _fewest(counts: Sequence[int]) -> int:
    """How many of them, from the largest on, hold the share that is asked for, and can be named.

    Those that are as large as the last are among them, as far as they can be named.
    """
    held = list(accumulate(counts))
    last = next(value for value, so_far in zip(counts, held, strict=True) if so_far >= HELD * held[-1])
    return min(sum(value >= last for value in counts), MOST_NAMED)


def _written(of: Costed) -> str:
    """Who writes most, and where most is alive."""
    parts, whole = of.blocks, of.whole
    if not whole.cost.writes:
        return "Nothing is written."
    most, writing = _largest(parts, lambda part: part.cost.writes)
    peak, alive = _largest(parts, lambda part: part.structure.peak_activations)
    of_all = units.percent(Fraction(most, whole.cost.writes))
    verb, each = ("writes", "") if len(writing) == 1 else ("write", " each")
    said = f"{_with_others(writing)} {verb} most, {units.count(most)} or {of_all}{each}"
    if most == whole.cost.writes:
        said = f"{_with_others(writing)} writes all {units.count(most)}"
    place = "there" if alive == writing else f"in {_with_others(alive)}"
    return f"{said}; the peak of {units.count(peak)} is reached {place}."


def _largest(parts: Sequence[Part], count: Callable[[Part], int]) -> tuple[int, list[Part]]:
    """The most that a part has, and all parts that have as much."""
    most = max(map(count, parts))
    return most, [part for part in parts if count(part) == most]


def _with_others(parts: Sequence[Part]) -> str:
    """The first by its name, and how many more there are."""
    first, *others = parts
    return code(first.name) + (f" and {several(len(others), 'other block')}" if others else "")


def _deep(of: Costed) -> str:
    structure = of.whole.structure
    words = [several(structure.depth or 0, "weighted layer")]
    if structure.nonlinearities:
        words.append(several(structure.nonlinearities, "activation function"))
    verb = "lies" if len(words) == 1 and structure.depth == 1 else "lie"
    said = f"{listed(words)} {verb} on the longest path"
    field = structure.receptive_field
    if not field:
        return f"{said}."
    is_all = [field] == [shape[1:] for shape in of.subject.inputs]
    seen = "the whole input" if is_all else f"{units.shape(field)} positions of the input"
    return f"{said}; one output sees {seen}."


def claimed(name: str, verdicts: Sequence[ClaimVerdict]) -> str:
    """What becomes of the published claims on a preset, those named that do not come out."""
    judged = [each.claim for each in verdicts if each.claim.verdict not in UNJUDGED]
    if not judged:
        return ""
    right = [claim for claim in judged if claim.verdict in COMING_OUT]
    times = Counter(claim.verdict for claim in right)
    precise = times[TO_STATED_PRECISION]
    to = f" ({precise} to the precision that is printed)" if precise else ""
    verb = "comes" if len(right) == 1 else "come"
    rest = [
        f"{word}: {listed([claim.id for claim in judged if claim.verdict == word])}"
        for word in MEANINGS
        if word not in COMING_OUT and any(claim.verdict == word for claim in judged)
    ]
    said = (
        f"Of {several(len(judged), 'published claim')} that {'rests' if len(judged) == 1 else 'rest'} on it"
    )
    return f"{said}, {len(right)} {verb} out{to}{''.join(f'; {each}' for each in rest)}."
