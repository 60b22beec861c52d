"""Findings as JUnit XML, which Jenkins, GitLab, Azure and CircleCI show: a suite per model, a case per limit.

Attributes are those of the schema that Jenkins publishes, with ``file`` and ``line`` as GitLab reads them:
https://github.com/jenkinsci/xunit-plugin, https://docs.gitlab.com/ci/testing/unit_test_reports/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from costcalc.findings import BROKEN, UNDECIDED, Finding, Growth
from costcalc.records import TOTAL
from costcalc.views.metrics import LABELS

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_STRANGE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in no XML document
COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def written(found: Sequence[Finding], config: str, strict: bool) -> str:
    """The document; what is said of no model belongs to the suite of the configuration.

    A warning fails if ``strict``, else it is told beside a case that passes. No times: nothing was run.
    """
    from xml.etree import ElementTree

    root = ElementTree.Element("testsuites", name=_clean(f"costcalc guard {config}"))
    suites = list(dict.fromkeys(each.model or config for each in found))
    for name in suites:
        suite = ElementTree.SubElement(root, "testsuite", name=_clean(name))
        cases: set[str] = set()
        for each in found:
            if (each.model or config) == name:
                suite.append(_case(each, name, _free(_named(each), cases), strict))
        _sum(suite, list(suite))
    _sum(root, list(root.iter("testcase")))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _named(found: Finding) -> str:
    growth = " growth" if isinstance(found.figures, Growth) else ""
    return f"{found.part or TOTAL} {_metric(found)}{growth}" if found.metric else found.verdict


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number where several budgets limit the same; it is taken then."""
    numbered = (name, *(f"{name} ({number})" for number in range(2, len(taken) + 3)))
    free = next(each for each in numbered if each not in taken)
    taken.add(free)
    return free


def _case(found: Finding, suite: str, name: str, strict: bool) -> Element:
    from xml.etree import ElementTree

    place = found.place
    case = ElementTree.Element(
        "testcase", classname=_clean(suite), name=_clean(name), file=_clean(place.file), line=str(place.line)
    )
    if tag := _outcome(found, strict):
        told = ElementTree.SubElement(case, tag, message=_clean(found.message))
        if tag != "skipped":
            told.set("type", found.verdict)
            places = dict.fromkeys(f"{each.file}:{each.line}" for each in (place, found.rule))
            told.text = _clean("\n".join([found.message, *places]))
    elif found.level:
        ElementTree.SubElement(case, "system-out").text = _clean(f"{found.level}: {found.message}")
    return case


def _outcome(found: Finding, strict: bool) -> str:
    """The element that tells what became of a limit; none where it passes."""
    if found.verdict in UNDECIDED or found.level == "notice":
        return "skipped"
    if found.verdict == BROKEN:
        return "error"
    return "failure" if found.level == "error" or (strict and found.level == "warning") else ""


def _sum(element: Element, cases: Sequence[Element]) -> None:
    element.set("tests", str(len(cases)))
    for key, tag in COUNTED.items():
        element.set(key, str(sum(case.find(tag) is not None for case in cases)))


def _metric(found: Finding) -> str:
    return LABELS.get(found.metric, found.metric)


def _clean(text: str) -> str:
    return _STRANGE.sub("?", text)
