"""What is unfolded: an entry of a layer table, evaluated, and where the table stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from costcalc.errors import Place
from costcalc.spec.arithmetic import Bound, Env


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a layer table is unfolded: dotted prefix, parameters, and the node that flows in.

    ``stack`` names the blocks being unfolded, ``anchor`` the user's own line while inside a
    shipped block, so that a message points at what the user wrote.
    """

    prefix: str
    env: Env
    entry: str | None
    training: bool = False
    stack: tuple[str, ...] = ()
    anchor: Place | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One entry of a layer table, evaluated: wiring apart from the fields of its kind."""

    path: str
    kind: str
    fields: Mapping[str, Bound]
    keys: Mapping[str, Place]
    broken: frozenset[str]  # fields whose value could not be evaluated, reported already
    source: Bound | None
    repeat: int | None
    training: bool
    place: Place
