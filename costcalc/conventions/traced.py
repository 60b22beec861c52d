"""Counters of traced graphs, fvcore and torchprofile: a formula for each operator they know."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from costcalc.conventions.terms import (
    ATTENTION,
    CONV,
    MACS,
    MATMUL,
    RECURRENT,
    TRANSPOSED,
    Amount,
    Convention,
    Rule,
    Term,
    Where,
    argument,
    first_times_width,
    given,
    inputs,
    instead,
    outputs,
    products,
    rule,
    scaled,
    shape,
    sums,
    tally,
    within,
)
from costcalc.execution import Execution, Operation

# composite operators that a trace passes through, to record their parts
PASSED = frozenset(f"aten::{word}" for word in "lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell".split())
NOTHING = outputs(0)
AVERAGES = """
avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
"""


def hidden(execution: Execution, operation: Operation) -> bool:
    """Part of an operator that the trace records whole, under its own name."""
    return any(name not in PASSED and name != "aten::einsum" for name in operation.within)


def seen(execution: Execution, operation: Operation) -> bool:
    """Recorded by the trace under the operator's own name."""
    return all(name in PASSED for name in operation.within)


def _training(if_so: Amount, if_not: Amount) -> Amount:
    return lambda operation: (if_so if argument(operation, 5) else if_not)(operation)


def _printed_half(operation: Operation) -> int:
    """Half of the FLOPs as numpy prints them, to four digits; exact where it takes a shorter way."""
    if _renamed(operation.equation) in ("abc,abd->acd", "abc,adc->adb"):
        return operation.macs
    return int(float(f"{2 * operation.macs:.3e}")) // 2


def _renamed(equation: str) -> str:
    """With letters in the order in which they come."""
    letters = dict.fromkeys(letter for letter in equation if letter.isalpha())
    names = {ord(letter): ord("a") + index for index, letter in enumerate(letters)}
    return equation.replace(" ", "").translate(names)


def _transposed_on_output(operation: Operation) -> int:
    """Kernel size times output elements times the weight's first axis, or its second where that fits."""
    weight, out = shape(operation, 1), operation.outputs[0]
    channels = weight[1] if out[1] == weight[0] else weight[0]
    return math.prod(out) * channels * math.prod(weight[2:])


