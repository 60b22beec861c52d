"""Manners: model and process are left as found, and what is wrong is said in the model's own words."""

from __future__ import annotations

import contextlib
import copy
import random
import sys
import warnings
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_operators import Told
from torch import Tensor, nn
from torch.nn.modules import module as globally
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from costcalc.attribution import Attribution
from costcalc.errors import ENVIRONMENT, USAGE, CostcalcError
from costcalc.foreign import dispatch


def process() -> dict[str, Any]:
    """What a pass might change for everybody else."""
    hooks = ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks")
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "random": torch.get_rng_state().tolist(),
        "python's random": random.getstate(),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "fast path": torch.backends.mha.get_fastpath_enabled(),
        "flash": torch.backends.cuda.flash_sdp_enabled(),
        "efficient": torch.backends.cuda.mem_efficient_sdp_enabled(),
        "by products": torch.backends.cuda.math_sdp_enabled(),
        "cudnn": torch.backends.cuda.cudnn_sdp_enabled(),
        "mkldnn": torch.backends.mkldnn.enabled,
        "autocast": torch.is_autocast_enabled("cpu"),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "anomaly": torch.is_anomaly_enabled(),
        "warnings": list(warnings.filters),
        "hooks": [dict(getattr(globally, name)) for name in hooks],
        "call": nn.Module.__call__,
        "linear": nn.functional.linear,
        "attention": nn.functional.scaled_dot_product_attention,
        "modes": len(torch.utils._python_dispatch._get_current_dispatch_mode_stack()),
        "path": list(sys.path),
    }


def contents(value: Any) -> Any:
    """A value with what it holds: tensors by identity and values, containers by their content."""
    if isinstance(value, Tensor):
        values = None if value.is_meta else value.tolist()
        return id(value), value.requires_grad, value.is_leaf and contents(value.grad), values
    if isinstance(value, dict):
        return id(value), type(value), [(key, contents(part)) for key, part in value.items()]
    if isinstance(value, (list, tuple, set, deque)):
        return id(value), [contents(part) for part in value]
    if isinstance(value, SimpleNamespace):
        return id(value), contents(value.__dict__)
    return id(value), value if isinstance(value, (int, str, float, bool, type(None))) else None


def found(model: nn.Module) -> dict[str, Any]:
    """Everything that the modules of a model hold, in order."""
    return {path: contents(module.__dict__) for path, module in model.named_modules()}


@contextlib.contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Nothing of model or process changes inside."""
    before, around = found(model), process()
    yield
    assert found(model) == before
    assert process() == around


def net() -> nn.Module:
    """Something of most kinds: statistics, dropout, shared and frozen layers, a gradient that waits."""
    shared = nn.Linear(6, 6)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        shared,
        nn.Dropout(0.5),
        shared,
        nn.Unflatten(1, (2, 3)),
        nn.LSTM(3, 4),
    )
    model[1].eval()
    model[5].weight.requires_grad_(False)
    model[0].weight.grad = torch.ones_like(model[0].weight)
    model[0].register_forward_hook(lambda module, args, output: None)
    model.register_forward_pre_hook(lambda module, args: None)
    model[5].register_full_backward_hook(lambda module, given, taken: None)
    return model


IMAGE = torch.zeros(2, 3, 8, 8)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("guard", [contextlib.nullcontext, torch.no_grad])
def test_model_and_process_are_left_as_found(training: bool, backward: bool, guard: Any) -> None:
    model = net()
    with guard(), untouched(model):
        dispatch.run(model, (IMAGE,), training=training, backward=backward)
    assert IMAGE.device.type == "cpu"
    assert not IMAGE.any()


class Stateful(nn.Module):
    """Remembers in every way there is."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.calls = 0
        self.steps = torch.zeros(2)
        self.seen: list[Any] = []
        self.cache: dict[str, Any] = {"kept": 1}
        self.nested: dict[str, list[Any]] = {"inner": []}
        self.recent: deque[Any] = deque(maxlen=3)
        self.grouped: defaultdict[str, list[Any]] = defaultdict(list)
        self.counters = [torch.zeros(2)]
        self.state = SimpleNamespace(step=0, last=None)
        self.register_buffer("running", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)
        self.calls += 1
        self.added = self.calls
        self.steps += 1
        self.seen.append(y)
        self.cache.pop("kept", None)
        self.cache["y"] = y
        self.running = self.running + y.mean(0)
        self.layer.scale = y
        self.extra = nn.Linear(4, 2)
        return y


