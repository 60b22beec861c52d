"""What an LSTM, GRU or RNN computes in a step, read off the operator's arguments or the cell's call."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from costcalc.conventions.terms import Amount, Rule, calls, holds, layer
from costcalc.execution import Call, Execution, Operation
from costcalc.records import Shape

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
CELLS = {"LSTMCell": "lstm", "GRUCell": "gru", "RNNCell": "rnn_tanh"}


@dataclass(frozen=True, slots=True)
class Stack:
    """A recurrent operator: its weights and biases layer by layer, each in one direction or both.

    ``steps`` are those run, of all samples; ``rectangle`` those that there would be if every
    sequence of a packed batch were as long as the longest.
    """

    kind: str
    weights: tuple[Shape, ...]
    layers: int
    directions: int
    biased: bool
    steps: int
    rectangle: int
    turned: bool  # the batch comes before the steps, and there are several of each

    @property
    def hidden(self) -> int:
        """Hidden units of a layer in one direction."""
        return self.weights[0][0] // GATES[self.kind]

    @property
    def units(self) -> int:
        """Hidden units of all layers and directions."""
        return self.hidden * self.layers * self.directions

    @property
    def projected(self) -> bool:
        """Whether the state is multiplied down to fewer units."""
        return len(self.weights) // (self.layers * self.directions) in (3, 5)


def stack(operation: Operation) -> Stack:
    """The arguments of ``aten::lstm`` and its kin by name, also of those for packed sequences."""
    args = operation.arguments
    place = max(index for index, value in enumerate(args[:4]) if isinstance(value, list))
    states = args[place - 1]
    steps = math.prod(args[0][:-1])
    packed = place == 3  # data, sizes of the batches, states, weights
    state = states[0] if isinstance(states, list) else states
    return Stack(
        kind=operation.operator.removeprefix("aten::"),
        weights=tuple(args[place]),
        layers=args[place + 2],
        directions=1 + args[place + 5],
        biased=args[place + 1],
        steps=steps,
        rectangle=args[1][0] * state[-2] if packed else steps,
        turned=not packed and args[-1] and min(args[0][:2]) > 1,
    )


def per_step(amount: Callable[[Stack], int]) -> Amount:
    """What a step of one sample comes to, for every step run."""

    def found(operation: Operation) -> int:
        layers = stack(operation)
        return layers.steps * amount(layers)

    return found


def biases(layers: Stack) -> int:
    """Bias elements of all layers and directions."""
    return sum(weight[0] for weight in layers.weights if len(weight) == 1)


def per_cell(label: str, units: dict[str, tuple[int, int]], first_axis: bool) -> Rule:
    """For a cell called alone: so much per hidden unit and sample, and so much more with biases.

    ``first_axis`` is whether a sample without a batch is taken for a batch of its features.
    """

    def amount(execution: Execution, call: Call) -> int:
        kind = CELLS.get(layer(execution, call.module))
        if kind is None:
            return 0
        biased = holds(execution, call.module, "bias_ih")
        each, more = units[kind]
        batch = call.inputs[0][0] if first_axis or len(call.inputs[0]) == 2 else 1
        return batch * call.outputs[0][-1] * (each + more * biased)

    return calls(label, amount)
