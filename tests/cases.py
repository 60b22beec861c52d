"""Awkward cases of every layer kind: fields that are not the defaults, shapes that do not divide."""

from __future__ import annotations

from typing import Any

from costcalc.graph import INPUT, Graph, Step, wire
from costcalc.layers import KINDS
from costcalc.records import Shape

Case = tuple[dict[str, Any], list[Shape]]  # fields, shapes that flow in

MAP, VECTOR = (6, 9, 13), (10,)

CASES: dict[str, list[Case]] = {
    "conv": [
        ({"out": 5, "kernel": 3}, [MAP]),
        ({"out": 4, "kernel": [1, 7], "pad": [0, 3], "bias": False}, [MAP]),
        (
            {"out": 4, "kernel": [3, 2], "stride": [2, 3], "pad": [1, 0], "dilation": [2, 1], "groups": 2},
            [MAP],
        ),
        ({"out": 12, "kernel": 3, "pad": "same", "groups": 6}, [MAP]),
        ({"out": 3, "kernel": [2, 4], "pad": "same", "dilation": [1, 2], "bias": False}, [MAP]),
    ],
    "depthwise": [
        ({"kernel": 3}, [MAP]),
        (
            {
                "kernel": [5, 2],
                "multiplier": 3,
                "stride": [1, 2],
                "pad": [2, 1],
                "dilation": [1, 3],
                "bias": False,
            },
            [MAP],
        ),
        ({"kernel": [3, 4], "multiplier": 2, "pad": "same"}, [(1, 4, 4)]),
    ],
    "transposed_conv": [
        ({"out": 4, "kernel": 2, "stride": 2}, [MAP]),
        (
            {
                "out": 3,
                "kernel": [3, 4],
                "stride": [2, 3],
                "pad": [1, 0],
                "output_pad": [1, 2],
                "bias": False,
            },
            [MAP],
        ),
        ({"out": 4, "kernel": 3, "dilation": [2, 3], "output_pad": [1, 0], "groups": 2}, [MAP]),
    ],
    "rbf": [({"out": 7}, [VECTOR]), ({"out": 1}, [(3,)])],
    "linear": [({"out": 7}, [VECTOR]), ({"out": 3, "bias": False}, [(1,)])],
    "maxpool": [
        ({"kernel": 3, "stride": 2}, [MAP]),
        ({"kernel": [2, 3], "pad": [1, 1], "stride": [3, 2], "ceil": True}, [MAP]),
        ({"kernel": [2, 3], "dilation": [3, 2], "stride": 1, "pad": 1}, [MAP]),
        ({"kernel": 4, "ceil": True}, [(2, 5, 6)]),
        ({"kernel": 1}, [MAP]),
    ],
    "avgpool": [
        ({"kernel": 5, "stride": 3}, [MAP]),
        ({"kernel": [2, 4], "pad": [1, 2], "stride": [2, 3], "ceil": True}, [MAP]),
        ({"kernel": 3}, [MAP]),
    ],
    "global_avgpool": [({}, [MAP]), ({}, [(3, 1, 1)])],
    "adaptive_avgpool": [
        ({"size": [4, 5]}, [MAP]),
        ({"size": 1}, [MAP]),
        ({"size": [11, 20]}, [MAP]),
        ({"size": [9, 13]}, [MAP]),
    ],
    "prelu": [({}, [MAP]), ({"per_channel": True}, [MAP]), ({"per_channel": True}, [VECTOR])],
    "batchnorm": [({}, [MAP]), ({"affine": False}, [MAP]), ({}, [VECTOR]), ({"affine": False}, [VECTOR])],
    "scale": [({}, [MAP]), ({"bias": False}, [MAP]), ({}, [VECTOR]), ({"bias": False}, [(1, 4, 4)])],
    "lrn": [({}, [MAP]), ({"size": 2}, [MAP]), ({"size": 9}, [(3, 2, 2)]), ({"size": 1}, [MAP])],
    "softmax": [({}, [MAP]), ({}, [VECTOR])],
    "dropout": [({"p": 0.25}, [MAP]), ({"p": 0}, [VECTOR])],
    "flatten": [({}, [MAP]), ({}, [VECTOR])],
    "concat": [({}, [MAP, (1, 9, 13)]), ({}, [VECTOR, (3,), (1,)])],
    "add": [({}, [MAP, MAP]), ({}, [VECTOR, VECTOR, VECTOR])],
    "multiply": [({}, [MAP, (6, 1, 1)]), ({}, [MAP, (1, 9, 13), MAP]), ({}, [VECTOR, (1,)])],
    "channel_shuffle": [({"groups": 3}, [MAP]), ({"groups": 1}, [MAP]), ({"groups": 6}, [MAP])],
    "select": [
        ({"channels": [0, 1, 5]}, [MAP]),
        ({"channels": [4, 2]}, [MAP]),
        ({"channels": [0]}, [(1, 3, 2)]),
    ],
    "upsample": [
        ({"scale": 2}, [MAP]),
        ({"scale": [1, 3], "mode": "bilinear"}, [MAP]),
        ({"scale": [3, 2], "mode": "nearest"}, [(1, 1, 1)]),
        ({"scale": 1}, [MAP]),
        ({"scale": 1, "mode": "bilinear"}, [MAP]),
    ],
    **{
        kind: [({}, [MAP]), ({}, [VECTOR])]
        for kind in "relu relu6 leaky_relu elu gelu silu sigmoid tanh softplus hardswish hardsigmoid".split()
    },
}


def graph_of(kind: str, case: Case) -> Graph:
    """The layer behind a ReLU, as a graph of its own.

    A graph has one input: further inputs are cut out of it by pooling and 1×1 convolutions, or by
    linear layers, so that every source has the shape the case asks for.
    """
    fields, shapes = case
    steps = [Step("first", KINDS["relu"](), (INPUT,))]
    steps += [
        step
        for index, shape in enumerate(shapes[1:], 1)
        for step in _shaped(f"source{index}", shapes[0], shape)
    ]
    sources = ("first", *(f"source{index}" for index in range(1, len(shapes))))
    steps.append(Step("layer", KINDS[kind](**fields), sources))
    return wire("case", shapes[0], steps)


def _shaped(name: str, given: Shape, wanted: Shape) -> list[Step]:
    def step(name: str, kind: str, source: str, **fields: Any) -> Step:
        return Step(name, KINDS[kind](**fields), (source,))

    if len(given) == 1:
        return [step(name, "linear", "first", out=wanted[0])]
    return [
        step(f"{name}_grid", "adaptive_avgpool", "first", size=list(wanted[1:])),
        step(name, "conv", f"{name}_grid", out=wanted[0], kernel=1),
    ]


ALL = [(kind, case) for kind, cases in CASES.items() for case in cases]
IDS = [f"{kind}-{index}" for kind, cases in CASES.items() for index in range(len(cases))]
