"""A number in a preset file counts: changing one changes what is seen of the preset, or is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from hashlib import sha256

import pytest

from costcalc import spec
from costcalc.errors import CostcalcError
from costcalc.graph import INPUT, Graph


def fingerprint(graph: Graph) -> str:
    """A digest of the layers with all fields, sources and shapes, and of what the spec says of itself."""
    about = graph.about
    seen = [
        graph.name,
        graph.input_shape,
        graph.outputs,
        (about.summary, about.family, about.source),
        *(
            (f.target, f.metric, f.published, f.source, f.within, f.truncated, f.holds, f.note)
            for f in about.figures
        ),
        *(
            (node.name, node.layer.kind, node.layer.values(), node.sources, node.output_shape)
            for node in graph.nodes
        ),
    ]
    return sha256("\n".join(map(repr, seen)).encode()).hexdigest()


def looks(name: str) -> Iterator[str]:
    """A spec from every side: as it is, in training, what can be set, and with each parameter set."""
    yield fingerprint(spec.load(name))
    yield fingerprint(spec.load(name, training=True))
    paths = sorted(spec.settable(name))
    yield " ".join(paths)
    for parameter in paths:
        if "." not in parameter and parameter != INPUT:
            try:
                yield fingerprint(spec.load(name, {parameter: "7"}))
            except CostcalcError:
                yield parameter


def changes(text: str) -> Iterator[str]:
    """The text with one of its whole numbers one larger; comments are left alone."""
    code = re.sub(r"(^|\s)#.*", lambda found: " " * len(found[0]), text, flags=re.MULTILINE)
    for number in re.finditer(r"[0-9]+", code):
        yield f"{text[: number.start()]}{int(number[0]) + 1}{text[number.end() :]}"


def test_presets_are_as_committed(golden: Callable[[str, str], None]) -> None:
    """So that a change of a preset or shipped block is a line in a diff; ``--update-golden`` writes it."""
    found = [f"{name}: {fingerprint(spec.load(name))}\n" for name in spec.presets()]
    golden("data/fingerprints.yaml", "".join(found))


@pytest.mark.parametrize("name", spec.presets())
def test_every_number_counts(name: str, written: Callable[..., str]) -> None:
    right = list(looks(written(spec.text(name))))
    for changed in changes(spec.text(name)):
        try:
            differs = any(one != other for one, other in zip(looks(written(changed)), right, strict=False))
        except CostcalcError:
            continue
        assert differs, changed


def test_comments_are_left_alone() -> None:
    assert list(changes("a: 1  # 2\n# 3\nb: conv4 # 5")) == [
        "a: 2  # 2\n# 3\nb: conv4 # 5",
        "a: 1  # 2\n# 3\nb: conv5 # 5",
    ]
