"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from costcalc.errors import ENVIRONMENT, CostcalcError


def replace(place: Path, text: str) -> None:
    """Put a text in the place of what is there, so that a reader never sees half of it.

    Raises :class:`CostcalcError` where that cannot be done, and leaves nothing behind then.
    """
    partial = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(place)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CostcalcError(f"{place}: cannot be written: {error.strerror}", ENVIRONMENT) from None