def _lstm(operation: Operation) -> int:
    """Four gates of input and hidden width in every layer and direction; a projection is not seen."""
    out, state = operation.outputs[:2]
    hidden_size, both_ways = state[-1], out[-1] // state[-1]
    widths = [shape(operation, 0)[-1]] + [hidden_size * both_ways] * (state[0] // both_ways - 1)
    gates = sum(4 * hidden_size * (width + hidden_size) for width in widths)
    return out[0] * out[1] * both_ways * gates


def _sampled(operation: Operation) -> int:
    """Per output element 4 if bilinear, none if nearest, 16 if bicubic."""
    return outputs((4, 0, 16)[argument(operation, 2)])(operation)


def _exactly(name: str) -> Where:
    return lambda execution, operation: operation.operator == name


def _unsummed(operation: Operation) -> int:
    """Half of what numpy prints for one product per element."""
    return int(float(f"{math.prod(operation.outputs[0]):.3e}")) // 2


def _alive(execution: Execution) -> tuple[Operation, ...]:
    """The operations on whose results the outputs rest; a trace throws out the others."""
    wanted = set(execution.leaving)
    kept = []
    for operation in reversed(execution.operations):
        if not wanted.isdisjoint(operation.given):
            wanted.update(operation.taken)
            kept.append(operation)
    return tuple(reversed(kept))


def _thrown_out(execution: Execution) -> Mapping[str, int]:
    left = replace(execution, operations=_alive(execution))
    return tally([*_negative(MACS.amounts(execution)), *MACS.amounts(left).items()])


def _negative(amounts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    return ((path, -amount) for path, amount in amounts.items())


def _traced(*rules: Rule) -> Callable[[Execution], tuple[Term, ...]]:
    """The rules for what a trace keeps, after what it throws out."""

    def kept(each: Rule) -> Rule:
        return Rule(
            each.label, lambda execution: each.amounts(replace(execution, operations=_alive(execution)))
        )

    return sums(Rule("results that nothing uses", _thrown_out), *map(kept, rules))


FVCORE = Convention(
    key="fvcore",
    title="fvcore 0.1.5.post20221221 FlopCountAnalysis, defaults (also MMEngine)",
    calls_it="flops",
    distribution="fvcore",
    terms=_traced(
        rule("convolutions with padding given as a word", CONV, products(-1), given(4, str)),
        rule("attention products", ATTENTION, products(-1)),
        rule("recurrent layers", RECURRENT, products(-1)),
        rule(
            "other products it has no formula for",
            "baddbmm addbmm addmv mv dot vdot inner bilinear",
            products(-1),
            seen,
        ),
        rule("products inside other operators", "", products(-1), hidden),
        rule("deformable convolutions", "deform_conv2d", products(-1)),
        rule("products with a right factor broadcast", MATMUL, instead(first_times_width), seen),
        rule("einsum rounded to four digits", "bmm", instead(_printed_half), within("einsum")),
        rule("einsum without a sum", "mul", _unsummed, within("einsum")),
        rule(
            "batch norm: 2 per element",
            "batch_norm",
            _training(scaled(1, inputs(5), inputs(4)), scaled(1, inputs(2), inputs(1))),
        ),
        rule("layer and group norm: 5 per element", "layer_norm group_norm", scaled(2, inputs(5), inputs(4))),
        rule("instance norm: 5 per element", "instance_norm", scaled(1, inputs(5), inputs(4))),
        rule("adaptive average pool inputs", "adaptive_avg_pool2d", inputs(1)),
        rule("upsampling", "upsample_nearest2d", outputs(1)),
        rule("upsampling", "upsample_bilinear2d", outputs(4)),
        rule("grid sampling", "grid_sampler_2d grid_sampler_3d", outputs(4)),
    ),
    note=(
        "Counts what a trace with gradients on records. Not reproduced: an einsum of more than two factors."
    ),
)
TORCHPROFILE = Convention(
    key="torchprofile",
    title="torchprofile 0.1.0 profile_macs",
    calls_it="MACs",
    distribution="torchprofile",
    terms=_traced(
        rule("convolutions with padding given as a word", CONV, products(-1), given(4, str)),
        rule("transposed convolutions billed on the output grid", TRANSPOSED, instead(_transposed_on_output)),
        rule("recurrent layers other than LSTM", "gru rnn_tanh rnn_relu", products(-1)),
        rule("LSTM projections", "lstm", instead(_lstm)),
        rule(
            "other products it has no formula for", "mm addbmm mv dot vdot inner bilinear", products(-1), seen
        ),
        rule("products inside other operators", "", products(-1), hidden),
        rule("deformable convolutions", "deform_conv2d", products(-1)),
        rule("batch and instance norm elements", "batch_norm instance_norm", scaled(1, outputs(1), NOTHING)),
        rule("layer and group norm elements", "layer_norm group_norm", scaled(2, outputs(1), NOTHING)),
        rule(
            "average pool outputs",
            f"{AVERAGES} mean",
            outputs(1),
            seen,
        ),
        rule("elementwise products", "mul", outputs(1), seen),
        rule("einsum without a sum", "mul", outputs(1), within("einsum")),
        rule("leaky ReLU elements", "leaky_relu", outputs(1), _exactly("aten::leaky_relu")),
        rule("4 × bilinear upsampling outputs", "upsample_bilinear2d", outputs(4)),
        rule("grid sampling", "grid_sampler_2d grid_sampler_3d", _sampled),
    ),
    note=(
        "Counts what a trace records. Not reproduced: products of two sizes (batch × heads), "
        "recorded as elementwise products of one element, and an einsum of more than two factors."
    ),
)
