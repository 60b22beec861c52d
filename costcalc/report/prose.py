"""Prose in which no number is typed: ``{{ EXPRESSION | form }}`` is computed, ``[[TEXT | ID]]`` quoted.

An expression is arithmetic on quantities of specs, as claims have it, for example ``macs(naive) /
macs(reduced)`` in the form ``ratio``; with ``of d,k`` for its form it is a formula in these parameters.
A quotation is of a claim: its figures must be that claim's, and its place is printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from costcalc import publications, units
from costcalc.errors import Misfit, did_you_mean, shortened
from costcalc.publications import quantities

_COMPUTED = re.compile(r"\{\{\s*(?P<what>[^{}|]+?)\s*(\|\s*(?P<form>of [\w,=*]+|\w+)\s*)?\}\}")
_QUOTED = re.compile(r"\[\[\s*(?P<text>[^\[\]|]+?)\s*\|\s*(?P<id>\w+)\s*\]\]")
_OF = "of "  # begins the form of a formula
_FIGURE = re.compile(r"[0-9]+(?:[.,][0-9]+)*")
# digits that are names and no numbers: sizes of kernels and maps, places in a paper, years, names of
# modules, networks and claims, code and addresses
ALLOWED = re.compile(
    r"`[^`]*`|\]\([^)]*\)"
    r"|\b[0-9n]+×[0-9n]+(?:×[0-9]+)*"
    r"|\b(?:[Ss]ections?|Tables?|Figures?) [0-9]+(?:\.[0-9]+)?(?:(?:, | and )[0-9]+(?:\.[0-9]+)?)*"
    r"|\b(?:19|20)[0-9]{2}\b"
    r"|\b[345][a-e]\b"
    r"|\b[A-Z][0-9]{2}(?:_[0-9][a-e])?\b"
    r"|\b(?:Inception-v|VGG-|ResNet-)[0-9]+\b"
)


def _whole(value: Fraction) -> str:
    if value.denominator != 1:
        raise Misfit(f"{value} is no whole number; give a form, such as ratio or percent")
    return units.count(int(value))


FORMS: dict[str, Callable[[Fraction], str]] = {
    "count": _whole,
    "short": lambda value: units.prose(int(value)).strip(),
    "ratio": units.ratio,
    "times": lambda value: f"{float(value):.2f}",
    "percent": units.percent,
    "fraction": str,
}


def form(name: str) -> Callable[[Fraction], str]:
    """How to write a value; raises :class:`Misfit` for an unknown form."""
    if name not in FORMS:
        raise Misfit(f"no form {shortened(name)}{did_you_mean(name, FORMS)}; there are {', '.join(FORMS)}")
    return FORMS[name]


def written(text: str) -> str:
    """The text with every marker filled in; raises :class:`Misfit` for a number that was typed."""
    if found := typed(text):
        raise Misfit(
            f"{shortened(text)}: {', '.join(found)} is typed; compute it in {{{{ }}}} or quote it in [[ ]]"
        )
    return _QUOTED.sub(_quoted, _COMPUTED.sub(_computed, " ".join(text.split())))


def typed(text: str) -> list[str]:
    """Numbers in a text that are neither computed nor quoted, nor names."""
    rest = _QUOTED.sub(" ", _COMPUTED.sub(" ", text))
    return _FIGURE.findall(ALLOWED.sub(" ", rest))


def _computed(marker: re.Match[str]) -> str:
    what, named = marker["what"], marker["form"] or "count"
    if named.startswith(_OF):
        from costcalc import symbolic

        return units.formula(symbolic.written(quantities.formulated(what, named.removeprefix(_OF))[0]))
    return form(named)(quantities.evaluated(what)[0])


def _quoted(marker: re.Match[str]) -> str:
    claim = publications.named(marker["id"])
    readings = [f"{reading.published} {reading.label}" for reading in claim.readings]
    known = set(_FIGURE.findall(" ".join([claim.text, *readings])))
    if unknown := set(_FIGURE.findall(marker["text"])) - known:
        raise Misfit(f"{', '.join(sorted(unknown))} is no figure of {claim.id}")
    return f"“{marker['text']}” ({claim.where})"
