"""ultralytics-thop: formulas for layers, for what inherits from them, and for some functions."""

from __future__ import annotations

import math
from typing import Any

from costcalc.conventions import recurrent
from costcalc.conventions.terms import (
    ATTENTION,
    CONV,
    RECURRENT,
    TRANSPOSED,
    Convention,
    ancestry,
    argument,
    calls,
    deriving,
    holds,
    inputs,
    neither,
    outputs,
    products,
    rule,
    shape,
    sums,
    within,
)
from costcalc.conventions.thop import ADAPTIVE, CONVS, PER_UNIT, POOLS, STACKS, TRANSPOSES
from costcalc.execution import Call, Execution, Operation

NORMS = frozenset("_NormBase LayerNorm GroupNorm RMSNorm".split())
SOFTMAXES = "Softmax LogSoftmax Softmin Softmax2d"
# these run functions of which each product counts only if no layer with a formula is running
RULED = f"{CONVS} {TRANSPOSES} Linear Bilinear {STACKS} {' '.join(recurrent.CELLS)} MultiheadAttention"
FUNCTIONS = f"linear matmul bmm {ATTENTION}"
UNKNOWN = f"{CONV} {TRANSPOSED} mm addmm baddbmm addbmm addmv mv dot vdot inner bilinear"


def _norm(execution: Execution, call: Call) -> int:
    """4 per input element of a normalisation with a learned scale, else 2."""
    if NORMS.isdisjoint(ancestry(execution, call.module)):
        return 0
    return (4 if holds(execution, call.module, "weight") else 2) * math.prod(call.inputs[0])


def _rows(operation: Operation) -> int:
    """3 per element of a softmax, less one for each row."""
    return 3 * math.prod(shape(operation, 0)) - _one_per_row(operation)


def _score_rows(operation: Operation) -> int:
    """The same for the scores of an attention product, which it keeps to itself."""
    query, key = shape(operation, 0), shape(operation, 1)
    rows = math.prod(query[:-1])
    return rows * (3 * key[-2] - 1)


def _one_per_row(operation: Operation) -> int:
    x = shape(operation, 0)
    length: int = x[operation.arguments[1]]
    return math.prod(x) // length


def _windows(operation: Operation) -> int:
    """What average pools add up, padding included where it is averaged too, and a quotient per output."""
    x, out = shape(operation, 0), operation.outputs[0]
    axes = int(operation.operator[-2])
    kernel, stride, padding = (_each(argument(operation, index), axes) for index in (1, 2, 3))
    padded = argument(operation, 5) is not False
    read = math.prod(x[:-axes])
    sides = zip(x[-axes:], out[-axes:], kernel, stride or kernel, padding or [0] * axes, strict=True)
    for size, positions, length, step, pad in sides:
        lower, upper = (-pad, size + pad) if padded else (0, size)
        starts = [position * step - pad for position in range(positions)]
        read *= sum(max(min(start + length, upper) - max(start, lower), 0) for start in starts)
    return read + math.prod(out)


def _each(value: Any, axes: int) -> list[int]:
    """A size for each axis, empty if none is given; one given for all counts for each."""
    sizes: list[int] = list(value) if isinstance(value, list) else [] if value is None else [value]
    return sizes * axes if len(sizes) == 1 else sizes


def _adaptive(operation: Operation) -> int:
    return operation.other_ops + math.prod(operation.outputs[0])


def _second_width(operation: Operation) -> int:
    """A bilinear layer's output elements times the width of its second input."""
    return math.prod(operation.outputs[0]) * shape(operation, 2)[-1]


def _inner(execution: Execution, operation: Operation) -> bool:
    """Part of an operator that the tool sees whole, and does not know."""
    return bool(operation.within) and operation.within[0] != "aten::einsum"


def _many(execution: Execution, operation: Operation) -> bool:
    """Part of an einsum of more than two factors."""
    return operation.equation.count(",") > 1


CELL_PARTS = within("lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell")
ULTRALYTICS = Convention(
    key="ultralytics-thop",
    title="ultralytics-thop 2.2.3",
    calls_it="total_ops",
    distribution="ultralytics-thop",
    terms=sums(
        rule("functions it has no formula for", UNKNOWN, products(-1), neither(deriving(RULED))),
        rule(
            "products inside other operators",
            FUNCTIONS,
            products(-1),
            _inner,
            neither(deriving(RULED), CELL_PARTS),
        ),
        rule("deformable convolutions", "deform_conv2d", products(-1)),
        rule("einsum of more than two factors", "bmm", products(-1), _many, neither(deriving(RULED))),
        rule("einsum without a sum", "mul", outputs(1), within("einsum"), neither(_many, deriving(RULED))),
        rule("bilinear layers: second width per output", "bilinear", _second_width, deriving("Bilinear")),
        rule(
            "gates and biases of recurrent layers",
            RECURRENT,
            recurrent.per_step(lambda s: s.units * (PER_UNIT[s.kind][0] + PER_UNIT[s.kind][1] * s.biased)),
            deriving(STACKS),
        ),
        recurrent.per_cell("gates and biases of recurrent layers", PER_UNIT, first_axis=False),
        calls("norms: 4 per element", _norm),
        rule("attention softmax: 3 per score", ATTENTION, _score_rows, deriving("MultiheadAttention")),
        rule("attention softmax: 3 per score", "softmax", _rows, deriving("MultiheadAttention")),
        rule("softmax: 3 per element", "softmax log_softmax", _rows, deriving(SOFTMAXES)),
        rule("softmax: 3 per element", "log_softmax", _one_per_row, deriving("LogSoftmax")),
        rule("softmax: 3 per element", "softmax", inputs(1), deriving("Softmin")),
        rule("PReLU elements", "prelu", inputs(1), deriving("PReLU")),
        rule(
            "average pools: windows and outputs",
            "avg_pool1d avg_pool2d avg_pool3d",
            _windows,
            deriving(POOLS),
        ),
        rule(
            "average pools: windows and outputs",
            "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d",
            _adaptive,
            deriving(ADAPTIVE),
        ),
        rule("upsampling", "upsample_linear1d", outputs(5), deriving("Upsample")),
        rule("upsampling", "upsample_bilinear2d", outputs(11), deriving("Upsample")),
        rule("upsampling", "upsample_bicubic2d", outputs(259), deriving("Upsample")),
        rule("upsampling", "upsample_trilinear3d", outputs(31), deriving("Upsample")),
    ),
    note=("Counts layers, what inherits from them, and the commonest products among functions."),
)
