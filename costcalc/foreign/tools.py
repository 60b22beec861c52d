"""What the well-known counters themselves say, each run on a copy of a real model on the CPU.

Several of them leave hooks, buffers or replaced functions behind and print what they do; the model
and torch are left as they were and the streams stay silent.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from costcalc import conventions
from costcalc.conventions.terms import Convention
from costcalc.errors import ENVIRONMENT, CostcalcError

MOST_SAID = 200  # letters of another program's message
Run = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], int]


def total(key: str, model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> int:
    """What the tool of that convention counts for one pass of the model in eval mode, batch included.

    A model without memory, all shapes, is run with zeros.

    Raises :class:`CostcalcError` if the tool is not installed or itself raises, with its message.
    """
    convention = conventions.named(key)
    run = TOOLS.get(key)
    if run is None:
        raise CostcalcError("no program", ENVIRONMENT)
    _installed(convention)
    try:
        with quiet(), _functions_kept():
            return run(*real(model, args, kwargs or {}))
    except CostcalcError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:MOST_SAID]
        raise CostcalcError(
            f"{convention.title} raised {type(error).__name__}: {said}", ENVIRONMENT
        ) from error


def real(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """A copy of the model in eval mode and of its inputs, zeros in memory where there are shapes only."""
    inputs = copy.deepcopy((tuple(args), dict(kwargs)))
    given, named = pytree.tree_map_only(torch.Tensor, lambda x: _zeros(x) if x.is_meta else x, inputs)
    return _filled(copy.deepcopy(model)).eval(), given, named


def _filled(model: nn.Module) -> nn.Module:
    """The model with zeros where it holds shapes only; what is shared stays shared."""
    made: dict[int, torch.Tensor] = {}
    for module in model.modules():
        everything: tuple[dict[str, Any], ...] = (module._parameters, module._buffers, module.__dict__)
        for held in everything:
            for key, value in held.items():
                if isinstance(value, torch.Tensor) and value.is_meta:
                    held[key] = made.setdefault(id(value), _zeros(value))
    return model


def _zeros(tensor: torch.Tensor) -> torch.Tensor:
    zeros = torch.zeros_like(tensor, device="cpu")
    return nn.Parameter(zeros, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else zeros


def _installed(convention: Convention) -> None:
    try:
        metadata.version(convention.distribution)
    except metadata.PackageNotFoundError:
        raise CostcalcError(f"not installed: pip install {convention.distribution}", ENVIRONMENT) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing printed, logged or warned of; gradients on, as where a user calls a tool."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            torch.enable_grad(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


@contextlib.contextmanager
def _functions_kept() -> Iterator[None]:
    """The functions of torch as they were, also after an exception: several tools replace them to count."""
    before = [(where, dict(vars(where))) for where in (torch, nn.functional, torch.Tensor)]
    try:
        yield
    finally:
        for where, kept in before:
            for name, value in kept.items():
                if callable(value) and vars(where).get(name) is not value:
                    setattr(where, name, value)
        for name in vars(torch.Tensor).keys() - before[-1][1].keys():
            delattr(torch.Tensor, name)  # set over one that it inherits


def _positional(tool: str, kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise CostcalcError(f"{tool} takes no inputs by keyword: {', '.join(kwargs)}", ENVIRONMENT)


def _flopcounter(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """On the meta device, where no kernel of one device is chosen."""
    inputs = [value.to("meta") if isinstance(value, torch.Tensor) else value for value in args]
    return _flopcounter_here(model.to("meta"), tuple(inputs), kwargs)


def _flopcounter_cpu(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    from torch.utils.flop_counter import flop_registry

    if torch.ops.aten._scaled_dot_product_flash_attention_for_cpu in flop_registry:
        raise CostcalcError("this torch counts attention on the CPU too; see flopcounter", ENVIRONMENT)
    return _flopcounter_here(model, args, kwargs)


def _flopcounter_here(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter:
        model(*args, **kwargs)
    return int(counter.get_total_flops())


def _fvcore(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    from fvcore.nn import FlopCountAnalysis

    _positional("fvcore", kwargs)
    return int(FlopCountAnalysis(model, args).tracer_warnings("none").total())


def _thop(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    from thop import profile

    _positional("thop", kwargs)
    return int(profile(model, args, verbose=False)[0])


def _ptflops(backend: str) -> Run:
    def run(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        from ptflops import get_model_complexity_info

        alone = len(args) == 1 and not kwargs
        named = inspect.signature(model.forward).bind(*args, **kwargs).arguments
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            found, _ = get_model_complexity_info(
                model,
                (1,),
                print_per_layer_stat=False,
                as_strings=False,
                input_constructor=lambda _: args[0] if alone else dict(named),
                backend=backend,
            )
        if found is None:
            raise RuntimeError(said.getvalue())
        return int(found)

    return run


def _torchinfo(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    from torchinfo import summary

    return int(summary(model, input_data=list(args), verbose=0, device="cpu", **kwargs).total_mult_adds)


def _torchprofile(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    from torchprofile import profile_macs

    _positional("torchprofile", kwargs)
    found: Any = profile_macs(model, args)
    return int(found)


def _calflops(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    from calflops import calculate_flops

    _, macs, _ = calculate_flops(
        model, args=list(args), kwargs=kwargs, print_results=False, output_as_string=False
    )
    return int(macs)


def _deepspeed(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    from deepspeed.profiling.flops_profiler import get_model_profile

    _, macs, _ = get_model_profile(
        model, args=list(args), kwargs=kwargs, print_profile=False, as_string=False, warm_up=0
    )
    return int(macs)


TOOLS: dict[str, Run] = {
    "flopcounter": _flopcounter,
    "flopcounter-cpu": _flopcounter_cpu,
    "fvcore": _fvcore,
    "thop": _thop,
    "ultralytics-thop": _thop,
    "ptflops": _ptflops("pytorch"),
    "ptflops-aten": _ptflops("aten"),
    "torchinfo": _torchinfo,
    "torchprofile": _torchprofile,
    "calflops": _calflops,
    "deepspeed": _deepspeed,
}
