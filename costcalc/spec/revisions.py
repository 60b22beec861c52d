"""Files at revisions of git: ``main:nets/tiny.yaml``, in git's own notation.

Git is asked without a shell, never prompts, never reaches for the network, and has a limited time.
"""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from costcalc.errors import ENVIRONMENT, CostcalcError, Problem, did_you_mean, shortened

SECONDS = 20  # that git may take
_NAME = re.compile(r"(?P<revision>[^\0\n]*?):(?P<path>[^/\0\n][^\0\n]*\.ya?ml)")
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
# these would make git look elsewhere than in the working folder's own repository
_ELSEWHERE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE")


class Version(NamedTuple):
    """A file at a revision; an empty revision is the index, a path from ``./`` is the working folder's."""

    revision: str
    path: str

    def __str__(self) -> str:
        return f"{self.revision}:{self.path}"

    def beside(self, path: str) -> Version:
        """What ``path`` means in this file: a file at the same revision."""
        here = posixpath.dirname(self.path)
        local = self.path.startswith(("./", "../"))
        joined = posixpath.normpath(posixpath.join(here, path))
        if path.startswith("/") or (joined.startswith("../") and not local):
            raise CostcalcError(f"{shortened(path)} lies outside the repository; {self} cannot reach it")
        return Version(self.revision, f"./{joined}" if local else joined)


def parsed(name: str) -> Version | None:
    """``"main:nets/tiny.yaml"`` → its parts; None for a name of another form."""
    match = _NAME.fullmatch(name)
    return Version(match["revision"], match["path"]) if match else None


def content(version: Version, most: int) -> bytes:
    """The first ``most`` bytes of the file; raises :class:`CostcalcError` with the reason and a remedy."""
    name = str(version)
    _checked(version.revision, name)
    size = git("cat-file", "-s", name)
    kind = git("cat-file", "-t", name)
    if size.returncode or kind.returncode:
        raise _missing(version, size)
    if kind.stdout.strip() != b"blob":
        raise CostcalcError([Problem("is a folder there, not a file", name)])
    if int(size.stdout) >= most:
        return b" " * most  # whoever reads it refuses it for its size alone
    return git("cat-file", "blob", name).stdout


def commit(revision: str, name: str) -> str:
    """The full id of the commit that a revision means; ``name`` is what a message speaks of."""
    _checked(revision, name)
    found = git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        raise _unknown(revision, name)
    return found.stdout.decode().strip()


def top() -> str:
    """The top folder of the working folder's repository."""
    found = git("rev-parse", "--show-toplevel")
    if found.returncode:
        raise CostcalcError(f"there is no git repository here: {_said(found)}")
    return os.fsdecode(found.stdout.rstrip(b"\n"))


def renamed(revision: str) -> dict[str, str]:
    """New paths → old ones, of the files that were renamed since; git finds them by what they hold."""
    found = git("diff", "-z", "--name-status", "--find-renames", "--diff-filter=R", revision, "--")
    words = os.fsdecode(found.stdout).split("\0")
    return dict(zip(words[2::3], words[1::3], strict=False))


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """What git answers; raises :class:`CostcalcError` if there is no git, or it takes too long."""
    env = {key: value for key, value in os.environ.items() if key not in _ELSEWHERE}
    try:
        return subprocess.run(
            ["git", "--no-pager", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**env, **_QUIET},
            timeout=SECONDS,
        )
    except FileNotFoundError:
        message = "a name like main:nets/tiny.yaml needs git, and there is none on the PATH"
        raise CostcalcError(message, ENVIRONMENT) from None
    except subprocess.TimeoutExpired:
        message = f"git {arguments[0]} took longer than {SECONDS} s"
        raise CostcalcError(message, ENVIRONMENT) from None


def _checked(revision: str, name: str) -> None:
    """What begins with a dash would be an option of git."""
    if revision.startswith("-"):
        raise CostcalcError(f"{shortened(name)}: a revision does not begin with '-'")


def _missing(version: Version, answer: subprocess.CompletedProcess[bytes]) -> CostcalcError:
    """Why there is no such file: no repository, no such revision, or the file is not in it."""
    name = str(version)
    if git("rev-parse", "--git-dir").returncode:
        said = _said(git("rev-parse", "--git-dir"))
        hint = "'REVISION:FILE' is a file in the git repository of the working folder"
        return CostcalcError(f"{shortened(name)}: {hint}, and here is none: {said}")
    if (
        version.revision
        and git("rev-parse", "--verify", "--quiet", f"{version.revision}^{{tree}}").returncode
    ):
        return _unknown(version.revision, name)
    where = f"revision {shortened(version.revision)}" if version.revision else "the index"
    hint = did_you_mean(version.path, _specs(version.revision))
    found = f"{where} has no file {shortened(version.path)}{hint}"
    if not hint and b"outside repository" in answer.stderr:
        found = f"{shortened(version.path)} lies outside the repository"
    return CostcalcError(f"{shortened(name)}: {found}")


def _unknown(revision: str, name: str) -> CostcalcError:
    refs = git("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes")
    hint = did_you_mean(revision, _lines(refs.stdout))
    if not hint and git("rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
        hint = "; the clone is shallow: fetch it first, as `git fetch origin main`, or clone with its history"
    return CostcalcError(f"{shortened(name)}: git knows no revision {shortened(revision)} here{hint}")


def _specs(revision: str) -> Sequence[str]:
    """The YAML files of a revision, or of the index."""
    listed = (
        ("ls-tree", "-r", "--full-tree", "--name-only", revision) if revision else ("ls-files", "--full-name")
    )
    return [path for path in _lines(git(*listed).stdout) if path.endswith((".yaml", ".yml"))]


def _lines(text: bytes) -> list[str]:
    return text.decode("utf-8", "replace").splitlines()


def _said(answer: subprocess.CompletedProcess[bytes]) -> str:
    said = _lines(answer.stderr) or ["git gives no reason"]
    return said[0].removeprefix("fatal: ")
