"""Holds published figures of torchvision's and timm's models against exact counts, row by row of a CSV.

    python benchmarks/zoo.py tests/data/zoo_timm.csv

Columns: model, source, input_size, params, gmacs, macts, params_tol, gmacs_tol, macts_tol, convention. A row
whose source or convention speaks of timm or fvcore is of timm, counted as fvcore does (``macts``: elements
given by the convolutions and products that it records); any other is torchvision's, in multiply-adds. A
figure holds if the exact count, rounded to the decimals that are printed, is that figure, or within the row's
tolerance. Exit code 0 if all hold, 1 if one does not, 2 if the file or a model cannot be read.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from math import prod
from pathlib import Path

from costcalc import conventions
from costcalc.attribution import Attribution
from costcalc.errors import CostcalcError
from costcalc.execution import Execution, Operation
from costcalc.foreign import prepared

NEEDED = ("model", "source", "input_size", "params", "gmacs", "convention")
UNITS = {"params": (0, 6), "gmacs": (9, 9), "macts": (6, 6)}  # powers of ten of a whole number, of a fraction
UNFUSED = "attention_unfused"
# whose outputs fvcore's ActivationCountAnalysis adds up
ACTIVATING = frozenset(
    f"aten::{name}"
    for name in """
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear addmm bmm matmul
    """.split()
)
# composite operators that it looks into, or bills as the product inside
SEEN_THROUGH = frozenset(
    f"aten::{name}" for name in "lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell einsum".split()
)


class UnreadableError(Exception):
    """A file, a row or a model that cannot be held against anything."""


@dataclass(frozen=True)
class Reading:
    """A model counted in one convention."""

    convention: str
    figures: dict[str, int]


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of the file, complete; raises :class:`UnreadableError`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path}: {getattr(error, 'strerror', None) or 'is no text'}") from error
    reader = csv.DictReader(lines, strict=True)
    missing = [column for column in NEEDED if column not in (reader.fieldnames or ())]
    if missing:
        raise UnreadableError(f"{path}:1: no column {', '.join(missing)}; there must be {', '.join(NEEDED)}")
    try:
        for row in reader:
            if None in row or None in row.values():
                raise UnreadableError(
                    f"{path}:{reader.line_num}: a row has {len(reader.fieldnames or ())} fields"
                )
            yield {**row, "place": f"{path}:{reader.line_num}"}
    except csv.Error as error:
        raise UnreadableError(f"{path}:{reader.line_num + 1}: {error}") from error


def is_timm(row: dict[str, str]) -> bool:
    """Whether the row is of timm's models, and so of fvcore's convention."""
    return any(word in f"{row['source']} {row['convention']}".lower() for word in ("timm", "fvcore"))


def executed(row: dict[str, str]) -> Execution:
    """The model run on an image of that size; one that must be built for a size is built for it."""
    package, size = ("timm", "img_size") if is_timm(row) else ("torchvision", "image_size")
    side, name = row["input_size"].strip(), f"{package}:{row['model']}"
    if not side.isdecimal():
        raise UnreadableError(f"{row['place']}: input_size {side!r} is no side of an image, such as 224")
    try:
        return prepared(name, {}, [f"3x{side}x{side}"]).run()
    except CostcalcError as refused:
        try:
            return prepared(name, {size: side}, [f"3x{side}x{side}"]).run()
        except CostcalcError:
            raise UnreadableError(f"{row['place']}: {refused}") from refused


def readings(row: dict[str, str], execution: Execution) -> tuple[Reading, ...]:
    """The model in every convention that the row may be in: attention fused, or as two products."""
    total = Attribution(execution).table.total
    if not is_timm(row):
        return (Reading("MACs", {"params": total.params, "gmacs": total.macs}),)
    macs = sum(term.total for term in conventions.named("fvcore").terms(execution))
    seen = [ran for ran in execution.operations if all(name in SEEN_THROUGH for name in ran.within)]
    active = sum(prod(ran.outputs[0]) for ran in seen if ran.operator in ACTIVATING and not worded(ran))
    attention = [ran for ran in seen if ran.operator == "aten::scaled_dot_product_attention"]
    fused = Reading("fvcore", {"params": total.params, "gmacs": macs, "macts": active})
    unfused = Reading(
        "fvcore, attention unfused",
        {
            "params": total.params,
            "gmacs": macs + sum(ran.macs for ran in attention),
            "macts": active + sum(scores(ran) + prod(ran.outputs[0]) for ran in attention),
        },
    )
    return (unfused,) if UNFUSED in row["convention"] else (fused, unfused)


def worded(operation: Operation) -> bool:
    """A convolution with padding given as a word, which fvcore passes over."""
    return operation.operator.startswith("aten::conv") and any(
        isinstance(a, str) for a in operation.arguments
    )


def scores(operation: Operation) -> int:
    """How many products of a query and a key attention has."""
    query, key = operation.arguments[:2]
    return prod(query[:-1]) * int(key[-2])


def holds(row: dict[str, str], metric: str, exact: int) -> bool:
    """Whether the figure is the count at its precision, or within the tolerance stated."""
    published = number(row, metric)
    power = UNITS[metric]["." in row[metric]]
    scaled = Decimal(exact).scaleb(-power)
    return scaled.quantize(published, ROUND_HALF_EVEN) == published or abs(scaled - published) <= number(
        row, f"{metric}_tol"
    )


def number(row: dict[str, str], column: str) -> Decimal:
    """A figure as printed, 0 where there is none."""
    text = (row.get(column) or "0").strip()
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,12})?", text):
        raise UnreadableError(f"{row['place']}: {column} {text[:40]!r} is no number")
    return Decimal(text)


def judged(row: dict[str, str]) -> tuple[bool, str]:
    """Whether all figures of a row hold, and the line that says so."""
    stated = [metric for metric in UNITS if row.get(metric)]
    for metric in stated:
        number(row, metric)
        number(row, f"{metric}_tol")
    every = readings(row, executed(row))
    missed = [
        [m for m in stated if m in reading.figures and not holds(row, m, reading.figures[m])]
        for reading in every
    ]
    best = min(range(len(every)), key=lambda index: len(missed[index]))
    shown = ", ".join(
        f"{metric} {row[metric]} = {every[best].figures[metric]:,}"
        for metric in stated
        if metric in every[best].figures
    )
    verdict = f"MISSED {', '.join(missed[best])}" if missed[best] else "holds"
    return not missed[
        best
    ], f"{row['model']} at {row['input_size']}: {shown} ({every[best].convention}): {verdict}"


def main(arguments: Sequence[str]) -> int:
    """Print a line per row and a closing one; the exit code."""
    if len(arguments) != 1:
        print("usage: python benchmarks/zoo.py FILE.csv", file=sys.stderr)
        return 2
    held = total = unread = 0
    try:
        for row in rows(Path(arguments[0])):
            total += 1
            try:
                passed, line = judged(row)
                held += passed
                print(line, flush=True)
            except UnreadableError as error:
                unread += 1
                print(error, file=sys.stderr)
    except UnreadableError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{held} of {total} rows hold")
    return 2 if unread or not total else int(held < total)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
