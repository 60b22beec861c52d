"""The words that conventions are written in: which operations, and how much each adds or takes away."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from costcalc.execution import Call, Execution, Operation
from costcalc.records import Shape

CONV = "conv1d conv2d conv3d"
TRANSPOSED = "conv_transpose1d conv_transpose2d conv_transpose3d"
ATTENTION = "scaled_dot_product_attention"
MATMUL = "matmul mm bmm"
RECURRENT = "lstm gru rnn_tanh rnn_relu"

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


def calls(label: str, amount: Callable[[Execution, Call], int]) -> Rule:
    """What each run of a module comes to."""
    return Rule(
        label, lambda execution: tally((call.module, amount(execution, call)) for call in execution.calls)
    )


def again(label: str, factor: Callable[[int], int], *rules: Rule) -> Rule:
    """What counting a module as often as that adds, for one that stands in several places."""

    def amounts(execution: Execution) -> Mapping[str, int]:
        places = standing(execution)
        once = tally(pair for each in (MACS, *rules) for pair in each.amounts(execution).items())
        return {path: amount * (factor(places[path]) - 1) for path, amount in once.items()}

    return Rule(label, amounts)


def standing(execution: Execution) -> Mapping[str, int]:
    """In how many places each module stands: on how many ways down from the model it is met."""
    places: Counter[str] = Counter({"": 1})
    waiting = dict.fromkeys(execution.modules, 0)
    for module in execution.modules.values():
        for child in dict.fromkeys(module.children):
            waiting[child] += 1
    ready = [""]
    while ready:
        module = execution.modules[ready.pop()]
        for child in dict.fromkeys(module.children):
            places[child] += places[module.path]
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return places


def argument(operation: Operation, index: int) -> Any:
    """A positional argument, None where it was left out."""
    return operation.arguments[index] if len(operation.arguments) > index else None


def shape(operation: Operation, index: int) -> Shape:
    """The shape of the tensor that stands at ``index``."""
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


def instead(figure: Amount) -> Amount:
    """What turns its multiply-adds into that figure."""
    return lambda operation: figure(operation) - operation.macs


def biases(index: int) -> Amount:
    """One addition per output element where a bias stands at that argument."""
    return scaled(index, outputs(1), outputs(0))


def inside(words: str) -> Where:
    """Run by a module of exactly one of these classes of ``torch.nn``."""
    kinds = frozenset(words.split())
    return lambda execution, operation: layer(execution, operation.module) in kinds


def given(index: int, kind: type) -> Where:
    """With an argument of that type there: a word for a padding, say."""
    return lambda execution, operation: isinstance(argument(operation, index), kind)


def rank(index: int, *ranks: int) -> Where:
    """With a tensor of that many axes there."""
    return lambda execution, operation: len(shape(operation, index)) in ranks


def within(words: str) -> Where:
    """A part of one of these composite operators."""
    names = frozenset(f"aten::{word}" for word in words.split())
    return lambda execution, operation: not names.isdisjoint(operation.within)


def deriving(words: str) -> Where:
    """Run by a module of one of these classes of ``torch.nn``, or of one that inherits from it."""
    kinds = frozenset(words.split())
    return lambda execution, operation: not kinds.isdisjoint(ancestry(execution, operation.module))


def neither(*conditions: Where) -> Where:
    """None of these."""
    return lambda execution, operation: not any(condition(execution, operation) for condition in conditions)


def ancestry(execution: Execution, path: str) -> tuple[str, ...]:
    """The names of the classes of torch that the module there is or inherits from, nearest first."""
    parts = (name.rpartition(".") for name in execution.modules[path].classes)
    hooked = path not in execution.by_hand
    return tuple(name for package, _, name in parts if hooked and package.startswith("torch.nn.modules."))


def sign(execution: Execution, operation: Operation) -> bool:
    """Written as a sign, ``x @ y``, not as a function."""
    return not operation.function


def functional(execution: Execution, operation: Operation) -> bool:
    """Reached through ``torch.nn.functional``, and not through a method or a function of ``torch``."""
    return operation.function.startswith("torch.nn.functional.")


def holds(execution: Execution, path: str, name: str) -> bool:
    """Whether the module there owns a parameter or buffer of that name."""
    return any(held.module == path and held.name == name for held in execution.holdings)


def layer(execution: Execution, path: str) -> str:
    """``Conv2d`` if the module there is that very class of torch, nothing if it is any other."""
    package, _, name = execution.modules[path].classes[0].rpartition(".")
    hooked = path not in execution.by_hand
    return name if hooked and package.startswith("torch.nn.modules.") else ""


MACS = rule("MACs", "", products(1))


def first_times_width(operation: Operation) -> int:
    """The left factor's elements times the right one's width, whatever else is broadcast."""
    return math.prod(shape(operation, 0)) * shape(operation, 1)[-1]
