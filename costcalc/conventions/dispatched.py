"""Counters of the kernels that run: torch's FlopCounterMode, and the aten backend of ptflops."""

from __future__ import annotations

from costcalc.conventions import recurrent
from costcalc.conventions.terms import (
    ATTENTION,
    CONV,
    TRANSPOSED,
    Convention,
    Rule,
    biases,
    neither,
    outputs,
    products,
    rank,
    rule,
    shape,
    sums,
)
from costcalc.execution import Execution, Operation


def fused(execution: Execution, operation: Operation) -> bool:
    """Run by the attention kernel of the CPU: four axes, and one width of queries, keys and values."""
    query, key, value = (shape(operation, index) for index in range(3))
    return len(query) == 4 and query[-1] == key[-1] == value[-1]


def flat(execution: Execution, operation: Operation) -> bool:
    """Run as one product with the bias added: of two axes, or of more that lie in memory in their order."""
    return len(shape(operation, 0)) <= 2 or operation.contiguous


def _late(layers: recurrent.Stack) -> int:
    """The first layer's input biases, added apart where the input is turned round first."""
    turned = layers.turned and layers.biased
    return -layers.weights[0][0] * layers.directions * turned


def whole(execution: Execution, operation: Operation) -> bool:
    """An LSTM that a kernel of the CPU runs whole: one without projections."""
    return not recurrent.stack(operation).projected


def _vectors(factor: int) -> tuple[Rule, ...]:
    """Products with a vector run as ``mv``, ``dot`` or ``addmv``, for which there is no formula."""
    label = "products with a vector"
    return (
        rule(label, "mv dot vdot addmv", products(-factor)),
        rule(label, "matmul inner", products(-factor), rank(0, 1, 2), rank(1, 1)),
    )


def _dropped(factor: int) -> tuple[Rule, ...]:
    return (
        *_vectors(factor),
        rule("bilinear layers", "bilinear", products(-factor)),
        rule("deformable convolutions", "deform_conv2d", products(-factor)),
    )


TWICE = rule("the same again: 2 FLOPs per MAC", "", products(1))
FLOPCOUNTER = Convention(
    key="flopcounter",
    title="torch FlopCounterMode, on the meta device",
    calls_it="FLOPs",
    distribution="torch",
    terms=sums(TWICE, *_dropped(2)),
    note="Counts 2 FLOPs per multiply-add; products with a vector have no formula.",
)
FLOPCOUNTER_CPU = Convention(
    key="flopcounter-cpu",
    title="torch 2.13 FlopCounterMode, on the CPU",
    calls_it="FLOPs",
    distribution="torch",
    terms=sums(
        TWICE,
        *_dropped(2),
        rule("attention products", ATTENTION, products(-2), fused),
        rule("LSTM", "lstm", products(-2), whole),
    ),
    note=(
        "As on the meta device, but the kernels that the CPU has for attention and LSTM have no formula. "
        "Not reproduced: attention with a learned mask, or of another layout in memory, is not run by them."
    ),
)
PTFLOPS_ATEN = Convention(
    key="ptflops-aten",
    title="ptflops 0.7.5, aten backend",
    calls_it="MACs",
    distribution="ptflops",
    terms=sums(
        *_dropped(1),
        rule("attention products", ATTENTION, products(-1), fused),
        rule("LSTM", "lstm", products(-1), whole),
        rule("recurrent biases", "gru rnn_tanh rnn_relu", recurrent.per_step(recurrent.biases)),
        rule("recurrent biases", "gru rnn_tanh rnn_relu", recurrent.per_step(_late)),
        rule("recurrent biases", "lstm", recurrent.per_step(recurrent.biases), neither(whole)),
        rule("products added to a tensor", "baddbmm addbmm", products(-1)),
        rule("convolution biases", f"{CONV} {TRANSPOSED}", biases(2)),
        rule("linear biases", "linear", biases(2), flat),
        rule("tensors added to a product", "addmm", outputs(1)),
    ),
    note=(
        "As FlopCounterMode on the CPU, in multiply-adds, and biases added in the same kernel. "
        "Not reproduced: attention with a learned mask, which it counts."
    ),
)
