"""One pass of a model on meta tensors, watched operator by operator: shapes without arithmetic.

In inference mode torch shows operators whole (a linear layer, attention, an LSTM), whatever kernel
would run them; so the count does not depend on gradient mode, fused paths or device.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from costcalc import kernels, meta
from costcalc.errors import ENVIRONMENT, CostcalcError, shortened
from costcalc.execution import Call, Execution, Operation, Phase
from costcalc.foreign import asfound, calling, operators, owning, state
from costcalc.records import Shape

# the answer depends on values, and there are none
VALUES = frozenset(
    f"aten::{word}"
    for word in """
    item _local_scalar_dense is_nonzero equal allclose _unique _unique2 unique_consecutive unique_dim
    """.split()
)
# how torch says that something cannot be done without values, where no operator of the model is at fault
LIMITS = {
    "does not require grad": "computes gradients in its forward pass, which is counted in inference mode",
    "SparseTensorImpl|sparse": "uses sparse tensors, whose cost depends on values",
    "HigherOrderOperator": "chooses by value what it runs",
    "INTERNAL ASSERT FAILED": "does something that torch cannot do without values",
    r"\b[Mm]eta\b|unallocated storage": "needs the values of a tensor, and counting computes none",
}
# the size depends on values: taken as large as it can be
SIZED_BY_VALUES = frozenset({"aten::nonzero", "aten::masked_select", "torchvision::nms"})
# these take the lengths of sequences as values
LENGTHS = frozenset(
    f"aten::{word}"
    for word in "_pack_padded_sequence _pad_packed_sequence lstm gru rnn_tanh rnn_relu".split()
)
# what these make is filled later or never looked at, so it need not have values
FILLED = frozenset(
    f"aten::{word}" for word in "empty empty_strided zeros ones full rand randn randint normal".split()
)


# kinds of argument that hold no tensor
SINGLE = frozenset({type(None), bool, int, float, str, torch.dtype, torch.device})
Buffer = tuple[int, torch.Tensor]  # a storage, and a tensor that lives in it


class NeedsValueError(RuntimeError):
    """The model asked for the value of a tensor."""


def run(
    model: nn.Module,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    name: str = "",
    samples: int = 0,
    training: bool = False,
    backward: bool = False,
) -> Execution:
    """What one pass of the model does: forward, in inference mode unless ``training``, or also ``backward``.

    Model, arguments and process are left as found. Raises :class:`CostcalcError` with the message of
    the model's own exception, or with the reason why it cannot be counted.
    """
    asfound.countable(model)
    name = name or type(model).__name__
    watch = Watch(model)
    try:
        with torch.inference_mode(False):  # whatever the caller is in
            inputs = asfound.inputs((tuple(args), dict(kwargs or {})))
            with asfound.on_meta(model, watch.entered, training or backward) as swapped:
                watch.hold(swapped)
                watch.entering = watch.numbers(asfound.tensors(inputs))
                with meta.without_compiler():
                    outputs = _passed(model, watch, inputs, backward)
                return watch.execution(name, samples, asfound.tensors(inputs), asfound.tensors(outputs))
    except CostcalcError:
        raise
    except (Exception, SystemExit) as error:
        if watch.slip is not None:
            raise watch.slip from None  # ours, and no fault of the model
        raise _told(error, name, watch) from error


def _passed(model: nn.Module, watch: Watch, inputs: tuple[Any, Any], backward: bool) -> Any:
    """Run the pass; what the model gave."""
    args, kwargs = inputs
    if not backward:
        with torch.inference_mode(), watch, watch.functions:
            return model(*args, **kwargs)
    with torch.enable_grad(), watch, watch.functions:
        outputs = model(*args, **kwargs)
        ends = [found for found in asfound.tensors(outputs) if found.requires_grad]
        if not ends:
            raise NeedsValueError("nothing that it gives depends on a trainable parameter")
        watch.phase = "backward"
        torch.autograd.backward(ends, [torch.empty_like(end) for end in ends])
    return outputs


def _told(error: BaseException, name: str, watch: Watch) -> CostcalcError:
    """The exception for its reader: why nothing can be counted, or the model's own message."""
    where = f"{name}: {_cut(watch.failed) or 'the model'} ({watch.modules[watch.failed].kind})"
    said = re.sub(r"<(\S+) object at 0x[0-9a-f]+>", r"\1", " ".join(str(error).split()))
    if isinstance(error, NeedsValueError):
        return CostcalcError(f"{where}: {said}", ENVIRONMENT)
    if isinstance(error, RecursionError):
        return CostcalcError(f"{where}: modules are nested too deep to be watched", ENVIRONMENT)
    for words, why in LIMITS.items():
        if re.search(words, said):
            return CostcalcError(f"{where} {why}: {shortened(said, 160)}", ENVIRONMENT)
    return CostcalcError(f"{where} raised {type(error).__name__}: {said or 'without a message'}")


