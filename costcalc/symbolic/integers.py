"""Whole numbers that remember the expression they are the value of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy


class Symbolic(int):
    """A whole number and the expression it is the value of.

    It compares and hashes as the number, so a comparison takes the branch of its value: what is
    computed behind one holds where the branch is taken, and is held against plain counts elsewhere.
    """

    expr: sympy.Expr

    def __new__(cls, value: int, expr: sympy.Expr) -> Symbolic:
        made = super().__new__(cls, value)
        made.expr = expr
        return made

    def __neg__(self) -> Symbolic:
        return Symbolic(-int(self), -self.expr)

    def __abs__(self) -> Symbolic:
        return -self if self < 0 else self

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


def _refused(name: str) -> None:
    """Make an operation that would forget the expression an error."""

    def refuse(self: Symbolic, other: object = None) -> Any:
        raise TypeError(f"{name} of a symbolic number")

    setattr(Symbolic, name, refuse)
    setattr(Symbolic, name.replace("__", "__r", 1), refuse)


_operation("__add__", lambda left, right: left + right)
_operation("__sub__", lambda left, right: left - right)
_operation("__mul__", lambda left, right: left * right)
_operation("__floordiv__", _floored)
_operation("__mod__", sympy.Mod)
for _name in ("__truediv__", "__pow__", "__lshift__", "__rshift__", "__and__", "__or__", "__xor__"):
    _refused(_name)


def of(value: int) -> sympy.Expr:
    """The expression of a number: its own, or the number itself."""
    return value.expr if isinstance(value, Symbolic) else sympy.Integer(value)
