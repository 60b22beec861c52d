"""Files that are written whole or not at all; compressed where their name ends in ``.gz``."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

from costcalc.errors import ENVIRONMENT, CostcalcError

COMPRESSED = ".gz"


def read(place: Path) -> str:
    """The text of a file; raises OSError, or ValueError where what it holds is none."""
    data = place.read_bytes()
    if place.suffix == COMPRESSED:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            raise ValueError("no gzip, but named so") from None
    return data.decode()


def replace(place: Path, text: str) -> None:
    """Put a text in the place of what is there, so that a reader never sees half of it.

    Raises :class:`CostcalcError` where that cannot be done, and leaves nothing behind then.
    """
    data = text.encode()
    partial = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        partial.write_bytes(gzip.compress(data, mtime=0) if place.suffix == COMPRESSED else data)
        partial.replace(place)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CostcalcError(f"{place}: cannot be written: {error.strerror}", ENVIRONMENT) from None
