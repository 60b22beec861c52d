"""What is known of this run before any command is loaded, and where it may speak besides its result."""

from __future__ import annotations

import sys


class Run:
    """The options of this run that stand before the command."""

    debug = False
    quiet = False


def say(text: str) -> None:
    """A line on stderr."""
    sys.stdout.flush()
    print(text, file=sys.stderr)
