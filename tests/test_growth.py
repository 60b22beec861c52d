"""What a layer more costs does not depend on how many there are: calls, comparisons and memory are counted.

No clock: calls of functions, Python's and C's, are the same in every run. From the calls for N, 2N and 4N
layers what every run pays falls out, and what is left is twice as much for twice the layers.
"""

from __future__ import annotations

import gc
import io
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import Any

import chains
import pytest
from rich.console import Console

from costcalc import checks, cli, formula, render, spec, structure, torchnet, trace
from costcalc.api import comparing, counting, diffing, limiting
from costcalc.api.results import Costs
from costcalc.api.subjects import Options
from costcalc.cli import app
from costcalc.errors import CostcalcError
from costcalc.graph import INPUT, Graph, Step, wire
from costcalc.layers import KINDS
from costcalc.spec import blueprint, expand
from costcalc.spec.source import read

MOST = 1.05  # times the calls per layer, of a net twice as deep
SIZES = (60, 120, 240)

Load = Callable[[str], Graph]


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, those written in C included."""
    count = 0

    def note(frame: object, event: str, _: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.disable()  # what is collected, and when, is an accident
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def growth(works: list[Callable[[], object]]) -> float:
    """Calls per layer from 2N to 4N, over those from N to 2N."""
    works[0]()  # what only the first run does: caches, validators
    first, second, third = (calls(work) for work in works)
    return (third - second) / (2 * (second - first))


def costed(graph: Graph) -> Costs:
    return Costs(graph, formula.costs(graph))


STAGES: dict[str, Callable[[Graph], object]] = {
    "formula": formula.costs,
    "layers": lambda graph: costed(graph).layers,
    "blocks": lambda graph: costed(graph).blocks,
    "each part": lambda graph: [*map(costed(graph).part, [node.name for node in graph.nodes])],
    "each node": lambda graph: [graph.shape_of(node.name) for node in graph.nodes],
    "peak activations": structure.living,
    "compare": lambda graph: comparing.compare(costed(graph), costed(graph)).view(),
    "budget": lambda graph: limiting.budget(
        costed(graph), 1, blocks={node.name: 1 for node in graph.nodes}
    ).view(),
    "diff": lambda graph: diffing.diff(graph, graph, Options(by="formula")).view(),
}
SHOWN: dict[str, Callable[[Any], str]] = {
    **render.FORMATS,
    "rich": lambda view: render.rich(view, Console(width=100, file=io.StringIO(), force_terminal=True)),
}


@pytest.fixture(autouse=True, scope="module")
def _begun() -> None:
    """What is done once: imports, torch's own start."""
    costs = counting.costs("naive")
    for form in SHOWN.values():
        form(costs.view())


@pytest.mark.parametrize("shape", chains.SHAPES)
def test_reading_a_spec_takes_as_long_per_layer(shape: str, written: Callable[..., str]) -> None:
    paths = [written(chains.SHAPES[shape](size), f"{size}.yaml") for size in SIZES]
    assert growth([partial(spec.load, path) for path in paths]) <= MOST


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("shape", ["chain", "blocks", "residual", "wide", "dense"])
def test_every_stage_takes_as_long_per_layer(shape: str, stage: str, loaded: Load) -> None:
    graphs = [loaded(chains.SHAPES[shape](size)) for size in SIZES]
    assert growth([partial(STAGES[stage], graph) for graph in graphs]) <= MOST


@pytest.mark.parametrize("form", SHOWN)
@pytest.mark.parametrize("layers", [True, False], ids=["layers", "blocks"])
def test_every_format_takes_as_long_per_row(form: str, layers: bool, loaded: Load) -> None:
    views = [costed(loaded(chains.blocks(size))).view(layers) for size in SIZES]
    assert growth([partial(SHOWN[form], view) for view in views]) <= MOST


def test_overrides_and_claims_take_as_long_each(written: Callable[..., str]) -> None:
    def overridden(size: int) -> Callable[[], object]:
        path, settings = written(chains.chain(size), f"{size}.yaml"), chains.settings(size)
        return lambda: spec.load(path, settings)

    assert growth([overridden(size) for size in SIZES]) <= MOST
    graphs = [spec.load(written(chains.claimed(size))) for size in SIZES]
    tables = [formula.costs(graph) for graph in graphs]
    judged = [partial(checks.figures, *pair) for pair in zip(graphs, tables, strict=True)]
    assert growth(judged) <= MOST


