"""thop, in its last release and as ultralytics continues it: a formula for each known class of layer."""

from __future__ import annotations

import math

from costcalc.conventions import recurrent
from costcalc.conventions.recurrent import CELLS, stack
from costcalc.conventions.terms import (
    CONV,
    RECURRENT,
    TRANSPOSED,
    Convention,
    again,
    deriving,
    inputs,
    inside,
    instead,
    neither,
    outputs,
    products,
    rule,
    scaled,
    shape,
    sums,
)
from costcalc.execution import Operation

CONVS, TRANSPOSES = "Conv1d Conv2d Conv3d", "ConvTranspose1d ConvTranspose2d ConvTranspose3d"
STACKS = "LSTM GRU RNN"
PRODUCTS = f"{CONVS} {TRANSPOSES} Linear {STACKS} {' '.join(CELLS)}"
KNOWN = f"MultiheadAttention {PRODUCTS}"
NORMS = (
    "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm LayerNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d"
)
UPSAMPLES = "Upsample UpsamplingBilinear2d UpsamplingNearest2d"
POOLS = "AvgPool1d AvgPool2d AvgPool3d"
ADAPTIVE = "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d"
# what a hidden unit computes in a step beside products: and how much more where there are biases
PER_UNIT = {"lstm": (8, 8), "gru": (7, 6), "rnn_tanh": (1, 2), "rnn_relu": (1, 2)}


def _convolution(operation: Operation) -> int:
    """The second axis of the input taken for its channels, as it is not where there is no batch."""
    x, weight, out = shape(operation, 0), shape(operation, 1), operation.outputs[0]
    groups = x[-len(weight) + 1] // weight[1]
    return math.prod(out) * (x[1] // groups) * math.prod(weight[2:])


def _transposed(operation: Operation) -> int:
    """As if it were no transposed convolution: every output element meets all input channels."""
    x, weight, out = shape(operation, 0), shape(operation, 1), operation.outputs[0]
    groups = out[-len(weight) + 1] // weight[1]
    return math.prod(out) * (x[1] // groups) * math.prod(weight[2:])


def _stack(operation: Operation) -> int:
    """Cells of input and hidden width over the padded batch; a projection is not seen."""
    layers = stack(operation)
    gates, hidden = recurrent.GATES[layers.kind], layers.hidden
    widths = [layers.weights[0][1]] + [hidden * layers.directions] * (layers.layers - 1)
    each, more = PER_UNIT[layers.kind]
    cells = sum(hidden * (gates * (width + hidden) + each + more * layers.biased) for width in widths)
    return layers.rectangle * layers.directions * cells


def _softmax(operation: Operation) -> int:
    """Exponentials, sums and quotients: 3 per element, less one for each row."""
    x = shape(operation, 0)
    elements = math.prod(x)
    length: int = x[operation.arguments[1]]
    return 3 * elements - elements // length


def _adaptive(operation: Operation) -> int:
    """Per output element the ratio of input to output sizes and one quotient, the sum cut off."""
    x, out = shape(operation, 0), operation.outputs[0]
    ratio = math.prod((size / pooled for size, pooled in zip(x[2:], out[2:], strict=True)), start=1.0)
    return int((ratio + 1) * math.prod(out))


RULES = (
    rule("attention layers", "", products(-1), inside("MultiheadAttention")),
    rule("subclasses of layers", "", products(-1), deriving(KNOWN), neither(inside(KNOWN))),
    rule(
        "products outside of layers",
        "",
        products(-1),
        neither(deriving(KNOWN)),
    ),
    rule("convolutions without a batch", CONV, instead(_convolution), inside(CONVS)),
    rule(
        "transposed convolutions billed on the output grid",
        TRANSPOSED,
        instead(_transposed),
        inside(TRANSPOSES),
    ),
    rule("gates and biases of recurrent layers", RECURRENT, instead(_stack), inside(STACKS)),
    recurrent.per_cell("gates and biases of recurrent layers", PER_UNIT, first_axis=True),
    rule("norms: 4 per element", "batch_norm instance_norm", scaled(1, inputs(4), inputs(2)), inside(NORMS)),
    rule("norms: 4 per element", "layer_norm", scaled(2, inputs(4), inputs(2)), inside(NORMS)),
    rule("PReLU elements", "prelu", inputs(1), inside("PReLU")),
    rule("softmax: 3 per element", "softmax", _softmax, inside("Softmax")),
    rule("average pool outputs", "avg_pool1d avg_pool2d avg_pool3d", outputs(1), inside(POOLS)),
    rule(
        "adaptive average pools",
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d",
        _adaptive,
        inside(ADAPTIVE),
    ),
    rule(
        "upsampling",
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d",
        outputs(1),
        inside(UPSAMPLES),
    ),
    rule("upsampling", "upsample_linear1d", outputs(5), inside(UPSAMPLES)),
    rule("upsampling", "upsample_bilinear2d", outputs(11), inside(UPSAMPLES)),
    rule("upsampling", "upsample_bicubic2d", outputs(259), inside(UPSAMPLES)),
)
THOP = Convention(
    key="thop",
    title="thop 0.1.1.post2209072238",
    calls_it="total_ops",
    distribution="thop",
    # it hooks a layer once for each place, and adds up over the places
    terms=sums(
        *RULES, again("layers in several places, hooked and added up for each", lambda n: n * n, *RULES)
    ),
    note=(
        "Counts layers of exactly the classes it knows; attention, subclasses and functions are nothing. "
        "Not reproduced: recurrent layers without a batch."
    ),
)
