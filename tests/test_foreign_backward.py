"""The training pass: what backward operators multiply, derived by hand, charged to the layer they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
import test_foreign_products
import test_foreign_sequences
import test_operators
import torch
from test_foreign_sequences import attention, decoder_layer, encoder_layer
from test_operators import Case, execution, ids, told, weight
from torch import nn
from torch.nn import functional as F

from costcalc.attribution import Attribution
from costcalc.errors import CostcalcError
from costcalc.execution import Execution
from costcalc.foreign import Prepared, dispatch

UNLEARNT = {"an odd grad mode inside"}  # what it gives depends on nothing that learns
CASES = {**test_operators.CASES, **test_foreign_products.CASES, **test_foreign_sequences.CASES}


def by_module(found: Execution, phase: str) -> dict[str, int]:
    """Multiply-adds of one half of the pass."""
    spread: Counter[str] = Counter()
    for ran in found.operations:
        if ran.phase == phase and ran.macs:
            spread[ran.module] += ran.macs
    return dict(spread)


def _frozen(first: bool) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6))
        model[0 if first else 2].requires_grad_(False)
        return model

    return make


def _tied() -> nn.Module:
    model = nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 11, bias=False))
    model[1].weight = model[0].weight
    return model


ONE, TWO, THREE = 2 * 3 * 4, 2 * 4 * 5, 2 * 5 * 6  # the layers of an MLP on two samples
IMAGE = (2, 3, 8, 8)
BACKWARD: dict[str, tuple[Callable[[], nn.Module], tuple[test_operators.Given, ...], Mapping[str, int]]] = {
    # the input needs no gradient: of the first layer only the weight's is a product
    "linear": (lambda: nn.Linear(3, 4), ((2, 3),), {"": 2 * 3 * 4}),
    "linear over tokens": (lambda: nn.Linear(3, 4, bias=False), ((2, 7, 3),), {"": 2 * 7 * 3 * 4}),
    "mlp": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6)),
        ((2, 3),),
        {"0": ONE, "2": 2 * TWO, "4": 2 * THREE},
    ),
    "first layer frozen": (_frozen(True), ((2, 3),), {"2": TWO, "4": 2 * THREE}),
    "layer in the middle frozen": (_frozen(False), ((2, 3),), {"0": ONE, "2": TWO, "4": 2 * THREE}),
    "called twice": (
        told(lambda self, x: self.a(self.a(x)), a=lambda: nn.Linear(3, 3)),
        ((2, 3),),
        {"a": 2 * 3 * 3 + 2 * (2 * 3 * 3)},
    ),
    "called by forward": (
        told(lambda self, x: self.a.forward(x), a=lambda: nn.Linear(3, 4)),
        ((2, 3),),
        {"a": ONE},
    ),
    "own parameter": (told(lambda self, x: F.linear(x, self.w), w=weight(4, 3)), ((2, 3),), {"": ONE}),
    "tied": (_tied, (ids(2, 5),), {"1": 2 * (2 * 5 * 6 * 11)}),
    "an index beside": (
        told(
            lambda self, x: (lambda y: (y, y.argmax(1), (y > 0).sum()))(self.a(x)), a=lambda: nn.Linear(3, 4)
        ),
        ((2, 3),),
        {"a": ONE},
    ),
    "conv": (lambda: nn.Conv2d(3, 4, 3), (IMAGE,), {"": 2 * 6 * 6 * 4 * 27}),
    "two convs with norms": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5)
        ),
        (IMAGE,),
        {"0": 2 * 6 * 6 * 4 * 27, "3": 2 * (2 * 4 * 4 * 5 * 36)},
    ),
    "conv in groups": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 8, 3, groups=2)),
        (IMAGE,),
        {"0": 2 * 8 * 8 * 4 * 3, "1": 2 * (2 * 6 * 6 * 8 * 2 * 9)},
    ),
    "depthwise with padding same": (
        lambda: nn.Sequential(nn.Conv1d(3, 4, 1), nn.Conv1d(4, 4, 3, groups=4, padding="same")),
        ((2, 3, 9),),
        {"0": 2 * 9 * 4 * 3, "1": 2 * (2 * 9 * 4 * 3)},
    ),
    "conv transposed": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(4, 6, 3, 2, groups=2)),
        (IMAGE,),
        {"0": 2 * 64 * 4 * 3, "1": 2 * (2 * 64 * 4 * 3 * 9)},
    ),
    "embedding": (
        lambda: nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 4)),
        (ids(2, 5),),
        {"1": 2 * (2 * 5 * 6 * 4)},
    ),
    "product of two": (
        told(lambda self, x: self.a(x) @ self.b(x).T, a=lambda: nn.Linear(3, 4), b=lambda: nn.Linear(3, 4)),
        ((2, 3),),
        {"": 2 * (2 * 4 * 2), "a": ONE, "b": ONE},
    ),
    "bilinear": (lambda: nn.Bilinear(3, 4, 5), ((2, 3), (2, 4)), {"": 2 * 5 * 3 * 4}),
    "attention": (
        told(
            lambda self, x: self.a(x, x, x, need_weights=False),
            a=lambda: nn.MultiheadAttention(8, 2, batch_first=True),
        ),
        ((2, 3, 8),),
        {"a": 3 * (2 * 3 * 8 * 8) + 2 * (2 * attention(3, 3, 8)) + 2 * (2 * 3 * 8 * 8)},
    ),
    "attention that gives weights": (
        told(lambda self, x: self.a(x, x, x)[0], a=lambda: nn.MultiheadAttention(8, 2, batch_first=True)),
        ((2, 3, 8),),
        {"a": 3 * (2 * 3 * 8 * 8) + 2 * (2 * attention(3, 3, 8)) + 2 * (2 * 3 * 8 * 8)},
    ),
    "attention of fewer keys than queries": (
        told(
            lambda self, x: F.scaled_dot_product_attention(
                *[y.view(2, 3, -1, 4).transpose(1, 2) for y in (self.q(x), self.k(x), self.k(x))],
                enable_gqa=True,
            ),
            q=lambda: nn.Linear(8, 16),
            k=lambda: nn.Linear(8, 8),
        ),
        ((2, 3, 8),),
        {"": 2 * (2 * attention(3, 3, 16)), "q": 2 * 3 * 8 * 16, "k": 2 * (2 * 3 * 8 * 8)},
    ),
    # 3 steps of 2 samples, 4 gates of 7: all weights at each step, each hidden state but the first
    "lstm": (lambda: nn.LSTM(5, 7), ((3, 2, 5),), {"": 3 * 2 * 28 * (5 + 7) + (3 - 1) * 2 * 28 * 7}),
    "gru": (lambda: nn.GRU(5, 7), ((3, 2, 5),), {"": 3 * 2 * 21 * (5 + 7) + (3 - 1) * 2 * 21 * 7}),
    "rnn": (lambda: nn.RNN(5, 7), ((3, 2, 5),), {"": 3 * 2 * 7 * (5 + 7) + (3 - 1) * 2 * 7 * 7}),
    # what it recomputes is work of the backward pass; the last layer's output is not needed for it
    "recomputed": (
        told(
            lambda self, x: torch.utils.checkpoint.checkpoint(self.a, x, use_reentrant=False),
            a=lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5)),
        ),
        ((2, 3),),
        {"a.0": ONE + ONE, "a.2": 2 * TWO},
    ),
}


@pytest.mark.parametrize("name", BACKWARD)
def test_the_backward_pass_costs_what_was_derived_by_hand(name: str) -> None:
    make, inputs, macs = BACKWARD[name]
    case = Case(make, inputs, {}, 0)
    for device in ("cpu", "meta"):
        found = execution(case, device, backward=True)
        assert by_module(found, "backward") == dict(macs)
        counted = Attribution(found)
        assert counted.backward == sum(macs.values())
        assert counted.table.total.macs == sum(macs.values()) + sum(by_module(found, "forward").values())
        assert by_module(found, "forward") == by_module(execution(case, device), "forward")


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].params and name not in UNLEARNT])
def test_the_forward_half_is_what_inference_costs(name: str) -> None:
    found = execution(CASES[name], "meta", backward=True)
    assert by_module(found, "forward") == dict(CASES[name].macs)
    assert not Attribution(found).uncounted


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    **{
        kind.__name__: (kind, (2, 6, 8, 8))
        for kind in (
            nn.ReLU,
            nn.ReLU6,
            nn.GELU,
            nn.SiLU,
            nn.ELU,
            nn.SELU,
            nn.CELU,
            nn.Hardswish,
            nn.Hardsigmoid,
            nn.Hardtanh,
            nn.Mish,
            nn.Softplus,
            nn.Sigmoid,
            nn.Tanh,
            nn.LeakyReLU,
            nn.PReLU,
            nn.GLU,
            nn.LogSigmoid,
            nn.Dropout,
            nn.Dropout2d,
        )
    },
    "RReLU": (lambda: nn.RReLU(inplace=True), (2, 6)),
    "Softmax": (lambda: nn.Softmax(1), (2, 6)),
    "LogSoftmax": (lambda: nn.LogSoftmax(1), (2, 6)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(6), (2, 6, 8, 8)),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(6, affine=True), (2, 6, 8, 8)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 6), (2, 6, 8, 8)),
    "LayerNorm": (lambda: nn.LayerNorm(8), (2, 6, 8, 8)),
    "RMSNorm": (lambda: nn.RMSNorm(8), (2, 6, 8, 8)),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(5), (2, 6, 8, 8)),
    "MaxPool1d": (lambda: nn.MaxPool1d(2), (2, 6, 8)),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), (2, 6, 8, 8)),
    "MaxPool3d": (lambda: nn.MaxPool3d(2), (2, 6, 4, 4, 4)),
    "AvgPool1d": (lambda: nn.AvgPool1d(2), (2, 6, 8)),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), (2, 6, 8, 8)),
    "AvgPool3d": (lambda: nn.AvgPool3d(2), (2, 6, 4, 4, 4)),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(3), (2, 6, 8, 8)),
    "AdaptiveAvgPool3d": (lambda: nn.AdaptiveAvgPool3d(3), (2, 6, 8, 8, 8)),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d(3), (2, 6, 8, 8)),
    "ReflectionPad2d": (lambda: nn.ReflectionPad2d(1), (2, 6, 8, 8)),
    "ReplicationPad2d": (lambda: nn.ReplicationPad2d(1), (2, 6, 8, 8)),
    "CircularPad2d": (lambda: nn.CircularPad2d(1), (2, 6, 8, 8)),
    "nearest": (lambda: nn.Upsample(scale_factor=2), (2, 6, 8, 8)),
    "bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (2, 6, 8, 8)),
    "bicubic": (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), (2, 6, 8, 8)),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), (2, 8, 8, 8)),
    "Unfold": (lambda: nn.Unfold(3), (2, 6, 8, 8)),
    "slices": (told(lambda self, x: torch.cat([x[:, :2], x[:, 2:].roll(1, 0)], 1)[..., 0]), (2, 6, 8, 8)),
    "gathered": (
        told(lambda self, x: x[:, torch.tensor([0, 1], device=x.device)].masked_fill(x[:, :2] > 0, 0)),
        (2, 6),
    ),
    "statistics": (told(lambda self, x: (x.var(1) + x.mean(1) + x.amax(1) + x.norm(dim=1)).sqrt()), (2, 6)),
    "normalised": (told(lambda self, x: F.normalize(x).cumsum(1).clamp(0, 1).pow(2).exp()), (2, 6)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_usual_layers_are_known_in_a_training_pass(name: str) -> None:
    """Behind a linear layer, so that a gradient is wanted: only that layer's products count."""
    make, shape = LAYERS[name]
    model = nn.Sequential(nn.Linear(shape[-1], shape[-1]), make())
    counted = Attribution(dispatch.run(model, (torch.zeros(shape),), backward=True))
    assert not counted.uncounted
    products = torch.zeros(shape).numel() * shape[-1]
    assert (
        by_module(counted.execution, "forward") == by_module(counted.execution, "backward") == {"0": products}
    )


