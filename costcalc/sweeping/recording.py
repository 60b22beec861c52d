"""Whole numbers that record what is computed from them, and every decision that is made on them.

One flows through the spec language, the shape rules and the formulas in a setting's place. What comes out
is a polynomial in settings and quotients, which holds wherever the recorded decisions come out alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import index
from typing import Any, Literal

from costcalc.sweeping import polynomials
from costcalc.sweeping.polynomials import Bounds, Key, Polynomial

# beyond these nothing is recorded that anybody counts, and the value is read
MOST_TERMS, MOST_FACTORS, FARTHEST = 256, 32, 2**256
Relation = Literal["<", "<=", "=="]


@dataclass(frozen=True, slots=True)
class Quotient:
    """``over//by``, rounded down; where ``by`` is 0, any number."""

    over: Polynomial
    by: Polynomial

    @property
    def operands(self) -> tuple[Polynomial, ...]:
        """What it is computed from."""
        return self.over, self.by

    def within(self, bounds: Sequence[Bounds]) -> Bounds:
        """Between what it lies, if the atoms before it lie within ``bounds``."""
        left, right = (polynomials.within(terms, bounds) for terms in self.operands)
        if right[0] <= 0 <= right[1]:
            most = max(map(abs, left)) + 1
            return -most, most
        corners = [end // side for end in left for side in right]
        return min(corners), max(corners)


@dataclass(frozen=True, slots=True)
class Greatest:
    """The largest of several."""

    operands: tuple[Polynomial, ...]

    def within(self, bounds: Sequence[Bounds]) -> Bounds:
        """Between what it lies, if the atoms before it lie within ``bounds``."""
        spans = [polynomials.within(terms, bounds) for terms in self.operands]
        return max(low for low, _ in spans), max(high for _, high in spans)


Atom = Quotient | Greatest


@dataclass(frozen=True, slots=True)
class Guard:
    """A decision: that a polynomial is, or is not, below or at or equal to 0."""

    terms: Polynomial
    relation: Relation
    holds: bool


@dataclass
class Recording:
    """What happened to some numbers: atoms beyond the settings, guards, and settings read as they are.

    ``bounds`` are of the settings at first, in their order, and of every atom after that.
    """

    bounds: list[Bounds]
    settings: int = field(init=False)
    atoms: list[Atom] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    decided: dict[tuple[Key, Relation], bool] = field(default_factory=dict)
    read: set[int] = field(default_factory=set)
    known: dict[object, int] = field(default_factory=dict)  # what an atom is → its number

    def __post_init__(self) -> None:
        self.settings = len(self.bounds)

    def inputs(self, values: Sequence[int]) -> list[Any]:
        """The settings as numbers that record, which pass for integers."""
        return [Recorded(self, {(place,): 1}, value) for place, value in enumerate(values)]

    def decide(self, terms: Polynomial, relation: Relation, value: int) -> bool:
        """Whether ``value``, which is that of ``terms``, stands so to 0; a guard unless it always does."""
        known_as = (polynomials.key(terms), relation)
        if known_as not in self.decided:
            holds = self.decided[known_as] = _holds(relation, value)
            low, high = polynomials.within(terms, self.bounds)
            if relation == "==":
                always = low == high or not low <= 0 <= high
            else:
                always = _holds(relation, low) == _holds(relation, high)
            if not always:
                self.guards.append(Guard(terms, relation, holds))
        return self.decided[known_as]

    def plain(self, number: Recorded) -> int:
        """The number as it is, from where on the recording holds for this value only."""
        atoms = {atom for monomial in number.terms for atom in monomial}
        if len(atoms) == 1:  # with several, one may move as the other does
            self.read |= {atom for atom in atoms if atom < self.settings}
        self.decide(polynomials.added(number.terms, polynomials.constant(number.value), -1), "==", 0)
        return number.value

    def number(self, terms: Polynomial, value: int) -> Recorded | int:
        """A number of those terms, plain where it depends on nothing."""
        return Recorded(self, terms, value) if any(terms) else value

    def atom(self, what: Atom) -> Polynomial:
        """An atom as a polynomial; the same thing is the same atom."""
        known_as = (type(what), *map(polynomials.key, what.operands))
        if known_as not in self.known:
            self.known[known_as] = self.settings + len(self.atoms)
            self.atoms.append(what)
            self.bounds.append(what.within(self.bounds))
        return {(self.known[known_as],): 1}

    def greatest(self, values: Iterable[Recorded | int]) -> Recorded | int:
        """The largest of several, without deciding which that is; one that never can be is left out."""
        numbers = list(values)
        spans = {
            polynomials.key(terms): polynomials.within(terms, self.bounds) for terms in map(_terms, numbers)
        }
        first = max(spans, key=lambda key: spans[key][0])
        able = [key for key in spans if key == first or spans[key][1] > spans[first][0]]
        terms = self.atom(Greatest(tuple(map(dict, able)))) if len(able) > 1 else dict(first)
        return self.number(terms, max(map(_value, numbers)))

    def summed(self, values: Iterable[Recorded | int]) -> Recorded | int:
        """The sum of several, at once."""
        numbers = list(values)
        terms = polynomials.total(map(_terms, numbers))
        return self.number(terms, sum(map(_value, numbers)))


class Recorded:
    """A number that records. It passes for an ``int`` where that is asked, and is none.

    So nothing but an operation below can see its value, not even C code, which looks into integers
    without asking: what a polynomial or a guard cannot express reads the value, and pins it.
    """

    __slots__ = ("recording", "terms", "value")
    __class__ = property(lambda self: int)  # what isinstance looks at

    def __init__(self, recording: Recording, terms: Polynomial, value: int) -> None:
        self.recording, self.terms, self.value = recording, terms, value

    def __repr__(self) -> str:
        return str(self.value)

    def __format__(self, form: str) -> str:
        return format(self.value, form)  # in messages, which are about this setting

    def __add__(self, other: Any) -> Any:
        return self._sum(other, 1)

    def __sub__(self, other: Any) -> Any:
        return self._sum(other, -1)

    def __rsub__(self, other: Any) -> Any:
        return -(self - other) if isinstance(other, int) else NotImplemented

    def __neg__(self) -> Any:
        return self * -1

    def __abs__(self) -> Any:
        return -self if self < 0 else self

    __radd__ = __add__

    def _sum(self, other: Any, times: int) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        terms = polynomials.added(self.terms, _terms(other, self.recording), times)
        return self.recording.number(terms, self.value + times * _value(other))

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        left, right = self.terms, _terms(other, self.recording)
        if len(left) * len(right) > MOST_TERMS or _degree(left) + _degree(right) > MOST_FACTORS:
            return index(self) * index(other)
        return self.recording.number(polynomials.product(left, right), self.value * _value(other))

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        return _quotient(self, other) if isinstance(other, int) else NotImplemented

    def __rfloordiv__(self, other: Any) -> Any:
        return _number(self.recording, other) // self if isinstance(other, int) else NotImplemented

    def __mod__(self, other: Any) -> Any:
        return self - self // other * other if isinstance(other, int) else NotImplemented

    def __rmod__(self, other: Any) -> Any:
        return other - other // self * self if isinstance(other, int) else NotImplemented

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __lt__(self, other: Any) -> Any:
        return self._compared(other, "<")

    def __le__(self, other: Any) -> Any:
        return self._compared(other, "<=")

    def __gt__(self, other: Any) -> Any:
        return self._compared(other, "<=", negated=True)

    def __ge__(self, other: Any) -> Any:
        return self._compared(other, "<", negated=True)

    def __eq__(self, other: Any) -> Any:
        return self._compared(other, "==")

    def __ne__(self, other: Any) -> Any:
        return self._compared(other, "==", negated=True)

    def _compared(self, other: Any, relation: Relation, negated: bool = False) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        terms = polynomials.added(self.terms, _terms(other, self.recording), -1)
        return self.recording.decide(terms, relation, self.value - _value(other)) != negated

    def __bool__(self) -> bool:
        return not self.recording.decide(self.terms, "==", self.value)

    def __hash__(self) -> int:
        return hash(self.recording.plain(self))

    def __index__(self) -> int:
        return self.recording.plain(self)

    __int__ = __index__

    def __float__(self) -> float:
        return float(self.recording.plain(self))


def _number(recording: Recording, value: Any) -> Any:
    return value if type(value) is Recorded else Recorded(recording, polynomials.constant(value), value)


def _quotient(left: Recorded, right: Any) -> Any:
    """``left//right``: what divides evenly, and an atom for the rest."""
    recording = left.recording
    by = _terms(right, recording)
    if right == 0:  # a guard where that depends on settings
        raise ZeroDivisionError
    whole, rest = polynomials.divided(left.terms, by)
    value = left.value // _value(right)
    if any(rest) or any(by):  # else less than the divisor
        atom = Quotient(rest, by)
        if max(map(abs, atom.within(recording.bounds))) > FARTHEST:
            return index(left) // index(right)
        whole = polynomials.added(whole, recording.atom(atom), 1)
    return recording.number(whole, value)


def _terms(number: Any, recording: Recording | None = None) -> Polynomial:
    if type(number) is not Recorded:
        return polynomials.constant(int(number))
    if recording is not None and number.recording is not recording:
        raise RuntimeError("a number of one recording has come into another")
    return number.terms


def _value(number: Any) -> int:
    return number.value if type(number) is Recorded else int(number)


def _degree(terms: Polynomial) -> int:
    return max(map(len, terms), default=0)


def _holds(relation: Relation, value: int) -> bool:
    if relation == "==":
        return value == 0
    return value < 0 if relation == "<" else value <= 0
