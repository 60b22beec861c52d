"""What one pass of a model did, operator by operator: the record that foreign models are counted from.

All numbers are of the pass as it ran, batch included. Names of modules are dotted paths; the model
itself is the empty path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from costcalc.records import Shape

Role = Literal["weight", "bias", "norm"]
Phase = Literal["forward", "backward"]
# what is known of an operator's cost: exact; that it multiplies and adds nothing; nothing
Knowledge = Literal["counted", "no MACs", "unknown"]


class Operation(NamedTuple):
    """One operator as it ran.

    ``operator`` is its name as in ``aten::conv2d``; ``module`` the path of the innermost module that
    was running. ``arguments`` are the positional ones as passed, with shapes (tuples) in place of
    tensors; ``outputs`` are the shapes of the tensors it gave. ``within`` are the composite operators
    that it is a part of, outermost first. ``taken`` and ``given`` are the numbers of the buffers it
    reads and makes (a view makes none), ``read`` how many elements of each it reads, ``in_place``
    whether its result may live in one of them. ``held`` are elements of parameters and buffers that it
    reads: as many for a sample as for a batch.

    How the model's code came to it, which other counters depend on: ``function`` is the function of torch
    that it called, as ``torch.matmul``, or nothing where it wrote a sign, as in ``x @ y``; ``equation``
    that of the einsum it is a part of; ``contiguous`` whether its first tensor lies in memory axis
    after axis.
    """

    operator: str
    module: str
    phase: Phase
    arguments: tuple[Any, ...]
    outputs: tuple[Shape, ...]
    within: tuple[str, ...]
    knowledge: Knowledge
    macs: int
    other_ops: int
    read: tuple[int, ...]
    writes: int
    held: int
    taken: tuple[int, ...]
    given: tuple[int, ...]
    in_place: bool
    function: str
    equation: str
    contiguous: bool

    @property
    def reads(self) -> int:
        """Elements of activations that it takes."""
        return sum(self.read)


class Call(NamedTuple):
    """One run of a module's ``forward``: the shapes of the tensors it took and gave, in order."""

    module: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Module:
    """A module: its class and those it inherits from, as ``torch.nn.modules.conv.Conv2d``, nearest first.

    ``children`` are the paths of its direct children.
    """

    path: str
    classes: tuple[str, ...]
    children: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The name of its class."""
        return self.classes[0].rpartition(".")[2]


class Holding(NamedTuple):
    """A parameter or buffer that a module owns; ``shared`` names the first owner of one held again.

    ``used`` is whether any operator took it.
    """

    module: str
    name: str
    elements: int
    role: Role
    is_buffer: bool
    trainable: bool
    shared: str
    used: bool


@dataclass(frozen=True)
class Execution:
    """Everything that one pass did, and what the model holds.

    ``modules`` maps paths to modules in the order of ``named_modules``; ``inputs`` and ``outputs``
    are the shapes of all tensors given to and by the model; ``samples`` is how many samples the pass
    was for, 0 if nobody said; ``batch`` the samples of the batch that its counts hold in, and ``divided``
    whether they have been divided by them. ``sizes`` are the elements of each buffer by number,
    ``entering`` and ``leaving`` the numbers of those given to the model and by it. ``assumed`` names
    operators whose output depends on values, and was taken to be as large as it can be; ``by_hand`` are
    modules whose ``forward`` was run without calling them.
    """

    name: str
    samples: int
    modules: Mapping[str, Module]
    operations: tuple[Operation, ...]
    calls: tuple[Call, ...]
    holdings: tuple[Holding, ...]
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    sizes: tuple[int, ...]
    entering: tuple[int, ...]
    leaving: tuple[int, ...]
    assumed: tuple[str, ...] = ()
    by_hand: frozenset[str] = frozenset()
    batch: int = 1
    divided: bool = False


def alike(whole: Execution, one: Execution) -> bool:
    """Whether every operator of a batch costs what it costs for one sample, or that times the samples.

    Then counts per sample mean something: what grows with the batch is divided, the rest is spent once.
    """
    by = whole.samples
    if [_form(ran) for ran in whole.operations] != [_form(ran) for ran in one.operations]:
        return False
    pairs = zip(whole.operations, one.operations, strict=True)
    counts = (pair for ran, single in pairs for pair in zip(_counts(ran), _counts(single), strict=True))
    return all(count in (single, single * by) for count, single in counts)


def _form(ran: Operation) -> tuple[str, int]:
    return ran.operator, len(ran.read)


def _counts(ran: Operation) -> tuple[int, ...]:
    return (ran.macs, ran.other_ops, ran.writes, *ran.read)


def divided(whole: Execution, samples: int) -> Execution | None:
    """The pass per sample of its batch, None if some count does not divide by the ``samples``."""
    counts = [count for ran in whole.operations for count in _counts(ran)]
    if any(count % samples for count in (*counts, *(whole.sizes[number] for number in whole.entering))):
        return None
    ran = tuple(
        each._replace(
            macs=each.macs // samples,
            other_ops=each.other_ops // samples,
            read=tuple(count // samples for count in each.read),
            writes=each.writes // samples,
        )
        for each in whole.operations
    )
    sizes = tuple(size // samples for size in whole.sizes)
    return replace(whole, operations=ran, sizes=sizes, samples=samples, batch=samples, divided=True)
