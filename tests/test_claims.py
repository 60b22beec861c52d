"""Every claim: its verdict follows, its figures are the reference's, and nothing else would do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from costcalc import printed, publications, spec, structure
from costcalc.api import counting, publishing
from costcalc.api.publishing import Claims, Derivation
from costcalc.errors import CostcalcError, Misfit
from costcalc.layers.linear import Conv
from costcalc.publications import quantities, verdicts
from costcalc.publications.records import Claim, ClaimVerdict, Reading

ALL = {claim.id: claim for claim in publications.all_claims()}
REFERENCE = yaml.safe_load((Path(__file__).parent / "data/claims.yaml").read_text())
PUBLICATIONS = publications.cited()


def judged(id: str) -> ClaimVerdict:
    return publications.judged(ALL[id])


@pytest.mark.parametrize("id", ALL)
def test_the_verdict_on_record_follows(id: str) -> None:
    found = judged(id)
    assert found.passed, (found.claim.verdict, found.following)


def test_every_reading_is_as_committed(golden: Callable[[str, str], None]) -> None:
    """So that a changed figure, published or computed, is a line in a diff."""
    lines = []
    for id in ALL:
        for found in judged(id).readings:
            reading = found.reading
            marks = [word for word in ("truncated", "implied", "contradicts") if getattr(reading, word)]
            cells = (id, reading.label, reading.published, *marks, found.outcome, found.exact)
            lines.append(" | ".join(map(str, cells)) + "\n")
    golden("data/readings.txt", "".join(lines))


@pytest.mark.parametrize("id", ALL)
def test_no_other_verdict_would_do(id: str) -> None:
    following = judged(id).following
    assert len(following) == 1 or following == ("over-stated", "not reproducible")


@pytest.mark.parametrize("id", REFERENCE)
def test_exact_values_are_those_of_the_reference(id: str) -> None:
    found = judged(id)
    exact = {reading.exact for reading in found.readings}
    exact |= {quantity.value for reading in found.readings for quantity in reading.quantities}
    missing = [value for value in REFERENCE[id]["exact"] if Fraction(value) not in exact]
    assert missing == []


@pytest.mark.parametrize("id", REFERENCE)
def test_published_values_are_those_of_the_reference(id: str) -> None:
    read = {
        printed.parse(reading.published).value
        for reading in ALL[id].readings
        if reading.published and not reading.symbols
    }
    missing = [value for value in REFERENCE[id]["published"] if Fraction(str(value)) not in read]
    assert missing == []


def test_there_are_no_fewer_claims_than_the_sources_have() -> None:
    assert len(REFERENCE) == 83
    assert REFERENCE.keys() <= ALL.keys()


@pytest.mark.parametrize("id", ALL)
def test_every_claim_says_what_where_and_why(id: str) -> None:
    claim = ALL[id]
    assert claim.publication in PUBLICATIONS
    assert set(claim.repeated) <= PUBLICATIONS.keys()
    assert claim.verdict in verdicts.MEANINGS
    assert 0 < len(claim.text) <= 100
    assert claim.note or claim.verdict.startswith(("confirmed", "derived"))
    labels = [reading.label for reading in claim.readings]
    assert all(labels)
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("key", PUBLICATIONS)
def test_every_publication_is_used(key: str) -> None:
    assert any(key in (claim.publication, *claim.repeated) for claim in ALL.values())


def test_every_figure_of_a_preset_is_a_claim() -> None:
    shown = {(reading.exact, reading.published) for claim in ALL.values() for reading in claim.readings}
    for preset in spec.presets():
        for figure in spec.load(preset).about.figures:
            target = preset if figure.target == "total" else f"{preset}:{figure.target}"
            assert (f"{figure.metric}({target})", figure.published) in shown


def test_table_1_of_googlenet_row_by_row() -> None:
    rows = {found.reading.label: found for found in judged("G02").readings}
    table = spec.load("googlenet").about.figures
    for figure in table:
        if figure.source.endswith("Table 1"):
            assert rows[f"{figure.target} {figure.metric}"].reading.published == figure.published
    off = {label for label, found in rows.items() if found.outcome == "off"}
    assert {"inception_4c weights", "inception_5a macs", "inception_5a weights"} <= off
    assert not {"conv1 macs", "conv1 weights", "conv2 weights", "linear weights"} & off


def test_a_changed_count_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Conv.weights
    quantities._exact.cache_clear()
    monkeypatch.setattr(Conv, "weights", lambda self, *xs: 2 * right(self, *xs))
    try:
        assert not publications.judged(ALL["G01"]).passed
    finally:
        quantities._exact.cache_clear()


RULES = [
    ([("2", "2")], ("confirmed",)),
    ([(">1", "2"), ("", "3")], ("confirmed",)),
    ([("2.0", "2.04")], ("confirmed to the stated precision",)),
    ([("2.0", "2.04"), ("2", "2")], ("confirmed to the stated precision",)),
    ([("2", "2"), ("2", "3")], ("depends on the variant",)),
    ([("2,000", "2000"), ("2000", "1")], ("depends on the variant",)),
    ([("2", "2"), ("3", "2")], ("not reproducible",)),
    ([("3", "2"), ("3", "1")], ("over-stated", "not reproducible")),
    ([("3", "2"), ("3", "4")], ("not reproducible",)),
    ([("3", "4")], ("not reproducible",)),
    ([("", "4")], ("derived",)),
    ([], ("not a cost claim",)),
]


@pytest.mark.parametrize(("figures", "following"), RULES)
def test_rules(figures: list[tuple[str, str]], following: tuple[str, ...]) -> None:
    readings = tuple(Reading(str(index), *pair) for index, pair in enumerate(figures))
    claim = Claim("T", "t", "p", "", (), "wrong", readings, "")
    assert publications.judged(claim).following == following
    against = tuple(replace(reading, contradicts=True) for reading in readings)
    off = following not in (
        ("confirmed",),
        ("confirmed to the stated precision",),
        ("derived",),
        ("not a cost claim",),
    )
    assert (publications.judged(replace(claim, readings=against)).following == ("wrong",)) == off


def test_a_formula_is_held_against_a_printed_one() -> None:
    def outcome(published: str) -> str | None:
        reading = Reading("a", published, "macs(dense)", "units")
        claim = Claim("T", "t", "p", "", (), "derived", (reading,), "")
        return publications.judged(claim).readings[0].outcome

    assert (outcome("units**2"), outcome("units**3"), outcome("")) == ("exact", "off", None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("macs(naive) - macs(reduced)", 175_415_296),
        ("macs(naive@module=inception_4a)", 307_077_120),
        ("weights(alexnet, linear) + weights(alexnet, conv) - weights(alexnet)", 0),
        ("params(googlenet:linear)", 1_025_000),
        ("biases(googlenet:linear)", 1000),
        ("norm(googlenet-torchvision:conv1)", 128),
        ("channels(googlenet:inception_3a)", 256),
        ("channels_in(googlenet:inception_3a)", 192),
        ("channels(googlenet:inception_3a.1x1.conv)", 64),
        ("channels(googlenet)", 1000),
        ("channels_in(googlenet)", 3),
        ("side(googlenet:inception_3a)", 28),
        ("side_in(googlenet:conv1)", 224),
        ("side_in(googlenet:pool1)", 112),
        ("layers(googlenet-caffe, conv)", 57),
        ("depth(alexnet)", 8),
        ("nonlinearities(conv3x3-pair)", 2),
        ("receptive_field(conv3x3-pair)", 5),
        ("field(alexnet:drop6, p)", Fraction(1, 2)),
        ("field(alexnet:conv1.conv, kernel)", 11),
        ("field(inception-v3:mixed_6b.b1_1x7.conv, kernel)", 7),
        ("weights(naive, linear)", 0),
        ("0.1234567890123456789012345", Fraction(1234567890123456789012345, 10**25)),
        ("activations(conv5x5)", 100_352),
        ("other_ops(conv5x5)", 50_176),
        ("(34 - 4 * 8) ** 3 // 3", 2),
        ("-1 + 2.5", Fraction(3, 2)),
    ],
)
def test_quantities(text: str, value: Fraction | int) -> None:
    assert quantities.evaluated(text)[0] == value


def test_peak_activations_as_a_quantity() -> None:
    graph = spec.load("googlenet")
    whole = counting.costs(graph, "formula").whole
    assert quantities.evaluated("peak_activations(googlenet)")[0] == whole.structure.peak_activations
    assert structure.whole(graph, counting.costs(graph, "formula").table) == whole


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mac(naive)", "did you mean 'macs'"),
        ("macs(naive:3x4)", "no block '3x4'"),
        ("depth(naive:3x4)", "no block '3x4'"),
        ("channels(naive:3x4)", "no block '3x4'"),
        ("macs(naive:3x4, conv)", "no block '3x4'"),
        ("weights(naive, con)", "did you mean 'conv'"),
        ("depth(naive, conv)", "does not belong here"),
        ("channels(naive, conv)", "does not belong here"),
        ("field(alexnet:drop6)", "dropout has no number ''"),
        ("field(alexnet:drop6, q)", "dropout has no number 'q'"),
        ("field(alexnet:conv1.conv, bias)", "conv has no number 'bias'"),
        ("field(alexnet, p)", "no block ''"),
        ("side(vgg16)", "no height and width"),
        ("side(naive@input=192x28x14)", "is no square"),
        ("macs(naive) + __0__", "is not allowed"),
        ("1e3 * macs(naive)", "no number here"),
        ("(2**9)**9", "power of a power"),
        ("macs(naive) +", "is not arithmetic"),
        ("macs(naive) / 0", "divides by zero"),
        ("macs(naive) / q", "unknown name 'q'"),
        ("2 ** macs(naive)", "exponent"),
        ("macs(naive) if 1 else 2", "is not arithmetic"),
        ("1 + " * 200 + "1", "longer than"),
        ("receptive_field(conv-1xn-nx1:conv1)", "is no square"),
    ],
)
def test_broken_arithmetic_is_said(text: str, message: str) -> None:
    with pytest.raises((Misfit, CostcalcError), match=message):
        quantities.evaluated(text)


def test_every_verdict_is_met() -> None:
    assert {claim.verdict for claim in ALL.values()} == verdicts.MEANINGS.keys()


def test_a_verdict_that_no_longer_follows_is_told_with_what_does() -> None:
    found = judged("G05")
    told = str(Derivation(replace(found, claim=replace(found.claim, verdict="wrong"))))
    assert "RECORDED AS WRONG; NOW OVER-STATED OR NOT REPRODUCIBLE: it comes out for no reading" in told
    listed = str(Claims((replace(found, claim=replace(found.claim, verdict="wrong")),)))
    assert "The verdict on record no longer follows: G05." in listed


def test_filters() -> None:
    wrong = publishing.claims(verdict="wrong")
    assert {found.claim.verdict for found in wrong.verdicts} == {"wrong"}
    assert wrong.passed
    assert {found.claim.id for found in publishing.claims(of="alexnet").verdicts} >= {"G05", "A01"}
    lecture = publishing.claims(paper="lecture")
    assert {"L01", "L09"} <= {found.claim.id for found in lecture.verdicts}
    for bad in ({"paper": "googelnet"}, {"of": "alexnett"}, {"verdict": "confirm"}):
        with pytest.raises(CostcalcError, match="did you mean"):
            publishing.claims(**bad)
    with pytest.raises(CostcalcError, match="leave out a filter"):
        publishing.claims(paper="lecture", of="xception")
    with pytest.raises(CostcalcError, match="no claim 'Z99'"):
        publishing.claim("Z99")
    assert publishing.claim("g05").verdict.claim.id == "G05"
