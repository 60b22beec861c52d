"""The claims as they stand in data: one file per publication."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

from costcalc import spec
from costcalc.errors import Misfit, shortened
from costcalc.publications.records import Claim, Reading
from costcalc.publications.verdicts import MEANINGS
from costcalc.records import TOTAL, Figure, Mark
from costcalc.spec.schema import NOTHING, figure
from costcalc.spec.source import read
from costcalc.validated import Validated, mapping, text

_FILES = Path(__file__).resolve().parent
_MARKS: dict[str, Mark] = {"%": "%", "×": "×"}


def _verdict(value: str) -> str:
    if value not in MEANINGS:
        raise Misfit(f"no verdict {shortened(value)}")
    return value


def _entry(value: object) -> ReadingEntry | RecordedEntry:
    found = mapping(value)
    return RecordedEntry(**found) if "recorded" in found else ReadingEntry(**found)


Text = Annotated[str, figure, text]
Verdict = Annotated[str, text, _verdict]
Entry = Annotated["ReadingEntry | RecordedEntry", _entry]


class ReadingEntry(Validated):
    """A reading as it stands in a file: what is printed, or what the words imply, beside what is exact."""

    label: str
    exact: Text
    published: Text = ""
    implied: Text = ""
    symbols: str = ""
    mark: Mark | None = None  # how to show a value beside which nothing is printed
    truncated: bool = False
    contradicts: bool = False
    note: str = ""

    def readings(self) -> Iterator[Reading]:
        """The reading."""
        figure = self.published or self.implied
        yield Reading(
            label=self.label,
            published=figure,
            exact=self.exact,
            symbols=self.symbols,
            mark=_MARKS.get(figure[-1:], "") if self.mark is None else self.mark,
            truncated=self.truncated,
            implied=bool(self.implied),
            contradicts=self.contradicts,
            note=self.note,
        )


class RecordedEntry(Validated):
    """Figures that a preset carries: all of them, or of one metric, or of one source."""

    recorded: str
    metric: str = ""
    source: str = ""
    contradicts: bool = False

    def readings(self) -> Iterator[Reading]:
        """One reading per figure."""
        for one in spec.figures(self.recorded):
            if self.metric in ("", one.metric) and self.source in one.source:
                yield recorded(self.recorded, one, self.contradicts)


class ClaimEntry(Validated):
    """A claim as it stands in a file, under its id."""

    claim: str
    where: str = ""
    repeated: tuple[str, ...] = ()
    verdict: Verdict
    readings: tuple[Entry, ...] = ()
    note: str = ""


class PublicationEntry(Validated):
    """A file: how the publication is cited, and what it claims."""

    cite: str
    claims: Mapping[str, ClaimEntry] = NOTHING


def recorded(preset: str, figure: Figure, contradicts: bool = False) -> Reading:
    """A figure that a preset carries, as a reading."""
    whole = figure.target == TOTAL
    return Reading(
        label=f"{preset if whole else figure.target} {figure.metric}",
        published=figure.published,
        exact=f"{figure.metric}({preset if whole else f'{preset}:{figure.target}'})",
        truncated=figure.truncated,
        within=figure.within,
        contradicts=contradicts,
        note=figure.note,
    )


@cache
def _texts() -> dict[str, str]:
    """Every file by the key of its publication, sorted."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(_FILES.glob("*.yaml"))}


@cache
def publication(key: str) -> PublicationEntry:
    """The publication of that key."""
    return PublicationEntry(**read(_texts()[key], f"{key}.yaml").plain())


def publications() -> dict[str, PublicationEntry]:
    """Every publication by its key, sorted."""
    return {key: publication(key) for key in _texts()}


@cache
def all_claims() -> tuple[Claim, ...]:
    """The claims of every publication, in the order of the files."""
    return tuple(
        _claim(key, id_, entry)
        for key, publication in publications().items()
        for id_, entry in publication.claims.items()
    )


def find(id: str) -> Claim | None:
    """The claim of that id, in whatever case; only files that mention it are parsed."""
    wanted = id.lower()
    for key, written in _texts().items():
        if wanted in written.lower():
            for id_, entry in publication(key).claims.items():
                if id_.lower() == wanted:
                    return _claim(key, id_, entry)
    return None


def _claim(publication: str, id_: str, entry: ClaimEntry) -> Claim:
    readings = tuple(reading for found in entry.readings for reading in found.readings())
    fields = (entry.claim, publication, entry.where, entry.repeated, entry.verdict, readings)
    return Claim(id_, *fields, entry.note)
