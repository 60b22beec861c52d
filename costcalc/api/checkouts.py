"""Models as they were at a revision of git: extracted into a folder, counted in another process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from costcalc.api.subjects import Options, is_foreign
from costcalc.differences import Version
from costcalc.errors import CostcalcError, Problem, shortened
from costcalc.records import Cost, Part, Shape, Structure
from costcalc.spec import revisions

COUNTS = ("weights", "biases", "norm", "macs", "other_ops", "reads", "writes")  # the fields of a cost
STRUCTURE = ("receptive_field", "depth", "nonlinearities", "peak_activations")
METRICS = ",".join((*COUNTS, *STRUCTURE))
MOST_BYTES = 64 * 2**20  # of a saved file
# run before anything else: this program first, then the paths that the model is to be found on
_CHILD = """
import json, sys
home, paths, tree, repository = json.loads(sys.argv.pop(1))
sys.path[:] = [home, *paths]
from costcalc import cli
sys.path[:] = paths
code = cli.main(sys.argv[1:])
for module in list(sys.modules.values()):
    path = getattr(module, "__file__", None) or ""
    apart = module.__name__.partition(".")[0] == "costcalc" or "site-packages" in path
    if path.startswith(repository) and not apart:
        sys.exit(f"the module {module.__name__} was taken from {path}, which is no revision")
sys.exit(code)
"""


def foreign(name: str) -> tuple[str, str] | None:
    """``"main:nets:factory"`` → the revision and the model; None for a name of another form."""
    revision, _, called = name.partition(":")
    return (revision, called) if revision and is_foreign(called) and not is_foreign(name) else None


def counted(revision: str, name: str, options: Options) -> Version:
    """A model as it was, counted by a program of its own with the files of that revision."""
    shown = f"{revision}:{name}"
    commit, repository = revisions.commit(revision, shown), revisions.top()
    with tempfile.TemporaryDirectory(prefix="costcalc-") as folder:
        tree = os.path.realpath(folder)
        _extract(repository, commit, tree)
        answer = _asked(name, options, tree, os.path.realpath(repository))
    if answer.returncode:
        raise _failed(shown, answer)
    return _version(shown, json.loads(answer.stdout), shown)


def saved(name: str, path: Path) -> Version:
    """What ``costcalc show NAME --layers --json`` printed into a file."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        found = json.loads(data) if len(data) <= MOST_BYTES else None
    except OSError as error:
        raise CostcalcError([Problem(f"cannot be read: {error.strerror}", name)]) from None
    except (ValueError, RecursionError):
        found = None
    return _version(name, found, name)


def _extract(repository: str, commit: str, tree: str) -> None:
    """The files of a commit; links that lead out of the folder are left out."""
    archive = revisions.git("-C", repository, "archive", "--format=tar", commit)
    if archive.returncode:
        said = archive.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CostcalcError(f"git archive: {said[0] if said else 'failed'}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(tree, filter=_kept)


def _kept(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    try:
        return tarfile.data_filter(member, path)
    except tarfile.FilterError:
        return None


def _asked(name: str, options: Options, tree: str, repository: str) -> subprocess.CompletedProcess[str]:
    """``costcalc show`` in the extracted tree, with that tree instead of the repository on its path."""

    def there(path: str) -> str:
        inside = os.path.relpath(os.path.realpath(path or "."), repository)
        moved = os.path.normpath(os.path.join(tree, inside))
        return moved if not inside.startswith("..") and os.path.isdir(moved) else path

    here = there(os.getcwd())
    source = os.path.join(tree, "src")
    paths = [here, tree, *([source] if os.path.isdir(source) else []), *map(there, sys.path)]
    home = str(Path(__file__).resolve().parents[2])
    told = json.dumps([home, paths, tree, repository])
    command = ["show", name, "--layers", "--json", "--metrics", METRICS, *_options(options)]
    return subprocess.run(
        [sys.executable, "-c", _CHILD, told, *command],
        cwd=here if os.path.isdir(here) else tree,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def _options(options: Options) -> list[str]:
    """How to count, as a command line says it."""
    given = {"--set": options.settings, "-k": options.arguments}
    pairs = [(key, f"{name}={value}") for key, each in given.items() for name, value in each.items()]
    pairs += [("--input", shape) for shape in options.inputs]
    pairs += [("--batch", str(options.batch)), ("--dtype", options.dtype), ("--by", options.by)]
    return [word for pair in pairs for word in pair] + (["--training"] if options.training else [])


def _failed(shown: str, answer: subprocess.CompletedProcess[str]) -> CostcalcError:
    """The other program's own errors, told as this one's."""
    start = answer.stderr.find('{\n  "schema": "costcalc.error/1"')
    if start >= 0:
        found, _ = json.JSONDecoder().raw_decode(answer.stderr[start:])
        told = "; ".join(error["message"] for error in found["errors"])
        return CostcalcError(f"at {shown}: {told}", found["exit_code"])
    last = answer.stderr.strip().splitlines()[-1:] or [f"exit code {answer.returncode}"]
    return CostcalcError(f"at {shown}: {last[0]}")


def _version(name: str, found: Any, where: str) -> Version:
    """One side from what ``show --layers --json`` printed."""
    try:
        if found["schema"] != "costcalc.show/1":
            raise KeyError("schema")
        result = found["result"]
        layers = tuple(_part(row) for row in result["parts"]["rows"])
        whole = _part({"name": result["name"], "kind": "", **result["parts"]["total"]})
        outputs = tuple(result["outputs"].split(", "))
        return Version(name, _inputs(result["input"]), outputs, whole, layers)
    except (KeyError, TypeError, ValueError, AttributeError):
        command = f"costcalc show NAME --layers --json --metrics {METRICS}"
        raise CostcalcError(f"{shortened(where)} does not hold what this prints: {command}") from None


def _part(row: Mapping[str, Any]) -> Part:
    cost = Cost(**{key: _whole(row[key]) for key in COUNTS})
    given = {key: row[key] for key in STRUCTURE}
    field = given.pop("receptive_field")
    structure = Structure(receptive_field=tuple(field) if field else None, **given)
    return Part(str(row["name"]), str(row["kind"]), _shape(row["output"]), cost, structure)


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(value)
    return value


def _shape(value: Sequence[int]) -> Shape:
    return tuple(_whole(size) for size in value)


def _inputs(value: Any) -> tuple[Shape, ...]:
    """One input as a list, several as a text: ``16, 3×8×8``."""
    if isinstance(value, str):
        return tuple(
            tuple(int(size) for size in shape.split("×")) if shape != "scalar" else ()
            for shape in value.split(", ")
        )
    return (_shape(value),)
