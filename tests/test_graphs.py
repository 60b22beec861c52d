"""Graphs grown at random: whatever can be wired is counted alike three times."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from costcalc import checks, formula, spec, structure, trace
from costcalc.errors import Misfit
from costcalc.graph import INPUT, Graph, Step, wire
from costcalc.layers import KINDS, Layer
from costcalc.records import Shape

INPUT_SHAPE = (4, 9, 7)
small = st.integers(1, 3)
pair = st.tuples(small, small)

LAYERS = st.one_of(
    st.builds(
        lambda **fields: KINDS["conv"](**fields),
        out=st.sampled_from([2, 4, 6]),
        kernel=pair,
        stride=pair,
        pad=pair,
        groups=st.integers(1, 2),
        bias=st.booleans(),
    ),
    st.builds(lambda **fields: KINDS["depthwise"](**fields), kernel=pair, multiplier=small, pad=pair),
    st.builds(lambda **fields: KINDS["transposed_conv"](**fields), out=small, kernel=pair, stride=pair),
    st.builds(lambda **fields: KINDS["maxpool"](**fields), kernel=pair, ceil=st.booleans()),
    st.builds(lambda **fields: KINDS["adaptive_avgpool"](**fields), size=pair),
    st.builds(lambda **fields: KINDS["upsample"](**fields), scale=pair),
    st.sampled_from(
        ["relu", "batchnorm", "lrn", "softmax", "dropout", "flatten", "prelu", "global_avgpool"]
    ).map(lambda kind: KINDS[kind]()),
    st.builds(lambda out: KINDS["linear"](out=out), small),
    st.sampled_from(["add", "concat", "multiply"]).map(lambda kind: KINDS[kind]()),
)


@st.composite
def grown(draw: st.DrawFn) -> Graph:
    """A graph of up to a dozen layers; what does not fit onto the sources drawn is passed over."""
    shapes: dict[str, Shape] = {INPUT: INPUT_SHAPE}
    steps: list[Step] = []
    for index in range(draw(st.integers(1, 12))):
        layer: Layer = draw(LAYERS)
        count = 1 if layer.inputs[0] == 1 else draw(st.integers(2, 3))
        sources = tuple(draw(st.sampled_from(sorted(shapes))) for _ in range(count))
        try:
            shapes[f"l{index}"] = layer.output_shape(*(shapes[source] for source in sources))
        except Misfit:
            continue
        steps.append(Step(f"l{index}", layer, sources))
    steps = steps or [Step("l0", KINDS["relu"](), (INPUT,))]
    used = {source for step in steps for source in step.sources}
    return wire("grown", INPUT_SHAPE, steps, outputs=[step.name for step in steps if step.name not in used])


@settings(max_examples=60, deadline=None)
@given(grown())
def test_three_counts_of_any_graph_agree(graph: Graph) -> None:
    closed = formula.costs(graph)
    assert checks.agreement(closed, trace.costs(graph), trace.third_opinion(graph)) == ()


@settings(max_examples=150, deadline=None)
@given(grown())
def test_what_holds_of_any_graph(graph: Graph) -> None:
    table = formula.costs(graph)
    whole, layers = structure.whole(graph, table), structure.layers(graph, table)
    peak = whole.structure.peak_activations
    assert sum(part.cost.macs for part in layers) == whole.cost.macs
    assert max(part.structure.peak_activations for part in layers) == peak
    # at least the largest tensor, at most everything that is ever written, and the input
    sizes = [row.cost.writes for row in table.rows]
    assert max(sizes) <= peak <= sum(sizes) + 4 * 9 * 7
    field = whole.structure.receptive_field
    assert field is not None
    assert all(0 <= seen <= size for seen, size in zip(field, INPUT_SHAPE[1:], strict=True))


def test_presets_are_such_graphs() -> None:
    for name in spec.presets():
        graph = spec.load(name)
        seen = {INPUT}
        for node in graph.nodes:
            assert seen.issuperset(node.sources)
            seen.add(node.name)
        assert seen.issuperset(graph.outputs)
