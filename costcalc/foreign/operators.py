"""The operator table of foreign models: what each torch operator multiplies, computes and moves.

An operator is looked up by its name, overloads alike; what the table does not name is
taken apart into its parts if torch can, or judged by what torch itself says of it (a view, elementwise,
a reduction), or else its cost is unknown, which the result says. A new operator is one line here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from costcalc.execution import Knowledge
from costcalc.foreign import families

Args = Sequence[Any]  # positional arguments as passed
Outs = Sequence[torch.Tensor]  # every tensor given
Handle = Callable[[Args, Outs], "tuple[int, int]"]  # → multiply-adds, other scalar operations
COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


def _bias(given: Any, out: torch.Tensor) -> int:
    return 0 if given is None else out.numel()


def _convolution(args: Args, outs: Outs) -> tuple[int, int]:
    """``conv(x, w, bias, …)``: w is [out, in/groups, *kernel], met once per output element."""
    return outs[0].numel() * math.prod(args[1].shape[1:]), _bias(_at(args, 2), outs[0])


def _transposed(args: Args, outs: Outs) -> tuple[int, int]:
    """``conv_transpose(x, w, bias, …)``: w is [in, out/groups, *kernel], met once per input element."""
    return args[0].numel() * math.prod(args[1].shape[1:]), _bias(_at(args, 2), outs[0])


def _general_convolution(args: Args, outs: Outs) -> tuple[int, int]:
    """``convolution(x, w, bias, stride, padding, dilation, transposed, …)``."""
    return (_transposed if args[6] else _convolution)(args, outs)


def _convolution_backward(args: Args, outs: Outs) -> tuple[int, int]:
    """``convolution_backward(grad, x, w, …, transposed, …, mask)``: gradients of input, weight and bias.

    Either product meets the same pairs as the forward pass. (torch's registered FLOP formula does not
    divide that of the weight by the groups.)
    """
    grad, x, weight, transposed, mask = args[0], args[1], args[2], args[7], args[10]
    forward = (x if transposed else grad).numel() * math.prod(weight.shape[1:])
    return forward * (mask[0] + mask[1]), grad.numel() * mask[2]


def _linear(args: Args, outs: Outs) -> tuple[int, int]:
    """``linear(x, w, bias)``: w is [out, in] or [in]."""
    return outs[0].numel() * args[1].shape[-1], _bias(_at(args, 2), outs[0])


def _bilinear(args: Args, outs: Outs) -> tuple[int, int]:
    """``bilinear(x, y, w, bias)``: w is [out, in, in'], a linear layer over the products x·y."""
    out, left, right = args[2].shape
    pairs = outs[0].numel() // out * left * right
    return pairs * out, pairs + _bias(_at(args, 3), outs[0])


def _trilinear(args: Args, outs: Outs) -> tuple[int, int]:
    """``_trilinear(x, w, y, axes, axes, axes, …)``: products over all axes, after adding those each lacks."""
    shapes = []
    for tensor, axes in zip(args[:3], args[3:6], strict=True):
        shape = list(tensor.shape)
        for axis in sorted(axes):
            shape.insert(axis, 1)
        shapes.append(shape)
    return math.prod(map(max, *shapes)), 0


def _matmul(args: Args, outs: Outs) -> tuple[int, int]:
    """``matmul(a, b)`` of any ranks: the last axis of a is summed over."""
    return outs[0].numel() * args[0].shape[-1], 0


def _added_matmul(args: Args, outs: Outs) -> tuple[int, int]:
    """``addmm(c, a, b)`` and its kin: a product added to c."""
    return outs[0].numel() * args[1].shape[-1], outs[0].numel()


def _summed_matmul(args: Args, outs: Outs) -> tuple[int, int]:
    """``addbmm(c, a, b)``: products added up over the batch, and to c."""
    return outs[0].numel() * args[1].shape[-1] * args[1].shape[0], outs[0].numel()


def _attention(mask: int, causal: int) -> Handle:
    """Attention of q, k and v: q·k and scores·v in full; ``mask`` and ``causal`` are places of arguments.

    q is [..., L, E], k [..., S, E], v [..., S, F], leading axes broadcast; of the scores each is scaled,
    perhaps masked, and takes part in a softmax. Which kernel runs makes no difference.
    """

    def handle(args: Args, outs: Outs) -> tuple[int, int]:
        query, key, value = args[:3]
        scores = outs[0].numel() // value.shape[-1] * key.shape[-2]
        masked = (mask > 0 and _at(args, mask) is not None) or bool(_at(args, causal))
        return scores * (query.shape[-1] + value.shape[-1]), scores * (4 + masked)

    return handle


def _recurrent(gates: int, elementwise: int) -> Handle:
    """``lstm(x, states, weights, biased, layers, dropout, train, both_ways, …)``, also of packed sequences.

    Every weight matrix meets every step of every sample once; ``elementwise`` is what a step computes
    per hidden unit beside products and biases.
    """

    def handle(args: Args, outs: Outs) -> tuple[int, int]:
        place = max(index for index, value in enumerate(args[:4]) if isinstance(value, (list, tuple)))
        weights, layers, both_ways = args[place], args[place + 2], args[place + 5]
        steps = args[0].numel() // args[0].shape[-1]
        macs = sum(weight.numel() for weight in weights if weight.dim() == 2)
        biases = sum(weight.numel() for weight in weights if weight.dim() == 1)
        first = weights[:: len(weights) // (layers * (1 + both_ways))]  # of each layer and direction
        units = sum(weight.shape[0] for weight in first) // gates
        return steps * macs, steps * (biases + elementwise * units)

    return handle


def _each(operations: int) -> Handle:
    """So many operations per element given."""
    return lambda args, outs: (0, operations * outs[0].numel())


def _over(operations: int) -> Handle:
    """So many operations per element taken, or given where two are broadcast."""
    return lambda args, outs: (0, operations * max(args[0].numel(), outs[0].numel()))


def _bags(args: Args, outs: Outs) -> tuple[int, int]:
    """``embedding_bag(table, indices, …)``: the rows that the indices name, added up."""
    return 0, args[1].numel() * args[0].shape[-1]


def _batch_norm(args: Args, outs: Outs) -> tuple[int, int]:
    """Scale and shift; with statistics of the batch (``training``) mean and variance before: 5."""
    return 0, outs[0].numel() * (5 if _at(args, 5) else 2)


def _normalised(first: int) -> Handle:
    """Mean 1, variance 2, scaling 1 per element, and 1 each for a learned scale and shift at ``first``."""
    return lambda args, outs: (
        0,
        outs[0].numel() * (4 + sum(_at(args, at) is not None for at in (first, first + 1))),
    )


def _rms_norm(args: Args, outs: Outs) -> tuple[int, int]:
    """Mean square 1, scaling 1 per element, and 1 for a learned scale."""
    return 0, outs[0].numel() * (2 + (_at(args, 2) is not None))


def _taps(axes: int) -> Handle:
    """One operation per element of the window, ``kernel_size`` being the second argument."""

    def handle(args: Args, outs: Outs) -> tuple[int, int]:
        kernel = args[1] if isinstance(args[1], (list, tuple)) else [args[1]]
        window = math.prod(kernel) if len(kernel) > 1 else kernel[0] ** axes
        return 0, window * outs[0].numel()

    return handle


def _adaptive(axes: int) -> Handle:
    """The windows that an adaptive pool really reads, position by position on each axis."""

    def handle(args: Args, outs: Outs) -> tuple[int, int]:
        read = math.prod(args[0].shape[:-axes])
        for size, out in zip(args[0].shape[-axes:], outs[0].shape[-axes:], strict=True):
            starts = (position * size // out for position in range(out))
            ends = (-(-(position + 1) * size // out) for position in range(out))
            read *= sum(ends) - sum(starts)
        return 0, read

    return handle


def _deformed(args: Args, outs: Outs) -> tuple[int, int]:
    """``deform_conv2d(x, w, offset, mask, bias, …)``: a convolution over samples of 7 operations each."""
    height, width = args[1].shape[-2:]
    samples = outs[0].numel() // outs[0].shape[1] * args[0].shape[1] * height * width
    return outs[0].numel() * math.prod(args[1].shape[1:]), 7 * samples + outs[0].numel()


def _deformed_backward(args: Args, outs: Outs) -> tuple[int, int]:
    """``_deform_conv2d_backward(grad, x, w, …)``: gradients of the samples and of the weight."""
    return 2 * args[0].numel() * math.prod(args[2].shape[1:]), args[0].numel()


def _free(args: Args, outs: Outs) -> tuple[int, int]:
    """Moves, makes or renames values, computes nothing."""
    return 0, 0


def _at(args: Args, index: int) -> Any:
    """An optional argument, None where it was left out."""
    return args[index] if len(args) > index else None


def _table(words: str, handle: Handle) -> dict[str, Handle]:
    return {word if "::" in word else f"aten::{word}": handle for word in words.split()}


PAID: dict[str, Handle] = {
    **_table("conv1d conv2d conv3d", _convolution),
    **_table("conv_transpose1d conv_transpose2d conv_transpose3d", _transposed),
    **_table("convolution _convolution", _general_convolution),
    **_table("convolution_backward", _convolution_backward),
    **_table("torchvision::deform_conv2d", _deformed),
    **_table("torchvision::_deform_conv2d_backward", _deformed_backward),
    **_table("linear", _linear),
    **_table("bilinear", _bilinear),
    **_table("_trilinear", _trilinear),
    **_table("mm bmm matmul mv dot vdot inner", _matmul),
    **_table("_int_mm _scaled_mm", _matmul),
    **_table("addmm baddbmm addmv _addmm_activation", _added_matmul),
    **_table("addbmm", _summed_matmul),
    **_table("scaled_dot_product_attention _scaled_dot_product_attention_math", _attention(3, 5)),
    **_table("_scaled_dot_product_flash_attention_for_cpu", _attention(0, 4)),
    **_table("_scaled_dot_product_flash_attention", _attention(0, 4)),
    **_table("_scaled_dot_product_efficient_attention", _attention(3, 6)),
    **_table("_scaled_dot_product_cudnn_attention", _attention(3, 6)),
    # per unit: the two products of each gate added, its activation, and the new state
    **_table("lstm", _recurrent(4, 4 + 4 + 5)),  # c' = f·c + i·g, h = o·tanh(c')
    **_table("gru", _recurrent(3, 3 + 3 + 5)),  # n = tanh(x + r·h), h' = (1 − z)·n + z·h
    **_table("rnn_tanh rnn_relu", _recurrent(1, 1 + 1)),
}
COUNTED_APART: dict[str, Handle] = {
    **_table(
        "relu relu6 selu celu hardswish hardsigmoid hardtanh mish prelu _prelu_kernel rrelu glu logit",
        _each(1),
    ),
    **_table("log_sigmoid log_sigmoid_forward rrelu_with_noise", _each(1)),
    **_table("_weight_norm_interface", _over(3)),
    **_table("add sub mul div rsub floor_divide remainder fmod masked_fill __and__ __or__ __xor__", _each(1)),
    **_table("batch_norm native_batch_norm cudnn_batch_norm", _batch_norm),
    **_table("_native_batch_norm_legit_no_training", _each(2)),
    **_table("_native_batch_norm_legit", _each(5)),
    **_table("layer_norm", _normalised(2)),
    **_table("native_layer_norm", _normalised(2)),
    **_table("group_norm", _normalised(2)),
    **_table("native_group_norm", _normalised(1)),
    **_table("instance_norm", _normalised(1)),
    **_table("rms_norm _fused_rms_norm", _rms_norm),
    **_table("softmax _softmax log_softmax _log_softmax _safe_softmax", _each(3)),
    **_table("max_pool1d avg_pool1d", _taps(1)),
    **_table("max_pool2d max_pool2d_with_indices avg_pool2d", _taps(2)),
    **_table("max_pool3d max_pool3d_with_indices avg_pool3d", _taps(3)),
    **_table("adaptive_avg_pool1d adaptive_max_pool1d", _adaptive(1)),
    **_table("adaptive_avg_pool2d _adaptive_avg_pool2d adaptive_max_pool2d", _adaptive(2)),
    **_table("adaptive_avg_pool3d _adaptive_avg_pool3d adaptive_max_pool3d", _adaptive(3)),
    # a weighted sum of n taps: n products, n − 1 sums
    **_table("upsample_linear1d", _each(3)),
    **_table("upsample_bilinear2d", _each(7)),
    **_table("upsample_trilinear3d", _each(15)),
    **_table("upsample_bicubic2d", _each(31)),
    **_table("sum mean prod amax amin argmax argmin max min any all cumsum cumprod col2im", _over(1)),
    **_table("linalg_vector_norm norm", _over(2)),
    **_table("var std var_mean std_mean logsumexp", _over(3)),
    **_table("embedding_bag", _bags),
    **_table("polar", _each(4)),  # two functions of the angle, two products
}
FREE: dict[str, Handle] = _table(
    """
    _efficientzerotensor _reshape_alias _to_copy _unsafe_view affine_grid_generator alias arange as_strided
    as_strided_copy bernoulli broadcast_tensors cat channel_shuffle clone constant_pad_nd contiguous copy_
    detach diagonal_scatter dropout empty empty_like empty_strided expand eye feature_dropout fill flip full
    full_like gather im2col index index_copy index_fill index_put index_select item lift lift_fresh linspace
    masked_select narrow_copy native_dropout new_empty new_empty_strided new_full new_ones new_zeros nonzero
    normal ones ones_like pad permute_copy pixel_shuffle pixel_unshuffle rand rand_like randint randn
    randn_like random randperm reflection_pad1d reflection_pad2d reflection_pad3d repeat repeat_interleave
    replication_pad1d replication_pad2d replication_pad3d roll scalar_tensor scatter select_scatter
    slice_scatter split_copy split_with_sizes_copy stack tril triu tril_indices triu_indices unfold_copy
    uniform unsafe_split unsafe_split_with_sizes unsafe_chunk upsample_nearest1d upsample_nearest2d
    upsample_nearest3d _upsample_nearest_exact1d
    _upsample_nearest_exact2d _upsample_nearest_exact3d view_copy zero zeros zeros_like embedding
    _local_scalar_dense is_nonzero _pack_padded_sequence _pad_packed_sequence resolve_conj resolve_neg
    set_ resize_ _nested_tensor_from_mask view_as_real view_as_complex _assert_tensor_metadata _assert_async
    prims::convert_element_type profiler::_record_function_enter_new profiler::_record_function_exit complex
    _linalg_check_errors
    """,
    _free,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """How an operator is treated; ``taken_apart`` is whether its parts are counted instead.

    ``is_maker`` is whether it takes a tensor for its type or shape only, ``is_choosing`` whether it reads
    no more of a table than it gives; ``defaults`` are those of its positional arguments, by place.
    """

    name: str
    knowledge: Knowledge
    handle: Handle
    taken_apart: bool
    mutates: bool
    in_place: bool
    main_output_only: bool
    is_maker: bool
    is_choosing: bool
    defaults: tuple[Any, ...]


@cache
def rule(func: Any) -> Rule:
    """The rule for an operator (an overload of one)."""
    name = func._schema.name
    handle = _known(name)
    knowledge: Knowledge = "counted"
    taken_apart = False
    if handle is None:
        handle = _told(func)
        taken_apart = handle is None and func.has_kernel_for_dispatch_key(COMPOSITE)
        if handle is None and not taken_apart:
            knowledge = (
                "no MACs" if _bare(name) in families.NO_MACS | families.NO_MACS_BACKWARD else "unknown"
            )
    mutates = func._schema.is_mutable and torch.Tag.inplace_view not in func.tags
    in_place = mutates or _bare(name) in families.OVERWRITING or (_elementwise(func) and handle is not _free)
    return Rule(
        name,
        knowledge,
        handle or _free,
        taken_apart,
        mutates,
        in_place,
        main_output_only=name in families.MAIN_OUTPUT_ONLY,
        is_maker=name in families.MAKERS,
        is_choosing=name in families.CHOOSING,
        defaults=tuple(each.default_value for each in func._schema.arguments if not each.kwarg_only),
    )


def _known(name: str) -> Handle | None:
    """What the table says; in place or not costs the same."""
    tables = (PAID, COUNTED_APART, FREE)
    return next((table[word] for word in (name, _bare(name)) for table in tables if word in table), None)


def _told(func: Any) -> Handle | None:
    """What torch says of an operator: that it is a view, elementwise, or a reduction."""
    if torch.Tag.inplace_view in func.tags:
        return _free
    if not func._schema.is_mutable and any(found.alias_info for found in func._schema.returns):
        return _free
    if _elementwise(func):
        return _each(1)
    return _over(1) if torch.Tag.reduction in func.tags else None


def _elementwise(func: Any) -> bool:
    """Whether torch calls it or, as it often leaves out, its form that is not in place pointwise."""
    if torch.Tag.pointwise in func.tags:
        return True
    space, _, word = _bare(func._schema.name).partition("::")
    packet = getattr(getattr(torch.ops, space), word, None) if func._schema.is_mutable else None
    alike = getattr(packet, func._overloadname, None)
    return alike is not None and torch.Tag.pointwise in alike.tags


def _bare(name: str) -> str:
    """``aten::relu_`` → ``aten::relu``."""
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name
