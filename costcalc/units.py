"""Numbers from fingers and for eyes: ``1.5G`` in, ``1,498,677,248`` and ``1.499 G`` out."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from math import floor, log10
from typing import TypeGuard

from costcalc.errors import Misfit, shortened

PREFIXES = {"": 0, "k": 3, "K": 3, "M": 6, "G": 9, "T": 12}
MAX_DIGITS = 30  # a longer count is a slip or an attack, and 10**(10**9) does not fit in memory
READABLE = 50  # numerators and denominators up to here are shown as a fraction

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

# patterns are compiled where they are used: not every command reads numbers from fingers
_QUANTITY = (
    r"(?P<number>([0-9]{1,3}(,[0-9]{3})+|[0-9][0-9_]*)(\.[0-9_]*)?|\.[0-9]+)"
    r"(?P<exponent>[eE][+-]?[0-9]{1,3})?\s*(?P<unit>[A-Za-z-]*)"
)
_FLOPS = r"(?i)flops?(/s)?|ops"
_WORDS = {
    "macs": ("mac", "macs", "mult-adds", "multiply-adds", "madds"),
    "params": ("params", "parameters", "weights"),
    "activations": ("activations", "elements"),
}

_TIMES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_SHOWN = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
_DURATION = r"(?P<number>[0-9]{1,12}(\.[0-9]{1,12})?|\.[0-9]{1,12})\s*(?P<unit>s|ms|us|µs|ns)"


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number; true and false are not, an integer that knows its formula is."""
    return isinstance(value, int) and not isinstance(value, bool)


def quantity(text: str, counted: str = "macs") -> int:
    """A count as a person writes it: ``1.5e9``, ``1.5G``, ``1_500_000_000``, ``1.5 GMACs``.

    ``counted`` is what the number must count (``macs``, ``params``, ``activations``); FLOPs where
    MACs are due, other units, fractions of a count and signs raise :class:`Misfit`.
    """
    value, _ = _scaled(text, counted)
    if value.denominator != 1:
        raise Misfit(f"{text!r} is not a whole number of {counted}")
    return int(value)


def published(text: str) -> tuple[Fraction, Fraction]:
    """A printed figure and half a unit of its last digit: ``"159K"`` → (159000, 500)."""
    return _scaled(text, "macs")


def _scaled(text: str, counted: str) -> tuple[Fraction, Fraction]:
    match = re.fullmatch(_QUANTITY, text.strip()) if len(text) <= 64 else None
    if match is None:
        raise Misfit(f"{shortened(text)} is not a count; write for example 1.5e9, 1.5G or 1_500_000_000")
    number = match["number"].replace("_", "").replace(",", "")
    exponent = int((match["exponent"] or "e0")[1:]) + PREFIXES[_prefix(text, match["unit"], counted)]
    if abs(exponent) + len(number) > MAX_DIGITS:
        raise Misfit(f"{text!r} is out of range; counts have at most {MAX_DIGITS} digits")
    decimals = len(number.partition(".")[2])
    scale = Fraction(10) ** exponent
    return Fraction(Decimal(number)) * scale, scale / 10**decimals / 2


def _prefix(text: str, unit: str, counted: str) -> str:
    """The prefix of a unit: ``GMACs`` → ``G``; the M of ``MACs`` is none."""
    prefix, word = (
        (unit[:1], unit[1:]) if unit[:1] in PREFIXES and unit.lower() not in _WORDS[counted] else ("", unit)
    )
    if not word or word.lower() in _WORDS[counted]:
        return prefix
    if counted == "macs" and re.fullmatch(_FLOPS, word):
        raise Misfit(f"{text!r} is in FLOPs where MACs are due; 1 MAC = 2 FLOPs, so halve the number")
    raise Misfit(f"{text!r}: unknown unit {unit!r} for {counted}; use none, or K, M, G, T before {counted}")


def duration(text: str) -> float:
    """A time as a person writes it, in seconds: ``5ms``, ``0.5 s``, ``800us``; raises :class:`Misfit`."""
    match = re.fullmatch(_DURATION, text.strip()) if len(text) <= 64 else None
    if match is None:
        raise Misfit(f"{shortened(text)} is not a time; write for example 5ms, 800us or 0.5s")
    if not (found := float(match["number"]) * _TIMES[match["unit"].replace("µ", "u")]):
        raise Misfit(f"{shortened(text)} is no time at all")
    return found


