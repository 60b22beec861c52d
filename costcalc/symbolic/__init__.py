"""The closed form on symbols: integers that remember how they were computed flow through the same code.

Shape rules and cost formulas need not know of it. What comes out is held against the plain count at
other values before it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, permutations, product

import sympy

from costcalc import expression, spec
from costcalc.errors import CostcalcError, Misfit, shortened
from costcalc.graph import Graph
from costcalc.symbolic.integers import Symbolic, of
from costcalc.units import is_whole

LARGEST = 2**24
FACTORED = 2000  # operations up to which a formula is worth shortening
TRIED = (4, 9, 16, 25, 7, 6, 36, 1)  # values of a symbol that is not a parameter; squares have a root
TRIES = 200  # combinations of them
NEARBY, LEAST_MOVES = 9, 2  # how far a symbol is moved alone, and how often that must be possible
TOGETHER: tuple[Callable[[int], int], ...] = (lambda value: value + 1, lambda value: 4 * value)

Assigned = Mapping[str, sympy.Expr]  # parameter → the expression it stands for
Counts = Callable[[Graph], Mapping[str, int]]
Values = Mapping[sympy.Symbol, int]


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
class Source:
    """What is built again and again: from settings of its parameters, whose own values these are.

    ``tied`` is a parameter that may have to follow another, as an identity shortcut wants it.
    """

    build: Callable[[Mapping[str, int]], Graph]
    defaults: Mapping[str, int]
    tied: str = ""

    def reads(self, name: str) -> bool:
        """Whether a parameter changes anything; setting one that does not is an error."""
        try:
            self.build({name: self.defaults[name]})
        except CostcalcError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Derived:
    """Expressions of several counts of one graph, and the values they were derived at.

    ``exceptions`` names counts that differ from their expression at the edge of what is possible.
    """

    expressions: Mapping[str, sympy.Expr]
    at: Mapping[str, int]
    values: Mapping[str, int]
    exceptions: tuple[str, ...]


def source(name: str, settings: Mapping[str, str]) -> Source:
    """A preset, file, block or layer kind as something to build with other numbers."""
    if spec.is_spec(name):
        spec.load(name, settings)  # what is wrong with the spec itself is said here
        declared = spec.parameters(name, settings)
        defaults = {key: value for key, value in declared.items() if is_whole(value) and key not in settings}
        return Source(lambda given: spec.load(name, {**settings, **given}), defaults)
    for key in settings:
        raise CostcalcError(f"--set {key}: a block has symbols instead, for example --symbols {key}=3*n")
    sizes, required = spec.arguments(name)

    def build(given: Mapping[str, int]) -> Graph:
        values = {**sizes, **required, **given}
        return spec.alone(name, {key: values[key] for key in required}, [values[key] for key in sizes])

    return Source(build, {**sizes, **required}, next(iter(sizes)))


def derive(of_: Source, symbols: Assigned, counts: Counts) -> Derived:
    """The closed form of every count in the symbols, held against plain counts at other settings.

    Raises :class:`CostcalcError` where formula and count differ: then what the architecture costs is
    no one expression of the symbols.
    """
    first, *others = _settings(of_, symbols)
    graph = _on_symbols(of_, {name: Symbolic(first.given[name], expr) for name, expr in symbols.items()})
    found = {key: shortest(of(value)) for key, value in counts(graph).items()}
    exceptions = []
    for setting in (first, *others):
        plain = counts(setting.graph)
        differing = [key for key, expr in found.items() if expr.subs(setting.values) != plain[key]]
        if differing and not setting.edge:
            listed = ", ".join(symbols)
            raise CostcalcError(
                f"{differing[0]} is no one expression of {listed}; leave one of them a number"
            )
        exceptions += [f"{key} at {setting.edge}" for key in differing]
    return Derived(found, _at(first, symbols, found.values()), counts(first.graph), tuple(exceptions))


def _at(setting: _Setting, symbols: Assigned, found: Iterable[sympy.Expr]) -> dict[str, int]:
    """The parameters and symbols that the expressions are in, with their values."""
    free = {symbol for expr in found for symbol in expr.free_symbols}
    given = {name: setting.given[name] for name, expr in symbols.items() if free & expr.free_symbols}
    return {**given, **{str(symbol): value for symbol, value in setting.values.items() if symbol in free}}


def derive_all(of_: Source, counts: Counts) -> Derived:
    """The closed form in every parameter that can be a symbol.

    Those stay numbers that decide how often something is repeated, or are rounded at every stage.
    """
    symbols = {name: _symbol(name) for name in _usable(of_)}
    if not symbols:  # nothing to vary: the formula is the number
        values = counts(of_.build({}))
        return Derived({key: sympy.Integer(value) for key, value in values.items()}, {}, values, ())
    ties = [
        {**symbols, of_.tied: times * _symbol(name)}
        for name in symbols
        for times in (1, 4)
        if of_.tied in symbols and name != of_.tied
    ]
    found = _first(of_, [symbols, *ties], counts)
    rounded = {name for expr in found.expressions.values() for name in _nested(expr)}
    rest = {name: symbol for name, symbol in symbols.items() if name not in rounded}
    return derive(of_, rest, counts) if rounded and rest else found


def _first(of_: Source, attempts: Sequence[Assigned], counts: Counts) -> Derived:
    """The closed form in the first of several choices of symbols that will do."""
    *others, last = attempts
    for symbols in others:
        with suppress(CostcalcError):
            return derive(of_, symbols, counts)
    return derive(of_, last, counts)


def _usable(of_: Source) -> list[str]:
    """The parameters that can be symbols: not those that decide how often something is repeated."""
    found = []
    for name, value in of_.defaults.items():
        if value < 1:
            continue  # a symbol is positive
        with suppress(CostcalcError):
            of_.build({name: Symbolic(value, _symbol(name))})
            found.append(name)
    return found


def _on_symbols(of_: Source, given: Mapping[str, Symbolic]) -> Graph:
    try:
        return of_.build(given)
    except CostcalcError as error:
        listed, problem = ", ".join(given), error.problems[0]
        where = problem.path or problem.message
        raise CostcalcError(
            f"{listed}: no symbol can stand at {where}, which decides more than sizes"
        ) from None


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
    """Values of the symbols that make a valid graph; ``edge`` says so where they are at an edge."""

    values: Values
    given: Mapping[str, int]
    graph: Graph
    edge: str = ""


def _settings(of_: Source, symbols: Assigned) -> list[_Setting]:
    """Where a formula is held against the plain count: first the parameters' own values.

    Then every symbol moved alone, nearby and far away, all of them together, and the edges: every
    symbol 1, and every two of them equal.
    """
    free = sorted({symbol for expr in symbols.values() for symbol in expr.free_symbols}, key=str)
    start = _start(of_, symbols, free)
    found = [start]
    for symbol in free:
        moves = [
            _fitted(of_, symbols, {**start.values, symbol: value}) for value in _moves(start.values[symbol])
        ]
        fits = [setting for setting in moves if setting is not None]
        if len(fits) < LEAST_MOVES:
            raise CostcalcError(
                f"{symbol} can hardly be anything but {start.values[symbol]} while the rest stays as it is; "
                "leave it a number, or tie it to another as in --symbols c_in=c,c"
            )
        found += fits
    together = [{symbol: move(start.values[symbol]) for symbol in free} for move in TOGETHER]
    ones = [({**start.values, symbol: 1}, f"{symbol} = 1") for symbol in free]
    pairs = [
        ({**start.values, one: start.values[two]}, f"{one} = {two}") for one, two in permutations(free, 2)
    ]
    found += [setting for values in together if (setting := _fitted(of_, symbols, values))]
    found += [
        setting
        for values, edge in (*ones, *pairs)
        if values not in [one.values for one in found]
        if (setting := _fitted(of_, symbols, values, edge))
    ]
    return found


def _start(of_: Source, symbols: Assigned, free: Sequence[sympy.Symbol]) -> _Setting:
    """The parameters' own values where the symbols are parameters, else the first values that fit."""
    tried = [[of_.defaults[str(symbol)]] if str(symbol) in of_.defaults else TRIED for symbol in free]
    for values in islice(product(*tried), TRIES):
        setting = _fitted(of_, symbols, dict(zip(free, values, strict=True)))
        if setting is not None:
            return setting
    listed = ", ".join(f"{name}={expr}" for name, expr in symbols.items())
    raise CostcalcError(f"hardly any values of {listed} make a valid graph; choose other symbols")


