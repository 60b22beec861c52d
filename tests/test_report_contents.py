"""What reports say: words, charts, arithmetic, papers, comparisons, and which files they become."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc import cli, formula, layers, spec
from costcalc.api import counting, publishing, subjects, timing
from costcalc.api.results import Costs
from costcalc.api.subjects import Options
from costcalc.errors import CostcalcError, Misfit
from costcalc.records import NOTHING, Part, Structure
from costcalc.report import (
    arithmetic,
    diagram,
    drawing,
    latency,
    making,
    markdown,
    networks,
    papers,
    prose,
    summary,
    wording,
    writing,
)
from costcalc.report.architecture import Made
from costcalc.report.document import Bars, Diagram, Document, Formula, Grouped, Items, Lines, Scatter, Table
from costcalc.verdicts import Disagreement, Limit

ROOT = Path(__file__).parent.parent
RUN = str(ROOT / "reports/runs/cpu-googlenet.json")
MADE = Made("costcalc report", {"costcalc": "1"})
Capture = pytest.CaptureFixture[str]


def costed(name: str) -> Costs:
    return counting.costs(spec.load(name), by="formula")


def report(*names: str, **wanted: Any) -> dict[str, Document]:
    how = [Options(by="formula")] * len(names)
    found = making.reports(names, how, making.Wanted(**wanted), MADE)
    return {document.name: document for document in found.documents}


def elements(document: Document, kind: type) -> list[Any]:
    return [each for section in document.sections for each in section.elements if isinstance(each, kind)]


def part(name: str, macs: int) -> Part:
    return Part(name, "conv", (1,), replace(NOTHING, macs=macs), Structure(None, None, None, 0))


# words


@given(st.lists(st.text("ab", min_size=1), min_size=1))
def test_lists_of_words(words: list[str]) -> None:
    assert re.split(", | and ", wording.listed(words)) == words


@given(st.integers(0, 10**12))
def test_long_numbers_in_latex(number: int) -> None:
    shown = wording.grouped(f"{number} \\cdot x_{{1}}")
    assert shown.replace("{,}", "") == f"{number} \\cdot x_{{1}}"
    assert ("{,}" in shown) == (number >= 10_000)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([6, 3, 1], "`b0` holds 60.0 % of the MACs."),
        ([6, 0, 0], "All 6 MACs are in `b0`."),
        (
            [4, 4, 0, 2],
            "`b0` (40.0 %) and `b1` (40.0 %) together hold 80.0 % of the MACs; 1 of the 4 blocks has none.",
        ),
        ([5, 5], "`b0` and `b1` hold 5 MACs each, 50.0 %."),
        ([2] * 5, "5 blocks hold 2 MACs each, 20.0 %."),
        ([2] * 4 + [0], "`b0`, `b1`, `b2` and `b3` hold 2 MACs each, 25.0 %; 1 of the 5 blocks has none."),
        (
            [1, 3, 3, 3],  # two would do, but the third is as large
            "`b1` (30.0 %), `b2` (30.0 %) and `b3` (30.0 %) together hold 90.0 % of the MACs.",
        ),
        ([0, 0], "There are no MACs."),
    ],
)
def test_what_dominates(counts: list[int], said: str) -> None:
    parts = [part(f"b{index}", count) for index, count in enumerate(counts)]
    assert summary.dominating(parts, "MACs", lambda each: each.cost.macs) == said


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=30))
def test_the_fewest_blocks_hold_half_if_few_can(counts: list[int]) -> None:
    parts = [part(f"b{index}", count) for index, count in enumerate(counts)]
    named = re.findall("`b([0-9]+)`", summary.dominating(parts, "MACs", lambda each: each.cost.macs))
    held = [counts[int(index)] for index in named]
    assert held == sorted(counts, reverse=True)[: len(held)]
    if len(set(counts)) > 1:
        assert 2 * sum(count for count in held if count > held[-1]) < sum(counts)  # less would not do
        assert 2 * sum(held) >= sum(counts) or len(held) == summary.MOST_NAMED


def test_the_summary_of_a_network() -> None:
    (items,) = elements(report("googlenet")["googlenet"], Items)[:1]
    text = " ".join(items.items)
    assert (
        "`conv2` (24.0 %), `inception_3b` (20.3 %) and `inception_4e` (11.3 %) together hold 55.6 %" in text
    )
    assert "`conv1` writes most, 1,906,688 or 18.7 %; the peak of 1,204,224 is reached in `lrn2`" in text
    assert "23 weighted layers and 21 activation functions" in text
    assert "over-stated: G05; wrong: G16 and G06" in text


def written(*, writes: Sequence[int], alive: Sequence[int]) -> str:
    """What is said of activations, of blocks that write that much and keep that much alive."""
    parts = tuple(
        replace(
            part(f"b{index}", 0),
            cost=replace(NOTHING, writes=count),
            structure=Structure(None, None, None, peak),
        )
        for index, (count, peak) in enumerate(zip(writes, alive, strict=True))
    )
    whole = replace(parts[0], cost=replace(NOTHING, writes=sum(writes)))
    of: Any = SimpleNamespace(
        blocks=parts, whole=whole, labels={"macs": "MACs"}, subject=SimpleNamespace(inputs=((1,),))
    )
    return summary.items(of)[2].removeprefix("**Activations.** ")


def test_who_writes_most() -> None:
    assert (
        written(writes=[3, 5], alive=[9, 4])
        == "`b1` writes most, 5 or 62.5 %; the peak of 9 is reached in `b0`."
    )
    assert written(writes=[0, 5], alive=[4, 9]) == "`b1` writes all 5; the peak of 9 is reached there."
    tied = written(writes=[5, 5, 5], alive=[9, 9, 4])
    assert tied.startswith("`b0` and 2 other blocks write most, 5 or 33.3 % each; ")
    assert tied.endswith("the peak of 9 is reached in `b0` and 1 other block.")
    assert written(writes=[0], alive=[4]) == "Nothing is written."


def test_a_count_that_is_a_bound_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    how = [Options(inputs=("3x8x8",))]
    (found,) = making.reports(["nets:Spectral"], how, None, MADE).documents
    assert "takes at least **2,916 MACs**" in found.lead
    assert any("AT LEAST" in item and "fft" in item for item in elements(found, Items)[0].items)
    (found,) = making.reports(["nets:Sparse"], [Options(inputs=("4x8",))], None, MADE).documents
    assert "takes at most **256 MACs**" in found.lead
    assert "writes at most **72 activations**" in found.lead
    (found,) = making.reports(
        ["nets:Words"], [Options(inputs=("12:int64", "mask=12:bool"))], None, MADE
    ).documents
    assert "One pass over inputs of 12 and 12 takes **15,744 MACs**" in found.lead


def test_nobody_has_fewest_of_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    bound = subjects.costed("nets:Spectral", Options(inputs=("3x8x8",)))
    params, doubt = networks.extremes([bound, costed("naive")])
    assert params.startswith("**Params.** `nets:Spectral` has the fewest, 84;")
    assert doubt.startswith("`nets:Spectral`: AT LEAST")


def test_what_is_behind_an_exceeded_limit() -> None:
    found = report("googlenet", limits=[Limit("macs", 10**9)])["googlenet"]
    (section,) = (each for each in found.sections if each.heading == "Budget")
    assert [each.grid.key for each in section.elements if isinstance(each, Table)] == [
        "limits",
        "why",
        "changes",
    ]
    said, notes = (each for each in section.elements if isinstance(each, Items))
    assert said.items[0].startswith("Cheapest known change that meets the limit on googlenet MACs: ")
    assert any("accuracy is not" in note for note in notes.items)
    kept = report("googlenet", limits=[Limit("macs", 10**10)])["googlenet"]
    (section,) = (each for each in kept.sections if each.heading == "Budget")
    assert [each.grid.key for each in section.elements if isinstance(each, Table)] == ["limits"]


def test_claims_are_of_the_preset_as_it_stands() -> None:
    assert any("claim" in section.heading for section in report("googlenet")["googlenet"].sections)
    how = [Options(by="formula", settings={"classes": "10"})]
    (changed,) = making.reports(["googlenet"], how, None, MADE).documents
    assert not any("claim" in section.heading for section in changed.sections)


# arithmetic


@pytest.mark.parametrize("kind", layers.KINDS)
def test_every_kind_that_multiplies_has_its_factors(kind: str) -> None:
    multiplies = layers.KINDS[kind].macs is not layers.Layer.macs
    assert multiplies == (kind in arithmetic.FACTORS)


@pytest.mark.parametrize("name", spec.presets())
def test_factors_are_what_is_counted(name: str) -> None:
    graph = spec.load(name)
    for node, row in zip(graph.nodes, formula.costs(graph).rows, strict=True):
        if row.cost.macs:
            shown = arithmetic.product(node, row.cost.macs)
            assert shown.text.endswith(f"= {row.cost.macs:,}")


def test_wrong_factors_are_noticed() -> None:
    with pytest.raises(CostcalcError, match="by its factors, 7 as counted"):
        arithmetic.product(spec.load("naive").node("1x1.conv"), 7)


def test_the_costliest_layer_multiplied_out() -> None:
    (first, *_) = elements(report("googlenet")["googlenet"], Formula)
    assert first.text == "192·64·3·3·56·56 = 346,816,512"
    assert first.latex == r"192 \cdot 64 \cdot 3 \cdot 3 \cdot 56 \cdot 56 = 346{,}816{,}512"


# charts and the diagram


@pytest.mark.parametrize("name", ["googlenet", "vgg16", "inception-v3", "naive", "conv3x3-pair"])
def test_charts_show_all_of_it(name: str) -> None:
    of = costed(name)
    for chart in drawing.charts(of):
        if isinstance(chart, Bars):
            assert sum(bar.value for bar in chart.bars) == getattr(of.total, chart.key)
        if isinstance(chart, Lines):
            assert all(series.values[-1] == 100 for series in chart.series)
            assert all(list(series.values) == sorted(series.values) for series in chart.series)
        if isinstance(chart, Grouped):
            assert sum(chart.series[0].values) == of.total.writes
            assert max(chart.series[1].values) == of.whole.structure.peak_activations


def test_of_very_many_blocks_the_rest_is_one_bar(loaded: Callable[..., Any]) -> None:
    many = "".join(f"  c{index}: {{kind: conv, out: 4, kernel: 1}}\n" for index in range(60))
    of = counting.costs(loaded(f"input: [3, 8, 8]\nlayers:\n{many}"), by="formula")
    bars = next(chart for chart in drawing.charts(of) if isinstance(chart, Bars))
    assert len(bars.bars) == drawing.MOST_BARS + 1
    assert bars.bars[-1].label == "20 other blocks"
    assert sum(bar.value for bar in bars.bars) == of.total.macs


@pytest.mark.parametrize("name", spec.presets())
def test_every_preset_has_a_diagram_of_its_wiring(name: str) -> None:
    of = costed(name)
    found = drawing.diagram(of)
    assert (found is None) == (len(of.blocks) == 1)
    if found:
        assert diagram.mermaid(found)
        assert {arrow.target for arrow in found.arrows} == {part.name for part in of.blocks}
        assert max(box.weight for box in found.boxes) == (1 if of.total.macs else 0)


def test_branches_are_drawn_as_they_are_wired() -> None:
    found = drawing.diagram(costed("naive"))
    assert found is not None
    branches = ["1x1", "3x3", "5x5", "pool"]
    arrows = [(arrow.source, arrow.target) for arrow in found.arrows]
    assert arrows == [*(("input", name) for name in branches), *((name, "concat") for name in branches)]


def test_no_diagram_where_blocks_feed_each_other_or_are_too_many(loaded: Callable[..., Any]) -> None:
    conv = "{kind: conv, out: 3, kernel: 1}"
    many = "".join(f"  c{index}: {conv}\n" for index in range(drawing.MOST_BOXES))
    assert drawing.diagram(counting.costs(loaded(f"input: [3, 8, 8]\nlayers:\n{many}"), by="formula")) is None
    few = "".join(f"  c{index}: {conv}\n" for index in range(drawing.MOST_BOXES - 1))
    found = drawing.diagram(counting.costs(loaded(f"input: [3, 8, 8]\nlayers:\n{few}"), by="formula"))
    assert found is not None
    assert len(found.boxes) == drawing.MOST_BOXES


def test_a_model_has_no_diagram_but_all_else() -> None:
    found = making.reports(["torchvision:resnet18"], (), None, MADE).documents[0]
    assert found.name == "torchvision-resnet18"
    assert not elements(found, Diagram)
    assert elements(found, Bars)
    assert elements(found, Scatter)


# devices


def test_no_block_is_above_the_roof() -> None:
    predictions = timing.predict(spec.load("googlenet"), on="h200", dtype="fp16", batch=8)
    chart = next(each for each in latency.position(predictions, False).elements if isinstance(each, Scatter))
    ((_, roof),) = chart.lines
    bandwidth, peak = roof[0][1] / roof[0][0], roof[1][1]
    assert roof[1][0] == peak / bandwidth
    for point in chart.points:
        assert point.y <= min(peak, point.x * bandwidth) * (1 + 1e-9)
    assert sum(point.marked for point in chart.points) == latency.MARKED
    assert len(chart.points) == sum(part.cost.macs > 0 for part in costed("googlenet").blocks)


def test_predictions_are_shown_where_devices_are_asked_for() -> None:
    asked = report("googlenet", "vgg16", on=["h200", "t4"], batch=64, dtype="fp16")
    tables = [table.grid for table in elements(asked["googlenet"], Table) if table.grid.key == "predictions"]
    assert [row[:3] for row in tables[0].rows] == [("googlenet", "h200", 64), ("googlenet", "t4", 64)]
    together = [t.grid for t in elements(asked["comparison"], Table) if t.grid.key == "predictions"]
    assert len(together[0].rows) == 4
    plain = report("googlenet")["googlenet"]
    assert not [table for table in elements(plain, Table) if table.grid.key == "predictions"]


def test_measured_runs_are_shown_with_their_doubts() -> None:
    found = report("googlenet", runs=[RUN])["googlenet"]
    section = next(each for each in found.sections if each.heading.startswith("Measured"))
    keys = [each.grid.key for each in section.elements if isinstance(each, Table)]
    assert keys == ["configurations", "spread", "blocks", "memory"]
    assert any(isinstance(each, Items) and "DOUBTFUL" in each.items[0] for each in section.elements)


def test_a_run_of_another_network_is_no_run_of_this_one() -> None:
    with pytest.raises(CostcalcError, match=r"holds none of vgg16; it holds googlenet"):
        report("vgg16", runs=[RUN])
    changed = Options(by="formula", settings={"classes": "10"})
    with pytest.raises(CostcalcError, match=r"has 1,498,677,248 MACs, not 1,497,663,488; measure it again"):
        making.reports(["googlenet"], [changed], making.Wanted(runs=[RUN]), MADE)


def test_limits_are_judged_where_there_is_the_block() -> None:
    how = [Options(by="formula")] * 2
    limits = [Limit("macs", 2 * 10**9), Limit("macs", 10, "inception_3a")]
    found = making.reports(["googlenet", "resnet50"], how, making.Wanted(limits), MADE)
    assert [line.split(":")[:2] for line in found.findings] == [
        ["EXCEEDED", " googlenet inception_3a has 128.0 M MACs, limit 10"],
        ["EXCEEDED", " resnet50 has 4.089 G MACs, limit 2.000 G"],
    ]
    tables = [
        (document.name, table.grid) for document in found.documents for table in elements(document, Table)
    ]
    judged = {name: len(grid.rows) for name, grid in tables if grid.key == "limits"}
    assert judged == {"googlenet": 2, "resnet50": 1}
    with pytest.raises(CostcalcError, match="did you mean 'inception_3b'"):
        report("googlenet", "resnet50", limits=[Limit("macs", 1, "inception_3")])


def test_counts_that_differ_are_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    differing = Disagreement("conv1", "macs", {"formula": 1, "trace": 2})
    wrong = replace(costed("naive"), disagreements=(differing,))
    monkeypatch.setattr(subjects, "costed", lambda *_: wrong)
    found = making.reports(["naive"], [Options(by="formula")], None, MADE)
    assert found.findings == ("naive: trace and closed form differ; `costcalc check naive` says where",)


# comparison


def test_extremes_are_exact_ratios() -> None:
    said = networks.extremes([costed("conv5x5"), costed("conv3x3-pair")])
    assert (
        "**MACs.** `conv3x3-pair` has the fewest, 57,802,752; `conv5x5` has the most, 80,281,600, "
        "25/18 = 1.389× as many." in said
    )
    assert said[-1] == "**Both at once.** None has both fewer MACs and fewer params than `conv3x3-pair`."
    three = networks.extremes([costed(name) for name in ("alexnet", "googlenet", "vgg16")])
    assert three[-1].endswith("than `alexnet` or `googlenet`.")  # each is ahead of the other in one of both
    crossed = networks.extremes([costed("alexnet"), costed("googlenet")])
    assert crossed[-1] == "**Both at once.** None has both fewer MACs and fewer params than another."
    alike = networks.extremes([costed("resnet50"), costed("resnet50-v1")])
    assert "**Params.** All have 25,557,032." in alike


def test_all_presets_are_in_the_scatter_and_those_given_are_marked() -> None:
    (chart,) = elements(report("googlenet", "vgg16")["comparison"], Scatter)
    totals = {name: formula.costs(spec.load(name)).total for name in spec.presets()}
    assert {point.label for point in chart.points} == {
        name for name, total in totals.items() if total.macs and total.params
    }
    assert {point.label for point in chart.points if point.marked} == {"googlenet", "vgg16"}
    for point in chart.points:
        assert (point.x, point.y) == (totals[point.label].params, totals[point.label].macs)


def test_totals_are_shares_of_the_largest() -> None:
    of = [costed("conv5x5"), costed("conv3x3-pair")]
    (chart,) = elements(networks.comparison(of, (), MADE), Grouped)
    found = {one.label: (one.values, one.shown) for one in chart.series}
    assert found["MACs"] == ((100, 72), ("80.28 M", "57.80 M"))
    assert found["activations"][0] == (50, 100)
    assert list(found) == ["MACs", "params", "activations", "peak activations"]


def test_what_has_no_params_or_no_macs_has_no_place_in_the_scatter() -> None:
    spots = [networks.Spot("free", 0, 5), networks.Spot("still", 5, 0), networks.Spot("placed", 1, 1)]
    found = networks.comparison([costed("naive"), costed("reduced")], spots, MADE)
    (chart,) = elements(found, Scatter)
    assert [point.label for point in chart.points] == ["placed", "naive", "reduced"]
    assert chart.note.startswith("3 points:")


def test_the_entrance_links_every_page() -> None:
    found = report("naive", "reduced")
    entrance = networks.index(tuple(found.values()), MADE)
    (items,) = elements(entrance, Items)
    assert [item.split(":")[0] for item in items.items] == [
        "[naive](naive.md)",
        "[reduced](reduced.md)",
        "[Comparison](comparison.md)",
    ]


# papers


def strings(entry: Any) -> Iterator[str]:
    """The prose of a paper: its lead, headings, paragraphs and items."""
    yield entry["lead"]
    for section in entry["sections"]:
        yield section["heading"]
        for element in section["content"]:
            if isinstance(element, str):
                yield element
            yield from element.get("items", ()) if isinstance(element, dict) else ()


@pytest.mark.parametrize("name", papers.names())
def test_no_number_in_a_paper_is_typed(name: str) -> None:
    for text in strings(papers.source(name)):
        assert not prose.typed(text), text


@pytest.mark.parametrize("name", papers.names())
def test_papers_are_whole(name: str) -> None:
    found = papers.paper(name, MADE)
    assert found.name == name
    assert markdown.written(found)[f"{name}.md"]
    said = " ".join(repr(section) for section in found.sections)
    assert "{{" not in said
    assert "[[" not in said
    judged = elements(found, Table)[-1].grid
    assert len(judged.rows) == len(
        publishing.claims(paper=papers.source(name)["publication"]).verdicts
    ) - sum(
        verdict.claim.publication != papers.source(name)["publication"]
        for verdict in publishing.claims(paper=papers.source(name)["publication"]).verdicts
    )


def used(name: str) -> set[str]:
    content = [each for section in papers.source(name)["sections"] for each in section["content"]]
    return {key for each in content if isinstance(each, dict) for key in each}


def test_every_kind_of_entry_and_every_form_is_used() -> None:
    assert set().union(*map(used, papers.names())) == set(papers.ENTRIES)
    text = " ".join(text for name in papers.names() for text in strings(papers.source(name)))
    forms = {found or "count" for _, found in re.findall(r"\{\{([^{}|]+)(?:\|\s*(\w+)[^{}]*)?\}\}", text)}
    assert forms - {"of"} == set(prose.FORMS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ macs(naive) / macs(reduced) | ratio }}", "2.370×"),
        ("{{ macs(conv5x5) / macs(conv3x3-pair) | ratio }}", "25/18 = 1.389×"),
        ("{{ 1 - macs(conv3x3-pair) / macs(conv5x5) | percent }}", "28.0 %"),
        ("{{ macs(googlenet) }}", "1,498,677,248"),
        ("{{ macs(googlenet) | short }}", "1.499 G"),
        ("{{ macs(conv3x3) | of c,size }}", "9·c²·size²"),
        ("[[1.5 billion | G01]]", "“1.5 billion” (section 1)"),
        ("a 5×5 in 3a, by section 3.1 and Table 1 of 2015, see G05", None),
    ],
)
def test_markers(text: str, said: str | None) -> None:
    assert prose.written(text) == (text if said is None else said)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("it takes 1.5 billion", "1.5 is typed"),
        ("7 modules", "7 is typed"),
        ("{{ macs(naive) / macs(reduced) }}", "no whole number; give a form"),
        ("{{ macs(naive) | ration }}", "did you mean 'ratio'"),
        ("{{ macs(navie) }}", "naive"),
        ("[[1.6 billion | G01]]", "1.6 is no figure of G01"),
        ("[[1.5 billion | G99]]", "no claim 'G99'"),
    ],
)
def test_what_prose_refuses(text: str, why: str) -> None:
    with pytest.raises((Misfit, CostcalcError), match=why):
        prose.written(text)


def test_a_table_of_a_paper_adds_up_what_adds_up() -> None:
    found = elements(papers.paper("paper-googlenet", MADE), Table)
    grid = next(table.grid for table in found if table.grid.title.startswith("the nine modules"))
    assert grid.total == ("total", 3_881_213_952, 1_103_972_352, None, None, None)
    assert grid.rows[0][3] == Fraction(303_464_448, 128_049_152)


# files


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("googlenet", "googlenet"),
        ("torchvision:resnet18", "torchvision-resnet18"),
        ("nets/tiny.yaml", "tiny"),
        ("../nets/my net.yml", "my-net"),
        ("naive@module=inception_4e", "naive-module-inception_4e"),
        ("squeezenet1.0", "squeezenet1.0"),
        ("my.models:net", "my.models-net"),
        ("-", "stdin"),
    ],
)
def test_names_of_files(name: str, stem: str) -> None:
    assert writing.slug(name) == stem


@given(st.text(min_size=1))
def test_a_name_of_a_file_is_harmless(name: str) -> None:
    try:
        stem = writing.slug(name)
    except CostcalcError:
        return
    assert re.fullmatch(r"[\w.-]+", stem)
    assert not stem.startswith((".", "-"))


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["a/net.yaml", "b/net.yaml"], "a/net.yaml and b/net.yaml would be written into one file"),
        (["a/Net.yaml", "b/net.yaml"], "a/Net.yaml and b/net.yaml would be written into one file"),
        (["googlenet", "googlenet"], "'googlenet' is given twice"),
        (["///"], "gives no name for a file"),
    ],
)
def test_names_that_collide(names: list[str], why: str) -> None:
    with pytest.raises(CostcalcError, match=re.escape(why)):
        writing.distinct(names)


@pytest.mark.parametrize("form", writing.FORMATS)
def test_every_format_is_marked_and_the_same_each_time(form: str) -> None:
    documents = list(report("naive", "reduced").values())
    found = writing.files(documents, form, "out")
    assert found == writing.files(documents, form, "out")
    assert all(path.startswith("out/") and writing.is_ours(text) for path, text in found.items())
    assert all(text.count(writing.MARK) == 1 for text in found.values())


def test_a_format_follows_from_the_ending() -> None:
    assert [writing.form("", output) for output in ("", "out", "a.md", "a.html")] == [
        *["markdown"] * 3,
        "html",
    ]
    with pytest.raises(CostcalcError, match="did you mean 'markdown'"):
        writing.form("markdwn", "")
    with pytest.raises(CostcalcError, match="is no file for --format html"):
        writing.form("html", "a.md")


# the command


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(*argv: str) -> int:
    return cli.main(["report", *argv, "--by", "formula"])


CONFIG = """[[budget]]
models = ["nets/*.yaml", "naive"]
macs = {error = "1G"}

