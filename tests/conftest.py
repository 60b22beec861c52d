from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from costcalc import spec
from costcalc.graph import Graph

# elsewhere hypothesis looks in new places each time; CI judges a change, not the luck of the draw
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

HERE = Path(__file__).parent
# what somebody calibrated on this machine must not show in golden files
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="costcalc-tests-")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Hold a text against a committed file under tests/."""

    def compare(name: str, found: str) -> None:
        path = HERE / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(found, encoding="utf-8")
        assert found == path.read_text(encoding="utf-8")

    return compare


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
