"""What the commonest operators give on the meta device, said at once: shapes by arithmetic.

torch's own meta kernels of these are Python composed of Python; they take most of the time of a pass that
computes nothing. What is said here is what they say: the same shape, strides and type. That holds for
tensors that lie axis after axis in memory, of one floating-point type and of sizes that fit each other;
of anything else :func:`given` says nothing, and torch's kernel answers, or refuses in its own words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from operator import ge, mul
from typing import Any

import torch
from torch import Tensor, nn

Kernel = Callable[..., Any]
Sizes = Sequence[int]
_META = torch.device("meta")
_FLOATING = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})


def given(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What the operator gives, on the meta device; None where only torch's own kernel knows."""
    kernel = KERNELS.get(func)
    return None if kernel is None else kernel(*args, **kwargs)


def _plain(tensor: Any, *others: Any) -> bool:
    """Whether it is a meta tensor of plain layout and floating type, and so is each of the others given."""
    if not _floating(tensor) or not _axis_after_axis(tensor):
        return False
    dtype = tensor.dtype
    for other in others:
        if other is not None and not (_floating(other) and other.dtype is dtype and _axis_after_axis(other)):
            return False
    return True


def _floating(tensor: Any) -> bool:
    """Whether it is a dense meta tensor of floating type; its strides may be any."""
    if type(tensor) is not Tensor and type(tensor) is not nn.Parameter:
        return False
    if not tensor.is_meta or tensor.layout is not torch.strided or tensor.is_nested:
        return False
    return tensor.dtype in _FLOATING and tensor.numel() > 0


def _axis_after_axis(tensor: Tensor) -> bool:
    """Whether it lies in memory as a new tensor would.

    An axis of size 1 may have any stride, and torch infers from it which axis comes first: it may be no
    smaller than the next one's. Of images torch also infers whether channels come last: theirs must be exact.
    """
    if not tensor.is_contiguous():
        return False
    if 1 not in tensor.shape:
        return True
    strides = tensor.stride()
    return _exactly(tensor) if len(strides) in (4, 5) else all(map(ge, strides, strides[1:]))


def _exactly(tensor: Tensor) -> bool:
    """Whether the strides are those of a new tensor."""
    return tensor.stride() == tuple(accumulate(tensor.shape[:0:-1], mul, initial=1))[: tensor.dim()][::-1]


def _new(shape: Sizes, like: Tensor) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device=_META)


def _same(x: Any, *_: Any, **__: Any) -> Tensor | None:
    """Element by element: other arguments change values only."""
    return _new(x.shape, x) if _plain(x) else None


def _itself(x: Any, *_: Any, **__: Any) -> Tensor | None:
    """In place, element by element."""
    return x if _plain(x) else None


def _pair(x: Any, y: Any, **_: Any) -> Tensor | None:
    """``add(x, y)`` and its kin: a number, or a tensor that is repeated along axes of the other."""
    if isinstance(y, Tensor):
        wide = _wide(x, y)
        return None if wide is None else _new(wide, x)
    return _same(x) if type(y) in (int, float) else None


def _into(x: Any, y: Any, **_: Any) -> Tensor | None:
    """``add_(x, y)`` and its kin."""
    if isinstance(y, Tensor):
        return x if _wide(x, y) == getattr(x, "shape", None) else None
    return _itself(x) if type(y) in (int, float) else None


def _wide(x: Tensor, y: Tensor) -> torch.Size | None:
    """The shape of that of two tensors along which the other is repeated."""
    if not _plain(x, y):
        return None
    if x.shape == y.shape:
        return x.shape
    one, other = (x, y) if x.dim() >= y.dim() and x.numel() >= y.numel() else (y, x)
    ends = zip(reversed(one.shape), reversed(other.shape), strict=False)
    fits = one.dim() >= other.dim() and all(b in (1, a) for a, b in ends)
    return one.shape if fits and _exactly(one) and _exactly(other) else None


def _softmax(x: Any, axis: int, dtype: Any = None) -> Tensor | None:
    fits = dtype in (None, False) and isinstance(x, Tensor) and -x.dim() <= axis < x.dim()
    return _same(x) if fits else None


def _batch_norm(
    x: Any, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, *_: Any
) -> Tensor | None:
    """``batch_norm(x, weight, bias, mean, variance, training, …)`` with statistics to use or to update."""
    if mean is None or variance is None or not _plain(x) or x.dim() < 2:
        return None
    channels, dtype = x.shape[1:2], x.dtype
    for each in (weight, bias, mean, variance):
        if each is not None and not (each.shape == channels and each.dtype is dtype and _floating(each)):
            return None
    return _new(x.shape, x)


