"""Polynomials with whole coefficients, the normal form of what is computed from settings.

A polynomial maps monomials to coefficients; a monomial is the sorted tuple of its atoms, ``()`` that of the
constant. What an atom is (a setting, a quotient) is known to whoever numbers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod

Monomial = tuple[int, ...]
Polynomial = Mapping[Monomial, int]
Key = tuple[tuple[Monomial, int], ...]  # of a polynomial: equal for equal ones
Bounds = tuple[int, int]  # the least and the most that a value can be


def constant(value: int) -> Polynomial:
    """A number."""
    return {(): value} if value else {}


def key(terms: Polynomial) -> Key:
    """What a polynomial is found by."""
    return tuple(sorted(terms.items()))


def added(left: Polynomial, right: Polynomial, times: int) -> Polynomial:
    """``left + times*right``, ``times`` being no 0."""
    found = dict(left)
    for monomial, factor in right.items():
        both = found.get(monomial, 0) + times * factor
        if both:
            found[monomial] = both
        else:
            del found[monomial]
    return found


def total(several: Iterable[Polynomial]) -> Polynomial:
    """The sum of polynomials."""
    found: dict[Monomial, int] = {}
    for terms in several:
        for monomial, factor in terms.items():
            found[monomial] = found.get(monomial, 0) + factor
    return {monomial: factor for monomial, factor in found.items() if factor}


def product(left: Polynomial, right: Polynomial) -> Polynomial:
    """The product of two."""
    found: dict[Monomial, int] = {}
    for one, by in left.items():
        for other, factor in right.items():
            both = tuple(sorted(one + other)) if one and other else one or other
            found[both] = found.get(both, 0) + by * factor
    return {monomial: factor for monomial, factor in found.items() if factor}


def divided(left: Polynomial, right: Polynomial) -> tuple[Polynomial, Polynomial]:
    """What divides evenly and the rest: ``left = quotient*right + rest``, by a divisor of one term.

    As the quotient is whole, ``left//right`` is that plus ``rest//right``: with what is even taken out,
    equal values have equal forms. Another divisor leaves all to the rest.
    """
    if len(right) != 1:
        return {}, left
    ((divisor, by),) = right.items()
    quotient: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, factor in left.items():
        smaller = _without(monomial, divisor)
        whole, over = divmod(factor, by) if smaller is not None else (0, factor)
        if smaller is not None and whole:
            quotient[smaller] = whole
        if over:
            rest[monomial] = over
    return quotient, rest


def _without(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    """A monomial divided by another, None where that is no monomial."""
    left = list(monomial)
    for atom in divisor:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)


def within(terms: Polynomial, bounds: Sequence[Bounds]) -> Bounds:
    """Between what a polynomial lies, if its atoms lie within ``bounds``."""
    low = high = 0
    for monomial, factor in terms.items():
        least = most = factor
        for atom in monomial:
            corners = [side * end for side in (least, most) for end in bounds[atom]]
            least, most = min(corners), max(corners)
        low, high = low + least, high + most
    return low, high


def largest(terms: Polynomial, bounds: Sequence[Bounds]) -> int:
    """A number that nothing on the way to a polynomial's value exceeds, in whatever order it is taken."""
    reach = [max(1, -low, high) for low, high in bounds]
    return sum(abs(factor) * prod(reach[atom] for atom in monomial) for monomial, factor in terms.items())
