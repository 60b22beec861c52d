"""ptflops with its own backend: formulas for classes of layers, and for functions, which layers also call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import zip_longest

from costcalc.conventions import recurrent
from costcalc.conventions.recurrent import CELLS
from costcalc.conventions.terms import (
    CONV,
    MACS,
    MATMUL,
    RECURRENT,
    TRANSPOSED,
    Convention,
    Rule,
    again,
    argument,
    biases,
    calls,
    deriving,
    first_times_width,
    functional,
    inputs,
    inside,
    instead,
    layer,
    neither,
    outputs,
    products,
    rule,
    scaled,
    shape,
    sign,
    sums,
    tally,
)
from costcalc.conventions.thop import CONVS, STACKS, TRANSPOSES, UPSAMPLES
from costcalc.execution import Call, Execution, Operation

PRODUCTS = f"{CONVS} {TRANSPOSES} Linear {STACKS} {' '.join(CELLS)}"
POOL_OPERATORS = """
max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices
avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
"""
POOLS = """
MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d
AdaptiveMaxPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d
"""
BATCH_NORMS = "BatchNorm1d BatchNorm2d BatchNorm3d"
INSTANCE_NORMS = "InstanceNorm1d InstanceNorm2d InstanceNorm3d"
UPSAMPLING = """
upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d
_upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d
_upsample_bilinear2d_aa _upsample_bicubic2d_aa
"""
ACTIVATIONS = {  # by layer the operator that it runs
    "ReLU": "relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "LeakyReLU": "leaky_relu",
    "ReLU6": "hardtanh",
    "GELU": "gelu",
}
# what a hidden unit computes in a step beside products, and the additions of its two biases
PER_UNIT = {"lstm": (10, 8), "gru": (7, 6), "rnn_tanh": (1, 2), "rnn_relu": (1, 2)}

PAIRS = ("aten::scaled_dot_product_attention", "aten::matmul")
# these keep the function that was there when they were built, and not its replacement
KEEPING = deriving("TransformerEncoderLayer TransformerDecoderLayer")


def _convolution(operation: Operation) -> int:
    """The first axis taken for the batch and the third for a position, also where there is no batch."""
    return shape(operation, 0)[0] * math.prod(shape(operation, 1)) * math.prod(operation.outputs[0][2:])


def _transposed(operation: Operation) -> int:
    return shape(operation, 0)[0] * math.prod(shape(operation, 1)) * math.prod(shape(operation, 0)[2:])


def _shifted(operation: Operation) -> int:
    return shape(operation, 0)[0] * math.prod(operation.outputs[0][1:])


def _projections(layers: recurrent.Stack) -> int:
    """Weights that project the state, of each layer and direction the last matrix."""
    matrices = [math.prod(weight) for weight in layers.weights if len(weight) == 2]
    return -sum(matrices[2::3]) if layers.projected else 0


def _one_sample(operation: Operation) -> int:
    """Output elements of the first sample."""
    return math.prod(operation.outputs[0][1:])


def _attention(execution: Execution, call: Call) -> int:
    """Projections, scaling, biases, scores, softmax and output of an attention layer.

    Its projections are as wide as what they take: for keys and values of other widths than the
    queries that is not what is multiplied.
    """
    if layer(execution, call.module) != "MultiheadAttention":
        return 0
    query, key, value = call.inputs[:3]
    own = [operation for operation in execution.operations if operation.module == call.module]
    first = next(operation for operation in own if operation.operator == "aten::linear")
    length, batch, width = shape(first, 0)
    batch_axis = 0 if query[:2] == (batch, length) else 1
    samples, rows, columns = query[batch_axis], query[1 - batch_axis], key[1 - batch_axis]
    heads = _heads(own, batch)
    biased = argument(first, 2) is not None
    projections = width * (1 + width) * rows + columns * (key[2] ** 2 + value[2] ** 2)
    added = (rows + 2 * columns) * width * biased
    scores = heads * rows * columns * (width // heads + 1 + value[2] // heads)
    return samples * (projections + added + scores + rows * value[2] * (value[2] + 1))


def _is_timms(execution: Execution, path: str) -> bool:
    package, _, name = execution.modules[path].classes[0].rpartition(".")
    return name == "Attention" and package in ("timm.models.vision_transformer", "timm.layers.attention")


def _timms(execution: Execution, call: Call) -> int:
    """Scaling, scores, softmax and values for [batch, tokens, …], all heads of one width."""
    if not _is_timms(execution, call.module):
        return 0
    own = [operation for operation in execution.operations if operation.module == call.module]
    first = next(operation for operation in own if operation.operator in PAIRS)
    _, heads, tokens, width = shape(first, 0)
    return call.inputs[0][0] * heads * (tokens * width + tokens * tokens * (2 * width + 1))


def _heads(operations: list[Operation], batch: int) -> int:
    """From the first attention product: [batch, heads, …] whole, [batch × heads, …] in parts."""
    for operation in operations:
        if operation.operator == "aten::scaled_dot_product_attention":
            return shape(operation, 0)[1]
        if operation.operator in ("aten::bmm", "aten::baddbmm"):
            return operation.outputs[0][0] // batch
    return 1


def _added(operation: Operation) -> int:
    return operation.macs + math.prod(shape(operation, 0))


def _softmin(execution: Execution, operation: Operation) -> bool:
    return operation.function.endswith(".softmin")


def _elementwise_function(execution: Execution, operation: Operation) -> bool:
    words = ("torch.mul", "torch.add", "torch.Tensor.mul", "torch.Tensor.add")
    return operation.function in words and not operation.within


def _elementwise(operation: Operation) -> int:
    """Elements of both shapes laid side by side from the first axis on, the larger size of each."""
    shapes = [value for value in operation.arguments[:2] if isinstance(value, tuple)]
    return math.prod(max(sizes) for sizes in zip_longest(*shapes, fillvalue=1)) if shapes else 1


def _interpolated(operation: Operation) -> int:
    """Input elements times the scale of every axis, cut off, or output elements where a size is given."""
    scales = argument(operation, len(operation.arguments) - 1)
    if argument(operation, 1) is not None or not isinstance(scales, list):
        return math.prod(operation.outputs[0])
    return int(math.prod(shape(operation, 0)) * scales[0] ** len(scales))


HOOKS = (
    rule("attention layers by a formula of its own", "", products(-1), inside("MultiheadAttention")),
    calls("attention layers by a formula of its own", _attention),
    calls("attention layers by a formula of its own", _timms),
    rule("products outside of layers", "", products(-1), neither(inside(f"MultiheadAttention {PRODUCTS}"))),
    rule("convolutions without a batch", CONV, instead(_convolution), inside(CONVS)),
    rule("convolutions without a batch", TRANSPOSED, instead(_transposed), inside(TRANSPOSES)),
    rule(
        "convolution biases",
        f"{CONV} {TRANSPOSED}",
        scaled(2, _shifted, outputs(0)),
        inside(f"{CONVS} {TRANSPOSES}"),
    ),
    rule("linear biases", "linear", biases(2), inside("Linear")),
    rule(
        "gates and biases of recurrent layers",
        RECURRENT,
        recurrent.per_step(lambda s: s.units * PER_UNIT[s.kind][0] + recurrent.biases(s)),
        inside(STACKS),
    ),
    rule("LSTM projections", "lstm", recurrent.per_step(_projections), inside(STACKS)),
    recurrent.per_cell("gates and biases of recurrent layers", PER_UNIT, first_axis=True),
    rule("batch norm: 2 per element", "batch_norm", scaled(1, inputs(2), inputs(1)), inside(BATCH_NORMS)),
    rule(
        "instance norm: 2 per element",
        "instance_norm",
        scaled(1, inputs(2), inputs(1)),
        inside(INSTANCE_NORMS),
    ),
    rule("group norm: 2 per element", "group_norm", scaled(2, inputs(2), inputs(1)), inside("GroupNorm")),
    rule("layer norm elements", "layer_norm", inputs(1), inside("LayerNorm")),
    *(rule("activation layers", name, outputs(1), inside(kind)) for kind, name in ACTIVATIONS.items()),
    rule("pool layers' inputs", POOL_OPERATORS, inputs(1), inside(POOLS)),
    rule("upsampling layers", UPSAMPLING, _one_sample, inside(UPSAMPLES)),
)


def _parts(execution: Execution) -> Mapping[str, int]:
    """What stands inside a layer with a formula is not added up: only timm's attention has parts."""
    owners = [path for path in execution.modules if _is_timms(execution, path)]
    inner = tally(pair for each in (MACS, *HOOKS) for pair in each.amounts(execution).items())
    return {
        path: -amount
        for path, amount in inner.items()
        if any(path.startswith(f"{owner}." if owner else "") and path != owner for owner in owners)
    }


