"""How each subject counts: what is imported first, and the call that is measured.

A driver is given a case, does all that is not counting (building the model, making its input), and gives
the call. Weights are in memory and hold a constant: what counting takes does not depend on their values.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed import plan

if TYPE_CHECKING:
    from torch import nn

    from costcalc.graph import Graph

Call = Callable[[], int]
FOLDER = Path(__file__).parent
CHANNELS = 4  # of a chain
IMPORTS = {
    "load": "costcalc.spec",
    "setting": "costcalc.spec costcalc.sweeping.ways",
    "formula": "costcalc.spec costcalc.formula",
    "trace": "costcalc.spec costcalc.trace",
    "show": "costcalc.views costcalc.render",
    "count": "costcalc.foreign",
    "fvcore": "fvcore.nn",
    "flopcounter": "torch.utils.flop_counter",
    "flopcounter-cpu": "torch.utils.flop_counter",
    "ultralytics-thop": "thop",
    "ptflops-aten": "ptflops",
    "deepspeed": "deepspeed.profiling.flops_profiler",
}
LOADED = {"show": "costs Costs", "count": "count Counted"}  # public names, each with the room it lives in


def prepare(subject: str) -> None:
    """Import what the subject needs, and for models what they are made of."""
    if subject not in ("load", "setting", "formula", "show", "trace"):
        from costcalc.foreign import models, tools  # noqa: F401

        models.declare_operators()  # where torchvision does not fit this torch, some counters would not start
        importlib.import_module("torchvision")
    for name in IMPORTS.get(subject, subject).split():
        importlib.import_module(name)
    for name in LOADED.get(subject, "").split():
        getattr(importlib.import_module("costcalc"), name)


def call(case: plan.Case) -> Call:
    """The call that counts once, and gives multiply-adds (layers, where there are none to give)."""
    if case.subject in OURS:
        return OURS[case.subject](case)
    return _peer(case)


def chain(layers: int) -> str:
    """A spec of so many layers, one entry each: 1×1 convolutions and activations in turn."""
    kinds = (f"{{kind: conv, out: {CHANNELS}, kernel: 1}}", "{kind: relu}")
    entries = "".join(f"  l{index}: {kinds[index % 2]}\n" for index in range(layers))
    return f"name: chain\ninput: [{CHANNELS}, 8, 8]\nlayers:\n{entries}"


def _loading(case: plan.Case) -> Callable[[], Graph]:
    """Reads the spec that the case is about."""
    from costcalc import spec

    if case.model == plan.CHAIN:
        path = Path(tempfile.mkdtemp()) / "chain.yaml"
        path.write_text(chain(case.size))
        return lambda: spec.load(str(path))
    if case.group == "resolution":
        sides = {"input": f"[3, {case.size}, {case.size}]"}
        return lambda: spec.load(str(FOLDER / f"{case.model}.yaml"), sides)
    return lambda: spec.load(plan.SPECS[case.model])


def _load(case: plan.Case) -> Call:
    load = _loading(case)
    return lambda: len(load().nodes)


def _setting(case: plan.Case) -> Call:
    """All four counts of one setting, of a spec whose resolution was recorded as a variable."""
    from costcalc import spec
    from costcalc.sweeping.axes import axes
    from costcalc.sweeping.ways import record

    sides = axes({"input": f"3x{case.size}:{2 * case.size}"})
    way, _ = record(lambda given: spec.load(plan.SPECS[case.model], given), {}, sides, [case.size])

    def counted() -> int:
        if not way.program.holds(case.size):
            raise ArithmeticError("what was recorded does not hold here")
        return int(way.program.counts(case.size)[0])

    return counted


def _formula(case: plan.Case) -> Call:
    from costcalc import formula

    graph = _loading(case)()
    return lambda: formula.costs(graph).total.macs


def _trace(case: plan.Case) -> Call:
    """Builds the torch graph and counts it."""
    from costcalc import trace

    graph = _loading(case)()
    return lambda: trace.costs(graph).total.macs


def _show(case: plan.Case) -> Call:
    """The closed form, the table of every layer, and its text."""
    import costcalc
    from costcalc import render

    graph = _loading(case)()

    def shown() -> int:
        view = costcalc.costs(graph, by="formula").view(layers=True)
        return render.written(view, "text").count("\n") and len(graph.nodes)

    return shown


def _count(case: plan.Case) -> Call:
    """Any model, with a row for each of its modules."""
    import costcalc

    model, args = real(case)
    return lambda: costcalc.count(model, *args).table.total.macs


OURS: dict[str, Callable[[plan.Case], Call]] = {
    "load": _load,
    "setting": _setting,
    "formula": _formula,
    "trace": _trace,
    "show": _show,
    "count": _count,
}


def _peer(case: plan.Case) -> Call:
    """The tool as its documentation calls it, silent."""
    from costcalc.foreign import tools

    model, args = real(case, "meta" if case.subject == "flopcounter" else "cpu")
    # costcalc's own driver refuses a torch whose figures are not those of this name; the call is the same
    run = _flop_counter if case.subject.startswith("flopcounter") else tools.TOOLS[case.subject]

    def counted() -> int:
        with tools.quiet():
            return run(model, args, {})

    return counted


def _flop_counter(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """On the device where the model lies, module by module as it always counts."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(*args, **kwargs)
    return int(counter.get_total_flops())


def real(case: plan.Case, device: str = "cpu") -> tuple[nn.Module, tuple[Any, ...]]:
    """The model in eval mode and its input; on the CPU with memory that holds numbers."""
    import torch

    from costcalc.foreign import models, tools

    shape = (case.batch, 3, case.size, case.size)
    if case.model == plan.CHAIN:
        pairs = (_pair(torch) for _ in range(case.size // 2))
        model: nn.Module = torch.nn.Sequential(*(layer for pair in pairs for layer in pair))
        shape = (case.batch, CHANNELS, 8, 8)
    else:
        model = models.load(f"torchvision:{case.model}").module
    if device == "meta":
        return model.to("meta").eval(), (torch.ones(shape, device="meta"),)
    model, args, _ = tools.real(model, (torch.ones(shape),), {})
    with torch.no_grad():
        for tensor in (*model.parameters(), *(each for each in model.buffers() if each.is_floating_point())):
            tensor.fill_(0.01)  # zeros that nobody wrote to take no memory
    return model, args


def _pair(torch: Any) -> tuple[Any, Any]:
    return torch.nn.Conv2d(CHANNELS, CHANNELS, 1), torch.nn.ReLU()
