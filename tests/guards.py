"""A repository of somebody's networks, for tests of what guards it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

NET = """\
input: [3, 32, 32]
layers:
  conv1: {{kind: conv, out: 16, kernel: 3, pad: 1}}
  conv2: {{kind: conv, out: 32, kernel: {kernel}, pad: same}}
  pool: {{kind: global_avgpool}}
  flat: {{kind: flatten}}
  head: {{kind: linear, out: $classes}}
params: {{classes: 10}}
"""
# 32·32 positions: 3·3·3·16 + k·k·16·32 products each, and 32·10 of the head
MACS = {3: 1024 * (432 + 4608) + 320, 5: 1024 * (432 + 12_800) + 320}
# weights and biases
PARAMS = {3: 432 + 16 + 4608 + 32 + 330, 5: 432 + 16 + 12_800 + 32 + 330}
CONV2 = {3: 1024 * 4608, 5: 1024 * 12_800}


@dataclass(frozen=True)
class Repository:
    """A folder with specs, a configuration, and git."""

    root: Path

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def net(self, name: str = "nets/tiny.yaml", kernel: int = 3) -> Path:
        return self.write(name, NET.format(kernel=kernel))

    def config(self, text: str) -> Path:
        return self.write("costcalc.toml", text)

    def budget(self, *lines: str, models: str = '"nets/*.yaml"') -> Path:
        return self.config("\n".join(["[[budget]]", f"models = [{models}]", *lines]) + "\n")

    def git(self, *argv: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        argv = ("git", *who, *argv)
        return subprocess.run(argv, cwd=self.root, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self) -> str:
        if not (self.root / ".git").exists():
            self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-qm", "as it is")
        return self.git("rev-parse", "HEAD")