def _native_batch_norm(x: Any, weight: Any, *others: Any) -> tuple[Tensor, ...] | None:
    """The same, and an element per channel for mean and variance of the batch."""
    out = _batch_norm(x, weight, *others)
    return None if out is None else (out, _new(x.shape[1:2], x), _new(x.shape[1:2], x))


def _layer_norm(x: Any, shape: Sizes, weight: Any = None, bias: Any = None, *_: Any) -> Tensor | None:
    """The last axes normalised, of x in any layout but one that torch reads its own way."""
    if not _floating(x) or not shape or list(x.shape[-len(shape) :]) != list(shape):
        return None
    for each in (weight, bias):
        if each is not None and not (
            _plain(each) and each.dtype is x.dtype and list(each.shape) == list(shape)
        ):
            return None
    return _new(x.shape, x) if _exactly(x) or not x.is_contiguous() else None


def _linear(x: Any, weight: Any, bias: Any = None) -> Tensor | None:
    """``linear(x, w, bias)``, of x in any layout: w is [out, in]."""
    if not _floating(x) or not _plain(weight, bias) or weight.dtype is not x.dtype:
        return None
    if weight.dim() != 2 or not x.dim() or x.shape[-1] != weight.shape[1]:
        return None
    if bias is not None and bias.shape != weight.shape[:1]:
        return None
    return _new((*x.shape[:-1], weight.shape[0]), x)


def _product(rank: int) -> Kernel:
    """``mm(a, b)`` and ``bmm(a, b)``, of that rank; of b any axis may come first in memory."""

    def kernel(a: Any, b: Any) -> Tensor | None:
        fits = _plain(a) and _floating(b) and b.dtype is a.dtype and a.dim() == b.dim() == rank
        if not fits or a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
            return None
        return _new((*a.shape[:-1], b.shape[-1]), a)

    return kernel


def _added_product(added: Any, a: Any, b: Any, **_: Any) -> Tensor | None:
    """``addmm(c, a, b)``: c is [columns]."""
    out = _product(2)(a, b)
    return out if out is not None and _plain(added, out) and added.shape == out.shape[1:] else None


def _attention(
    query: Any, key: Any, value: Any, mask: Any = None, *_: Any, scale: Any = None, **others: Any
) -> Tensor | None:
    """Attention without a mask or grouped queries; of q, k and v any axis may come first in memory."""
    parts = (query, key, value)
    if mask is not None or others or not all(_floating(part) and part.dim() == 4 for part in parts):
        return None
    (leading, width), rows = (query.shape[:2], query.shape[3]), query.shape[2]
    fits = key.shape[:2] == leading == value.shape[:2] and key.shape[3] == width
    if not fits or key.shape[2] != value.shape[2] or len({part.dtype for part in parts}) > 1:
        return None
    return _new((*leading, rows, value.shape[3]), query)


def _conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
) -> Tensor | None:
    """``conv2d(x, w, bias, stride, padding, dilation, groups)``: w is [out, in/groups, kh, kw]."""
    if not _plain(x, weight, bias) or x.dim() != 4 or weight.dim() != 4 or groups < 1:
        return None
    out, taken, *kernel = weight.shape
    if taken * groups != x.shape[1] or out % groups or (bias is not None and bias.shape != (out,)):
        return None
    how = (_two(stride), _two(padding), _two(dilation))
    sides = [_side(*axis) for axis in zip(x.shape[2:], kernel, *how, strict=True)]
    return _new((x.shape[0], out, *sides), x) if min(sides) > 0 else None


def _convolution(x: Any, weight: Any, bias: Any, *how: Any) -> Tensor | None:
    """``convolution(x, w, bias, stride, padding, dilation, transposed, output_padding, groups)``."""
    stride, padding, dilation, transposed, _, groups = how
    return None if transposed else _conv2d(x, weight, bias, stride, padding, dilation, groups)


def _two(value: list[int]) -> list[int]:
    return value if len(value) == 2 else value * 2