[[budget]]
models = ["naive"]
macs = {error = "1G"}
settings = {module = "inception_4e"}
"""
TINY = """name: tiny
input: [3, 8, 8]
layers:
  only: {kind: conv, out: 4, kernel: 3}
"""


def test_without_names_those_of_the_configuration(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk / "costcalc.toml").write_text(CONFIG)
    (desk / "nets").mkdir()
    (desk / "nets/tiny.yaml").write_text(TINY)
    (desk / "below").mkdir()
    monkeypatch.chdir(desk / "below")
    assert ran("-o", "out") == 0
    pages = {path.name for path in (desk / "below/out").glob("*.md")}
    assert pages == {"README.md", "comparison.md", "naive.md", "naive-module-inception_4e.md", "tiny.md"}
    assert "**655,699,968 MACs**" in (desk / "below/out/naive-module-inception_4e.md").read_text()
    assert ran("-o", "set", "--set", "module=inception_3b") == 2  # it is set already


def test_the_configuration_says_what_goes_in(desk: Path, capsys: Capture) -> None:
    (desk / "costcalc.toml").write_text(
        '[[budget]]\nmodels = ["naive"]\ninput = ["64x28x28"]\nmacs = {error = "1G"}\n'
    )
    assert ran() == 0
    assert "an input of 64×28×28 takes" in capsys.readouterr().out
    assert ran("--input", "32x28x28") == 0  # the command line goes over it
    assert "an input of 32×28×28 takes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("models", "why"),
    [
        ("nets/*.yaml", "costcalc.toml:2:11: models: nets/*.yaml matches no spec"),
        ("nets:Words", "nets:Words runs code of this repository; name the models to report on"),
    ],
)
def test_a_configuration_that_cannot_be_followed(models: str, why: str, desk: Path, capsys: Capture) -> None:
    (desk / "costcalc.toml").write_text(f'[[budget]]\nmodels = ["{models}"]\nmacs = {{error = "1G"}}\n')
    assert ran("-o", "out") == 2
    assert why in capsys.readouterr().err


def test_a_limit_on_what_is_not_known(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    argv = ["report", "nets:Spectral", "--input", "3x8x8", "--limit", "1K"]
    assert cli.main(argv) == 3
    assert "--allow-uncounted aten::_fft_c2c counts them as nothing" in capsys.readouterr().err
    assert cli.main([*argv, "--allow-uncounted", "aten::_fft_c2c"]) == 1
    out, err = capsys.readouterr()
    assert out.count("AT LEAST") == 1
    assert "EXCEEDED: nets:Spectral" in err


def test_inputs_and_arguments_of_models(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    assert cli.main(["report", "nets:Words", "--input", "12:int64", "-k", "width=16", "-o", "-"]) == 0
    assert "| embed   | Embedding | 12×16" in capsys.readouterr().out


@pytest.mark.usefixtures("desk")
def test_one_report_on_standard_output(capsys: Capture) -> None:
    assert ran("naive") == 0
    out, err = capsys.readouterr()
    assert out.startswith("# naive\n")
    assert "![" not in out
    assert "A point is" not in out  # it is of a chart
    assert writing.LEFT_OUT in out
    assert "Written by `costcalc report naive --by formula`" in out
    assert err == ""


def test_a_folder_of_reports(desk: Path, capsys: Capture) -> None:
    assert ran("naive", "reduced", "paper-inception-v3", "-o", "out") == 0
    listed = capsys.readouterr().out.splitlines()
    assert sorted(listed) == sorted(str(path.relative_to(desk)) for path in (desk / "out").rglob("*.*"))
    assert {f"out/{name}.md" for name in ("naive", "reduced", "comparison", "README")} <= set(listed)
    for page in (desk / "out").glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
    before = contents(desk / "out")
    assert ran("naive", "reduced", "paper-inception-v3", "-o", "out") == 0
    assert contents(desk / "out") == before


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_of_ones_own_is_never_written_over(desk: Path, capsys: Capture) -> None:
    (desk / "out/charts").mkdir(parents=True)
    (desk / "out/charts/naive-macs.svg").write_text("<svg/>")
    assert ran("naive", "-o", "out") == 2
    assert "out/charts/naive-macs.svg: not written by costcalc; --force" in capsys.readouterr().err
    assert [path.name for path in (desk / "out").iterdir()] == ["charts"]
    assert ran("naive", "-o", "out", "--force") == 0
    assert writing.is_ours((desk / "out/charts/naive-macs.svg").read_text())


def test_an_entrance_of_ones_own_stays(desk: Path, capsys: Capture) -> None:
    (desk / "out").mkdir()
    (desk / "out/README.md").write_text("# ours\n")
    assert ran("naive", "reduced", "-o", "out") == 0
    assert "README.md is your own and stays as it is" in capsys.readouterr().err
    assert (desk / "out/README.md").read_text() == "# ours\n"


def test_one_file(desk: Path) -> None:
    assert ran("naive", "-o", "docs/cost.md") == 0
    assert {path.name for path in (desk / "docs").iterdir()} == {"cost.md", "charts"}
    assert (desk / "docs/charts/cost-macs.svg").exists()
    assert ran("naive", "reduced", "-o", "docs/cost.html") == 0
    assert (desk / "docs/cost.html").read_text().startswith(writing.MARK)


def test_a_limit_exceeded_is_a_finding_and_written_all_the_same(desk: Path, capsys: Capture) -> None:
    assert ran("naive", "-o", "out", "--limit", "1M") == 1
    assert "costcalc: EXCEEDED: naive has 303.5 M MACs, limit 1.000 M" in capsys.readouterr().err
    assert "EXCEEDED" in (desk / "out/naive.md").read_text()
    assert ran("naive", "-o", "out", "--limit", "1G") == 0


def test_a_template_of_ones_own(desk: Path, capsys: Capture) -> None:
    (desk / "short.md").write_text("{{ document.title }}: {{ document.lead|text }}")
    assert ran("naive", "--template", "short.md") == 0
    assert capsys.readouterr().out.startswith("naive: One naive Inception module")
    (desk / "short.md").write_text("{{ document.titel }}")
    assert ran("naive", "--template", "short.md", "-o", "out") == 2
    assert "short.md:1" in capsys.readouterr().err
    assert not (desk / "out").exists()


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ([], "name what to report on, for example: costcalc report googlenet -o reports"),
        (["googlnet"], "did you mean 'googlenet'?"),
        (["paper-googlnet"], "did you mean 'paper-googlenet'?"),
        (["naive", "reduced"], "several reports need a folder"),
        (["naive", "reduced", "-o", "a.md"], "several reports need a folder"),
        (["naive", "--format", "pdf"], "no format 'pdf'; there are markdown, html"),
        (["naive", "--template", "no.md"], "--template no.md: No such file"),
        (["paper-googlenet", "--set", "a=1"], "--set is of architectures; a paper has none"),
        (["paper-googlenet", "--run", RUN], "--run is of architectures; a paper has none"),
        (["paper-googlenet", "--on", "h200"], "--on is of architectures; a paper has none"),
        (["paper-googlenet", "--limit", "1"], "a limit is of architectures; a paper has none"),
        (["paper-googlenet", "--block", "a=1"], "a limit is of architectures; a paper has none"),
        (["naive", "-k", "a=1"], "-k is for foreign models"),
        (["naive", "--on", "h300"], "did you mean 'h200'?"),
    ],
)
@pytest.mark.usefixtures("desk")
def test_what_is_refused(argv: list[str], why: str, capsys: Capture) -> None:
    assert ran(*argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert why in err


def test_a_folder_that_cannot_be_made(desk: Path, capsys: Capture) -> None:
    (desk / "out").write_text("a file")
    assert ran("naive", "-o", "out") == 3
    assert "out" in capsys.readouterr().err
