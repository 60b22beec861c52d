"""A first configuration: a budget for every spec, with limits just above what it costs now."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from costcalc import spec, units
from costcalc.api.subjects import Options, costed, is_foreign
from costcalc.checks import JUDGED
from costcalc.errors import CostcalcError
from costcalc.machine import ZOOS

LIMITED = ("macs", "params", "peak_activations")
HEADROOM = 5  # percent above what it costs now, before it is rounded up to two digits
MOST_SPECS = 200
MOST_BYTES = 256 * 1024
KEYS = (b"layers", b"base")  # one of which every spec has
SKIPPED = ("node_modules", "site-packages", "build", "dist", "venv")
HEAD = """\
# What the models of this repository may cost. `costcalc guard` holds them to it and exits with 1 if one is
# above; `costcalc guard --why` says which blocks are behind that, and what would help.
#
# - models: spec files (globs are fine: "nets/*.yaml"), presets ("googlenet"), "torchvision:resnet50"
# - macs, params, weights, activations, peak_activations: the most of each, as 1_500_000_000 or "1.5G";
#   {{warn = "1.4G", error = "1.5G"}} warns first
# - growth = {{macs = "1%"}}: the most that a change may add to what `costcalc guard lock` has written down,
#   or, with --base main, to what it was at main
# - latency = {{error = "9ms", on = "t4", batch = 8}}: predicted
# - settings = {{classes = 10}}: as --set; input = ["3x224x224"]: what a model of your own takes
# - reason = "fits the camera's chip": shown with every finding
# - [budget.blocks."inception_*"]: the same limits and growth for blocks, by name or glob
# - lock = "error", above the first budget: a costcalc.lock out of date fails; else it warns
#
# The limits below are what each model costs now and {headroom} % more, rounded up to two digits.
"""


def written(
    names: Sequence[str], here: Path, allow_code: bool = False, inputs: Sequence[str] = ()
) -> tuple[str, int]:
    """The text of a configuration for the models of those names, or for all specs below ``here``.

    Also how many models it has; ``inputs`` are what the foreign ones take. Raises :class:`CostcalcError`
    if there are none, or one cannot be counted.
    """
    chosen = list(dict.fromkeys(names)) or _specs(here)
    if not chosen:
        raise CostcalcError(f"no spec found below {here}; name a model: costcalc guard init googlenet")
    for name in chosen:
        if is_foreign(name) and name.partition(":")[0] not in ZOOS and not allow_code:
            raise CostcalcError(f"{name} runs code of this repository; --allow-code allows that")
    parts = [HEAD.format(headroom=HEADROOM)]
    parts += [_budget(name, inputs if is_foreign(name) else ()) for name in chosen]
    return "\n".join(parts), len(chosen)


def _budget(name: str, inputs: Sequence[str]) -> str:
    """A budget with the limits that matter to most."""
    costs = costed(name, Options(by="trace" if is_foreign(name) else "formula", inputs=tuple(inputs)))
    lines = ["[[budget]]", f"models = {json.dumps([name], ensure_ascii=False)}"]
    lines += [f"input = {json.dumps(list(inputs), ensure_ascii=False)}"] if inputs else []
    for metric in LIMITED:
        actual = JUDGED[metric](costs.whole)
        lines.append(f'{metric} = "{rounded_up(actual)}"  # now {units.count(actual)}')
    return "\n".join(lines) + "\n"


def rounded_up(actual: int) -> str:
    """A count with headroom, rounded up to two digits: ``41202688`` → ``"44M"``."""
    most = -(-actual * (100 + HEADROOM) // 100)
    digits = max(len(str(most)) - 2, 0)
    most = -(-most // 10**digits) * 10**digits
    for prefix, power in reversed(units.PREFIXES.items()):
        if prefix and most >= 10**power and most * 10 % 10**power == 0:
            whole, tenth = divmod(most * 10 // 10**power, 10)
            return f"{whole}.{tenth}{prefix}" if tenth else f"{whole}{prefix}"
    return str(most)


def _specs(here: Path) -> list[str]:
    """Every spec below a folder, sorted; what is YAML of another kind is left aside."""
    found = []
    for folder, folders, files in os.walk(here):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in SKIPPED)
        for name in sorted(files):
            path = os.path.relpath(os.path.join(folder, name), here).replace(os.sep, "/")
            if name.endswith((".yaml", ".yml")) and _is_spec(here / path, path):
                found.append(path)
        if len(found) > MOST_SPECS:
            raise CostcalcError(f"more than {MOST_SPECS} specs below {here}; name those that matter")
    return found


def _is_spec(path: Path, name: str) -> bool:
    """Whether a YAML file is an architecture that can be built."""
    try:
        if path.stat().st_size > MOST_BYTES or not any(key in path.read_bytes() for key in KEYS):
            return False
        spec.load(f"./{name}")
    except (CostcalcError, OSError):
        return False
    return True
