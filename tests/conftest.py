from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costcalc import spec
from costcalc.graph import Graph


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """Write a spec file and give its path."""

    def write(text: str, name: str = "net.yaml") -> str:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def loaded(written: Callable[..., str]) -> Callable[..., Graph]:
    """Load a spec from its text."""

    def load(text: str, *args: Any, **kwargs: Any) -> Graph:
        return spec.load(written(text), *args, **kwargs)

    return load
