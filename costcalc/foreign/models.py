"""From a name to a model: ``torchvision:resnet50``, ``timm:convnext_tiny``, ``package.module:factory``.

To be counted it is built without weights: tensors that are only filled or drawn lie on the meta device,
where they take no memory; what is computed (``arange``, ``linspace``) keeps its values while it is small.
To be run it is built with the weights that its factory draws.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import library, nn

from costcalc import kernels, meta
from costcalc.errors import ENVIRONMENT, CostcalcError, did_you_mean, shortened
from costcalc.foreign import asfound, operators
from costcalc.foreign.dispatch import is_filled
from costcalc.foreign.inputs import Input


@dataclass(frozen=True)
class Model:
    """A foreign model as built: its name, the module, what it takes by default, and where it comes from.

    ``listed`` is whether it takes a list of samples instead of a batch, as torchvision's detectors do.
    """

    name: str
    module: nn.Module
    inputs: tuple[Input, ...]
    source: str
    listed: bool = False


def load(name: str, arguments: Mapping[str, str] | None = None, weights: bool = False) -> Model:
    """Build the model of that name with ``key: value`` arguments for its factory.

    Values are Python literals, or else text. ``weights`` are left out unless wanted. Raises
    :class:`CostcalcError` for an unknown name, a missing package, or the factory's own exception.
    """
    where, _, what = name.partition(":")
    given = {key: _literal(value) for key, value in (arguments or {}).items()}
    making: Making = nullcontext if weights else Unfilled
    return ZOOS.get(where, _factory)(name, where, what, given, making)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {"true": True, "false": False, "none": None}.get(text.lower(), text)


def _imported(package: str, name: str) -> Any:
    """An optional package; a missing one names the command that installs it."""
    if importlib.util.find_spec(package) is None:
        extra = {"torchvision": "vision"}.get(package, package)
        raise CostcalcError(f"{name} needs {package}: pip install 'costcalc[{extra}]'", ENVIRONMENT)
    try:
        if package == "torchvision":
            declare_operators()
        with asfound.quiet():
            return importlib.import_module(package)
    except Exception as error:
        said = " ".join(str(error).split())
        raise CostcalcError(
            f"{package} does not import: {said}; see `costcalc doctor`", ENVIRONMENT
        ) from error


# what torchvision expects its compiled part to define, as far as its models use it
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
    "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, "
    "SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, "
    "SymInt offset_groups, bool use_mask) -> Tensor",
    "_deform_conv2d_backward(Tensor grad, Tensor input, Tensor weight, Tensor offset, Tensor mask, "
    "Tensor bias, SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, "
    "SymInt dilation_w, SymInt groups, SymInt offset_groups, bool use_mask) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)
_declared: list[Any] = []  # kept, for what they declare lives as long as they do


def declare_operators() -> None:
    """Let torchvision be imported beside a torch that its compiled part does not fit.

    Its operators are then declared without kernels: models can be counted, not run. Where the
    compiled part loads, nothing is done.
    """
    if "torchvision" in sys.modules or _declared:
        return
    for left in [name for name in sys.modules if name.startswith("torchvision.")]:
        del sys.modules[left]  # by an import that failed, whose parts know no operators
    found = importlib.util.find_spec("torchvision")
    compiled = [*Path(found.origin).parent.glob("_C*")] if found and found.origin else []
    for path in compiled:
        try:
            torch.ops.load_library(str(path))
            return
        except OSError:
            continue
    declared = library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        declared.define(schema)
    _declared.append(declared)
    setattr(importlib.import_module("torchvision.extension"), "_has_ops", lambda: True)  # noqa: B010
    shapes = importlib.import_module("torchvision._meta_registrations")
    for name in ("roi_align", "deform_conv2d", "_deform_conv2d_backward"):
        declared.impl(name, getattr(shapes, f"meta_{name.lstrip('_')}"), "Meta")


class Unfilled(meta.Mode):
    """Puts what a constructor only fills or draws on the meta device."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        outputs = kernels.given(func, args, kwargs)
        if outputs is not None:
            return outputs
        if "device" in kwargs and is_filled(operators.rule(func).name, kwargs):
            kwargs = {**kwargs, "device": torch.device("meta")}
        taken = asfound.tensors((args, kwargs))
        if any(tensor.is_meta for tensor in taken) and not all(
            tensor.is_meta or not tensor.dim() for tensor in taken
        ):
            args, kwargs = asfound.to_meta((args, kwargs))
        return func(*args, **kwargs)


Making = Callable[[], AbstractContextManager[Any]]  # what a model is built in: ``Unfilled``, or nothing