def _cut(path: str, limit: int = 80) -> str:
    return path if len(path) <= limit else f"{path[: limit // 2]}…{path[-limit // 2 :]}"


class Watch(meta.Mode):
    """Sees every operator and every run of a module, and keeps the record of both."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.modules = owning.modules(model)
        self.model = model
        self.phase: Phase = "forward"
        self.failed = ""  # the module in which an exception rose
        self.slip: Exception | None = None  # an exception of ours
        self.entering: tuple[int, ...] = ()
        self._running = [""]
        self._within: list[str] = []
        self._equation = ""
        self._by_hand: set[str] = set()
        self.functions = calling.Functions()
        self._operations: list[Operation] = []
        self._calls: list[Call] = []
        self._assumed: dict[str, None] = {}
        self._held: dict[tuple[str, str], torch.Tensor] = {}
        self._own: set[int] = set()  # storages of parameters and buffers: no activations
        self._used: set[int] = set()
        self._numbers: dict[int, int] = {}  # storage → number of the buffer
        self._sizes: list[int] = []
        self._copies: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._kept: list[torch.Tensor] = []  # so that no storage's place is taken by another
        self._made_by: dict[int, str] = {}  # number of an autograd node → module that made it

    def hold(self, swapped: dict[tuple[str, str], torch.Tensor]) -> None:
        """The meta tensors that stand for parameters and buffers."""
        self._held = swapped
        self._own = {_storage(tensor) for tensor in swapped.values()}

    def entered(self, path: str, forward: asfound.Run) -> asfound.Run:
        """The ``forward`` of the module at that path, announced."""

        running, calls = self._running, self._calls

        def announced(*args: Any, **kwargs: Any) -> Any:
            if calling.is_by_hand():
                self._by_hand.add(path)
            running.append(path)
            try:
                outputs = forward(*args, **kwargs)
            except BaseException:
                self.failed = self.failed or path
                raise
            finally:
                running.pop()
            with torch._C.DisableTorchFunction():  # the shapes are asked for by us, not by the model
                calls.append(Call(path, _shapes((args, kwargs) if kwargs else args), _shapes(outputs)))
            return outputs

        return announced

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        rule = operators.rule(func)
        if rule.taken_apart:
            return self._apart(func, rule, args, kwargs)
        taken = _flat((*args, *kwargs.values()))
        args, kwargs = self._placed(rule.name, args, kwargs, taken)
        outputs = self._sized(rule.name, taken)
        if outputs is None:
            outputs = kernels.given(func, args, kwargs)
        if outputs is None:
            outputs = _ran(func, rule, args, kwargs, taken)
        try:
            self._note(rule, (*args, *rule.defaults[len(args) :]), taken, outputs)
        except Exception as error:
            self.slip = error
            raise
        return outputs

    def _apart(self, func: Any, rule: operators.Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the parts of a composite operator, each seen in its turn."""
        self._within.append(rule.name)
        if rule.name == "aten::einsum":
            self._equation = args[0]
        try:
            with self:
                return func.decompose(*args, **kwargs)
        finally:
            self._within.pop()
            self._equation = self._equation if "aten::einsum" in self._within else ""

    def _placed(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], taken: list[torch.Tensor]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with all that need no values on the meta device; refuses what needs values."""
        if name in VALUES and any(tensor.is_meta for tensor in taken):
            raise NeedsValueError(f"needs the values of a tensor ({name}), and counting computes none")
        if kwargs.get("device") is not None and (is_filled(name, kwargs) or any(t.is_meta for t in taken)):
            kwargs = {**kwargs, "device": torch.device("meta")}
        elsewhere = [tensor for tensor in taken if not tensor.is_meta and tensor.dim()]
        if elsewhere and len(elsewhere) < len(taken) and name not in LENGTHS:
            moved = {id(tensor): self._moved(tensor) for tensor in elsewhere}
            args, kwargs = asfound.replaced((args, kwargs), moved)
            taken[:] = _flat((args, kwargs.values()))
        return args, kwargs

    def _moved(self, tensor: torch.Tensor) -> torch.Tensor:
        """A constant or small input on the meta device; it stays the same buffer."""
        if id(tensor) not in self._copies:
            self._copies[id(tensor)] = (tensor, asfound.to_meta(tensor))
        copy = self._copies[id(tensor)][1]
        if _storage(tensor) in self._numbers:
            self._numbers[_storage(copy)] = self._numbers[_storage(tensor)]
        return copy

    def _sized(self, name: str, taken: Sequence[torch.Tensor]) -> Any:
        """What an operator gives at most, where torch has no answer without values."""
        by_mask = name == "aten::index" and any(t.dtype in (torch.bool, torch.uint8) for t in taken[1:])
        if not (by_mask or name in SIZED_BY_VALUES) or not any(tensor.is_meta for tensor in taken):
            return None
        self._assumed[name] = None
        if name == "torchvision::nms":
            return torch.empty(taken[0].shape[0], dtype=torch.int64, device="meta")
        return None

    def _note(
        self, rule: operators.Rule, args: tuple[Any, ...], taken: Sequence[torch.Tensor], outputs: Any
    ) -> None:
        outs = [outputs] if isinstance(outputs, torch.Tensor) else _flat((outputs,))
        macs, other = rule.handle(args, outs) if outs else (0, 0)
        own = self._own
        self._used.update(map(id, taken))
        inside = [(_storage(tensor), tensor) for tensor in taken]
        sources = [] if rule.is_maker else [found for found in inside if found[0] not in own]
        before = () if rule.mutates else [key for key, _ in inside]
        given = [(_storage(tensor), tensor) for tensor in (outs[:1] if rule.main_output_only else outs)]
        new = [found for found in given if found[0] not in before and found[0] not in own]
        moved = bool(new) and self.phase == "forward"
        self._operations.append(
            Operation(
                operator=rule.name,
                module=self._module(),
                phase=self.phase,
                arguments=tuple([arg if type(arg) in SINGLE else _plain(arg) for arg in args]),
                outputs=tuple([tuple(out.shape) for out in outs]),
                within=tuple(self._within),
                knowledge=rule.knowledge,
                macs=macs,
                other_ops=other if self.phase == "forward" else 0,
                read=tuple([tensor.numel() if moved else 0 for _, tensor in sources]),
                writes=sum([tensor.numel() for _, tensor in new]) if moved else 0,
                held=self._held_by(rule, inside, new) if moved else 0,
                taken=self._numbered(sources),
                given=tuple(dict.fromkeys(self._numbered(new))),
                in_place=rule.in_place,
                function=self.functions.outermost,
                equation=self._equation,
                contiguous=not taken or taken[0].is_contiguous(),
            )
        )

    def _held_by(self, rule: operators.Rule, taken: Sequence[Buffer], new: Sequence[Buffer]) -> int:
        """Elements of parameters and buffers that it reads: what is stored, however far it is expanded."""
        own = [] if rule.is_maker else [tensor for key, tensor in taken if key in self._own]
        if not own:
            return 0
        held = sum([min(t.numel(), t.untyped_storage().nbytes() // t.element_size()) for t in own])
        return min(held, sum([tensor.numel() for _, tensor in new])) if rule.is_choosing else held

    def _module(self) -> str:
        """The module that runs, or in the backward pass the one whose forward made the gradient's node."""
        running = self._running[-1]
        if torch.is_grad_enabled() and (self.phase == "forward" or running):
            # an operator that makes no node is the second to see the number of the one before it
            self._made_by.setdefault(torch._C._autograd._get_sequence_nr() - 1, running)
        node = torch._C._current_autograd_node() if self.phase == "backward" and not running else None
        return running if node is None else self._made_by.get(node._sequence_nr(), "")

    def numbers(self, found: Sequence[torch.Tensor]) -> tuple[int, ...]:
        """The numbers of the buffers that tensors live in."""
        return self._numbered([(_storage(tensor), tensor) for tensor in found])

    def _numbered(self, found: Sequence[Buffer]) -> tuple[int, ...]:
        numbers = []
        for key, tensor in found:
            if key not in self._numbers:
                self._numbers[key] = len(self._sizes)
                self._sizes.append(tensor.numel())
                self._kept.append(tensor)
            numbers.append(self._numbers[key])
        return tuple(numbers)

    def execution(
        self, name: str, samples: int, inputs: Sequence[torch.Tensor], outputs: Sequence[torch.Tensor]
    ) -> Execution:
        """The record of everything seen."""
        return Execution(
            name=name,
            samples=samples,
            modules=self.modules,
            operations=tuple(self._operations),
            calls=tuple(self._calls),
            holdings=tuple(owning.holdings(self.model, self._held, self._used)),
            inputs=tuple(tuple(tensor.shape) for tensor in inputs),
            outputs=tuple(tuple(tensor.shape) for tensor in outputs),
            sizes=tuple(self._sizes),
            entering=self.entering,
            leaving=self.numbers(outputs),
            assumed=tuple(self._assumed),
            batch=samples or 1,
            by_hand=frozenset(self._by_hand),
        )


