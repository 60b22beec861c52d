"""A recording as Python code, which counts for one setting or for whole arrays of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from types import CodeType
from typing import Any

from costcalc.sweeping import polynomials
from costcalc.sweeping.polynomials import Bounds, Monomial, Polynomial
from costcalc.sweeping.recording import Atom, Quotient, Recording

LARGEST = 2**63 - 1  # of numpy's integers
MOST_IN_LINE = 100  # terms: Python's compiler descends into each
_RELATIONS = {"<": (" < 0", " >= 0"), "<=": (" <= 0", " > 0"), "==": (" == 0", " != 0")}


class Program:
    """Where a recording holds, and what comes out there.

    ``holds(*settings)`` is whether every decision comes out as recorded, ``counts(*settings)`` the counts
    if so. The settings are whole numbers.
    """

    def __init__(self, recording: Recording, counts: Sequence[Polynomial]) -> None:
        self.recording, self.results = recording, counts
        self.code = compile(_source(recording, counts), "<a recording>", "exec")
        self.holds, self.counts = _functions(self.code, max)

    def holds_on(self, values: Sequence[Sequence[int]]) -> Any:
        """Where in the product of these values it holds: an array that broadcasts to that product."""
        return self._on(values)[0]()

    def counts_on(self, values: Sequence[Sequence[int]]) -> list[Any]:
        """The counts on the product of these values, as arrays that broadcast to it."""
        return list(self._on(values)[1]())

    def _on(self, values: Sequence[Sequence[int]]) -> tuple[Callable[[], Any], Callable[[], Any]]:
        """Both functions, given arrays: of int64, or of Python's integers where that is too few."""
        import numpy as np

        dtype = np.int64 if self.fits([(min(each), max(each)) for each in values]) else object
        mesh = np.ix_(*(np.array(each, dtype) for each in values)) if values else ()
        holds, counts = _functions(self.code, lambda *arrays: reduce(np.maximum, arrays))
        return partial(holds, *mesh), partial(counts, *mesh)

    def fits(self, settings: Sequence[Bounds]) -> bool:
        """Whether nothing on the way exceeds 64 bits while the settings lie within these bounds."""
        bounds = list(settings)
        asked = [guard.terms for guard in self.recording.guards]
        for atom in self.recording.atoms:
            asked += atom.operands
            bounds.append(atom.within(bounds))
        most = [polynomials.largest(terms, bounds) for terms in (*asked, *self.results)]
        return max((*most, *(abs(end) for pair in settings for end in pair)), default=0) <= LARGEST


def _functions(code: CodeType, most: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    names: dict[str, Any] = {"most": most}
    exec(code, names)  # arithmetic that _source wrote, with no text of anybody else's in it
    return names["holds"], names["counts"]


def _source(recording: Recording, counts: Sequence[Polynomial]) -> str:
    """Two functions of the settings, written with as few operations on whole arrays as will do."""
    arguments = ", ".join(f"a{place}" for place in range(recording.settings))
    holds = _Writer(recording, [guard.terms for guard in recording.guards])
    for guard in recording.guards:  # line by line: an expression may not be nested without end
        holds.lines.append(
            f"here = here & ({holds.sum(guard.terms)}{_RELATIONS[guard.relation][not guard.holds]})"
        )
    found = _Writer(recording, counts)
    results = [found.sum(terms) for terms in counts]
    return (
        f"def holds({arguments}):\n here = True\n{holds.body()} return here\n"
        f"def counts({arguments}):\n{found.body()} return [{', '.join(results)}]\n"
    )


class _Writer:
    """The lines of one function: every atom and every product that is wanted is computed once."""

    def __init__(self, recording: Recording, wanted: Sequence[Polynomial]) -> None:
        self.settings = recording.settings
        self.lines: list[str] = []
        self.products: dict[Monomial, str] = {}
        # the settings that each atom depends on
        self.needs: dict[int, frozenset[int]] = {atom: frozenset((atom,)) for atom in range(self.settings)}
        needed = _atoms(wanted)
        for number, atom in reversed(list(enumerate(recording.atoms, self.settings))):
            needed |= _atoms(atom.operands) if number in needed else set()
        for number, atom in enumerate(recording.atoms, self.settings):
            if number in needed:
                self.atom(number, atom)

    def body(self) -> str:
        """The lines so far."""
        return "".join(f" {line}\n" for line in self.lines)

    def atom(self, number: int, atom: Atom) -> None:
        """The lines that compute an atom, after those before it."""
        self.needs[number] = frozenset[int]().union(*(self.needs[inner] for inner in _atoms(atom.operands)))
        texts = [self.sum(terms) for terms in atom.operands]
        if not isinstance(atom, Quotient):
            line = f"most({', '.join(texts)})"
        elif any(atom.by):  # 0 is replaced where it may be: a guard keeps out what follows from that
            self.lines.append(f"d{number} = {texts[1]}")
            line = f"({texts[0]})//(d{number} + (d{number} == 0))"
        else:
            line = f"({texts[0]})//{texts[1]}"
        self.lines.append(f"a{number} = {line}")

    def sum(self, terms: Polynomial) -> str:
        """The text of a polynomial, after the lines that it rests on."""
        texts = [self.term(monomial, factor) for monomial, factor in terms.items()] or ["0"]
        while len(texts) > MOST_IN_LINE:
            name = f"s{len(self.lines)}"
            self.lines.append(f"{name} = {' + '.join(texts[:MOST_IN_LINE])}")
            texts = [name, *texts[MOST_IN_LINE:]]
        return " + ".join(texts)

    def term(self, monomial: Monomial, factor: int) -> str:
        """A product: settings that vary apart are brought together last, so that what is small stays so."""
        groups: dict[frozenset[int], list[int]] = {}
        for atom in monomial:
            groups.setdefault(self.needs[atom], []).append(atom)
        parts = [self.product(tuple(groups[needed])) for needed in sorted(groups, key=len)]
        return "*".join([str(factor), *parts] if factor != 1 or not parts else parts)

    def product(self, monomial: Monomial) -> str:
        """The name of a product of atoms, after the lines that compute it."""
        if len(monomial) == 1:
            return f"a{monomial[0]}"
        if monomial not in self.products:
            line = f"{self.product(monomial[:-1])}*a{monomial[-1]}"
            self.products[monomial] = f"p{len(self.products)}"
            self.lines.append(f"{self.products[monomial]} = {line}")
        return self.products[monomial]


def _atoms(several: Iterable[Polynomial]) -> set[int]:
    """The atoms that polynomials are in."""
    return {atom for terms in several for monomial in terms for atom in monomial}