class Deep(Stateful):
    """Remembers in what its attributes hold."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)
        self.nested["inner"].append(y)
        self.recent.append(y)
        self.grouped["y"].append(y)
        self.counters[0].add_(1)
        self.state.step += 1
        self.state.last = y
        return y


@pytest.mark.parametrize("kind", [Stateful, Deep])
@pytest.mark.parametrize("backward", [False, True])
def test_what_a_model_remembers_of_the_pass_is_forgotten(kind: type[Stateful], backward: bool) -> None:
    model = kind()
    with untouched(model):
        counted = Attribution(dispatch.run(model, (torch.zeros(3, 4),), backward=backward))
    assert counted.table.total.params == 4 * 4 + 4
    forward = sum(ran.macs for ran in counted.execution.operations if ran.phase == "forward")
    assert forward == 3 * 4 * 4
    assert model(torch.ones(3, 4)).device.type == "cpu"  # it still runs


def test_a_pass_draws_no_random_numbers_of_the_users() -> None:
    def draws(self: Any, x: Tensor) -> Tensor:
        random.random()
        return x * torch.rand_like(x) + torch.rand(4)

    model = Told(draws)
    with untouched(model):
        dispatch.run(model, (torch.zeros(3, 4),))


def fails(error: BaseException) -> nn.Module:
    """Raises in a layer deep inside, after it has changed things."""

    def forward(self: Any, x: Tensor) -> Tensor:
        self.calls = 1
        torch.set_default_dtype(torch.float64)
        torch.set_default_dtype(torch.float32)
        raise error

    model = nn.Sequential(net()[:4], nn.Sequential(Told(forward, linear=nn.Linear(3, 3))))
    return model.train()


@pytest.mark.parametrize("backward", [False, True])
def test_an_exception_of_the_model_is_told_as_its_own(backward: bool) -> None:
    model = fails(ZeroDivisionError("no features   left\nto divide"))
    with untouched(model), pytest.raises(CostcalcError) as caught:
        dispatch.run(model, (IMAGE,), name="mine", backward=backward)
    assert str(caught.value) == "mine: 1.0 (Told) raised ZeroDivisionError: no features left to divide"
    assert caught.value.exit_code == USAGE
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit()])
def test_an_interruption_stays_one_and_leaves_all_as_found(error: BaseException) -> None:
    model = fails(error)
    with untouched(model), pytest.raises(type(error)):
        dispatch.run(model, (IMAGE,))


def test_a_model_cannot_end_the_program() -> None:
    model = fails(SystemExit(0))
    with untouched(model), pytest.raises(CostcalcError, match=r"1\.0 \(Told\) raised SystemExit"):
        dispatch.run(model, (IMAGE,))


class Unwilling(nn.Linear):
    """Does not like to be switched."""

    def train(self, mode: bool = True) -> Unwilling:
        raise RuntimeError("stays as it is")


def test_a_model_that_will_not_be_switched_is_told_of() -> None:
    model = Unwilling(3, 4)
    with untouched(model), pytest.raises(CostcalcError, match="raised RuntimeError: stays as it is"):
        dispatch.run(model, (torch.zeros(1, 3),))


def test_wrong_arguments_are_the_models_own_exception() -> None:
    with pytest.raises(CostcalcError, match=r"the model \(Linear\) raised TypeError: .*unexpected keyword"):
        dispatch.run(nn.Linear(3, 4), (torch.zeros(1, 3),), {"mask": None})
    with pytest.raises(CostcalcError, match=r"1 \(Linear\) raised RuntimeError: .*3.*9"):
        dispatch.run(nn.Sequential(nn.Identity(), nn.Linear(9, 4)), (torch.zeros(1, 3),))


ASKING: dict[str, Callable[[Any, Tensor], Any]] = {
    "item": lambda self, x: x * x.max().item(),
    "if": lambda self, x: x if x.sum() > 0 else -x,
    "int": lambda self, x: x[: int(x[0, 0])],
    "tolist": lambda self, x: x.tolist(),
    "numpy": lambda self, x: x.numpy(),
    "unique": lambda self, x: torch.unique(x),
    "equal": lambda self, x: torch.equal(x, x + 1),
    "range": lambda self, x: torch.arange(x[0, 0]),
}


@pytest.mark.parametrize("name", ASKING)
def test_control_flow_on_values_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(CostcalcError, match=r"values of a tensor.*counting computes none") as caught:
        dispatch.run(nn.Sequential(nn.Linear(3, 3), Told(ASKING[name])), (torch.zeros(2, 3),), name="asks")
    assert str(caught.value).startswith("asks: 1 (Told)")
    assert caught.value.exit_code == ENVIRONMENT


def test_values_that_are_known_may_be_asked_for() -> None:
    """Sizes, and constants that do not depend on the input."""
    model = Told(
        lambda self, x: self.layer(x[: int(self.most.item())] if len(x) > int(torch.tensor(2).item()) else x),
        layer=nn.Linear(3, 4),
        most=torch.tensor(5),
    )
    counted = Attribution(dispatch.run(model, (torch.zeros(9, 3),)))
    assert counted.table.total.macs == 5 * 3 * 4


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """torch deprecates what it is that has to be refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _scripted() -> nn.Module:
    with quiet():
        return torch.jit.script(nn.Linear(3, 4))


