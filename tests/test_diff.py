"""Differences between two versions, and specs and models at revisions of git."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costcalc
from costcalc import cli, differences, formula, spec
from costcalc.api import checkouts, subjects
from costcalc.api.subjects import Options
from costcalc.differences import Changed, Differences
from costcalc.errors import CostcalcError
from costcalc.graph import Graph
from costcalc.records import COUNTS
from costcalc.spec import revisions, source

Loaded = Callable[..., Graph]
Capture = pytest.CaptureFixture[str]

BASE = """\
input: [3, 32, 32]
params: {classes: 10, first: 3}
layers:
  conv1: {kind: conv_relu, out: 32, kernel: $first, pad: same}
  pool1: {kind: maxpool, kernel: 2}
  conv2: {kind: conv_bn_relu, out: 64, kernel: 3, pad: 1}
  conv3: {kind: conv_bn_relu, out: 64, kernel: 3, pad: 1}
  pool2: {kind: global_avgpool}
  flat:  {kind: flatten}
  fc:    {kind: linear, out: $classes}
"""
MODEL = """\
from torch import nn
from nets.parts import width
print("building")


class Net(nn.Module):
    def __init__(self, out=4):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3)
        self.conv2 = nn.Conv2d(width, out, 3)

    def forward(self, x):
        return self.conv2(self.conv1(x).relu())
"""


def git(folder: Path, *argv: str) -> None:
    subprocess.run(["git", *argv], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a spec on a base and a model, one commit old, in which one works."""
    for key in [key for key in os.environ if key.startswith("GIT_")]:
        monkeypatch.delenv(key)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "config", "user.email", "nobody@example.com")
    git(tmp_path, "config", "user.name", "Nobody")
    nets = tmp_path / "nets"
    nets.mkdir()
    (nets / "base.yaml").write_text(BASE)
    (nets / "tiny.yaml").write_text("base: base.yaml\nparams: {classes: 5}\n")
    (nets / "__init__.py").write_text("")
    (nets / "parts.py").write_text("width = 8\n")
    (nets / "model.py").write_text(MODEL)
    (tmp_path / "outside").symlink_to("/etc/hostname")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def between(old: Graph, new: Graph) -> Differences:
    return differences.between(*(differences.of_graph(g.name, g, formula.costs(g)) for g in (old, new)))


def state(found: Differences) -> dict[str, str]:
    return {block.name: block.state for block in found.blocks if block.state != "unchanged"}


def edited(found: Differences) -> dict[str, list[tuple[str, object, object]]]:
    return {
        layer.name: [(edit.field, edit.old, edit.new) for edit in layer.edits]
        for block in found.blocks
        for layer in block.layers
        if layer.state == "changed"
    }


# --- specs at revisions ---


def macs(name: str) -> int:
    return formula.costs(spec.load(name)).total.macs


