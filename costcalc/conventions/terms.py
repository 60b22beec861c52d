"""The words that conventions are written in: which operations, and how much each adds or takes away."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from costcalc.execution import Execution, Operation
from costcalc.records import Shape

Amount = Callable[[Operation], int]  # what one operation adds
Where = Callable[[Execution, Operation], bool]  # whether it is one of those meant
Amounts = Callable[[Execution], Mapping[str, int]]  # by path of the module


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a counter's figure: ``amounts`` by path of the module, signed, none of them nothing."""

    label: str
    amounts: Mapping[str, int]

    @property
    def total(self) -> int:
        """The sum over all modules."""
        return sum(self.amounts.values())


@dataclass(frozen=True, slots=True)
class Convention:
    """How a counter counts: its terms add up to the number that it gives for the same pass.

    ``calls_it`` is what the counter calls that number, ``distribution`` what to install to run it.
    """

    key: str
    title: str
    calls_it: str
    distribution: str
    terms: Callable[[Execution], tuple[Term, ...]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A label and what bears it."""

    label: str
    amounts: Amounts


def sums(*rules: Rule) -> Callable[[Execution], tuple[Term, ...]]:
    """Multiply-adds first, then every rule that comes to something; rules of one label are one term."""

    def terms(execution: Execution) -> tuple[Term, ...]:
        found = {MACS.label: Counter(MACS.amounts(execution))}
        for rule in rules:
            found.setdefault(rule.label, Counter()).update(rule.amounts(execution))
        return tuple(
            Term(label, kept)
            for label, amounts in found.items()
            if (kept := {path: amount for path, amount in amounts.items() if amount}) or label == MACS.label
        )

    return terms


def rule(label: str, words: str, amount: Amount, *where: Where) -> Rule:
    """What each operation of these names comes to, where all conditions hold; ``""`` means any name."""
    names = frozenset(words.split())

    def amounts(execution: Execution) -> Mapping[str, int]:
        return tally(
            (operation.module, amount(operation))
            for operation in execution.operations
            if operation.phase == "forward"
            and (not names or bare(operation) in names)
            and all(condition(execution, operation) for condition in where)
        )

    return Rule(label, amounts)


def tally(found: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    """The sum for each path."""
    amounts: Counter[str] = Counter()
    for path, amount in found:
        amounts[path] += amount
    return amounts


def bare(operation: Operation) -> str:
    """``aten::relu_`` → ``relu``: in place or not is the same."""
    return operation.operator.rpartition("::")[2].rstrip("_")


def argument(operation: Operation, index: int) -> Any:
    """A positional argument, None where it was left out."""
    return operation.arguments[index] if len(operation.arguments) > index else None


def shape(operation: Operation, index: int) -> Shape:
    """The shape of the tensor that stands at ``index``; Raises ``TypeError`` where none does."""
    found: Shape = operation.arguments[index]
    return found


def products(factor: int) -> Amount:
    """So many times its multiply-adds."""
    return lambda operation: factor * operation.macs


def inputs(factor: int) -> Amount:
    """So many per element of its first input."""
    return lambda operation: factor * math.prod(shape(operation, 0))


def outputs(factor: int) -> Amount:
    """So many per element of its first output."""
    return lambda operation: factor * math.prod(operation.outputs[0])


def scaled(index: int, with_scale: Amount, without: Amount) -> Amount:
    """One amount where a learned scale stands at that argument, another where none does."""
    return lambda operation: (without if argument(operation, index) is None else with_scale)(operation)


def biases(index: int) -> Amount:
    """One addition per output element where a bias stands at that argument."""
    return scaled(index, outputs(1), lambda operation: 0)


def inside(words: str) -> Where:
    """Run by a module of exactly one of these classes of ``torch.nn``."""
    kinds = frozenset(words.split())
    return lambda execution, operation: layer(execution, operation.module) in kinds


def outside(words: str) -> Where:
    """Run by anything else: a class of the user, a subclass, a function called in a ``forward``."""
    within = inside(words)
    return lambda execution, operation: not within(execution, operation)


def given(index: int, kind: type) -> Where:
    """With an argument of that type there: a word for a padding, say."""
    return lambda execution, operation: isinstance(argument(operation, index), kind)


def layer(execution: Execution, path: str) -> str:
    """``Conv2d`` if the module there is that very class of torch, nothing if it is any other."""
    package, _, name = execution.modules[path].classes[0].rpartition(".")
    return name if package.startswith("torch.nn.modules.") else ""


MACS = rule("MACs", "", products(1))
CONV = "conv1d conv2d conv3d"
TRANSPOSED = "conv_transpose1d conv_transpose2d conv_transpose3d"
ATTENTION = "scaled_dot_product_attention"
MATMUL = "matmul mm bmm"
RECURRENT = "lstm gru rnn_tanh rnn_relu"
