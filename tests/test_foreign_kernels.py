"""The operator table: every entry is met by a case, nothing is free by mistake, formulas are what happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import pytest
import test_foreign_products
import test_foreign_sequences
import test_operators
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_operators import UNFIT, Case, execution, holds, judged, told, weight

from costcalc.attribution import Attribution
from costcalc.foreign import operators

aten = torch.ops.aten
Q = (2, 4, 3, 8)
K = (2, 4, 5, 8)
ATTENDED = {"": 2 * 4 * (3 * 5 * 8 + 3 * 5 * 8)}


def kernel(name: str, *more: Any, **keywords: Any) -> Any:
    """A module that calls one kernel with its inputs, and then these arguments."""
    return told(lambda self, *given: getattr(aten, name)(*given, *more, **keywords))


def typed(dtype: torch.dtype, *shape: int, transposed: bool = False) -> Any:
    return lambda: torch.zeros(shape, dtype=dtype).t() if transposed else torch.zeros(shape, dtype=dtype)


def gradient(transposed: bool, mask: list[bool], groups: int = 1) -> Any:
    biased = [4] if mask[2] else None
    return kernel("convolution_backward", biased, [2], [0], [1], transposed, [0], groups, mask)


INT8, FP8 = torch.int8, torch.float8_e4m3fn
# 3 channels of 9 positions to 4 channels of 4: y = 2·4·4 values, each of 3·2 products; 2 samples
FORWARD = 2 * 4 * 4 * 3 * 2
CONV = ((2, 4, 4), (2, 3, 9), (4, 3, 2))
KERNELS = {
    "_convolution": Case(
        told(
            lambda self, x: aten._convolution(
                x, self.w, None, [1], [0], [1], False, [0], 1, False, False, False, False
            ),
            w=weight(4, 3, 2),
        ),
        ((1, 3, 9),),
        {"": 8 * 4 * 3 * 2},
        4 * 3 * 2,
    ),
    "gradient of all": Case(gradient(False, [True, True, True]), CONV, {"": 2 * FORWARD}, 0, 2 * 4 * 4),
    "gradient of the weight": Case(gradient(False, [False, True, False]), CONV, {"": FORWARD}, 0, 0),
    "gradient of the input": Case(gradient(False, [True, False, False]), CONV, {"": FORWARD}, 0, 0),
    "gradient in groups": Case(
        gradient(False, [True, True, False], 2),
        ((1, 6, 4), (1, 4, 9), (6, 4 // 2, 2)),
        {"": 2 * 4 * 6 * 2 * 2},
        0,
    ),
    "gradient transposed": Case(
        gradient(True, [True, True, False]), ((1, 4, 10), (1, 3, 5), (3, 4, 2)), {"": 2 * 5 * 3 * 4 * 2}, 0
    ),
    "_int_mm": Case(kernel("_int_mm"), (typed(INT8, 32, 16), typed(INT8, 16, 8)), {"": 32 * 16 * 8}, 0),
    "_scaled_mm": Case(
        kernel("_scaled_mm"),
        (typed(FP8, 32, 16), typed(FP8, 48, 16, transposed=True), (), ()),
        {"": 32 * 16 * 48},
        0,
    ),
    "_addmm_activation": Case(kernel("_addmm_activation"), ((5,), (3, 4), (4, 5)), {"": 3 * 4 * 5}, 0),
    "matmul with a vector": Case(kernel("matmul"), ((2, 3, 4), (4,)), {"": 2 * 3 * 4}, 0),
    "flash": Case(kernel("_scaled_dot_product_flash_attention"), (Q, K, K), ATTENDED, 0),
    "flash on the CPU": Case(kernel("_scaled_dot_product_flash_attention_for_cpu"), (Q, K, K), ATTENDED, 0),
    "efficient": Case(kernel("_scaled_dot_product_efficient_attention", None, True), (Q, K, K), ATTENDED, 0),
    "cudnn": Case(kernel("_scaled_dot_product_cudnn_attention", None, True), (Q, K, K), ATTENDED, 0),
    "gradient of a deformable convolution": Case(  # of 4 channels from 3, in samples of 2×2, at 5×5 positions
        told(
            lambda self, grad, x, w, offset, mask, bias: torch.ops.torchvision._deform_conv2d_backward(
                grad, x, w, offset, mask, bias, 1, 1, 0, 0, 1, 1, 1, 1, True
            )
        ),
        ((1, 4, 5, 5), (1, 3, 6, 6), (4, 3, 2, 2), (1, 8, 5, 5), (1, 4, 5, 5), (4,)),
        {"": 2 * (4 * 5 * 5) * (3 * 2 * 2)},
        0,
    ),
    "broadcast attention": Case(  # k and v of 3 samples, q of one: 3 of everything
        kernel("scaled_dot_product_attention"),
        ((1, 4, 3, 8), (3, 4, 5, 8), (3, 4, 5, 8)),
        {"": 3 * 4 * (3 * 5 * 8 + 3 * 5 * 8)},
        0,
        4 * 3 * 4 * 3 * 5,
    ),
    "causal attention": Case(
        kernel("scaled_dot_product_attention", None, 0.0, True), (Q, K, K), ATTENDED, 0, 5 * 2 * 4 * 3 * 5
    ),
    "_native_batch_norm_legit": Case(
        kernel("_native_batch_norm_legit", None, None, True, 0.1, 1e-5), ((2, 3, 4),), {}, 0, 5 * 24
    ),
    "native_group_norm": Case(  # with a scale and no shift
        told(lambda self, x: aten.native_group_norm(x, self.w, None, 2, 4, 5, 2, 1e-5)[0], w=weight(4)),
        ((2, 4, 5),),
        {},
        4,
        40 * 5,
    ),
    "embedding_bag": Case(  # 2 bags of 3 rows of 4
        told(lambda self, x: torch.nn.functional.embedding_bag(x, self.w), w=weight(10, 4)),
        (typed(torch.int64, 2, 3),),
        {},
        40,
        2 * 3 * 4,
    ),
    "the larger of two": Case(kernel("max"), ((4,), (5, 4)), {}, 0, 20),
    "_trilinear": Case(  # x [2, 5], w [4, 5, 6], y [2, 6]: one product per sample, output and pair
        kernel("_trilinear", [1, 3], [0], [1, 2], [2, 3]), ((2, 5), (4, 5, 6), (2, 6)), {"": 2 * 4 * 5 * 6}, 0
    ),
    "by products": Case(kernel("_scaled_dot_product_attention_math"), (Q, K, K), ATTENDED, 0),
}
CASES = {**test_operators.CASES, **test_foreign_products.CASES, **test_foreign_sequences.CASES}
EVERY = {**CASES, **KERNELS}


@pytest.mark.parametrize("name", CASES)
def test_a_case_costs_what_was_derived_by_hand(name: str) -> None:
    holds(CASES[name])


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].blind != UNFIT])
def test_torch_itself_says_the_same_where_it_can(name: str) -> None:
    case = CASES[name]
    assert (judged(case) == sum(case.macs.values())) is not bool(case.blind), case.blind


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_costs_what_was_derived_by_hand(name: str) -> None:
    case = KERNELS[name]
    found = Attribution(execution(case, "meta"))
    assert found.table.total.macs == sum(case.macs.values())
    assert case.other in (None, found.table.total.other_ops)
    assert not found.uncounted


def test_every_operator_that_multiplies_has_a_case() -> None:
    met: set[str] = set()
    for case in EVERY.values():
        try:
            met |= {ran.operator for ran in execution(case, "meta").operations if ran.macs}
        except Exception:  # the case's own test says why
            continue
    assert operators.PAID.keys() <= met


def overloads() -> Iterator[tuple[str, operators.Rule]]:
    """The rule for every operator that torch has."""
    for full in torch._C._dispatch_get_all_op_names():
        name, _, overload = full.partition(".")
        if name.startswith("aten::"):
            func = getattr(getattr(aten, name[6:]), overload or "default")
            yield name, operators.rule(func)


MULTIPLIES = re.compile(
    r"(conv(?!ert)|mm|mv|matmul|dot|linear|attention|lstm|gru|rnn|einsum|trilinear|addr|multi_head|transformer|"
    r"cdist|fft|multi_dot|matrix_exp|solve|cholesky|_dist$)"
)
# not what their names sound like
NO_PRODUCTS = re.compile(r"(resolve|mvlgamma|gamma|upsample|dropout|fft_(fft|rfft)(freq|shift)|comm|convert)")


def test_nothing_that_multiplies_is_taken_for_free() -> None:
    """An operator that sounds like a product is in the table, taken apart, or of unknown cost."""
    judged_free = {
        name
        for name, rule in overloads()
        if MULTIPLIES.search(name)
        and not NO_PRODUCTS.search(name)
        and not rule.taken_apart
        and rule.knowledge != "unknown"
        and operators._bare(name) not in operators.PAID
        and name not in operators.PAID
    }
    assert judged_free == set()


def test_in_place_is_known_wherever_the_same_is_not_in_place() -> None:
    known: dict[str, set[str]] = {}
    for name, rule in overloads():
        known.setdefault(name, set()).add(rule.knowledge)
    unknown = {
        name
        for name, found in known.items()
        if name.endswith("_") and found == {"unknown"} and "unknown" not in known.get(name[:-1], {"unknown"})
    }
    assert unknown == set()


@given(
    size=st.integers(1, 7),
    kernel_size=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 2),
    groups=st.integers(1, 3),
    transposed=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_convolution_makes_one_product_per_pair_that_meets(
    size: int, kernel_size: int, stride: int, padding: int, dilation: int, groups: int, transposed: bool
) -> None:
    """Over every output position (transposed: input position), channel and tap, padding included."""
    ins, outs = 2 * groups, 3 * groups
    length = (
        (size - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + 1
        if transposed
        else (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1
    )
    if length < 1:
        return
    layer = torch.nn.ConvTranspose1d if transposed else torch.nn.Conv1d
    settings_ = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    case = Case(lambda: layer(ins, outs, kernel_size, **settings_), ((2, ins, size),), {}, 0)
    meeting = [
        (sample, position, tap)
        for sample, position, tap, i, o in product(
            range(2), range(size if transposed else length), range(kernel_size), range(ins), range(outs)
        )
        if i // 2 == o // 3
    ]
    assert Attribution(execution(case, "meta")).table.total.macs == len(meeting)


shapes = st.lists(st.integers(1, 3), max_size=3)


@given(batch=shapes, left=st.integers(0, 3), n=st.integers(1, 4), k=st.integers(1, 4), m=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_a_broadcast_product_multiplies_as_often_as_its_whole(
    batch: list[int], left: int, n: int, k: int, m: int
) -> None:
    """Every leading axis of either side may be 1 or missing."""
    first = [1 if axis % 2 else size for axis, size in enumerate(batch)]
    second = batch[min(left, len(batch)) :]
    case = Case(told(lambda self, x, y: x @ y), ((*first, n, k), (*second, k, m)), {}, 0)
    whole = torch.broadcast_shapes(tuple(first), tuple(second))
    assert Attribution(execution(case, "meta")).table.total.macs == prod(whole) * n * k * m


@given(st.permutations("abcd"), st.permutations("abce"), st.lists(st.sampled_from("abcde"), unique=True))
@settings(max_examples=40, deadline=None)
def test_an_einsum_multiplies_once_per_index_of_both(
    left: list[str], right: list[str], result: list[str]
) -> None:
    """Where no index stands on one side alone to be summed first."""
    kept = [*result, *(letter for letter in "de" if letter not in result)]
    sizes = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 6}
    text = f"{''.join(left)},{''.join(right)}->{''.join(kept)}"
    case = Case(
        told(lambda self, x, y: torch.einsum(text, x, y)),
        (tuple(sizes[letter] for letter in left), tuple(sizes[letter] for letter in right)),
        {},
        0,
    )
    summed = set("abc") - set(kept)
    expected = prod(sizes.values()) if summed else 0  # else nothing is added up
    assert Attribution(execution(case, "meta")).table.total.macs == expected
