"""Products in every spelling and models of every build, each with its multiply-adds derived by hand."""

from __future__ import annotations

import torch
from test_operators import NONE, UNFIT, VECTOR, Case, Told, ids, told, weight
from torch import nn
from torch.nn import functional as F

PRODUCTS = {
    "linear over tokens": Case(
        lambda: nn.Linear(16, 10), ((2, 7, 3, 16),), {"": 2 * 7 * 3 * 16 * 10}, 16 * 10 + 10, 2 * 7 * 3 * 10
    ),
    "linear of one vector": Case(lambda: nn.Linear(16, 10), ((16,),), {"": 16 * 10}, 16 * 10 + 10),
    "F.linear": Case(
        told(lambda self, x: F.linear(x, self.w), w=weight(5, 4)), ((3, 4),), {"": 3 * 4 * 5}, 5 * 4, 0
    ),
    "F.linear to a number": Case(
        told(lambda self, x: F.linear(x, self.w), w=weight(4)), ((3, 4),), {"": 3 * 4}, 4, blind=VECTOR
    ),
    "x @ w": Case(
        told(lambda self, x: x @ self.w, w=weight(4, 5)), ((2, 3, 4),), {"": 2 * 3 * 4 * 5}, 4 * 5, 0
    ),
    "w @ x of many": Case(
        told(lambda self, x: self.w @ x, w=weight(5, 4)), ((2, 3, 4, 7),), {"": 2 * 3 * 5 * 4 * 7}, 5 * 4
    ),
    "broadcast matmul": Case(
        told(lambda self, x, y: x @ y), ((2, 1, 3, 4), (5, 4, 6)), {"": 2 * 5 * 3 * 4 * 6}, 0
    ),
    "matrix by vector": Case(
        told(lambda self, x, y: x @ y), ((2, 3, 4), (4,)), {"": 2 * 3 * 4}, 0, blind=VECTOR
    ),
    "vector by matrix": Case(told(lambda self, x, y: x @ y), ((4,), (4, 5)), {"": 4 * 5}, 0),
    "vector by vector": Case(told(lambda self, x, y: x @ y), ((4,), (4,)), {"": 4}, 0, blind=VECTOR),
    "mm": Case(told(lambda self, x, y: torch.mm(x, y)), ((3, 4), (4, 5)), {"": 3 * 4 * 5}, 0, 0),
    "mm by keyword, into a place": Case(
        told(lambda self, x, y: torch.mm(input=x, mat2=y, out=x.new_empty(3, 5))),
        ((3, 4), (4, 5)),
        {"": 3 * 4 * 5},
        0,
    ),
    "bmm": Case(told(lambda self, x, y: torch.bmm(x, y)), ((2, 3, 4), (2, 4, 5)), {"": 2 * 3 * 4 * 5}, 0, 0),
    "mv": Case(told(lambda self, x, y: torch.mv(x, y)), ((3, 4), (4,)), {"": 3 * 4}, 0, 0, blind=VECTOR),
    "dot": Case(told(lambda self, x, y: torch.dot(x, y)), ((4,), (4,)), {"": 4}, 0, 0, blind=VECTOR),
    "vdot": Case(told(lambda self, x, y: torch.vdot(x, y)), ((4,), (4,)), {"": 4}, 0, 0, blind=VECTOR),
    "inner": Case(told(lambda self, x, y: torch.inner(x, y)), ((2, 3, 4), (5, 4)), {"": 2 * 3 * 5 * 4}, 0, 0),
    "addmm": Case(
        told(lambda self, x, y: torch.addmm(self.b, x, y), b=weight(5)),
        ((3, 4), (4, 5)),
        {"": 3 * 4 * 5},
        5,
        3 * 5,
    ),
    "addmm in place": Case(
        told(lambda self, x, y: x.new_zeros(3, 5).addmm_(x, y)),
        ((3, 4), (4, 5)),
        {"": 3 * 4 * 5},
        0,
        3 * 5,
        blind=NONE,
    ),
    "baddbmm": Case(
        told(lambda self, c, x, y: torch.baddbmm(c, x, y)),
        ((2, 1, 5), (2, 3, 4), (2, 4, 5)),
        {"": 2 * 3 * 4 * 5},
        0,
        2 * 3 * 5,
    ),
    "addbmm": Case(
        told(lambda self, c, x, y: torch.addbmm(c, x, y)),
        ((3, 5), (2, 3, 4), (2, 4, 5)),
        {"": 2 * 3 * 4 * 5},
        0,
        3 * 5,
        blind=NONE,
    ),
    "addmv": Case(
        told(lambda self, c, x, y: torch.addmv(c, x, y)),
        ((3,), (3, 4), (4,)),
        {"": 3 * 4},
        0,
        3,
        blind=VECTOR,
    ),
    "bilinear": Case(
        lambda: nn.Bilinear(3, 4, 5),
        ((2, 3), (2, 4)),
        {"": 2 * 5 * 3 * 4},
        5 * 3 * 4 + 5,
        2 * 3 * 4 + 2 * 5,
        blind=NONE,
    ),
    "einsum of attention": Case(
        told(lambda self, q, k: torch.einsum("bqhd,bkhd->bhqk", q, k)),
        ((2, 3, 4, 5), (2, 6, 4, 5)),
        {"": 2 * 4 * 3 * 6 * 5},
        0,
    ),
    "einsum of three": Case(
        told(lambda self, x, y, z: torch.einsum("ij,jk,kl->il", x, y, z)),
        ((2, 3), (3, 4), (4, 5)),
        {"": 2 * 3 * 4 + 2 * 4 * 5},
        0,
    ),
    "einsum that sums nothing": Case(
        told(lambda self, x, y: torch.einsum("ij,j->ij", x, y)), ((2, 3), (3,)), {}, 0, 2 * 3
    ),
    "tensordot": Case(
        told(lambda self, x, y: torch.tensordot(x, y, dims=2)), ((2, 3, 4), (3, 4, 5)), {"": 2 * 3 * 4 * 5}, 0
    ),
    "chained": Case(
        told(lambda self, x, y, z: torch.linalg.multi_dot([x, y, z])),
        ((9, 2), (2, 8), (8, 3)),
        {"": 2 * 8 * 3 + 9 * 2 * 3},
        0,
    ),
    "matrix power": Case(
        told(lambda self, x: torch.linalg.matrix_power(x, 3)), ((4, 4),), {"": 2 * 4 * 4 * 4}, 0
    ),
    "products element by element": Case(
        told(lambda self, x, y: (x * y).sum() + torch.outer(x, y)), ((4,), (4,)), {}, 0, 4 + 4 + 4 * 4 + 4 * 4
    ),
}


