"""Architectures that grow: specs as YAML text, of about so many layers as asked for."""

from __future__ import annotations

from collections.abc import Callable

from costcalc.graph import INPUT

_HEAD = "name: grown\ninput: [4, 8, 8]\n"


def chain(layers: int) -> str:
    """One entry per layer, each behind the other: 1×1 convolutions and activations in turn."""
    kinds = ("{kind: conv, out: 4, kernel: 1}", "{kind: relu}")
    return _HEAD + "layers:\n" + "".join(f"  l{i}: {kinds[i % 2]}\n" for i in range(layers))


def repeated(layers: int) -> str:
    """One entry that repeats a block of two layers."""
    return _HEAD + _PAIR + f"layers:\n  deep: {{kind: pair, c: 4, repeat: {layers // 2}}}\n"


def blocks(layers: int) -> str:
    """One entry per block of two layers, so that tables which fold blocks have as many rows."""
    calls = "".join(f"  b{i}: {{kind: pair, c: 4}}\n" for i in range(layers // 2))
    return _HEAD + _PAIR + "layers:\n" + calls


def nested(layers: int) -> str:
    """Blocks within blocks, three levels deep, each level as wide as the cube root of it all."""
    width = round(layers ** (1 / 3))
    text = _HEAD + "blocks:\n"
    for level, inner in enumerate(("{kind: relu}", "{kind: level0}", "{kind: level1}")):
        text += f"  level{level}:\n    layers:\n" + "".join(f"      l{i}: {inner}\n" for i in range(width))
    return text + "layers: {whole: {kind: level2}}\n"


def residual(layers: int) -> str:
    """Branches that meet again: two layers and an addition with what flowed in."""
    stage = "{args: [], layers: {a: {kind: relu}, b: {kind: sigmoid}, sum: {kind: add, from: [b, input]}}}"
    calls = "".join(f"  r{i}: {{kind: stage}}\n" for i in range(layers // 3))
    return _HEAD + f"blocks:\n  stage: {stage}\nlayers:\n{calls}"


def wide(layers: int) -> str:
    """One layer that takes all others, which take the input."""
    names = [f"l{i}" for i in range(layers - 1)]
    entries = "".join(f"  {name}: {{kind: relu, from: input}}\n" for name in names)
    return _HEAD + f"layers:\n{entries}  all: {{kind: concat, from: [{', '.join(names)}]}}\n"


def dense(edges: int) -> str:
    """Every layer takes all above it, until there are so many connections, not layers."""
    names, rows = [INPUT, "l0"], ["  l0: {kind: relu}\n"]
    left = edges - 1
    while left > 1:
        sources, name = names[-left:], f"l{len(rows)}"
        rows.append(f"  {name}: {{kind: add, from: [{', '.join(sources)}]}}\n")
        names.append(name)
        left -= len(sources)
    return _HEAD + "layers:\n" + "".join(rows)


def claimed(layers: int) -> str:
    """A chain with a published figure of every layer."""
    claims = "".join(f"  - {{of: l{i}, macs: '{(i + 1) % 2 * 1024}'}}\n" for i in range(layers))
    return chain(layers) + "claims:\n" + claims


def heads(layers: int) -> str:
    """Every layer takes the input and is an output."""
    entries = "".join(f"  l{i}: {{kind: relu, from: input}}\n" for i in range(layers))
    return _HEAD + f"layers:\n{entries}outputs: [{', '.join(f'l{i}' for i in range(layers))}]\n"


def settings(layers: int) -> dict[str, str]:
    """Overrides for :func:`chain`: one of every convolution."""
    return {f"l{i}.bias": "false" for i in range(0, layers, 2)}


_PAIR = """
blocks:
  pair:
    args: [c]
    layers: {conv: {kind: conv, out: $c, kernel: 1}, relu: {kind: relu}}
"""

# those whose cost is in proportion to what is asked for
SHAPES: dict[str, Callable[[int], str]] = {
    each.__name__: each for each in (chain, repeated, blocks, nested, residual, wide, dense, claimed, heads)
}