def _moves(value: int) -> list[int]:
    return [*range(value + 1, value + NEARBY), 2 * value, 3 * value + 1, 4 * value, 9 * value]


def _fitted(of_: Source, symbols: Assigned, values: Values, edge: str = "") -> _Setting | None:
    """The graph at those values, if the parameters come out whole and it is valid."""
    exact = {name: expr.subs(values) for name, expr in symbols.items()}
    if not all(value.is_Integer and 1 <= value <= LARGEST for value in exact.values()):
        return None
    given = {name: int(value) for name, value in exact.items()}
    try:
        return _Setting(values, given, of_.build(given), edge)
    except CostcalcError:
        return None


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
    """An expression as text that Python could read, or in LaTeX, where words stand upright."""
    words = {symbol: _upright(str(symbol)) for symbol in expr.free_symbols if len(str(symbol)) > 1}
    return str(sympy.latex(expr, symbol_names=words, mul_symbol="dot")) if latex else str(expr)


def _upright(word: str) -> str:
    return r"\alpha" if word == "alpha" else rf"\mathrm{{{word}}}".replace("_", r"\_")


def of_spec(name: str, symbols: Assigned, count: Callable[[Graph], int]) -> sympy.Expr:
    """A count of a spec in those of the symbols that are its parameters; :class:`Misfit` at an edge."""
    of_ = source(name, {})
    own = {key: expr for key, expr in symbols.items() if key in spec.settable(name)}
    if not own:
        return sympy.Integer(count(of_.build({})))
    found = derive(of_, own, lambda graph: {name: count(graph)})
    if found.exceptions:
        raise Misfit(f"does not hold everywhere: {', '.join(found.exceptions)}")
    return found.expressions[name]
