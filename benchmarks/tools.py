"""Measures what a counter says of the models in ``tests/data/tools.yaml``, and prints its lines of that file.

    python benchmarks/tools.py fvcore
    python benchmarks/tools.py thop resnet18 "conv, transposed"

The tool has to be installed; ``thop`` and ``ultralytics-thop`` install a module of the same name, so each of
them needs an environment of its own. A model on which the tool raises is left out, and told on stderr.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import yaml

from costcalc import conventions
from costcalc.errors import CostcalcError
from costcalc.foreign import tools

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))


def main(key: str, *wanted: str) -> None:
    """Print the totals of one tool as YAML: the key, the version, and a line for each model."""
    import test_conventions as subjects

    totals = {}
    for name in wanted or (*subjects.CASES, *subjects.IMAGE_MODELS):
        try:
            totals[name] = tools.total(key, *subjects.subject(name))
        except CostcalcError as error:
            print(f"{name}: {error}", file=sys.stderr)
    version = metadata.version(conventions.named(key).distribution).partition("+")[0]
    print(
        yaml.safe_dump({key: {"version": version, "totals": totals}}, sort_keys=False, allow_unicode=True),
        end="",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