NOT_ADDED = Rule("parts of timm's attention, not added up", _parts)
HOOKED = (*HOOKS, NOT_ADDED)
AGAIN = again("layers in several places, added up for each", lambda places: places, *HOOKED)


def _other_samples(execution: Execution) -> Mapping[str, int]:
    """Layers are divided by the batch, the first axis of the only input; the rest is cut off at the end."""
    batch = execution.inputs[0][0] if len(execution.inputs) == 1 and execution.inputs[0] else 1
    whole = tally(pair for each in (MACS, *HOOKED, AGAIN) for pair in each.amounts(execution).items())
    others = {path: amount // batch - amount for path, amount in whole.items()}
    cut = sum(whole.values()) // batch - sum(amount // batch for amount in whole.values())
    return tally([*others.items(), ("", cut)])


PTFLOPS = Convention(
    key="ptflops",
    title="ptflops 0.7.5, pytorch backend",
    calls_it="MACs",
    distribution="ptflops",
    terms=sums(
        *HOOKED,
        AGAIN,
        Rule("the other samples of the batch", _other_samples),
        rule(
            "activation functions, also those that layers call",
            "relu prelu elu relu6 gelu silu",
            inputs(1),
            functional,
            neither(KEEPING),
        ),
        rule("pool functions, also those that layers call", POOL_OPERATORS, inputs(1)),
        rule("softmax functions", "softmax", inputs(1), functional, neither(_softmin)),
        rule("elementwise functions", "mul add", _elementwise, _elementwise_function),
        rule("upsampling functions, also those that layers call", UPSAMPLING, _interpolated),
        rule("matrix products", MATMUL, first_times_width, lambda e, o: not o.within and not sign(e, o)),
        rule(
            "products added to a tensor",
            "addmm baddbmm",
            _added,
            lambda e, o: not o.within and not sign(e, o),
        ),
    ),
    note=(
        "Counts layers of exactly the classes it knows, and functions once more for the whole batch. Not "
        "reproduced: DeformConv2d, recurrent layers without a batch, parts of a MAC."
    ),
)