def test_a_file_at_a_revision_has_its_base_there(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = macs("nets/tiny.yaml")
    edit(repository / "nets" / "base.yaml", "out: 32, kernel: $first", "out: 16, kernel: $first")
    assert macs("nets/tiny.yaml") < before
    assert macs("main:nets/tiny.yaml") == macs("HEAD:./nets/tiny.yaml") == before
    assert macs(":nets/tiny.yaml") == before  # the index
    assert spec.load("main:nets/tiny.yaml").name == "main:nets/tiny.yaml"
    assert spec.load("HEAD@{0}:nets/tiny.yaml@classes=7").outputs == ("fc",)
    assert spec.load("main:nets/tiny.yaml@classes=7").shape_of("fc") == (7,)
    monkeypatch.chdir(repository / "nets")
    assert macs("main:./tiny.yaml") == macs("main:../nets/tiny.yaml") == macs("main:nets/tiny.yaml") == before


def test_messages_carry_the_name_with_its_revision(repository: Path) -> None:
    (repository / "nets" / "bad.yaml").write_text(
        "input: [3, 8, 8]\nlayers: {a: {kind: conv, out: 3, kernl: 3}}\n"
    )
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "two")
    with pytest.raises(CostcalcError, match=r"^main:nets/bad\.yaml:2:13: a: conv needs 'kernel'\n") as found:
        spec.load("main:nets/bad.yaml")
    assert "main:nets/bad.yaml:2:34: a: conv has no 'kernl'; did you mean 'kernel'?" in str(found.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mian:nets/tiny.yaml", "git knows no revision 'mian' here; did you mean 'main'?"),
        ("nope:nets/tiny.yaml", "git knows no revision 'nope' here"),
        ("main:nets/tny.yaml", "revision 'main' has no file 'nets/tny.yaml'; did you mean 'nets/tiny.yaml'?"),
        (":nets/tny.yaml", "the index has no file 'nets/tny.yaml'"),
        ("-h:nets/tiny.yaml", "a revision does not begin with '-'"),
        ("main:../nets/tiny.yaml", "did you mean 'nets/tiny.yaml'?"),
        ("main:../../else.yaml", "'../../else.yaml' lies outside the repository"),
        ("main:folder.yaml", "is a folder there, not a file"),
        ("main:nets/large.yaml", "the file is larger than 256 KiB"),
        ("main:nets/out.yaml", "'../../x.yaml' lies outside the repository"),
        ("main:nets/lost.yaml", "revision 'main' has no file 'nets/none.yaml'"),
    ],
)
def test_what_is_not_there(repository: Path, name: str, message: str) -> None:
    (repository / "folder.yaml").mkdir()
    (repository / "folder.yaml" / "x").write_text("")
    (repository / "nets" / "large.yaml").write_text("#" * (source.MAX_BYTES + 1))
    (repository / "nets" / "out.yaml").write_text("base: ../../x.yaml\n")
    (repository / "nets" / "lost.yaml").write_text("base: none.yaml\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "two")
    with pytest.raises(CostcalcError) as found:
        spec.load(name)
    assert message in str(found.value)
    assert found.value.exit_code == 2


def test_a_file_that_is_too_large_is_not_read(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    run = revisions.git
    monkeypatch.setattr(revisions, "git", lambda *argv: (asked.append(argv), run(*argv))[1])
    version = revisions.Version("main", "nets/base.yaml")
    size = len(BASE)
    assert len(revisions.content(version, size)) == size  # which its reader refuses
    assert ("cat-file", "blob", "main:nets/base.yaml") not in asked
    assert revisions.content(version, size + 1) == BASE.encode()


def test_no_repository_no_git_no_time(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "SECONDS", 1e-6)
    with pytest.raises(CostcalcError, match=r"git cat-file took longer than .* s") as late:
        spec.load("main:nets/tiny.yaml")
    assert late.value.exit_code == 3
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(CostcalcError, match="here is none: not a git repository"):
        spec.load("main:nets/tiny.yaml")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CostcalcError, match="needs git, and there is none") as missing:
        spec.load("main:nets/tiny.yaml")
    assert missing.value.exit_code == 3


def test_a_shallow_clone_says_so(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    git(repository, "commit", "-q", "--allow-empty", "-m", "two")
    clone = tmp_path_factory.mktemp("clone") / "r"
    git(repository, "clone", "-q", "--depth", "1", f"file://{repository}", str(clone))
    os.chdir(clone)  # the fixture goes back
    with pytest.raises(CostcalcError, match="the clone is shallow: fetch it first"):
        spec.load("HEAD~1:nets/tiny.yaml")


def test_other_names_with_a_colon_stay_what_they_are(repository: Path) -> None:
    (repository / "main:odd.yaml").write_text("input: [3, 8, 8]\nlayers: {a: {kind: relu}}\n")
    assert spec.load("main:odd.yaml").name == "main:odd"  # a file that is there wins
    for name in ("torchvision:resnet18", "nets.model:Net", "timm:resnet18.a1_in1k"):
        assert subjects.is_foreign(name)
    assert not subjects.is_foreign("main:nets/tiny.yaml")
    with pytest.raises(CostcalcError, match="cannot be read"):
        spec.load("C:/nets/tiny.yaml")  # no revision: a path from the root is none of git's


def test_revisions_stand_wherever_specs_do(repository: Path, capsys: Capture) -> None:
    name = "main:nets/tiny.yaml"
    for argv in (["show", name], ["compare", name, "nets/tiny.yaml"], ["budget", name, "--limit", "1G"]):
        assert cli.main([*argv, "--by", "formula"]) == 0
        assert name in capsys.readouterr().out
    assert cli.main(["show", name, "--spec"]) == 0
    assert capsys.readouterr().out == (repository / "nets" / "tiny.yaml").read_text()
    assert cli.main(["check", name]) == 0


# --- what changed ---


@cache
def load(name: str) -> Graph:
    return spec.load(name)


PAIRS = [
    *[
        ("googlenet-caffe", "googlenet"),
        ("naive", "reduced"),
        ("resnet50-v1", "resnet50"),
        ("vgg11", "vgg19"),
    ],
    *[("googlenet", "googlenet-aux"), ("conv5x5", "conv3x3-pair"), ("lenet5", "lenet5-caffe")],
    *[("inception-v3", "inception-v3-keras"), ("mobilenet-v1", "mobilenet-v1-conv"), ("alexnet", "nin")],
]


@pytest.mark.parametrize(("old", "new"), [*PAIRS, *[pair[::-1] for pair in PAIRS]])
def test_the_differences_of_blocks_and_layers_sum_to_that_of_the_totals(old: str, new: str) -> None:
    found = between(load(old), load(new))
    for metric, of in COUNTS.items():
        whole = of(found.new.whole.cost) - of(found.old.whole.cost)
        assert sum(block.difference(metric) for block in found.blocks) == whole
        for block in found.blocks:
            assert sum(layer.difference(metric) for layer in block.layers) == block.difference(metric)
    view = costcalc.diff(old, new, Options(by="formula")).view()
    for grid in view.grids[1:]:
        for index, column in enumerate(grid.columns):
            if column.key in ("macs", "params", "activations"):
                assert grid.total is not None
                assert sum(row[index] or 0 for row in grid.rows) == grid.total[index]  # type: ignore[misc]


@pytest.mark.parametrize("name", spec.presets())
def test_nothing_differs_from_itself(name: str) -> None:
    found = between(load(name), load(name))
    assert not found
    assert not state(found)


def test_a_field_that_was_edited_and_what_follows(loaded: Loaded) -> None:
    found = between(
        loaded(BASE),
        loaded(BASE.replace("conv2: {kind: conv_bn_relu, out: 64", "conv2: {kind: conv_bn_relu, out: 96")),
    )
    assert edited(found) == {"conv2.conv": [("out", 64, 96)]}
    assert state(found) == {"conv2": "changed", "conv3": "follows"}
    states = {layer.name: layer.state for block in found.blocks for layer in block.layers}
    assert (states["conv2.bn"], states["conv3.conv"], states["conv3.bn"]) == (
        "follows",
        "follows",
        "unchanged",
    )


def test_a_smaller_input_is_an_edit_of_the_input_alone(loaded: Loaded) -> None:
    found = between(loaded(BASE), loaded(BASE.replace("[3, 32, 32]", "[3, 24, 24]")))
    assert [(edit.field, edit.old, edit.new) for edit in found.edits] == [
        ("input", ((3, 32, 32),), ((3, 24, 24),))
    ]
    assert set(state(found).values()) == {"follows"}
    assert not edited(found)


def test_added_removed_renamed_and_moved(loaded: Loaded) -> None:
    lines = BASE.splitlines(keepends=True)
    added = loaded(BASE.replace("  conv3:", "  drop: {kind: dropout}\n  conv3:"))
    assert state(between(loaded(BASE), added)) == {"drop": "added"}
    assert state(between(added, loaded(BASE))) == {"drop": "removed"}
    renamed = between(loaded(BASE), loaded(BASE.replace("conv3:", "deep:")))
    assert state(renamed) == {"deep": "renamed"}
    (deep,) = [block for block in renamed.blocks if block.name == "deep"]
    assert deep.was == "conv3"
    assert {layer.state for layer in deep.layers} == {"unchanged"}
    order = [*lines[:4], lines[5], lines[4], *lines[6:]]  # pool1 behind conv2
    moved = between(loaded(BASE), loaded("".join(order)))
    assert [block.name for block in moved.blocks if block.moved] in (["pool1"], ["conv2"])
    assert not edited(moved)
    assert set(state(moved).values()) == {"moved", "follows"} or set(state(moved).values()) == {"moved"}


def test_other_wiring_is_an_edit(loaded: Loaded) -> None:
    text = """\
input: [8, 8, 8]
layers:
  a: {kind: conv, out: 8, kernel: 3, pad: 1}
  b: {kind: conv, from: input, out: 8, kernel: 3, pad: 1}
  c: {kind: conv, from: a, out: 8, kernel: 3, pad: 1}
  d: {kind: add, from: [b, c]}
"""
    found = between(loaded(text), loaded(text.replace("from: a,", "from: b,").replace("[b, c]", "[a, c]")))
    assert edited(found) == {"c": [("from", ("a",), ("b",))], "d": [("from", ("b", "c"), ("a", "c"))]}


def test_another_kind_is_told_whole(loaded: Loaded) -> None:
    new = BASE.replace(
        "pool1: {kind: maxpool, kernel: 2}", "pool1: {kind: conv, out: 32, kernel: 2, stride: 2}"
    )
    old = loaded(BASE)
    assert edited(between(old, loaded(new)))["pool1"] == [
        ("kind", ("maxpool", {"kernel": (2, 2)}), ("conv", {"out": 32, "kernel": (2, 2), "stride": (2, 2)}))
    ]


@settings(max_examples=50, deadline=None)
@given(
    layer=st.sampled_from(["conv1", "conv2.conv", "conv3.conv"]),
    field=st.sampled_from(["out", "bias", "groups"]),
    kernel=st.sampled_from([1, 3, 5]),
)
def test_every_edit_is_found_and_nothing_else(layer: str, field: str, kernel: int) -> None:
    graph = load("alexnet")
    name = {"conv1": "conv3.conv", "conv2.conv": "conv4.conv", "conv3.conv": "conv5.conv"}[layer]
    old = graph.node(name).layer
    value: object = {"out": 64 * kernel, "bias": False, "groups": 2 * kernel + 2}[field]
    from costcalc.alternatives import rewiring

    try:
        changed = rewiring.with_layer(graph, name, old.replace(**{field: value}))
    except CostcalcError:
        return
    expected = {name: [(field, getattr(old, field), value)]} if getattr(old, field) != value else {}
    assert edited(between(graph, changed)) == expected


# --- what is shown ---


def said(capsys: Capture, *argv: str) -> str:
    assert cli.main(["diff", *argv, "--by", "formula"]) == 0
    return capsys.readouterr().out


def test_a_file_against_a_revision_in_one_sentence(repository: Path, capsys: Capture) -> None:
    edit(repository / "nets" / "base.yaml", "conv2: {kind: conv_bn_relu, out: 64, kernel: 3, pad: 1}",
         "conv2: {kind: conv_bn_relu, out: 64, kernel: 5, pad: 2}")  # fmt: skip
    positions = 16 * 16
    old, added = macs("main:nets/tiny.yaml"), 32 * 64 * (25 - 9) * positions
    out = said(capsys, "nets/tiny.yaml", "--from", "main")
    assert macs("nets/tiny.yaml") - old == added
    assert out.splitlines()[0].startswith("nets/tiny.yaml against main: MACs +")
    sentence = out.splitlines()[-1]
    assert "all of it in conv2 (kernel 3 → 5, pad 1 → 2)" in sentence
    assert f"({added / old:+.1%})".replace("%", " %") in sentence
    assert f"{added:,}" in out
    assert said(capsys, "nets/tiny.yaml").splitlines()[-1] == sentence.replace("against main", "against HEAD")
    assert said(capsys, "main:nets/tiny.yaml", "nets/tiny.yaml").splitlines()[-1] == sentence
    git(repository, "commit", "-qam", "two")
    out = said(capsys, "nets/tiny.yaml", "--from", "HEAD~1", "--to", "HEAD")
    assert out.splitlines()[-1] == sentence.replace(
        "nets/tiny.yaml against main", "HEAD:./nets/tiny.yaml against HEAD~1"
    )
    assert "no change." in said(capsys, "nets/tiny.yaml", "--from", "HEAD")
    assert "6 blocks unchanged." in out


def test_exit_codes_are_those_of_git(repository: Path, capsys: Capture) -> None:
    assert cli.main(["diff", "nets/tiny.yaml", "--exit-code", "--by", "formula"]) == 0
    edit(repository / "nets" / "tiny.yaml", "5", "6")
    assert cli.main(["diff", "nets/tiny.yaml", "--by", "formula"]) == 0
    assert cli.main(["diff", "nets/tiny.yaml", "--exit-code", "--by", "formula"]) == 1
    assert cli.main(["diff", "nets/tiny.yaml", "--exit-code"]) == 1  # traced too


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["googlenet"], "a difference takes two sides"),
        (["main:nets/tiny.yaml"], "write: costcalc diff nets/tiny.yaml --from main"),
        (["naive", "reduced", "--from", "main"], "--from and --to are of one file or model"),
        (["nets/tiny.yaml", "--from", "mian"], "did you mean 'main'"),
        (["nets.model:Net", "--from", "mian"], "did you mean 'main'"),
        (["nets.model:Net", "--from=-x"], "does not begin with '-'"),
        (["main:nets.model:Nett", "nets.model:Net", "--input", "3x8x8"], "did you mean 'Net'"),
        (["saved.json", "nets/tiny.yaml"], "cannot be read: No such file"),
        (["naive.json", "naive"], "does not hold what this prints: costcalc show NAME --layers --json"),
    ],
)
def test_usage_errors(repository: Path, argv: list[str], message: str, capsys: Capture) -> None:
    Path("naive.json").write_text('{"schema": "costcalc.show/1", "result": {"parts": {"rows": [1]}}}')
    assert cli.main(["diff", *argv]) == 2
    assert message in capsys.readouterr().err


