"""Profilers that replace functions of torch while a model runs: calflops, and DeepSpeed's."""

from __future__ import annotations

import math

from costcalc.conventions.terms import (
    ATTENTION,
    CONV,
    RECURRENT,
    TRANSPOSED,
    Convention,
    Rule,
    again,
    argument,
    first_times_width,
    given,
    instead,
    neither,
    products,
    rule,
    shape,
    sign,
    sums,
)
from costcalc.execution import Execution, Operation


def _inner(execution: Execution, operation: Operation) -> bool:
    """Part of an operator that computes its parts out of sight."""
    return bool(operation.within)


def _outer(execution: Execution, operation: Operation) -> bool:
    return not operation.within


def _evenly_padded(operation: Operation) -> int:
    """As if padding to the same size were half on either side, rounded down: an odd rest is lost."""
    x, weight, out = shape(operation, 0), shape(operation, 1), operation.outputs[0]
    steps: list[int] = argument(operation, 5) or [1] * len(x)
    spans = [(size - 1) * step for size, step in zip(weight[2:], steps, strict=False)]
    positions = (size + 2 * (span // 2) - span for size, span in zip(x[2:], spans, strict=True))
    return out[0] * math.prod(weight) * math.prod(positions)


def _grouped_twice(operation: Operation) -> int:
    """Divided by the groups twice, each rounded down: a weight has only its group's filters already."""
    x, weight, out = shape(operation, 0), shape(operation, 1), operation.outputs[0]
    filters = weight[1] // (out[1] // weight[1])
    return math.prod(x) * filters * math.prod(weight[2:])


COMMON: tuple[Rule, ...] = (
    rule("recurrent layers", RECURRENT, products(-1)),
    rule("products inside other operators", "", products(-1), _inner),
    rule("products with a vector", "mv dot vdot addmv inner", products(-1), _outer),
    rule("other products it has no formula for", "addbmm bilinear deform_conv2d", products(-1), _outer),
    rule(
        "odd padding to the same size",
        CONV,
        instead(_evenly_padded),
        given(4, str),
        lambda e, o: argument(o, 4) == "same",
    ),
)
CALFLOPS_RULES = (
    *COMMON,
    rule("attention products", ATTENTION, products(-1)),
    rule("products written with an @", "matmul", products(-1), _outer, sign),
    rule("plain matrix products", "mm bmm", products(-1), _outer),
    rule("matrix products, broadcast", "matmul", instead(first_times_width), _outer, neither(sign)),
    rule("grouped transposed convolutions divided twice", TRANSPOSED, instead(_grouped_twice)),
)
CALFLOPS = Convention(
    key="calflops",
    title="calflops 0.3.2",
    calls_it="MACs",
    distribution="calflops",
    terms=sums(
        *CALFLOPS_RULES, again("layers in several places, added up for each", lambda n: n, *CALFLOPS_RULES)
    ),
    note=("Attention, recurrent layers, einsum, mm, bmm and products written with an @ are nothing."),
)
DEEPSPEED = Convention(
    key="deepspeed",
    title="DeepSpeed 0.19.8 flops profiler",
    calls_it="MACs",
    distribution="deepspeed",
    terms=sums(
        *COMMON, rule("matrix products, broadcast", "matmul mm bmm", instead(first_times_width), _outer)
    ),
    note="Recurrent layers and einsum are nothing.",
)
