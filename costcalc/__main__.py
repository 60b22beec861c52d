"""``python -m costcalc`` and the ``costcalc`` script."""

import gc
import os
import sys

for _name in ("stdout", "stderr"):
    if getattr(sys, _name) is None:  # closed by the shell: `>&-`
        setattr(sys, _name, open(os.devnull, "w"))  # noqa: SIM115  (for as long as the process lives)

from costcalc import cli  # noqa: E402  (looks at both streams)

# new objects between looks for garbage: with Python's own 700 that takes a tenth of a command that
# imports torch, and there is hardly any
SELDOM = 10_000


def main() -> None:
    """The entry point of the script."""
    gc.set_threshold(SELDOM)
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
