"""Integer arithmetic on parameters: ``4*$c``, ``($a + $b)//2``. Parsed, never run.

Grammar: whole numbers, ``$name``, ``+ - * // / %``, parentheses. ``/`` must come out even.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from costcalc.errors import Misfit, Place, did_you_mean, shortened
from costcalc.units import is_whole

MAX_LENGTH = 200
MAX_VALUE = 10**18
MOST_NAMED = 20  # parameters in a message

Value = Any  # what a parameter may hold: None, bool, int, float, str, or a list of these

_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_MARK = "parameter_"
_TOKENS = re.compile(rf"(\s*({_NAME.pattern}|(?<![0-9])[0-9]+(?![0-9A-Za-z_.])|//|[-+*/%()]))+\s*")


class Bound(NamedTuple):
    """A parameter's value and where it was given, so that a misfit points at its giver.

    ``broken`` marks one that could not be evaluated and is reported already.
    """

    value: Value
    place: Place
    broken: bool = False


Env = Mapping[str, Bound]


class Watched(dict[str, Bound]):
    """Parameters that remember which of them was read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Bound:
        self.read.add(name)
        return super().__getitem__(name)


class Silent(Misfit):
    """Follows from what is reported already."""


def evaluate(value: Value, env: Env) -> Value:
    """The value with every ``$name`` filled in from ``env``; lists element by element.

    ``"$name"`` alone gives whatever the parameter holds; inside arithmetic it must hold a whole
    number. Raises :class:`Misfit`.
    """
    if isinstance(value, list):
        found = [evaluate(part, env) for part in value]
        if any(isinstance(part, list) for part in found):
            raise Misfit("a list may not hold a list")
        return found
    if not isinstance(value, str) or "$" not in value:
        return value
    alone = _NAME.fullmatch(value.strip())
    if alone:
        return _parameter(alone[1], env)
    return _number(_parsed(value).body, env, value)


def _parsed(text: str) -> ast.Expression:
    if len(text) > MAX_LENGTH:
        raise Misfit(f"{shortened(text)} is longer than {MAX_LENGTH} characters")
    if not _TOKENS.fullmatch(text):
        raise _broken(text)
    try:
        return ast.parse(_NAME.sub(rf"{_MARK}\1", text).strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise _broken(text) from None


def _number(node: ast.expr, env: Env, text: str) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return _bounded(node.value, text)
    if isinstance(node, ast.Name) and node.id.startswith(_MARK):
        name = node.id.removeprefix(_MARK)
        value = _parameter(name, env)
        if not is_whole(value):
            raise Misfit(f"{text!r}: ${name} is {shortened(value)}, not a whole number")
        whole: int = value
        return whole
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, env, text)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = (_number(side, env, text) for side in (node.left, node.right))
        try:
            return _bounded(_OPERATORS[type(node.op)](left, right), text)
        except ZeroDivisionError:
            raise Misfit(f"{text!r} divides by zero") from None
    raise _broken(text)


def _even(left: int, right: int) -> int:
    quotient, rest = divmod(left, right)
    if rest:
        raise Misfit(f"{left}/{right} is not a whole number; write // to round down")
    return quotient


_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: lambda left, right: left % right,
    ast.Div: _even,
}


def _bounded(value: int, text: str) -> int:
    if abs(value) > MAX_VALUE:
        raise Misfit(f"{text!r} is beyond {MAX_VALUE:.0e}")
    return value


def _parameter(name: str, env: Env) -> Value:
    if name in env:
        if env[name].broken:
            raise Silent("")
        return env[name].value
    known = ", ".join(f"${known}" for known in sorted(env)[:MOST_NAMED]) or "none here"
    known += ", …" if len(env) > MOST_NAMED else ""
    raise Misfit(f"unknown parameter '${name}'{did_you_mean(name, env) or f'; there are {known}'}")


def _broken(text: str) -> Misfit:
    return Misfit(
        f"{shortened(text)} is not arithmetic; allowed are whole numbers, $names, "
        "+ - * // / % and parentheses"
    )
