"""Frozen records that check their own fields, and tell every fault at once.

A field is an annotated name of a class, and the annotation says what may stand there. Annotations are
read when a class is first used, and a field that keeps its default is not stored: a kind of record that
nobody uses costs its definition alone, and a record with few fields given costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from inspect import get_annotations
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Union, get_args, get_origin

from costcalc.errors import Misfit, shortened

Path = tuple["str | int", ...]
Check = Callable[[Any], Any]  # a value as written → as it is kept; raises Misfit


class Unknown(Misfit):
    """A field that a record does not have."""


class Missing(Misfit):
    """A field without default that is not given."""


class Faults(Misfit):
    """Everything that is wrong with one record: each fault under the path that leads to it."""

    def __init__(self, found: Iterable[tuple[Path, Misfit]]) -> None:
        self.found = tuple(found)
        super().__init__("; ".join(f"{'.'.join(map(str, path))}: {fault}" for path, fault in self.found))


class Validated:
    """A frozen record. ``Annotated[T, check, …]`` is checked by calling; ``bool``, ``str``, ``Literal``,
    ``Any``, ``T | None``, ``tuple[T, ...]`` (written as a list), ``Mapping[str, T]`` and other such
    records are known. Raises :class:`Faults`.
    """

    def __init__(self, /, **given: Any) -> None:
        checks = self.fields()
        try:
            for name, value in given.items():
                object.__setattr__(self, name, checks.get(name, _unknown)(value))
        except Misfit:
            raise Faults(self._faults(given)) from None
        if not self.required() <= given.keys():
            raise Faults(self._faults(given))

    @classmethod
    @cache
    def fields(cls) -> dict[str, Check]:
        """The fields in order, each with the check that its values pass."""
        hints = {name: hint for base in reversed(cls.__mro__) for name, hint in _annotations(base).items()}
        return {name: _check(hint) for name, hint in hints.items() if get_origin(hint) is not ClassVar}

    @classmethod
    @cache
    def required(cls) -> frozenset[str]:
        """The fields without default; the default of another is the class's attribute of that name."""
        return frozenset(name for name in cls.fields() if not hasattr(cls, name))

    @classmethod
    def _faults(cls, given: Mapping[str, Any]) -> Iterable[tuple[Path, Misfit]]:
        for name, check in cls.fields().items():
            if name in given:
                yield from _found(name, check, given[name])
            elif name in cls.required():
                yield (name,), Missing(f"needs '{name}'")
        yield from (((name,), Unknown(f"has no '{name}'")) for name in given if name not in cls.fields())

    def given(self) -> frozenset[str]:
        """The fields that were given, be it as their defaults."""
        return frozenset(vars(self))

    def values(self) -> dict[str, Any]:
        """The value of every field."""
        return {name: getattr(self, name) for name in self.fields()}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: '{name}' cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: '{name}' cannot be removed")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.values() == other.values()

    def __hash__(self) -> int:
        return hash((type(self), *self.values().values()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.values().items())
        return f"{type(self).__name__}({shown})"


@cache
def _annotations(of: type) -> dict[str, Any]:
    return get_annotations(of, eval_str=True)


def _unknown(value: object) -> NoReturn:
    raise Misfit("no such field")


def _found(step: str | int, check: Check, value: object) -> Iterable[tuple[Path, Misfit]]:
    """What is wrong with a part, as the whole sees it."""
    try:
        check(value)
    except Faults as faults:
        yield from (((step, *path), fault) for path, fault in faults.found)
    except Misfit as misfit:
        yield (step,), misfit


def _check(hint: Any) -> Check:
    """The check that an annotation stands for."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return parts[1] if len(parts) == 2 else _chain(parts[1:])
    if origin in (Union, UnionType) and parts[1:] == (NoneType,):
        return _optional(_check(parts[0]))
    if origin is Literal:
        return _one_of(parts)
    if origin is tuple:
        return _listed(_check(parts[0]))
    if origin is Mapping:
        return _mapped(_check(parts[1]))
    if isinstance(hint, type) and issubclass(hint, Validated):
        return lambda value: hint(**mapping(value))
    return _PLAIN[hint]


def _chain(checks: tuple[Check, ...]) -> Check:
    def checked(value: object) -> object:
        for check in checks:
            value = check(value)
        return value

    return checked


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _one_of(words: tuple[str, ...]) -> Check:
    listed = " or ".join(filter(None, (", ".join(map(repr, words[:-1])), repr(words[-1]))))

    def checked(value: object) -> object:
        if isinstance(value, str) and value in words:
            return value
        raise Misfit(f"should be {listed}, not {shortened(value)}")

    return checked


def _listed(check: Check) -> Check:
    def checked(value: object) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise Misfit(f"should be a list, not {shortened(value)}")
        return tuple(_each(check, enumerate(value)).values())

    return checked


def _mapped(check: Check) -> Check:
    return lambda value: _each(check, mapping(value).items())


def _each(check: Check, parts: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Every part checked, or the faults of them all."""
    parts = list(parts)
    try:
        return {step: check(value) for step, value in parts}
    except Misfit:
        raise Faults(found for step, value in parts for found in _found(step, check, value)) from None


def mapping(value: object) -> dict[str, Any]:
    """A mapping as it is."""
    if isinstance(value, dict):
        return value
    raise Misfit(f"should be a mapping, `key: value`, not {shortened(value)}")


def text(value: object) -> str:
    """A text as it is."""
    if isinstance(value, str):
        return value
    raise Misfit(f"should be a text, not {shortened(value)}")


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise Misfit(f"should be true or false, not {shortened(value)}")


_PLAIN: dict[Any, Check] = {bool: _flag, str: text, Any: lambda value: value}
