"""``python -m costcalc`` and the ``costcalc`` command."""

import sys

from costcalc import cli


def main() -> None:
    """Run the command line."""
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
