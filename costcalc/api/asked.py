"""What is asked for, checked: for Python as for the command line."""

from __future__ import annotations

from collections.abc import Sequence

from costcalc.errors import CostcalcError, did_you_mean, shortened
from costcalc.units import is_whole

MOST, MOST_THREADS, MOST_PROCESSES = 10**9, 4096, 1000  # more of them is a slip


def layout(dtype: str) -> str:
    """Matrix units of GPUs, and vector units of CPUs, want channels last in 16 bits."""
    return "channels_last" if dtype in ("fp16", "bf16") else "nchw"


def one_of(what: str, word: str, known: Sequence[str]) -> str:
    """The word, if it is one of those; raises :class:`CostcalcError` with the nearest."""
    if word not in known:
        hint = did_you_mean(word, known) or f"; there are {', '.join(known)}"
        raise CostcalcError(f"no {what} {shortened(word)}{hint}")
    return word


def positive(what: str, number: int, most: int = MOST) -> int:
    """The number, if it is whole and within its limits."""
    if not is_whole(number) or not 1 <= number <= most:
        raise CostcalcError(f"--{what} {shortened(number)}: give a whole number from 1 to {most:,}")
    return number


def sizes(batch: int | Sequence[int]) -> tuple[int, ...]:
    """Batches, of which there is one at least."""
    found = (batch,) if isinstance(batch, int) else tuple(batch)
    if not found:
        raise CostcalcError("no batch given; for example 1, or 1 and 8")
    return tuple(positive("batch", each) for each in found)
