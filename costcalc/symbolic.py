"""The closed form on symbols: integers that remember how they were computed flow through the same code.

A :class:`Symbolic` is an ``int`` in every comparison and carries a sympy expression through every
operation, so shape rules and cost formulas need not know of it. What comes out is held against the
plain count at other values before it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import sympy

from costcalc import expression, spec
from costcalc.errors import CostcalcError, Misfit, shortened
from costcalc.graph import Graph
from costcalc.units import is_whole

LARGEST = 2**24
FACTORED = 2000  # operations up to which a formula is worth shortening
SAMPLES, LEAST_SAMPLES, TRIES = 4, 2, 40  # settings at which a formula is held against the plain count
TRIED = (4, 9, 16, 25, 7, 6, 36)  # values of a symbol that is not a parameter; squares have a root

Assigned = Mapping[str, sympy.Expr]  # parameter → the expression it stands for
Build = Callable[[Mapping[str, int]], Graph]  # settings of the parameters → graph
Quantity = Callable[[Graph], int]


class Symbolic(int):
    """A whole number and the expression it is the value of."""

    expr: sympy.Expr

    def __new__(cls, value: int, expr: sympy.Expr) -> Symbolic:
        made = super().__new__(cls, value)
        made.expr = expr
        return made

    def __neg__(self) -> Symbolic:
        return Symbolic(-int(self), -self.expr)

    def __divmod__(self, other: int) -> tuple[int, int]:
        return self // other, self % other

    def __rdivmod__(self, other: int) -> tuple[int, int]:
        return other // self, other % self


def _operation(name: str, combine: Callable[[Any, Any], Any]) -> None:
    """Give :class:`Symbolic` an operation of ``int`` and its mirror image."""
    plain = getattr(int, name)

    def forward(self: Symbolic, other: object) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return Symbolic(plain(int(self), int(other)), combine(self.expr, of(other)))

    def mirrored(self: Symbolic, other: object) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        return Symbolic(plain(int(other), int(self)), combine(of(other), self.expr))

    setattr(Symbolic, name, forward)
    setattr(Symbolic, name.replace("__", "__r", 1), mirrored)


def _floored(left: sympy.Expr, right: sympy.Expr) -> sympy.Expr:
    """``(h - 1)//2`` as ``floor((h + 1)/2) - 1``: with whole numbers taken out, formulas stay short."""
    if right == 1:
        return left
    constant, rest = left.as_coeff_Add()
    if not (constant.is_Integer and right.is_Integer):
        return sympy.floor(left / right)
    whole, over = divmod(constant, right)
    return whole + sympy.floor((rest + over) / right)


_operation("__add__", lambda left, right: left + right)
_operation("__sub__", lambda left, right: left - right)
_operation("__mul__", lambda left, right: left * right)
_operation("__floordiv__", _floored)
_operation("__mod__", sympy.Mod)


def of(value: int) -> sympy.Expr:
    """The expression of a number: its own, or the number itself."""
    return value.expr if isinstance(value, Symbolic) else sympy.Integer(value)


def parsed(text: str, known: Mapping[str, sympy.Expr] | None = None) -> sympy.Expr:
    """An expression in positive whole symbols: ``9*(sqrt(alpha) + 1)*m**2``; raises :class:`Misfit`.

    ``known`` are names that stand for expressions already.
    """
    names = {name: _symbol(name) for name in _names(text)} | dict(known or {})
    return expression.evaluate(
        text,
        lambda value: sympy.Rational(value.numerator, value.denominator),
        names,
        {"sqrt": sympy.sqrt, "floor": sympy.floor},
    )


def _symbol(name: str) -> sympy.Symbol:
    return sympy.Symbol(name, integer=True, positive=True)


def _names(text: str) -> set[str]:
    words = "".join(char if char.isalnum() or char == "_" else " " for char in text).split()
    return {word for word in words if not word[0].isdigit()} - {"sqrt", "floor"}


def assigned(text: str) -> dict[str, sympy.Expr]:
    """``"d=2*h, k"`` → what each parameter stands for; alone, a parameter is its own symbol."""
    found: dict[str, sympy.Expr] = {}
    for part in text.split(","):
        name, mark, value = (piece.strip() for piece in part.partition("="))
        if not name.isidentifier() or (mark and not value) or name in found:
            raise CostcalcError(f"symbols {shortened(text)}: write --symbols d,k or --symbols d=2*h,k")
        try:
            found[name] = parsed(value) if mark else _symbol(name)
        except Misfit as misfit:
            raise CostcalcError(f"symbols {shortened(text)}: {misfit}") from None
    return found


@dataclass(frozen=True, slots=True)
class Derived:
    """Expressions of several quantities of one graph, and the values they were derived at."""

    expressions: Mapping[str, sympy.Expr]
    at: Mapping[str, int]
    values: Mapping[str, int]


def derive(
    build: Build, symbols: Assigned, defaults: Mapping[str, int], quantities: Mapping[str, Quantity]
) -> Derived:
    """The closed form of each quantity in the symbols, held against the plain count at other settings.

    Raises :class:`CostcalcError` where no settings fit, or where formula and count differ: then
    what the architecture costs is no one expression of the symbols.
    """
    settings = list(islice(_fitting(build, symbols, defaults), SAMPLES))
    if len(settings) < LEAST_SAMPLES:
        listed = ", ".join(f"{name}={expr}" for name, expr in symbols.items())
        raise CostcalcError(f"hardly any values of {listed} make a valid graph; choose other symbols")
    first, *others = settings
    graph = _on_symbols(build, {name: Symbolic(first.given[name], expr) for name, expr in symbols.items()})
    found = {key: shortest(of(quantity(graph))) for key, quantity in quantities.items()}
    for setting in (first, *others):
        for key, quantity in quantities.items():
            if found[key].subs(setting.values) != quantity(setting.graph):
                raise CostcalcError(
                    f"{key} is no one expression of {', '.join(symbols)}; leave one of them a number"
                )
    return Derived(found, first.given, {key: quantity(first.graph) for key, quantity in quantities.items()})