def _built(name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], making: Making) -> nn.Module:
    """What the factory makes; its own exceptions are told as its own."""
    try:
        with asfound.quiet(), torch.random.fork_rng(devices=[]), making():
            model = factory(**arguments)
    except CostcalcError:
        raise
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split()) or "without a message"
        raise CostcalcError(f"{name}: the factory raised {type(error).__name__}: {said}") from error
    if not isinstance(model, nn.Module):
        raise CostcalcError(f"{name} gives {type(model).__name__}, no torch.nn.Module")
    return model


def _known(name: str, what: str, listed: Sequence[str], package: str) -> None:
    if what not in listed:
        hint = did_you_mean(what, listed) or f"; {package} has {len(listed)} models"
        raise CostcalcError(f"{name}: {package} has no model {shortened(what)}{hint}")


# torchvision builds these otherwise without weights than with the released ones
BUILT_WITH: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"init_weights": False},
}
CLIP_FRAMES, IMAGE, DETECTED, FLOW = 16, 224, 800, (384, 512)


def _torchvision(name: str, package: str, what: str, given: dict[str, Any], making: Making) -> Model:
    zoo = _imported(package, name).models
    _known(name, what, zoo.list_models(), package)
    builder = zoo.get_model_builder(what)
    task = builder.__module__.removeprefix("torchvision.models.").partition(".")[0]
    unweighted = {
        "weights": None,
        **({"weights_backbone": None} if task in ("detection", "segmentation") else {}),
    }
    arguments = {**unweighted, **BUILT_WITH.get(what, {}), **given}
    module = _built(name, lambda **keys: zoo.get_model(what, **keys), arguments, making)
    images = 2 if task == "optical_flow" else 1
    return Model(
        name,
        module,
        (Input(_seen(zoo, what, task, module)),) * images,
        package,
        listed=task == "detection",
    )


def _seen(zoo: Any, what: str, task: str, module: nn.Module) -> tuple[int, ...]:
    """The input that the model or its first released weights were made for."""
    if task == "detection":
        return (3, DETECTED, DETECTED)
    if task == "optical_flow":
        return (3, *FLOW)
    weights = zoo.get_model_weights(what)
    first = next(iter(weights), None)
    made_for = getattr(first and first.transforms, "keywords", {}).get("crop_size", IMAGE)
    size = getattr(module, "image_size", made_for)  # a transformer takes no other
    sides = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
    return (3, CLIP_FRAMES, *sides) if task == "video" else (3, *sides)


def _timm(name: str, package: str, what: str, given: dict[str, Any], making: Making) -> Model:
    _imported("torchvision", name)  # timm imports it
    timm = _imported(package, name)
    plain = what.partition(".")[0]
    _known(name, plain, timm.list_models(), package)
    module = _built(name, lambda **keys: timm.create_model(what, pretrained=False, **keys), given, making)
    config = getattr(module, "pretrained_cfg", None) or {}
    size = tuple(config.get("input_size") or (3, IMAGE, IMAGE))
    channels = given.get("in_chans", size[0])
    return Model(name, module, (Input((channels, *size[1:])),), package)


@contextmanager
def _working_folder() -> Iterator[None]:
    """Modules of the working folder can be imported."""
    before = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    try:
        yield
    finally:
        sys.path[:] = before


@_working_folder()
def _factory(name: str, where: str, what: str, given: dict[str, Any], making: Making) -> Model:
    """``package.module:factory``: a class or function that gives a module, or a module itself."""
    try:
        with making():
            found: Any = importlib.import_module(where)
    except ModuleNotFoundError as error:
        if not where.startswith(error.name or "\n"):
            raise CostcalcError(f"{name}: {where} does not import: {error}", ENVIRONMENT) from error
        hint = did_you_mean(where, ZOOS) or "; is it installed, or in the working folder?"
        raise CostcalcError(f"{name}: there is no module '{error.name}'{hint}") from None
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        raise CostcalcError(f"{name}: importing {where} raised {type(error).__name__}: {said}") from error
    for part in what.split("."):
        if not hasattr(found, part):
            public = [word for word in dir(found) if not word.startswith("_")]
            raise CostcalcError(f"{name}: {where} has no '{part}'{did_you_mean(part, public)}")
        found = getattr(found, part)
    if isinstance(found, nn.Module):
        if given:
            raise CostcalcError(f"{name} is a module already built; -k has nothing to set")
        return Model(name, found, (), where)
    if not callable(found):
        raise CostcalcError(f"{name} is {type(found).__name__}, neither a factory nor a torch.nn.Module")
    return Model(name, _built(name, found, given, making), (), where)


ZOOS: dict[str, Callable[[str, str, str, dict[str, Any], Making], Model]] = {
    "torchvision": _torchvision,
    "timm": _timm,
}
