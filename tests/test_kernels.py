"""What is said at once of an operator is what torch's own kernel says, or nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import nets
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from costcalc import foreign, kernels, meta, spec
from costcalc.errors import CostcalcError

ATEN = torch.ops.aten
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
Draw = Callable[[st.SearchStrategy[Any]], Any]


def new(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


@st.composite
def tensors(draw: Draw, rank: int | None = None, sides: int = 5) -> torch.Tensor:
    """Mostly laid out as new ones are, else permuted, cut, repeated, channels last, or of integers."""
    wanted = draw(st.integers(0, 5)) if rank is None else rank
    shape = draw(
        st.lists(st.integers(0 if draw(st.booleans()) else 1, sides), min_size=wanted, max_size=wanted)
    )
    dtype = draw(st.sampled_from([torch.float32] * 6 + [*FLOATS, torch.int64, torch.bool]))
    x = new(*shape, dtype=dtype)
    how = draw(st.sampled_from(["new"] * 6 + ["permuted", "cut", "repeated", "last"]))
    if how == "permuted":
        x = x.permute(draw(st.permutations(range(wanted))))
    if how == "cut" and wanted:
        x = new(*(side + 1 for side in shape), dtype=dtype)[tuple(slice(0, side) for side in shape)]
    if how == "repeated" and wanted:
        x = new(*(1, *shape[1:]), dtype=dtype).expand(shape)
    return x.contiguous(memory_format=torch.channels_last) if how == "last" and wanted == 4 else x


def vectors(of: int) -> st.SearchStrategy[torch.Tensor | None]:
    """What belongs to channels: right, of another length or type, or missing."""
    odd = [new(of + 1), new(of, dtype=torch.float64), new(1, of), None]
    return st.sampled_from([new(of)] * 6 + odd)


def twos(low: int, high: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(low, high), min_size=1, max_size=2)


@st.composite
def convolutions(draw: Draw) -> tuple[Any, ...]:
    x, groups = draw(tensors(4, 8)), draw(st.integers(1, 2))
    taken = draw(st.sampled_from([x.shape[1] // groups] * 5 + [1, 2]))
    weight = draw(st.sampled_from([new(4, taken, 3, 2), new(2, taken, 1, 1), draw(tensors(4))]))
    bias = draw(vectors(weight.shape[0]))
    return x, weight, bias, draw(twos(1, 3)), draw(twos(0, 2)), draw(twos(1, 2)), groups


@st.composite
def general(draw: Draw) -> tuple[Any, ...]:
    *args, groups = draw(convolutions())
    return *args, draw(st.booleans()), [0, 0], groups


@st.composite
def pools(draw: Draw, axes: int, dilated: bool) -> tuple[Any, ...]:
    x = draw(tensors(draw(st.sampled_from([axes + 2] * 5 + [axes + 1])), 9))
    many = st.lists(st.integers(1, 4), min_size=axes, max_size=axes)
    pads = st.lists(st.integers(0, 2), min_size=axes, max_size=axes)
    args = [x, draw(many), draw(st.one_of(many, st.just([]))), draw(pads)]
    return *args, *([draw(st.sampled_from([[1] * axes, [2] * axes]))] if dilated else []), draw(st.booleans())


@st.composite
def normalised(draw: Draw) -> tuple[Any, ...]:
    x = draw(tensors())
    channels = x.shape[1] if x.dim() > 1 else 3
    given = [draw(vectors(channels)) for _ in range(4)]
    return x, *given, draw(st.sampled_from([False] * 5 + [True])), 0.1, 1e-5


@st.composite
def layers(draw: Draw) -> tuple[Any, ...]:
    x = draw(tensors())
    axes = list(x.shape[draw(st.integers(0, 2)) - 2 :])
    weight, bias = (draw(st.sampled_from([new(*axes), new(*axes), new(2, 2), None])) for _ in range(2))
    return x, axes, weight, bias


@st.composite
def linears(draw: Draw) -> tuple[Any, ...]:
    x = draw(tensors())
    taken = x.shape[-1] if x.dim() else 1
    weight = draw(st.sampled_from([new(3, taken)] * 4 + [new(taken, 3).t(), new(taken), new(3, 7)]))
    return x, weight, draw(vectors(3))


@st.composite
def products(draw: Draw) -> tuple[Any, ...]:
    a = draw(tensors(draw(st.integers(2, 3))))
    b = new(*a.shape[:-2], a.shape[-1], 3)
    return a, draw(
        st.sampled_from([b, b, b.transpose(-1, -2).contiguous().transpose(-1, -2), draw(tensors())])
    )


@st.composite
def attention(draw: Draw) -> tuple[Any, ...]:
    q = draw(tensors(4))
    n, heads, rows, width = q.shape
    k, v = new(n, heads, rows + 1, width), new(n, heads, rows + 1, 3)
    odd = draw(tensors(4))
    return draw(
        st.sampled_from(
            [(q, k, v)] * 4 + [(q, q, q), (q, k, odd), (q, odd, v), (q, k, v, new(rows, rows + 1))]
        )
    )


@st.composite
def pairs(draw: Draw) -> tuple[Any, ...]:
    x = draw(tensors())
    narrow = new(*(draw(st.sampled_from([1, side])) for side in x.shape), dtype=x.dtype)
    return x, draw(st.sampled_from([x, narrow, new(*x.shape[1:]), draw(tensors()), 2, 0.5, True, 1j]))


@st.composite
def joined(draw: Draw) -> tuple[Any, ...]:
    x = draw(tensors())
    axis = draw(st.integers(-3, 3))
    return [x, *draw(st.lists(st.sampled_from([x, new(*x.shape), draw(tensors())]), max_size=2))], axis


ONE = st.tuples(tensors())
CASES: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {
    **dict.fromkeys("add sub mul div".split(), pairs()),
    **dict.fromkeys("add_ mul_".split(), pairs()),
    "pow": st.tuples(tensors(), st.sampled_from([2, 0.75, True])),
    "softmax": st.tuples(tensors(), st.integers(-3, 3)),
    "_softmax": st.tuples(tensors(), st.integers(-3, 3), st.booleans()),
    "batch_norm": normalised().map(lambda args: (*args, False)),
    "native_batch_norm": normalised(),
    "layer_norm": layers(),
    "linear": linears(),
    "mm": products(),
    "bmm": products(),
    "addmm": products().flatmap(
        lambda ab: st.tuples(vectors(3).filter(lambda c: c is not None), *map(st.just, ab))
    ),
    "scaled_dot_product_attention": attention(),
    "conv2d": convolutions(),
    "convolution": general(),
    "max_pool2d": pools(2, True),
    "max_pool2d_with_indices": pools(2, True),
    "avg_pool2d": pools(2, False),
    "avg_pool3d": pools(3, False),
    "adaptive_avg_pool2d": st.tuples(tensors(4), st.lists(st.integers(0, 4), min_size=2, max_size=2)),
    "_adaptive_avg_pool2d": st.tuples(tensors(4), st.lists(st.integers(0, 4), min_size=2, max_size=2)),
    "mean": st.tuples(tensors(4), st.sampled_from([[2, 3], [-1, -2], [-2, -1], [1, 2]]), st.booleans()),
    "cat": joined(),
    "uniform_": ONE,
    "normal_": ONE,
    "fill_": st.tuples(tensors(), st.just(1.0)),
}


def word(func: Any) -> str:
    return str(func._schema.name).removeprefix("aten::")


def told(outputs: Any) -> list[tuple[Any, ...]]:
    """All that a kernel says of what it gives."""
    whole = outputs if isinstance(outputs, tuple) else (outputs,)
    return [(tuple(x.shape), x.stride(), x.dtype, x.device, x.storage_offset(), x.layout) for x in whole]


@pytest.mark.parametrize("func", kernels.KERNELS, ids=str)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_as_torch_says(func: Any, data: st.DataObject) -> None:
    args = data.draw(CASES.get(word(func), ONE))
    with torch.inference_mode(), meta.without_compiler():
        said = kernels.given(func, args, {})
        if said is not None:
            assert said is args[0] or not isinstance(said, torch.Tensor) or not word(func).endswith("_")
            assert told(said) == told(func(*args))


def last(*shape: int) -> torch.Tensor:
    return new(*shape).contiguous(memory_format=torch.channels_last)


# axes of size 1 with strides of their own: torch calls them contiguous, and yet infers an order of axes
ODD = [last(2, 4, 1, 1), last(2, 1, 3, 3), last(1, 4, 1, 1), new(5, 1, 6).transpose(0, 1), new(1, 2).t()]
ODD += [new(1, 1).as_strided((1, 1), (2, 1)), new(1, 2).as_strided((1, 2), (1, 1))]


@pytest.mark.parametrize("x", ODD, ids=lambda x: f"{tuple(x.shape)}{x.stride()}")
def test_strides_that_mean_something_to_torch_only(x: torch.Tensor) -> None:
    assert x.is_contiguous()
    calls: list[tuple[Any, tuple[Any, ...]]] = [
        (ATEN.relu.default, (x,)),
        (ATEN.mul.Tensor, (x, new())),
        (ATEN.mul.Tensor, (new(), x)),
        (ATEN.layer_norm.default, (x, [x.shape[-1]])),
        (ATEN.layer_norm.default, (x, list(x.shape))),
    ]
    if x.dim() == 4:
        weight = new(3, x.shape[1], 1, 1)
        calls += [
            (ATEN.conv2d.default, (x, weight, None, [1, 1], [1, 1])),
            (ATEN.convolution.default, (x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)),
            (ATEN.max_pool2d.default, (x, [1, 1])),
        ]
    for func, args in calls:
        with torch.inference_mode(), meta.without_compiler():
            said = kernels.given(func, args, {})
            assert said is None or told(said) == told(func(*args))


def test_channels_that_do_not_fit_are_refused_by_torch() -> None:
    assert kernels.given(ATEN.conv2d.default, (new(1, 3, 5, 5), new(4, 2, 1, 1)), {}) is None
    with pytest.raises(CostcalcError, match="Invalid channel dimensions"):
        foreign.run(torch.nn.Conv2d(2, 4, 1), (new(1, 3, 5, 5),))


X, C = new(2, 4, 8, 8), new(4)
PLAIN: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys("add sub mul div add_ mul_".split(), (X, X)),
    "pow": (X, 2),
    **dict.fromkeys("softmax _softmax".split(), (X, 1, None)),
    **dict.fromkeys("batch_norm native_batch_norm".split(), (X, C, C, C, C, False, 0.1, 1e-5)),
    "layer_norm": (X, [8], new(8), None),
    "linear": (X, new(3, 8), new(3)),
    "mm": (new(2, 3), new(3, 4)),
    "bmm": (new(5, 2, 3), new(5, 3, 4)),
    "addmm": (new(4), new(2, 3), new(3, 4)),
    "scaled_dot_product_attention": (X, X, X),
    "conv2d": (X, new(6, 2, 3, 3), None, [2, 2], [1, 1], [1, 1], 2),
    "convolution": (X, new(6, 4, 3, 3), new(6), [2, 2], [1, 1], [1, 1], False, [0, 0], 1),
    **dict.fromkeys("max_pool2d max_pool2d_with_indices avg_pool2d".split(), (X, [3, 3], [2, 2], [1, 1])),
    "avg_pool3d": (new(1, 1, 5, 6, 6), [5, 1, 1], [1, 1, 1]),
    **dict.fromkeys("adaptive_avg_pool2d _adaptive_avg_pool2d".split(), (X, [3, 3])),
    "mean": (X, [-1, -2], True),
    "cat": ([X, X], 1),
}


@pytest.mark.parametrize("func", kernels.KERNELS, ids=str)
def test_of_what_is_common_something_is_said(func: Any) -> None:
    assert kernels.given(func, PLAIN.get(word(func), (X,)), {}) is not None


def test_of_what_has_values_nothing_is_said() -> None:
    """Neither of memory, nor of another kind of tensor, nor of an operator in no table."""

    class Marked(torch.Tensor):
        pass

    assert kernels.given(ATEN.relu.default, (torch.zeros(2),), {}) is None
    assert kernels.given(ATEN.relu.default, (new(2).as_subclass(Marked),), {}) is None
    assert kernels.given(ATEN.relu.default, (new(2, dtype=torch.complex64),), {}) is None
    assert kernels.given(ATEN.erfinv.default, (new(2),), {}) is None


def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's own kernels answer everything."""
    monkeypatch.setattr(kernels, "given", lambda func, args, kwargs: None)


