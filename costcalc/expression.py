"""Arithmetic written as text: ``(a + b)**2 / 9``. Parsed into a tree and walked, never run."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeVar

from costcalc.errors import Misfit, did_you_mean, shortened

MAX_LENGTH = 500
MAX_EXPONENT = 64
_NUMBER = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")

T = TypeVar("T")

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}


def evaluate(
    text: str,
    number: Callable[[Fraction], T],
    names: Mapping[str, T],
    functions: Mapping[str, Callable[[T], T]] | None = None,
) -> T:
    """The value of ``text`` over whatever ``number`` makes of a constant and ``names`` stand for.

    Allowed are numbers, names, ``+ - * / // **``, parentheses and calls of the given one-argument
    functions; anything else raises :class:`Misfit`.
    """

    def walk(node: ast.expr) -> T:
        if isinstance(node, ast.Constant):
            return number(_constant(node, text))
        if isinstance(node, ast.Name) and node.id in names:
            return names[node.id]
        if isinstance(node, ast.Name):
            raise Misfit(f"unknown name {shortened(node.id)} in {shortened(text)}{_hint(node.id, names)}")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return walk(ast.BinOp(ast.Constant(0), ast.Sub(), node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            if isinstance(node.op, ast.Pow):
                _check_power(node, text)
            combined: T = _combined(node.op, walk(node.left), walk(node.right), text)
            return combined
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
            function = (functions or {}).get(node.func.id)
            if function is not None and not node.keywords:
                return function(walk(node.args[0]))
        raise Misfit(f"{shortened(text)} is not arithmetic; allowed are numbers, names, + - * / // ** and ()")

    return walk(_tree(text))


def _constant(node: ast.Constant, text: str) -> Fraction:
    """The number as written, digit by digit; a float would keep only seventeen of them."""
    written = ast.get_source_segment(text.strip(), node) or str(node.value)
    if type(node.value) not in (int, float) or not _NUMBER.fullmatch(written):
        raise Misfit(f"{shortened(written)} is no number here; write for example 2.5, or 5 * 10**6")
    return Fraction(written)


def _check_power(node: ast.BinOp, text: str) -> None:
    """Powers of powers grow beyond all bounds; one small whole exponent does not."""
    exponent = node.right.value if isinstance(node.right, ast.Constant) else None
    if type(exponent) is not int or exponent > MAX_EXPONENT:
        raise Misfit(f"{shortened(text)}: an exponent should be a whole number up to {MAX_EXPONENT}")
    if any(isinstance(inner, ast.Pow) for inner in ast.walk(node.left)):
        raise Misfit(f"{shortened(text)}: a power of a power is not allowed; multiply the exponents")


def _tree(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise Misfit(f"{shortened(text)} is longer than {MAX_LENGTH} characters")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise Misfit(f"{shortened(text)} is not arithmetic") from None


def _combined(op: ast.operator, left: Any, right: Any, text: str) -> Any:
    if isinstance(op, (ast.Div, ast.FloorDiv)) and right == 0:
        raise Misfit(f"{shortened(text)} divides by zero")
    return _OPERATORS[type(op)](left, right)


def _hint(name: str, names: Mapping[str, object]) -> str:
    return did_you_mean(name, names) or (f"; there are {', '.join(names)}" if names else "")