class Name(str):
    """A layer's name that is seen to be compared, whoever compares it."""

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        return str.__hash__(self)

    def partition(self, mark: str) -> Any:
        return tuple(map(Name, str.partition(self, mark)))


def test_no_list_of_names_is_searched() -> None:
    """Also not in C, where no call shows it."""

    def chain(size: int) -> Graph:
        names = [INPUT, *(Name(f"l{i}") for i in range(size))]
        layer = KINDS["relu"]()
        return wire("chain", (4, 8, 8), [Step(names[i + 1], layer, (names[i],)) for i in range(size)])

    for work in (*STAGES.values(), torchnet.build):
        graphs = [chain(size) for size in SIZES]
        assert type(graphs[0].nodes[0].name) is Name
        assert growth([partial(work, graph) for graph in graphs]) <= MOST


def test_claims_are_looked_up_and_not_searched_for(monkeypatch: pytest.MonkeyPatch, loaded: Load) -> None:
    class Searched(dict[str, Any]):
        times = 0

        def __iter__(self) -> Any:
            Searched.times += 1
            return super().__iter__()

    made = expand._Unfolding
    monkeypatch.setattr(expand, "_Unfolding", lambda *given, **more: made(*given, **more, gives=Searched()))
    loaded(chains.claimed(50))
    assert Searched.times == 0


# the commands that take a spec; how the others grow is tested where they are
COMMANDS = {
    "show": "show {0} --by formula",
    "compare": "compare {0} {1} --by formula",
    "budget": "budget {0} --limit 1 --why --by formula",
    "check": "check {0}",
    "diff": "diff {0} {1} --by formula",
    "reconcile": "reconcile {0} --no-run",
    "formula": "formula {0}",
    "predict": "predict {0} --on h100",
    "report": "report {0} --by formula",
}
ELSEWHERE = set("list claims kinds schema doctor calibrate validate bench guard sweep".split())


def test_every_command_is_known_here() -> None:
    assert COMMANDS.keys() <= app.COMMANDS.keys() <= COMMANDS.keys() | ELSEWHERE


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_as_long_per_layer(command: str, written: Callable[..., str]) -> None:
    def run(size: int) -> Callable[[], object]:
        text = chains.residual(size)
        paths = written(text, f"{size}.yaml"), written(text.replace("8, 8", "9, 9"), f"{size}b.yaml")
        return lambda: _run(COMMANDS[command].format(*paths).split())

    assert _run(COMMANDS[command].format("naive", "reduced").split()) in (0, 1)
    assert growth([run(size) for size in SIZES]) <= MOST


def _run(argv: list[str]) -> int:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return cli.main(argv)


def test_a_guard_of_many_models_takes_as_long_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guarded(models: int) -> Callable[[], object]:
        folder = tmp_path / str(models)
        folder.mkdir()
        for index in range(models):
            (folder / f"n{index}.yaml").write_text(chains.chain(4), encoding="utf-8")
        names = ", ".join(f'"n{index}.yaml"' for index in range(models))
        config = f'[[budget]]\nmodels = [{names}]\nmacs = "1M"\n'
        (folder / "costcalc.toml").write_text(config, encoding="utf-8")

        def run() -> None:
            monkeypatch.chdir(folder)
            assert _run(["guard", "run"]) == 0

        return run

    guarded(2)()
    assert growth([guarded(size) for size in (5, 10, 20)]) <= MOST


def test_a_trace_takes_as_long_per_layer(loaded: Load) -> None:
    graphs = [loaded(chains.residual(size)) for size in SIZES]
    for producer in (trace.costs, trace.third_opinion):
        assert growth([partial(producer, graph) for graph in graphs]) <= MOST