def _tied() -> nn.Module:
    model = Told(
        lambda self, x: self.head(self.embed(x)), embed=nn.Embedding(11, 6), head=nn.Linear(6, 11, bias=False)
    )
    model.head.weight = model.embed.weight
    return model


def _frozen() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    model[0].requires_grad_(False)
    return model


STRUCTURES = {
    "a bare root": Case(lambda: nn.Linear(3, 4), ((1, 3),), {"": 3 * 4}, 3 * 4 + 4),
    "a layer called by forward": Case(
        told(lambda self, x: self.a.forward(x), a=lambda: nn.Linear(3, 4)), ((1, 3),), {"a": 3 * 4}, 3 * 4 + 4
    ),
    "a layer called by its class": Case(
        told(lambda self, x: nn.Linear.forward(self.a, x), a=lambda: nn.Linear(3, 4)),
        ((1, 3),),
        {"": 3 * 4},
        3 * 4 + 4,
    ),
    "a layer called three times": Case(
        told(lambda self, x: self.a(self.a(x)) + self.a(x), a=lambda: nn.Linear(3, 3)),
        ((2, 3),),
        {"a": 3 * (2 * 3 * 3)},
        3 * 3 + 3,
    ),
    "tied weights": Case(_tied, (ids(2, 5),), {"head": 2 * 5 * 6 * 11}, 6 * 11),
    "an unused branch": Case(
        told(lambda self, x: self.a(x), a=lambda: nn.Linear(3, 4), b=lambda: nn.Linear(9, 9)),
        ((1, 3),),
        {"a": 3 * 4},
        3 * 4 + 4 + 9 * 9 + 9,
    ),
    "a parameter of its own": Case(
        told(lambda self, x: self.a(x * self.scale), a=lambda: nn.Linear(3, 4), scale=weight(3)),
        ((2, 3),),
        {"a": 2 * 3 * 4},
        3 + 3 * 4 + 4,
        2 * 3 + 2 * 4,
    ),
    "a frozen layer": Case(_frozen, ((2, 3),), {"0": 2 * 3 * 4, "1": 2 * 4 * 5}, 3 * 4 + 4 + 4 * 5 + 5),
    "several inputs, one by keyword": Case(
        told(
            lambda self, x, y, gain: self.a(x) + self.b(y) * gain,
            a=lambda: nn.Linear(3, 4),
            b=lambda: nn.Linear(5, 4),
        ),
        ((2, 3), (2, 5)),
        {"a": 2 * 3 * 4, "b": 2 * 5 * 4},
        3 * 4 + 4 + 5 * 4 + 4,
        2 * 4 + 2 * 4 + 2 * 4 + 2 * 4,
        {"gain": (2, 1)},
    ),
    "a dict of lists of inputs": Case(
        told(lambda self, given: self.a(given["x"][0]), a=lambda: nn.Linear(3, 4)),
        (lambda: {"x": [torch.zeros(2, 3)]},),
        {"a": 2 * 3 * 4},
        3 * 4 + 4,
    ),
    "an embedding": Case(lambda: nn.Embedding(11, 6), (ids(2, 5),), {}, 11 * 6, 0),
    "bfloat16": Case(
        lambda: nn.Linear(3, 4).bfloat16(),
        (lambda: torch.zeros(2, 3, dtype=torch.bfloat16),),
        {"": 2 * 3 * 4},
        3 * 4 + 4,
        2 * 4,
    ),
    "compiled": Case(
        lambda: torch.compile(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), backend="eager"),
        ((2, 3),),
        {"_orig_mod.0": 2 * 3 * 4},
        3 * 4 + 4,
        2 * 4 + 2 * 4,
        blind=UNFIT,
    ),
    "an fx graph": Case(
        lambda: torch.fx.symbolic_trace(nn.Sequential(nn.Linear(3, 4))),
        ((2, 3),),
        {"0": 2 * 3 * 4},
        3 * 4 + 4,
    ),
    "an odd grad mode inside": Case(
        told(
            lambda self, x: torch.no_grad()(self.a)(torch.enable_grad()(self.a)(x)), a=lambda: nn.Linear(3, 3)
        ),
        ((2, 3),),
        {"a": 2 * 2 * 3 * 3},
        3 * 3 + 3,
    ),
    "moved in forward": Case(
        told(lambda self, x: self.a(x.cpu().to("cpu").double().float()), a=lambda: nn.Linear(3, 4)),
        ((2, 3),),
        {"a": 2 * 3 * 4},
        3 * 4 + 4,
        blind=UNFIT,
    ),
    "recomputed": Case(
        told(
            lambda self, x: torch.utils.checkpoint.checkpoint(self.a, x, use_reentrant=False),
            a=lambda: nn.Linear(3, 4),
        ),
        ((2, 3),),
        {"a": 2 * 3 * 4},
        3 * 4 + 4,
    ),
    "mapped over": Case(
        told(lambda self, x: torch.vmap(self.a)(x), a=lambda: nn.Linear(3, 4)),
        ((2, 3),),
        {"a": 2 * 3 * 4},
        3 * 4 + 4,
    ),
}
CASES: dict[str, Case] = {**PRODUCTS, **STRUCTURES}