def test_the_usual_layers_are_known_in_inference() -> None:
    for name, (make, shape) in LAYERS.items():
        counted = Attribution(dispatch.run(make(), (torch.zeros(shape),)))
        assert not counted.uncounted, name
        assert counted.table.total.macs == 0, name


@pytest.mark.parametrize("layer", [encoder_layer, decoder_layer])
def test_a_transformer_layer_backward_is_twice_less_the_inputs(layer: Callable[[], nn.Module]) -> None:
    """Every product twice, but those with the input itself, which needs no gradient: q, k and v of x."""
    x = torch.zeros(2, 3, 8)
    args = (x,) if layer is encoder_layer else (x, torch.zeros(2, 5, 8))
    found = dispatch.run(layer(), args, backward=True)
    forward, backward = by_module(found, "forward"), by_module(found, "backward")
    spared = {"self_attn": 3 * 2 * 3 * 8 * 8, "multihead_attn": 2 * 2 * 5 * 8 * 8}
    assert backward == {path: 2 * macs - spared.get(path, 0) for path, macs in forward.items()}


def test_a_model_without_anything_to_learn_has_no_backward_pass() -> None:
    with pytest.raises(CostcalcError, match="nothing that it gives depends on a trainable parameter"):
        dispatch.run(nn.Linear(3, 4).requires_grad_(False), (torch.zeros(1, 3),), backward=True)


def test_training_alone_runs_what_only_training_runs() -> None:
    model = told(
        lambda self, x: self.b(self.a(x)) if self.training else self.a(x),
        a=lambda: nn.Linear(3, 4),
        b=lambda: nn.Linear(4, 5),
    )()
    totals = [
        Attribution(dispatch.run(model, (torch.zeros(2, 3),), training=flag)).table.total.macs
        for flag in (False, True)
    ]
    assert totals == [ONE, ONE + TWO]


def test_a_batch_divides_the_backward_pass_too() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 5))
    one = (torch.zeros(1, 3, 8, 8),), {}
    tables = [
        Attribution(
            Prepared("it", model, (torch.zeros(batch, 3, 8, 8),), {}, batch, "", one).run(backward=True)
        ).table.total.macs
        for batch in (2, 32)
    ]
    assert tables[0] == tables[1] == 2 * (36 * 4 * 27) + 3 * (4 * 36 * 5)