@pytest.mark.parametrize("name", spec.presets())
def test_a_preset_as_a_model_is_counted_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Operators, breakdown, memory: the whole record of the pass."""
    prepared = foreign.of_graph(spec.load(name))
    said = prepared.whole()
    silent(monkeypatch)
    assert prepared.whole() == said


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_any_model_is_counted_the_same(
    training: bool, backward: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
    images = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.BatchNorm2d(16), torch.nn.SiLU())
    cases: list[tuple[torch.nn.Module, torch.Tensor]] = [
        (block, torch.zeros(2, 5, 16)),
        (images, torch.zeros(2, 3, 9, 9)),
        (images.to(memory_format=torch.channels_last), torch.zeros(2, 3, 9, 9)),
        (nets.Words(), torch.zeros(2, 5, dtype=torch.int64)),
    ]
    for model, x in cases:
        with monkeypatch.context() as patch:
            said = foreign.run(model, (x,), training=training, backward=backward)
            silent(patch)
            assert foreign.run(model, (x,), training=training, backward=backward) == said


@pytest.mark.parametrize("name", ["googlenet", "resnet50", "vgg16"])
def test_no_kernel_of_torch_in_python_is_entered(name: str) -> None:
    """By any path: they import sympy, which takes a third of the time of torch itself."""
    code = f"""
import sys, torch
from costcalc import costs, count, spec, torchnet
def seen(frame, event, arg):
    path = frame.f_code.co_filename
    if event == "call" and path.endswith(("_refs/__init__.py", "_decomp/decompositions.py")):
        raise AssertionError(frame.f_code.co_name + " of " + path)
graph = spec.load({name!r})
sys.setprofile(seen)
assert not costs(graph).disagreements
sys.setprofile(None)
assert "sympy" not in sys.modules
assert "torch._dynamo" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