def _on_symbols(build: Build, given: Mapping[str, Symbolic]) -> Graph:
    try:
        return build(given)
    except CostcalcError:
        listed = ", ".join(given)
        raise CostcalcError(
            f"of {listed} one decides how often something is repeated; that cannot be a symbol"
        ) from None


def derive_all(
    build: Build, defaults: Mapping[str, int], quantities: Mapping[str, Quantity], tied: str = ""
) -> Derived:
    """The closed form in every parameter that can be a symbol.

    Those stay numbers that decide how often something is repeated, or are rounded at every stage.
    ``tied`` is one that may have to follow another, as an identity shortcut wants it.
    """
    symbols = {name: _symbol(name) for name in _usable(build, defaults)}
    if not symbols:
        raise CostcalcError("there is no whole-number parameter that a formula could be in")
    ties = [
        {**symbols, tied: times * _symbol(name)}
        for name in symbols
        for times in (1, 4)
        if tied in symbols and name != tied
    ]
    found = _first(build, [symbols, *ties], defaults, quantities)
    rounded = {name for expr in found.expressions.values() for name in _nested(expr)}
    rest = {name: symbol for name, symbol in symbols.items() if name not in rounded}
    return derive(build, rest, defaults, quantities) if rounded and rest else found


def _first(
    build: Build,
    attempts: Sequence[Assigned],
    defaults: Mapping[str, int],
    quantities: Mapping[str, Quantity],
) -> Derived:
    """The closed form in the first of several choices of symbols that will do."""
    *others, last = attempts
    for symbols in others:
        with suppress(CostcalcError):
            return derive(build, symbols, defaults, quantities)
    return derive(build, last, defaults, quantities)


def _nested(expr: sympy.Expr) -> set[str]:
    """The symbols that are rounded down again and again, as a grid is by every stage."""
    return {
        str(symbol)
        for floor in expr.atoms(sympy.floor)
        if any(inner.has(sympy.floor) for inner in floor.args)
        for symbol in floor.free_symbols
    }


@dataclass(frozen=True, slots=True)
class _Setting:
    values: Mapping[sympy.Symbol, int]
    given: Mapping[str, int]
    graph: Graph


def _fitting(build: Build, symbols: Assigned, defaults: Mapping[str, int]) -> Iterator[_Setting]:
    """Settings of the symbols that make a valid graph, the parameters' own values first."""
    free = sorted({symbol for expr in symbols.values() for symbol in expr.free_symbols}, key=str)
    tried = [_candidates(str(symbol), defaults, shift) for shift, symbol in enumerate(free)]
    for values in islice(zip(*(cycle(candidates) for candidates in tried), strict=False), TRIES):
        at = dict(zip(free, values, strict=True))
        given = {name: expr.subs(at) for name, expr in symbols.items()}
        if not all(value.is_Integer and 1 <= value <= LARGEST for value in given.values()):
            continue
        whole = {name: int(value) for name, value in given.items()}
        try:
            yield _Setting(at, whole, build(whole))
        except CostcalcError:
            continue


def _candidates(name: str, defaults: Mapping[str, int], shift: int) -> Sequence[int]:
    """Values to try of a symbol; lists of different length, so that combinations vary."""
    if name in defaults:
        value = defaults[name]
        return [value, value + 1, 2 * value, value + 2, *(3 * value + step for step in range(shift % 3))]
    return TRIED[: len(TRIED) - shift % 3]


def _usable(build: Build, defaults: Mapping[str, int]) -> list[str]:
    """The parameters that can be symbols: not those that decide how often something is repeated."""
    found = []
    for name, value in defaults.items():
        try:
            build({name: Symbolic(value, _symbol(name))})
        except CostcalcError:
            continue
        found.append(name)
    return found


def shortest(expr: sympy.Expr) -> sympy.Expr:
    """The shorter of the expanded and the factored form."""
    if sympy.count_ops(expr) > FACTORED:
        return expr
    forms = (sympy.expand(expr), sympy.factor(expr))
    return min(forms, key=sympy.count_ops)


def equal(left: sympy.Expr, right: sympy.Expr) -> bool:
    """Whether two expressions are the same function."""
    return bool(sympy.simplify(left - right) == 0)


def written(expr: sympy.Expr, latex: bool = False) -> str:
    """An expression as text that Python could read, or in LaTeX."""
    return str(sympy.latex(expr)) if latex else str(expr)


def of_spec(name: str, symbols: Assigned, quantity: Quantity) -> sympy.Expr:
    """A quantity of a spec in those of the symbols that are its parameters."""
    defaults = {key: given for key, given in spec.parameters(name).items() if is_whole(given)}
    own = {key: expr for key, expr in symbols.items() if key in spec.settable(name)}
    if not own:
        return sympy.Integer(quantity(spec.load(name)))
    found = derive(lambda given: spec.load(name, given), own, defaults, {"count": quantity})
    return found.expressions["count"]