def is_filled(name: str, kwargs: Mapping[str, Any]) -> bool:
    """Whether an operator only makes room, for values that nobody will look at."""
    # but torch's own code writes lengths of sequences into integers that it made
    return name in FILLED and not (name == "aten::empty" and kwargs.get("dtype") == torch.int64)


def _ran(
    func: Any,
    rule: operators.Rule,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    taken: Sequence[torch.Tensor],
) -> Any:
    """What the operator gives: shapes, or, where all it takes are small constants, values if they are few."""
    if taken and not rule.mutates and not any(tensor.is_meta for tensor in taken):
        try:
            shapes = func(*asfound.to_meta(args), **asfound.to_meta(kwargs))
            if any(tensor.numel() > state.SMALL for tensor in _flat((shapes,))):
                return shapes
        except RuntimeError:
            pass  # it needs the values to know the shape
    return func(*args, **kwargs)


def _flat(values: Any) -> list[torch.Tensor]:
    """The tensors among arguments or results, also in lists of them."""
    found: list[torch.Tensor] = []
    for value in values:
        if type(value) in SINGLE:
            continue
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)) or hasattr(value, "__next__"):
            found += _flat(value)
        elif not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
            found += _flat(value)
    return found


def _plain(value: Any) -> Any:
    """An argument without torch: a tensor as its shape."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, (list, tuple)):
        return [part if type(part) in SINGLE else _plain(part) for part in value]
    return value


def _shapes(tree: Any) -> tuple[Shape, ...]:
    found = []
    for part in tree if type(tree) is tuple else (tree,):
        if type(part) is not torch.Tensor:
            return tuple(tuple(tensor.shape) for tensor in asfound.tensors(tree))
        found.append(tuple(part.shape))
    return tuple(found)  # most are tensors alone, and to walk a tree takes longer


def _storage(tensor: torch.Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key