def seconds(value: float) -> str:
    """Four significant digits in the unit that suits: ``0.004231`` → ``"4.231 ms"``."""
    if not value:
        return "0 s"
    unit, scale = next((pair for pair in _SHOWN if abs(value) >= pair[1]), _SHOWN[-1])
    shown = float(f"{value / scale:.4g}")
    if abs(shown) >= 1000 and unit != "s":  # 999.96 ms is a second
        return seconds(shown * scale)
    digits = max(0, 3 - floor(log10(abs(shown))))
    return f"{shown:,.{digits}f} {unit}"


def bytes_(value: int) -> str:
    """``27994496`` → ``"27.99 MB"``: powers of ten, as datasheets count."""
    shown = prose(value)
    return f"{shown.replace('K', 'k')}{'B' if shown[-1].isalpha() else ' B'}"


def count(value: int) -> str:
    """``1498677248`` → ``"1,498,677,248"``."""
    return f"{value:,}"


def prose(value: int) -> str:
    """Four significant digits and a prefix, for sentences: ``1498677248`` → ``"1.499 G"``."""
    mantissa, _, exponent = f"{value:.3e}".partition("e")
    thousands, places = divmod(int(exponent), 3)
    if not 0 < thousands < 5:
        return count(value)
    prefix = ("", "K", "M", "G", "T")[thousands]
    return f"{float(mantissa) * 10**places:.{3 - places}f} {prefix}"


def distinct(a: int, b: int) -> tuple[str, str]:
    """Both in prose, or both exact where prose would print two different counts alike."""
    short = prose(a), prose(b)
    return short if a == b or short[0] != short[1] else (count(a), count(b))


def percent(share: Fraction | float, digits: int = 1) -> str:
    """``Fraction(7, 25)`` → ``"28.0 %"``; more digits where a share would round to nothing."""
    if abs(float(share)) >= 100:
        return f"{float(share):,.0f}×"  # thousands of percent say less
    for places in range(digits, 5):
        shown = f"{float(share) * 100:.{places}f}"
        if not share or float(shown):
            return f"{shown} %"
    return f"{'<' if share > 0 else '>-'}0.0001 %"


def ratio(value: Fraction) -> str:
    """``25/18 = 1.389×`` where the exact fraction is small enough to read, else ``2.370×``."""
    if value.denominator == 1:
        return f"{count(value.numerator)}×"
    exact = (
        f"{value.numerator}/{value.denominator} = "
        if max(value.numerator, value.denominator) <= READABLE
        else ""
    )
    digits = next((digits for digits in (3, 4, 5, 6) if float(f"{float(value):.{digits}f}") != 1), 6)
    return f"{exact}{float(value):,.{digits}f}×"


def marked(value: Fraction, mark: str) -> str:
    """An exact value as the printed one beside it is written: a count, ``28.00 %`` or ``2.370×``."""
    if mark == "%":
        return percent(value, 2)
    if mark == "×":
        return ratio(value)
    if value.denominator == 1:
        return count(int(value))
    return f"{float(value):,.1f}" if abs(value) >= 1000 else f"{float(value):.4g}"


def step(value: Fraction, mark: str) -> str:
    """A unit of precision in few digits: ``500``, ``0.005×``, ``0.5 %``."""
    number = float(value * 100 if mark == "%" else value)
    shown = f"{number:,.0f}" if number == int(number) else f"{number:.6g}"
    return f"{shown}{' %' if mark == '%' else mark}"


def formula(text: str) -> str:
    """A formula as people write it: ``18*c**2*floor(d/2)**2`` → ``18·c²·⌊d/2⌋²``."""
    for word, left, right in (("floor", "⌊", "⌋"), ("sqrt", "√(", ")")):
        while f"{word}(" in text:
            start = text.index(f"{word}(")
            end = _closing(text, start + len(word))
            text = f"{text[:start]}{left}{text[start + len(word) + 1 : end]}{right}{text[end + 1 :]}"
    text = re.sub(r"√\((\w+)\)", r"√\1", text)
    text = re.sub(r"\*\*([0-9]+)", lambda power: power[1].translate(_RAISED), text)
    text = re.sub(r"(?<![\w.])[0-9]{4,}", lambda number: count(int(number[0])), text)
    return re.sub(r"\balpha\b", "α", text.replace("**", "^").replace("*", "·"))


def _closing(text: str, opening: int) -> int:
    """Where the parenthesis that opens at ``opening`` closes."""
    depth = 0
    for index in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return len(text)


def shape(dims: tuple[int, ...]) -> str:
    """``(64, 112, 112)`` → ``"64×112×112"``: channels, height, width."""
    return "×".join(str(dim) for dim in dims)