def _side(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How often a window fits; 0 for what torch would refuse."""
    if stride < 1 or padding < 0 or dilation < 1:
        return 0
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _highest(
    x: Any, kernel: Any, stride: Any = (), padding: Any = (0,), dilation: Any = (1,), ceil: bool = False
) -> Tensor | None:
    """``max_pool2d(x, kernel, stride, padding, dilation, ceil)``."""
    return _pooled(x, 2, kernel, stride, padding, dilation, ceil)


def _highest_and_where(*args: Any) -> tuple[Tensor, ...] | None:
    """The same, and the places."""
    out = _highest(*args)
    return None if out is None else (out, torch.empty(out.shape, dtype=torch.int64, device=_META))


def _mean(axes: int) -> Kernel:
    """``avg_pool(x, kernel, stride, padding, ceil, …)``, of so many axes."""

    def kernel(
        x: Any, kernel: Any, stride: Any = (), padding: Any = (0,), ceil: bool = False, *_: Any
    ) -> Tensor | None:
        return _pooled(x, axes, kernel, stride, padding, (1,), ceil)

    return kernel


def _pooled(
    x: Tensor, axes: int, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil: bool
) -> Tensor | None:
    if not _plain(x) or x.dim() != axes + 2:
        return None
    how = [list(each) * (axes // len(each)) for each in (kernel, stride or kernel, padding, dilation)]
    if axes == 3 and any(size < taps for size, taps in zip(x.shape[2:], how[0], strict=True)):
        return None  # torch refuses it, though padding may suffice
    sides = [_pooled_side(ceil, *axis) for axis in zip(x.shape[2:], *how, strict=True)]
    return _new((*x.shape[:2], *sides), x) if min(sides) > 0 else None


def _pooled_side(ceil: bool, size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """As of a convolution; with ``ceil`` also a window that is cut off, if it begins before the padding."""
    if kernel < 1 or padding > kernel // 2 or stride < 1:
        return 0
    if not ceil:
        return _side(size, kernel, stride, padding, dilation)
    side = _side(size + stride - 1, kernel, stride, padding, dilation)
    return side - ((side - 1) * stride >= size + padding)


def _averaged(x: Any, sizes: Sizes) -> Tensor | None:
    """``adaptive_avg_pool2d(x, sizes)``."""
    if not _plain(x) or x.dim() != 4 or len(sizes) != 2 or min(sizes) < 1:
        return None
    return _new((*x.shape[:2], *sizes), x)


def _over_the_image(x: Any, axes: Sizes, keep: bool = False, **others: Any) -> Tensor | None:
    """``mean(x, axes, keep)`` of an image."""
    fits = keep and not others and _plain(x) and x.dim() == 4 and list(axes) in ([2, 3], [-1, -2], [-2, -1])
    return _new((*x.shape[:2], 1, 1), x) if fits else None


def _joined(tensors: Sequence[Any], axis: int = 0) -> Tensor | None:
    """``cat(tensors, axis)``: alike but for that axis."""
    first = tensors[0] if tensors else None
    if first is None or not _plain(first, *tensors[1:]) or not -first.dim() <= axis < first.dim():
        return None
    if any(tensor.dim() != first.dim() for tensor in tensors):
        return None
    shapes = [list(tensor.shape) for tensor in tensors]
    along = sum(shape.pop(axis) for shape in shapes)
    if any(shape != shapes[0] for shape in shapes):
        return None
    place = axis % first.dim()
    return _new((*shapes[0][:place], along, *shapes[0][place:]), first)


def _table(words: str, kernel: Kernel) -> dict[Any, Kernel]:
    """By overload, as ``add.Tensor``; without a name the default one."""
    found = {}
    for word in words.split():
        name, _, overload = word.partition(".")
        found[getattr(getattr(torch.ops.aten, name), overload or "default")] = kernel
    return found


KERNELS: dict[Any, Kernel] = {
    **_table("relu gelu silu sigmoid tanh hardswish hardsigmoid hardtanh relu6 elu leaky_relu", _same),
    **_table("relu_ silu_ sigmoid_ hardswish_ hardsigmoid_ hardtanh_ relu6_", _itself),
    **_table("uniform_ normal_ fill_.Scalar zero_", _itself),
    **_table("add.Tensor sub.Tensor mul.Tensor div.Tensor", _pair),
    **_table("add_.Tensor mul_.Tensor", _into),
    **_table("pow.Tensor_Scalar", _pair),
    **_table("softmax.int _softmax", _softmax),
    **_table("batch_norm", _batch_norm),
    **_table("native_batch_norm", _native_batch_norm),
    **_table("layer_norm", _layer_norm),
    **_table("linear", _linear),
    **_table("mm", _product(2)),
    **_table("bmm", _product(3)),
    **_table("addmm", _added_product),
    **_table("scaled_dot_product_attention", _attention),
    **_table("conv2d", _conv2d),
    **_table("convolution", _convolution),
    **_table("max_pool2d", _highest),
    **_table("max_pool2d_with_indices", _highest_and_where),
    **_table("avg_pool2d", _mean(2)),
    **_table("avg_pool3d", _mean(3)),
    **_table("adaptive_avg_pool2d _adaptive_avg_pool2d", _averaged),
    **_table("mean.dim", _over_the_image),
    **_table("cat", _joined),
}
