"""The claims as they stand in data: one file per publication, and the figures that presets carry."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from costcalc import printed, spec
from costcalc.publications.verdicts import CONFIRMED, CONFIRMED_TO_PRECISION, NOT_REPRODUCIBLE
from costcalc.records import TOTAL, Claim, Figure, Mark, Reading
from costcalc.spec.source import read

_FILES = Path(__file__).resolve().parent
RECORDED = "presets"  # the publication of what presets carry and no claim takes up


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _text(value: Any) -> Any:
    """A figure without quotes as the text it stands for."""
    return f"{value:.15g}" if type(value) in (int, float) else value


class ReadingEntry(_Strict):
    """A reading as it stands in a file; ``recorded`` takes up figures that a preset carries."""

    label: str = ""
    published: Annotated[str, BeforeValidator(_text)] = ""
    exact: Annotated[str, BeforeValidator(_text)] = ""
    symbols: str = ""
    mark: Mark | None = None  # how to show a value beside which nothing is printed
    truncated: bool = False
    note: str = ""
    recorded: str = ""
    metric: str = ""
    source: str = ""

    def readings(self) -> Iterator[Reading]:
        """The reading, or one per recorded figure."""
        if not self.recorded:
            mark = _mark(self.published) if self.mark is None else self.mark
            fields = (self.label, self.published, self.exact, self.symbols)
            yield Reading(*fields, mark, self.truncated, None, self.note)
            return
        for figure in _carried(self.recorded):
            if self.metric in ("", figure.metric) and self.source in figure.source:
                yield recorded(self.recorded, figure)


class ClaimEntry(_Strict):
    """A claim as it stands in a file, under its id."""

    claim: str
    where: str = ""
    repeated: list[str] = []
    verdict: str
    readings: list[ReadingEntry] = []
    note: str = ""


class PublicationEntry(_Strict):
    """A file: how the publication is cited, and what it claims."""

    cite: str
    claims: dict[str, ClaimEntry] = {}


def _mark(published: str) -> Mark:
    return published[-1] if published.endswith(("%", "×")) else ""  # type: ignore[return-value]


def recorded(preset: str, figure: Figure) -> Reading:
    """A figure that a preset carries, as a reading."""
    where = preset if figure.target == TOTAL else f"{preset}:{figure.target}"
    what = (preset if figure.target == TOTAL else figure.target, figure.metric)
    return Reading(
        label=" ".join(what),
        published=figure.published,
        exact=f"{figure.metric}({where})",
        truncated=figure.truncated,
        within=figure.within,
        note=figure.note,
    )


@cache
def _carried(preset: str) -> tuple[Figure, ...]:
    return spec.load(preset).about.figures


@cache
def publications() -> dict[str, PublicationEntry]:
    """Every publication by its key, sorted."""
    found = {}
    for path in sorted(_FILES.glob("*.yaml")):
        plain = read(path.read_text(encoding="utf-8"), path.name).plain()
        found[path.stem] = PublicationEntry.model_validate(plain)
    return found


def all_claims() -> tuple[Claim, ...]:
    """The claims of every publication, then the figures that presets carry and none of them takes up."""
    own = [
        _claim(key, id_, entry)
        for key, publication in publications().items()
        for id_, entry in publication.claims.items()
    ]
    taken = {reading.exact + reading.published for claim in own for reading in claim.readings}
    return (
        *own,
        *(
            claim
            for claim in _of_presets()
            if claim.readings[0].exact + claim.readings[0].published not in taken
        ),
    )


def _claim(publication: str, id_: str, entry: ClaimEntry) -> Claim:
    readings = tuple(reading for found in entry.readings for reading in found.readings())
    fields = (entry.claim, publication, entry.where, tuple(entry.repeated), entry.verdict, readings)
    return Claim(id_, *fields, entry.note)


def _of_presets() -> Iterator[Claim]:
    for preset in spec.presets():
        for figure in _carried(preset):
            reading = recorded(preset, figure)
            id_ = (
                f"{preset}.{figure.metric}"
                if figure.target == TOTAL
                else f"{preset}:{figure.target}.{figure.metric}"
            )
            text = f"{preset}: {figure.published} {figure.metric}" + (
                "" if figure.target == TOTAL else f" in {figure.target}"
            )
            yield Claim(
                id_, text, RECORDED, figure.source, (), _verdict(figure), (reading,), figure.note, preset
            )


def _verdict(figure: Figure) -> str:
    """The verdict that a preset's file records by ``holds`` and by how the figure is printed."""
    if not figure.holds:
        return NOT_REPRODUCIBLE
    whole = printed.parse(figure.published)
    is_exact = whole.sort != "value" or (whole.unit == 1 and not figure.truncated)
    return CONFIRMED if is_exact else CONFIRMED_TO_PRECISION
