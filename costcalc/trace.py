"""The tracing producer: fvcore counts the real torch graph, operator by operator.

fvcore's own tables bill batch norm and adaptive pooling and only warn of operators they do not
know. Here what is paid and what is free is written out, and anything else is an error.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import fx, nn

from costcalc import meta, torchnet
from costcalc.errors import ENVIRONMENT, CostcalcError
from costcalc.graph import INPUT, Graph
from costcalc.records import Cost, CostTable, Row, Shape

with warnings.catch_warnings():
    # fvcore scripts a loss function while it is imported, which newer torch deprecates
    warnings.simplefilter("ignore", FutureWarning)
    from fvcore.nn.jit_analysis import JitModelAnalysis

Values = list[Any]  # of torch._C.Value: an operator's inputs or outputs
Handle = Callable[[Values, Values], "Counter[str]"]
MACS, OTHER, UNKNOWN = "macs", "other", "unknown "
PIECE = 256  # layers that are traced at once


def costs(graph: Graph) -> CostTable:
    """The cost of every layer as traced: shapes from torch's own kernels, counts from fvcore.

    Raises :class:`CostcalcError` for an operator in neither table. The process is left as found:
    default dtype, gradient mode, random state and threads.
    """
    with _undisturbed():
        with _recorded():
            net = torchnet.build(graph)
            moved = _Moved(net)
            moved.run(torchnet.sample(graph, "meta"))
        counted = _counted(net, graph, {INPUT: graph.input_shape, **moved.shapes})
        rows = tuple(_row(node.name, node.layer.kind, net, moved, counted) for node in graph.nodes)
    return CostTable(graph.name, "trace", rows)


def third_opinion(graph: Graph) -> dict[str, int]:
    """MACs per layer by torch's ``FlopCounterMode`` on the meta device (it counts FLOPs: 2 per MAC)."""
    from torch.utils.flop_counter import FlopCounterMode

    with _undisturbed():
        net = torchnet.build(graph)
        counter = FlopCounterMode(display=False)
        with counter:
            net(torchnet.sample(graph, "meta"))
        flops = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    prefix = f"{type(net).__name__}."
    return {node.name: flops.get(prefix + node.name, 0) // 2 for node in graph.nodes}


class _Moved(fx.Interpreter):
    """Runs the net on meta tensors and notes what each layer takes and gives."""

    def __init__(self, net: fx.GraphModule) -> None:
        super().__init__(net)
        self.shapes: dict[str, Shape] = {}
        self.traffic: dict[str, tuple[int, int]] = {}

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        try:
            given: torch.Tensor = super().call_module(target, args, kwargs)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            raise CostcalcError(f"torch cannot run layer '{target}': {reason}", ENVIRONMENT) from error
        self.shapes[target] = tuple(given.shape[1:])
        is_view = any(_storage(given) == _storage(taken) for taken in args)
        self.traffic[target] = (0, 0) if is_view else (sum(x.numel() for x in args), given.numel())
        return given


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _counted(net: fx.GraphModule, graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, Counter[str]]:
    """fvcore's counts per layer, piece by piece; unknown operators are an error that names them.

    The jit takes longer per operator the more of them it has traced, and keeps them all.
    """
    device = "meta" if meta.records() else "cpu"
    if device == "cpu":
        _zeroed(net)
    found: dict[str, Counter[str]] = {}
    unknown: Counter[str] = Counter()
    for piece, taken in torchnet.pieces(net, graph, PIECE):
        inputs = tuple(torchnet.zeros(shapes[name], device) for name in taken)
        analysis = JitModelAnalysis(piece, inputs).clear_op_handles().set_op_handle(**HANDLES)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        with _recorded():
            found |= analysis.by_module_and_operator()
        unknown += analysis.unsupported_ops()
        unknown += Counter({key.removeprefix(UNKNOWN): n for key, n in found[""].items() if UNKNOWN in key})
    _refuse(unknown)
    return found


def _recorded() -> AbstractContextManager[object]:
    return meta.Recorded() if meta.records() else nullcontext()


def _zeroed(net: fx.GraphModule) -> None:
    """Weights to compute with; what lies in fresh memory may be slow."""
    net.to_empty(device="cpu")
    for tensor in [*net.parameters(), *net.buffers()]:
        tensor.zero_()


def _refuse(unknown: Counter[str]) -> None:
    if unknown:
        names = ", ".join(f"{name} ({times}×)" for name, times in sorted(unknown.items()))
        raise CostcalcError(f"the trace met operators whose cost is not known: {names}", ENVIRONMENT)


def _row(name: str, kind: str, net: nn.Module, moved: _Moved, counted: dict[str, Counter[str]]) -> Row:
    module = net.get_submodule(name)
    is_norm = isinstance(module, nn.modules.batchnorm._NormBase)
    sizes = {key: parameter.numel() for key, parameter in module.named_parameters()}
    total, bias = sum(sizes.values()), sizes.get("bias", 0)
    reads, writes = moved.traffic[name]
    cost = Cost(
        weights=0 if is_norm else total - bias,
        biases=0 if is_norm else bias,
        norm=total if is_norm else 0,
        macs=counted[name][MACS],
        other_ops=counted[name][OTHER],
        reads=reads,
        writes=writes,
    )
    return Row(name, kind, moved.shapes[name], cost)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Single precision, no gradients; everything as before afterwards, also after an exception.

    Warnings are about how torch would compute, and nothing here is computed for its value.
    """
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            torch.random.fork_rng(devices=[]),
            warnings.catch_warnings(),
            meta.without_compiler(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_default_dtype(dtype)


def _sizes(value: Any) -> list[int]:
    return list(value.type().sizes())


def _elements(value: Any) -> int:
    return math.prod(_sizes(value))


def _given(value: Any) -> bool:
    """Whether an optional tensor was passed."""
    return str(value.type()) != "NoneType"


def _list(value: Any) -> list[int]:
    """A constant list of integers among an operator's inputs."""
    node = value.node()
    if node.kind() == "prim::ListConstruct":
        return [int(part.toIValue()) for part in node.inputs()]
    return list(value.toIValue())


def _convolution(inputs: Values, outputs: Values) -> Counter[str]:
    """``_convolution(x, w, bias, stride, pad, dilation, transposed, …)``: w is [out, in/groups, kh, kw].

    Transposed, w is [in, out/groups, kh, kw] and every input element meets its filters once.
    """
    x, weight, bias = inputs[:3]
    billed = x if inputs[6].toIValue() else outputs[0]
    return Counter(
        {MACS: _elements(billed) * math.prod(_sizes(weight)[1:]), OTHER: _elements(outputs[0]) * _given(bias)}
    )


def _convolution_mode(inputs: Values, outputs: Values) -> Counter[str]:
    """``_convolution_mode(x, w, bias, …)``: padding by name, never transposed."""
    macs = _elements(outputs[0]) * math.prod(_sizes(inputs[1])[1:])
    return Counter({MACS: macs, OTHER: _elements(outputs[0]) * _given(inputs[2])})


def _linear(inputs: Values, outputs: Values) -> Counter[str]:
    """``linear(x, w, bias)``: w is [out, in]."""
    macs = _elements(outputs[0]) * _sizes(inputs[1])[1]
    return Counter({MACS: macs, OTHER: _elements(outputs[0]) * _given(inputs[2])})


def _product(inputs: Values, outputs: Values) -> Counter[str]:
    """``bmm(a, b)``: a is [batch, rows, shared]."""
    return Counter({MACS: _elements(outputs[0]) * _sizes(inputs[0])[2]})


def _each(operations: int) -> Handle:
    """So many operations per output element."""
    return lambda inputs, outputs: Counter({OTHER: operations * _elements(outputs[0])})


def _taps(inputs: Values, outputs: Values) -> Counter[str]:
    """One operation per element of the window, ``kernel_size`` being the second input."""
    return Counter({OTHER: math.prod(_list(inputs[1])) * _elements(outputs[0])})


def _adaptive(inputs: Values, outputs: Values) -> Counter[str]:
    """The windows that ``adaptive_avg_pool2d`` really averages, position by position on each axis."""
    batch, channels, *sizes = _sizes(inputs[0])
    read = batch * channels
    for size, out in zip(sizes, _sizes(outputs[0])[2:], strict=True):
        starts = (position * size // out for position in range(out))
        ends = (-(-(position + 1) * size // out) for position in range(out))
        read *= sum(ends) - sum(starts)
    return Counter({OTHER: read})


def _free(inputs: Values, outputs: Values) -> Counter[str]:
    """Moves or renames values, computes nothing."""
    return Counter()


def _table(words: str, handle: Handle) -> dict[str, Handle]:
    return {f"aten::{word}": handle for word in words.split()}


PAID: dict[str, Handle] = {
    **_table("_convolution", _convolution),
    **_table("_convolution_mode", _convolution_mode),
    **_table("linear", _linear),
    **_table("bmm", _product),
}
COUNTED_APART: dict[str, Handle] = {
    **_table("relu hardtanh leaky_relu elu gelu silu sigmoid tanh softplus", _each(1)),
    **_table("hardswish hardsigmoid prelu add sub mul div pow", _each(1)),
    **_table("batch_norm", _each(2)),
    **_table("softmax", _each(3)),
    **_table("upsample_bilinear2d", _each(7)),
    **_table("max_pool2d avg_pool2d avg_pool3d", _taps),
    **_table("adaptive_avg_pool2d", _adaptive),
}
FREE: dict[str, Handle] = _table(
    "cat slice flatten dropout channel_shuffle upsample_nearest2d squeeze view size pad Int", _free
)
# fvcore passes over these without a word; here each is unknown until a kind needs it and a table names it
PASSED_OVER = """
ScalarImplicit __and__ arange bitwise_not chunk clamp clamp_ constant_pad_nd contiguous copy_ detach empty
eq expand floor floor_divide full full_like gather ge gt index index_put_ masked_fill max narrow new_empty
new_full new_zeros nonzero ones permute relu_ remainder reshape roll select split split_with_sizes stack
t to transpose type_as unbind unsqueeze unsqueeze_ zeros zeros_like
"""


def _unknown(name: str) -> Handle:
    return lambda inputs, outputs: Counter({f"{UNKNOWN}{name}": 1})


HANDLES: dict[str, Handle] = {
    **{f"aten::{name}": _unknown(f"aten::{name}") for name in PASSED_OVER.split()},
    **PAID,
    **COUNTED_APART,
    **FREE,
}
