"""What all commands are made with: one look, and words that reach them as they were typed."""

from __future__ import annotations

import sys
from enum import Enum, EnumMeta
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

IS_TERMINAL = sys.stdout.isatty() and sys.stderr.isatty()


def commands(**how: Any) -> typer.Typer:
    """Something to register commands with; all look the same."""
    return typer.Typer(
        **how,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="rich" if IS_TERMINAL else None,  # plain help in pipes: no escape codes in CI logs
        pretty_exceptions_enable=False,
    )


class _AsTyped:
    """What typer does with a value by a validator of pydantic's, for values that need none.

    To import pydantic and to build a validator for each option takes longer than most commands take to
    answer. A value that is not plainly of its type goes to typer after all, which has the messages.
    """

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        wanted, many = param.type_descriptor.annotation, param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        if many and wanted == list[str] and not isinstance(value, str):
            return list(value)
        if wanted in (bool, int, str) and isinstance(value, wanted):
            return value
        if isinstance(wanted, EnumMeta) and value in [each.value for each in list[Enum](wanted)]:
            return wanted(value)
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


class Plain:
    """Commands, or groups of them, that pydantic is not imported for."""

    def get_params(self, ctx: Any) -> list[Any]:
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in found:
            if getattr(param, "_runtime_param", self) is None:  # typer's own is not built yet
                param._runtime_param = _AsTyped()
        return found


class Command(Plain, TyperCommand):
    """A command."""


class Group(Plain, TyperGroup):
    """A group of commands."""


class RunGroup(Group):
    """``bench NAME…`` is ``bench run NAME…``; a first word that is a command of its own is that."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = ["run", *args]
        return super().parse_args(ctx, args)