@pytest.mark.parametrize("shape", ["chain", "residual", "wide", "dense", "heads"])
def test_a_trace_in_pieces_counts_the_same(shape: str, loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jit slows down with what it has traced, so it never sees more layers than a piece has."""
    graph = loaded(chains.SHAPES[shape](30))
    whole, seen = trace.costs(graph), []
    monkeypatch.setattr(trace, "PIECE", 4)
    analysis = trace.JitModelAnalysis

    def noted(net: Any, inputs: Any) -> Any:
        seen.append(len([node for node in net.graph.nodes if node.op == "call_module"]))
        return analysis(net, inputs)

    monkeypatch.setattr(trace, "JitModelAnalysis", noted)
    assert trace.costs(graph) == whole
    assert sum(seen) == len(graph.nodes)
    assert max(seen) == 4


def test_an_unknown_operator_in_a_later_piece_is_refused(
    loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "PIECE", 4)
    monkeypatch.setattr(trace, "HANDLES", {k: v for k, v in trace.HANDLES.items() if k != "aten::sigmoid"})
    text = chains.chain(2) + "".join(f"  s{i}: {{kind: sigmoid}}\n" for i in range(6))
    with pytest.raises(CostcalcError, match=r"aten::sigmoid \(6×\)"):
        trace.costs(loaded(text))


@pytest.mark.parametrize("stage", ["read", "formula", "layers", "json", "text"])
def test_memory_grows_in_proportion(stage: str, written: Callable[..., str]) -> None:
    def peak(size: int) -> int:
        path = written(chains.chain(size), f"{size}.yaml")
        graph = spec.load(path)
        view = costed(graph).view(layers=True)
        works: dict[str, Callable[[], object]] = {
            "read": lambda: spec.load(path),
            "formula": lambda: formula.costs(graph),
            "layers": lambda: costed(graph).layers,
            "json": lambda: render.json_(view),
            "text": lambda: render.text(view),
        }
        works[stage]()
        gc.collect()
        tracemalloc.start()
        works[stage]()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(4 * SIZES[-1]) <= 4 * 1.1 * peak(SIZES[-1])


@pytest.mark.parametrize(
    "layers",
    [
        "{a: {kind: relu, repeat: 100000}}",
        "{a: {kind: many, repeat: 250}}",
        "{a: {kind: nest, repeat: 50}}",
    ],
)
def test_a_hundred_thousand_layers_are_refused_before_the_work(layers: str, loaded: Load) -> None:
    blocks = """
blocks:
  many: {layers: {x: {kind: relu, repeat: 400}}}
  nest: {layers: {x: {kind: many, repeat: 5}}}
"""
    text = f"input: [3, 8, 8]\n{blocks}layers: {layers}\n"

    def refused() -> None:
        with pytest.raises(CostcalcError, match="10,000"):
            loaded(text)

    assert calls(refused) < 100 * expand.MAX_LAYERS


def test_a_file_of_a_hundred_thousand_layers_is_refused_unread() -> None:
    def refused() -> None:
        with pytest.raises(CostcalcError, match="larger than 256 KiB; `repeat:`"):
            read(text, "net.yaml")

    text = chains.chain(100_000)
    assert calls(refused) < 1000


@pytest.mark.parametrize(
    "text",
    [
        "params:\n" + "".join(f"  p{i}: $x\n" for i in range(2000)) + "layers: {a: {kind: relu}}\n",
        "blocks:\n" + "".join(f"  b{i}: c{i}\n" for i in range(2000)) + "layers: {a: {kind: relu}}\n",
        "layers:\n" + "".join(f"  l{i}: {{kind: k{i}}}\n" for i in range(2000)),
        "layers:\n" + "".join(f"  l{i}: {{kind: relu, from: m{i}}}\n" for i in range(2000)),
    ],
    ids=["parameters", "aliases", "kinds", "sources"],
)
def test_what_is_wrong_everywhere_is_told_often_enough(text: str, loaded: Load) -> None:
    """Looking for what was meant takes a while each time, so it ends where nobody reads on."""
    with pytest.raises(CostcalcError) as caught:
        loaded("input: [3, 8, 8]\n" + text)
    assert len(caught.value.problems) <= blueprint.MAX_PROBLEMS + 1
    assert max(len(problem.message) for problem in caught.value.problems) < 300


def test_a_block_that_is_broken_thousandfold_is_looked_at_as_often(written: Callable[..., str]) -> None:
    def broken(size: int) -> Callable[[], object]:
        block = "blocks: {b: {layers: {x: {kind: relu}, y: {kind: relu, from: nope}}}}\n"
        text = "input: [3, 8, 8]\n" + block + "layers:\n"
        path = written(text + "".join(f"  l{i}: {{kind: b}}\n" for i in range(size)), f"{size}.yaml")

        def load() -> None:
            with suppress(CostcalcError):
                spec.load(path)

        return load

    assert growth([broken(size) for size in SIZES]) <= MOST