def _traced() -> nn.Module:
    with quiet():
        return torch.jit.trace(nn.Linear(3, 4), torch.zeros(1, 3))


def _quantised() -> nn.Module:
    with quiet():
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 4)), {nn.Linear})


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_scripted, "is scripted"),
        (_traced, "is scripted"),
        (_quantised, "is quantised"),
        (lambda: nn.LazyLinear(4), "is lazy"),
        (lambda: nn.LazyConv2d(4, 3), "is lazy"),
    ],
)
def test_what_would_be_counted_half_is_refused(make: Callable[[], nn.Module], reason: str) -> None:
    model = nn.Sequential(nn.ReLU(), make())
    with pytest.raises(CostcalcError, match=reason) as caught:
        dispatch.run(model, (torch.zeros(1, 3),))
    assert str(caught.value).startswith("1")
    model.train()  # still a model


@pytest.mark.parametrize("outer", ["no_grad", "inference_mode", "enable_grad", "autocast", "device"])
@pytest.mark.parametrize("backward", [False, True])
def test_where_it_is_called_makes_no_difference(outer: str, backward: bool) -> None:
    guards: dict[str, Callable[[], Any]] = {
        "no_grad": torch.no_grad,
        "inference_mode": torch.inference_mode,
        "enable_grad": torch.enable_grad,
        "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        "device": lambda: torch.device("meta"),
    }
    model = net()

    def counted(model: nn.Module) -> tuple[object, ...]:
        found = Attribution(dispatch.run(model, (IMAGE,), backward=backward))
        return found.table, found.operators, found.parameters, found.blocks(), found.whole

    expected = counted(model)
    with guards[outer]():
        assert counted(model) == expected
    assert counted(model.train()) == expected
    assert counted(copy.deepcopy(model).to("meta")) == expected


def test_a_mode_left_inside_changes_no_count() -> None:
    model = Told(lambda self, x: torch.inference_mode(False)(self.a)(x), a=nn.Linear(3, 3))
    totals = []
    for guard in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with guard():
            counted = Attribution(dispatch.run(model, (torch.zeros(2, 4, 3),)))
        totals.append((counted.table.total.macs, counted.table.total.other_ops))
    assert totals == [(2 * 4 * 3 * 3, 2 * 4 * 3)] * 3


def test_a_counter_of_torchs_own_may_be_watching() -> None:
    model = net()
    expected = Attribution(dispatch.run(model, (IMAGE,)))
    with FlopCounterMode(display=False):
        found = Attribution(dispatch.run(model, (IMAGE,)))
    assert (found.operators, found.parameters) == (expected.operators, expected.parameters)


def test_functions_of_torch_see_nothing_of_it() -> None:
    """A user's own mode keeps on working, inside and after."""

    class Counting(TorchFunctionMode):
        times = 0

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.times += 1
            return func(*args, **(kwargs or {}))

    model = nn.Linear(3, 4)
    with Counting() as mode:
        counted = Attribution(dispatch.run(model, (torch.zeros(1, 3),)))
        before = mode.times
        model(torch.zeros(1, 3))
    assert mode.times > before
    assert counted.table.total.macs == 3 * 4
