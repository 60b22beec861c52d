"""The layer kinds: each is one class below, and being defined is being registered."""

from __future__ import annotations

from abc import ABCMeta

from costcalc.layers import linear, pointwise, pool, shape
from costcalc.layers.base import Kernel, Layer
from costcalc.layers.window import Pair, Span

__all__ = ["KINDS", "Kernel", "Layer", "Pair", "Span", "fields", "summary"]

_ROOMS = (linear, pool, pointwise, shape)

KINDS: dict[str, type[Layer]] = {
    found.kind: found
    for room in _ROOMS
    for found in vars(room).values()
    if isinstance(found, ABCMeta) and issubclass(found, Layer) and "kind" in vars(found)
}


def fields(kind: str) -> str:
    """A kind's fields as a person lists them: ``out, kernel, stride=1, …``."""
    found = KINDS[kind]
    return ", ".join(
        name if name in found.required() else f"{name}={_shown(getattr(found, name))}"
        for name in found.fields()
    )


def summary(kind: str) -> str:
    """The first line of a kind's docstring."""
    return (KINDS[kind].__doc__ or "").partition("\n")[0].replace("``", "")


def _shown(value: object) -> str:
    if isinstance(value, tuple) and value[0] == value[1]:
        return str(value[0])
    if value is None:
        return "kernel"  # the only default that is another field
    return str(value).lower() if isinstance(value, bool) else str(value)
