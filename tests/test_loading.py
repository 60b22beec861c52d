"""What counting one preset by formula loads and reads: counted, without a clock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from costcalc import spec

SCRIPT = """
import json, sys
from costcalc import formula, spec
from costcalc.spec import catalogue
from costcalc.spec import source

read, made = [], source._Reader.__init__
listed, names = [], catalogue.os.listdir

def reader(self, text, file):
    read.append(file)
    made(self, text, file)

def listing(folder):
    listed.append(str(folder))
    return names(folder)

source._Reader.__init__, catalogue.os.listdir = reader, listing
formula.costs(spec.load(sys.argv[1]))
first = len(read)
formula.costs(spec.load(sys.argv[1]))
print(json.dumps([read, first, sorted(sys.modules), listed]))
"""
HEAVY = (
    "pydantic",
    "pydantic_core",
    "torch",
    "numpy",
    "sympy",
    "jinja2",
    "typer",
    "rich",
    "costcalc.symbolic",
)


def loading(name: str) -> tuple[list[str], int, set[str], list[str]]:
    found = subprocess.run([sys.executable, "-c", SCRIPT, name], capture_output=True, text=True, check=True)
    files, first, modules, listed = json.loads(found.stdout)
    return files, first, set(modules), listed


GOOGLENET = {"presets/googlenet.yaml"} | {
    f"blocks/{name}.yaml"
    for name in (
        "aux_classifier conv_relu inception linear_relu pool_proj reduced_conv separable_conv".split()
    )
}


def test_one_preset_reads_its_own_files_once_and_loads_nothing_heavy() -> None:
    read, first, modules, listed = loading("googlenet")
    assert Counter(read) == Counter(GOOGLENET)
    assert first == len(read)
    assert not modules.intersection(HEAVY)
    assert "costcalc.spec.revisions" not in modules
    assert len(listed) == len(set(listed))


def test_a_preset_with_a_base_reads_the_base_and_no_other_preset() -> None:
    read, *_ = loading("googlenet-aux")
    assert [file for file in read if file.startswith("presets/")] == [
        "presets/googlenet-aux.yaml",
        "presets/googlenet.yaml",
    ]


@pytest.mark.parametrize("name", spec.presets()[::9])
def test_no_preset_is_read_twice(name: str) -> None:
    read, *_ = loading(name)
    assert max(Counter(read).values()) == 1
