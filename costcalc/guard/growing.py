"""The base that growth is measured against: the lock file, or a revision of git."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from costcalc import spec
from costcalc.api.subjects import costed
from costcalc.errors import CostcalcError
from costcalc.guard import lock
from costcalc.guard.choosing import Model, real
from costcalc.guard.config import Config
from costcalc.guard.lock import Entry
from costcalc.spec import revisions


@dataclass(frozen=True)
class Base:
    """What models cost before, by label; ``name`` is what messages call it.

    At a ``revision`` (its full id) specs are counted as they were, and what is no file of the repository
    (foreign models, presets) has the counts of the lock file of then.
    """

    name: str
    entries: Mapping[str, Entry]
    revision: str = ""
    top: str = ""

    @cached_property
    def renamed(self) -> Mapping[str, str]:
        """What files of the revision were called then, by their paths of now."""
        return revisions.renamed(self.revision)

    def entry(self, model: Model) -> Entry | None:
        """What the model cost; None if there was none. Raises :class:`CostcalcError` if it was broken."""
        if not self.revision or model.file is None:
            return self.entries.get(model.label)
        path = os.path.relpath(real(model.file), self.top).replace(os.sep, "/")
        name = f"{self.revision}:{path}"
        if revisions.git("cat-file", "-e", name).returncode:
            if path not in self.renamed:
                return None
            name = f"{self.revision}:{self.renamed[path]}"
        suffix = model.name[len(spec.stem(model.name)) :]
        return lock.entry(costed(name + suffix, model.options), ())


def of_lock(config: Config, entries: Mapping[str, Entry] | None) -> Base | None:
    """The lock file as base, None if there is none."""
    return None if entries is None else Base(config.lock_path.name, entries)


def of_revision(config: Config, here: Path, revision: str) -> Base:
    """A revision of git as base; raises :class:`CostcalcError` if git does not know it."""
    option = f"--base {revision}"
    commit = revisions.commit(revision, option)
    base = Base(revision, {}, commit, os.path.realpath(revisions.top()))
    path = os.path.relpath(real(Path(os.path.abspath(here / config.lock_path))), base.top)
    version = revisions.Version(commit, path.replace(os.sep, "/"))
    if revisions.git("cat-file", "-e", str(version)).returncode:
        return base
    text = revisions.content(version, lock.MAX_BYTES).decode("utf-8", "replace")
    try:
        return replace(base, entries=lock.read(text, f"{revision}:{version.path}"))
    except CostcalcError:
        return base  # a lock file that was broken then is none
