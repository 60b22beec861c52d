"""When which block of a network begins, in situ: marks set by hooks that neither wait nor measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from torch import nn

Stamp = TypeVar("Stamp")  # a time, or a recorded event
END = ""  # where a pass ends, in the place of a block's name


@dataclass(frozen=True)
class Boundaries:
    """Where marks go: the modules that are entered (by path), and the block that each belongs to.

    ``own`` is the block of what runs outside of them, None where nothing does: then a block lasts until
    the next begins.
    """

    entrances: Mapping[str, str]
    own: str | None = None


@dataclass
class Timeline(Generic[Stamp]):
    """Which blocks passes came by in order, and a stamp where each begins."""

    stamp: Callable[[], Stamp]
    names: list[str] = field(default_factory=list)
    stamps: list[Stamp] = field(default_factory=list)

    def mark(self, name: str) -> None:
        """A block begins; nothing is marked if it is running already."""
        if not self.names or self.names[-1] != name:
            self.names.append(name)
            self.stamps.append(self.stamp())

    def passes(self, between: Callable[[Stamp, Stamp], float]) -> list[dict[str, float]]:
        """The seconds of each block, pass by pass; one that runs several times has them together."""
        found: list[dict[str, float]] = [{}]
        for name, start, end in zip(self.names, self.stamps, self.stamps[1:], strict=False):
            if name == END:
                found.append({})
            else:
                found[-1][name] = found[-1].get(name, 0.0) + between(start, end)
        return found


def marked(run: Callable[[], object], where: Boundaries, mark: Callable[[str], None]) -> Callable[[], None]:
    """A pass that marks where it begins and ends; in between it is for :func:`hooked` to do."""

    def once() -> None:
        if where.own is not None:
            mark(where.own)
        run()
        mark(END)

    return once


@contextmanager
def hooked(module: nn.Module, where: Boundaries, mark: Callable[[str], None]) -> Iterator[None]:
    """The module with hooks that mark where its blocks begin; they are removed afterwards."""
    running = [where.own]

    def enter(block: str, *_: object) -> None:
        running.append(block)
        mark(block)

    def leave(*_: object) -> None:
        running.pop()
        mark(running[-1] or END)

    with ExitStack() as stack:
        for path, block in where.entrances.items():
            part = module.get_submodule(path)
            stack.callback(part.register_forward_pre_hook(partial(enter, block)).remove)
            if where.own is not None:
                stack.callback(part.register_forward_hook(leave).remove)
        yield


def samples(passes: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """One sample per pass by block; a block that a pass did not come by took no time in it."""
    names = dict.fromkeys(name for each in passes for name in each)
    return {name: tuple(each.get(name, 0.0) for each in passes) for name in names}