def test_the_verdict_comes_first_in_markdown(capsys: Capture) -> None:
    out = said(capsys, "googlenet-caffe", "googlenet", "--format", "markdown")
    assert out.startswith("### googlenet against googlenet-caffe: MACs -5.3&nbsp;%, params")


def test_everything_from_the_input(capsys: Capture) -> None:
    out = said(capsys, "vgg16", "vgg16@input=3x192x192")
    assert ", all of it from input 3×224×224 → 3×192×192; params" in out


def test_python_has_it_too() -> None:
    found = costcalc.diff("naive", "naive@module=inception_3b", Options(by="formula"))
    assert found
    assert not costcalc.diff(costcalc.load("naive"), "naive", Options(by="formula"))
    assert "against naive" in repr(found)


# --- models ---


def test_a_model_at_a_revision_is_that_of_the_revision(repository: Path, capsys: Capture) -> None:
    edit(repository / "nets" / "parts.py", "8", "16")
    before = set(Path("/tmp").glob("costcalc-*"))
    for cwd in (repository, repository / "nets"):
        env = {**os.environ, "PYTHONPATH": str(repository)}
        argv = [sys.executable, "-m", "costcalc", "diff", "nets.model:Net", "--input", "3x10x10", "--json"]
        found = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        rows = json.loads(found.stdout)["result"]["totals"]["rows"]
        old, new = (27 * width * 64 + 9 * width * 4 * 36 for width in (8, 16))
        assert (rows[0]["old"], rows[0]["new"]) == (old, new)
    edits = json.loads(found.stdout)["result"]["edits"]["rows"]
    assert edits[0]["edits"] == "weights 216 → 432, biases 8 → 16"
    assert not {path for path in set(Path("/tmp").glob("costcalc-*")) - before if "tests" not in path.name}


