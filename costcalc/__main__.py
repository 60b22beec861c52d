"""``python -m costcalc`` and the ``costcalc`` script."""

import os
import sys

for _name in ("stdout", "stderr"):
    if getattr(sys, _name) is None:  # closed by the shell: `>&-`
        setattr(sys, _name, open(os.devnull, "w"))  # noqa: SIM115  (for as long as the process lives)

from costcalc import cli  # noqa: E402  (looks at both streams)


def main() -> None:
    """The entry point of the script."""
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
