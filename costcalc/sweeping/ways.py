"""The ways that a spec can go: what is recorded at one setting holds for all that decide alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from costcalc import formula, structure
from costcalc.errors import CostcalcError
from costcalc.graph import Graph
from costcalc.records import COUNTS
from costcalc.sweeping import polynomials
from costcalc.sweeping.axes import Axis, Given, Value
from costcalc.sweeping.polynomials import Polynomial
from costcalc.sweeping.programs import Program
from costcalc.sweeping.recording import Recorded, Recording

SUMS = ("macs", "params", "activations")
COUNTED = (*SUMS, "peak_activations")

Build = Callable[[Mapping[str, Given]], Graph]


@dataclass(frozen=True, slots=True)
class Way:
    """A program of the counts, in the order of ``COUNTED``; or why settings that go here are refused."""

    program: Program
    refused: str = ""


def record(
    build: Build, fixed: Mapping[str, Given], axes: Sequence[Axis], at: Sequence[int]
) -> tuple[Way, frozenset[str]]:
    """The way that settings ``at`` those values of the axes go, and the axes that it reads as numbers.

    What the way holds of is recorded, and held against the values it was recorded at.
    """
    recording = Recording([_bounds(axis.values) for axis in axes])
    settings = recording.inputs(at)
    given = {axis.path: axis.given(value) for axis, value in zip(axes, settings, strict=True)}
    refused, counts = "", []
    try:
        counts = _counts(build({**fixed, **given}), recording)
    except CostcalcError as error:
        plain = {axis.path: axis.given(value) for axis, value in zip(axes, at, strict=True)}
        found = _tried(build, {**fixed, **plain})
        if str(found) != str(error):  # what records is refused where a number is not, or for less
            for number in settings:
                recording.plain(number)
        if isinstance(found, CostcalcError):
            refused = _why(found)
        else:
            counts = _counts(found, recording)
    program = Program(recording, [_terms(count) for count in counts])
    right = [count.value if type(count) is Recorded else count for count in counts]
    if not program.holds(*at) or program.counts(*at) != right:
        raise RuntimeError(f"a recording at {list(at)} does not hold there")
    return Way(program, refused), frozenset(axes[index].path for index in recording.read)


def _tried(build: Build, setting: Mapping[str, Given]) -> Graph | CostcalcError:
    try:
        return build(setting)
    except CostcalcError as error:
        return error


def _counts(graph: Graph, recording: Recording) -> list[Recorded | int]:
    rows = formula.costs(graph).rows
    totals = [recording.summed(COUNTS[metric](row.cost) for row in rows) for metric in SUMS]
    return [*totals, recording.greatest(structure.living(graph).values())]


def _bounds(values: Sequence[Value]) -> tuple[int, int]:
    numbers = [int(value) for value in values]
    return min(numbers), max(numbers)


def _terms(count: Recorded | int) -> Polynomial:
    return count.terms if type(count) is Recorded else polynomials.constant(int(count))


def _why(error: CostcalcError) -> str:
    """The first problem on one line, without the place: settings are at fault, not the file."""
    problem, more = error.problems[0], len(error.problems) - 1
    told = ": ".join(part for part in (problem.path, problem.message) if part)
    return f"{told} (and {more} more)" if more else told