def test_paths_into_the_repository_lead_into_the_revision(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(repository / "nets" / "parts.py", "8", "16")
    monkeypatch.syspath_prepend(str(repository))
    monkeypatch.chdir(repository / "nets")
    found = checkouts.counted("main", "nets.model:Net", Options(inputs=("3x10x10",)))
    assert found.whole.cost.macs == 27 * 8 * 64 + 9 * 8 * 4 * 36
    (repository / "lib").mkdir()
    git(repository, "mv", "nets", "lib/nets")
    git(repository, "commit", "-qam", "two")
    monkeypatch.syspath_prepend(str(repository / "lib"))
    monkeypatch.chdir(repository)
    found = checkouts.counted("main", "nets.model:Net", Options(inputs=("3x10x10",)))
    assert found.whole.cost.macs == 27 * 16 * 64 + 9 * 16 * 4 * 36


def test_a_module_of_the_working_tree_is_no_revision(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "lately").mkdir()
    (repository / "lately" / "extra.py").write_text("")
    edit(repository / "nets" / "model.py", 'print("building")', "import extra")
    git(repository, "commit", "-qam", "two")
    monkeypatch.syspath_prepend(str(repository / "lately"))
    options = Options(inputs=("3x10x10",))
    with pytest.raises(CostcalcError, match=r"the module extra was taken from .*, which is no revision"):
        checkouts.counted("main", "nets.model:Net", options)


def test_a_saved_count_is_a_side(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent)  # where nets.py is
    path = tmp_path / "saved.json"
    for name, inputs in (
        ("googlenet-caffe", []),
        ("nets:Words", ["--input", "16:int64", "--input", "mask=16", "-k", "width=8"]),
    ):
        assert cli.main(["show", name, *inputs, "--layers", "--json", "--metrics", checkouts.METRICS]) == 0
        path.write_text(capsys.readouterr().out)
        assert cli.main(["diff", str(path), str(path), "--exit-code"]) == 0
        assert "no change" in capsys.readouterr().out
    assert cli.main(["diff", str(path), name, *inputs, "--exit-code"]) == 0


def test_unchanged_is_what_is_alike(loaded: Loaded) -> None:
    graph = loaded(BASE)
    found: list[Changed] = list(between(graph, graph).blocks)
    assert {block.state for block in found} == {"unchanged"}
    assert all(not block.difference(metric) for block in found for metric in COUNTS)


def test_a_zoo_is_no_revision_and_nearly_all_is_not_all(repository: Path, capsys: Capture) -> None:
    name = "torchvision:resnet18"
    assert cli.main(["diff", name, name]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{name} against {name}: no change."
    text = "input: [3, 64, 64]\nlayers:\n  a: {kind: conv, out: 32, kernel: 3}\n"
    text += "  b: {kind: conv, out: %d, kernel: 3}\n"
    text += "  pool: {kind: global_avgpool}\n  flat: {kind: flatten}\n  fc: {kind: linear, out: 10}\n"
    for file, out in {"x.yaml": 32, "y.yaml": 64}.items():
        (repository / file).write_text(text % out)
    assert ", nearly all of it in b (out 32 → 64);" in said(capsys, "x.yaml", "y.yaml")
