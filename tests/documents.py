"""Sample documents that hold every kind of element, and names that try to break out of their place."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from costcalc.api import counting
from costcalc.records import Column, Grid
from costcalc.report.document import (
    Arrow,
    Bar,
    Bars,
    Box,
    Diagram,
    Document,
    Formula,
    Grouped,
    Items,
    Lines,
    Point,
    Scatter,
    Section,
    Series,
    Table,
    Text,
)
from costcalc.report.inline import code, literal

HOSTILE = (
    "a|b",
    "<script>alert(1)</script>",
    "</title></svg></style>",
    "quo\"ted's",
    "back`tick``s",
    "amp&amp;ersand",
    "two\nlines\r\nand\ttabs",
    "*star* _line_ __init__ ~~wave~~",
    "[a](javascript:alert(1))",
    "![a](b.png)",
    "$x$ and $y$",
    "\\back\\slash\\|",
    "خط عربي שלום",
    "\u202eevil\u202c\u2066x\u2069",
    "\x00\x07\x1b[31m\ufffe\ud800",
    "日本語の名前 👩‍👩‍👧",
    "# heading",
    "- item",
    "1. one",
    "---",
    "```mermaid",
    "end;%%{init: {}}%%",
    "W" * 200,
    " ",
    "{{ 1 // 0 }}{% raw %}",
)

_COLUMNS = (
    Column("block", "block", "name"),
    Column("type", "type", "name"),
    Column("output", "output", "shape"),
    Column("params", "params", "count"),
    Column("macs", "MACs", "count"),
    Column("share", "share", "percent"),
    Column("intensity", "FLOP/byte", "number"),
)


def googlenet() -> Document:
    """A true architecture with each kind of element."""
    costed = counting.costs("googlenet", by="formula")
    grid = costed.view().grids[0]
    at = {column.key: index for index, column in enumerate(grid.columns)}
    names = [str(row[0]) for row in grid.rows]
    counts = {key: [int(row[at[key]]) for row in grid.rows] for key in ("macs", "params", "activations")}
    charts = Section("Where the cost lies", (bars(names, counts["macs"]), lines(names, counts)))
    return Document(
        "googlenet",
        "GoogLeNet",
        "**1,498,677,248 MACs** and 6,991,856 params: within the budget of 1.5 G, by 0.09 %.",
        (
            Section(
                "In short",
                (
                    Items(
                        (
                            "`conv2` and `inception_3b` hold 44 % of the MACs.",
                            "Read [the paper](https://arxiv.org/abs/1409.4842).",
                        )
                    ),
                ),
            ),
            Section("Blocks", (Table(grid), chain(names, counts["macs"]))),
            charts,
            Section(
                "Derivation",
                (
                    Text("The second convolution:"),
                    Formula(
                        r"192 \cdot 64 \cdot 3^2 \cdot 56^2 = 346{,}816{,}512", "192·64·3²·56² = 346,816,512"
                    ),
                ),
            ),
            Section("Against others", (grouped(), scatter(), roofline(), module())),
        ),
        ("Written by `costcalc report googlenet`", "costcalc 0.1.0 · torch 2.13.0"),
    )


def bars(names: list[str], values: list[int]) -> Bars:
    return Bars(
        "macs",
        "MACs per block",
        tuple(Bar(n, v, f"{v:,}", f"{v / sum(values):.1%}") for n, v in zip(names, values, strict=True)),
        "MACs",
    )


def lines(names: list[str], counts: dict[str, list[int]]) -> Lines:
    series = []
    for key in ("macs", "params"):
        total = sum(counts[key])
        shares = [Fraction(sum(counts[key][: i + 1]), total) * 100 for i in range(len(names))]
        series.append(Series(key, tuple(shares), tuple(f"{float(share):.1f} %" for share in shares)))
    return Lines("cumulative", "Cumulative cost over depth", tuple(names), tuple(series), "%")


def grouped() -> Grouped:
    return Grouped(
        "comparison",
        "GoogLeNet beside others, GoogLeNet = 1",
        ("googlenet", "inception-v3", "vgg16"),
        (
            Series("MACs", (1, Fraction(38, 10), Fraction(103, 10)), ("1.00", "3.80", "10.3")),
            Series("params", (1, Fraction(39, 10), Fraction(197, 10)), ("1.00", "3.90", "19.7")),
            Series("activations", (1, 2, Fraction(15, 10)), ("1.00", "2.00", "1.50")),
        ),
        "times",
    )


def scatter() -> Scatter:
    known = {
        "alexnet": (724406816, 60965224),
        "vgg16": (15470264320, 138357544),
        "googlenet": (1498677248, 6991856),
        "inception-v3": (5713216096, 23834568),
        "resnet18": (1814073344, 11689512),
        "resnet50": (4089184256, 25557032),
        "resnet152": (11513626624, 60192808),
        "mobilenet-v1": (568740352, 4231976),
        "mobilenet-v2": (300774272, 3504872),
        "squeezenet1.1": (349151936, 1235496),
        "densenet121": (2834161664, 7978856),
        "lenet5": (416520, 61706),
        "nin": (1100000000, 7600000),
    }
    points = tuple(
        Point(
            name,
            macs,
            params,
            f"{macs:,} MACs, {params:,} params",
            name in ("googlenet", "nin", "inception-v3", "resnet50"),
        )
        for name, (macs, params) in known.items()
    )
    return Scatter("presets", "MACs against params of every preset", points, "MACs", "params")


def roofline() -> Scatter:
    roof = ((0.5, 1.675e12), (295.0, 9.89e14), (4000.0, 9.89e14))
    points = tuple(
        Point(name, x, min(3.35e12 * x, 9.89e14) * 0.93, f"{x:g} FLOP/byte", index < 2)
        for index, (name, x) in enumerate(
            (("conv2", 420.0), ("pool1", 0.9), ("inception_3a", 61.0), ("linear", 2.0))
        )
    )
    return Scatter(
        "roofline",
        "Roofline of an H100 in fp16",
        points,
        "FLOP/byte",
        "FLOP/s",
        (("roof", roof), ("fp32", ((0.5, 1.675e12), (20.0, 6.7e13), (4000.0, 6.7e13)))),
    )


def chain(names: list[str], values: list[int]) -> Diagram:
    boxes = tuple(
        Box(n, n, f"{v:,} MACs", v / max(values), "block") for n, v in zip(names, values, strict=True)
    )
    return Diagram(
        "blocks",
        "Blocks, coloured by MACs",
        boxes,
        tuple(Arrow(a, b) for a, b in pairwise(names)),
    )


def module() -> Diagram:
    """An inception module with a residual way around it."""
    boxes = (
        Box("in", "input", "192×28×28", 0, ""),
        Box("1x1", "1x1", "9,633,792 MACs", 0.08, "conv"),
        Box("reduce3x3", "reduce3x3", "14,450,688 MACs", 0.12, "conv"),
        Box("3x3", "3x3", "86,704,128 MACs", 1, "conv"),
        Box("reduce5x5", "reduce5x5", "2,408,448 MACs", 0.02, "conv"),
        Box("5x5", "5x5", "10,035,200 MACs", 0.45, "conv"),
        Box("pool", "pool", "", 0, "maxpool"),
        Box("pool_proj", "pool_proj", "4,816,896 MACs", 0.7, "conv"),
        Box("concat", "concat", "256×28×28", 0, "concat"),
        Box("add", "add", "256×28×28", 0, "add"),
    )
    arrows = (
        ("in", "1x1"),
        ("in", "reduce3x3"),
        ("in", "reduce5x5"),
        ("in", "pool"),
        ("reduce3x3", "3x3"),
        ("reduce5x5", "5x5"),
        ("pool", "pool_proj"),
        ("1x1", "concat"),
        ("3x3", "concat"),
        ("5x5", "concat"),
        ("pool_proj", "concat"),
        ("concat", "add"),
    )
    return Diagram(
        "module",
        "Module 3a, coloured by MACs",
        boxes,
        (*(Arrow(a, b) for a, b in arrows), Arrow("in", "add", "skip")),
    )


def hostile() -> Document:
    """Every text of every element is one of the hostile names."""
    names = list(HOSTILE)
    rows = tuple(
        (name, name, (3, 4), index, index * 7, Fraction(index, 300), 1.5 if index % 2 else None)
        for index, name in enumerate(names)
    )
    grouped = Grid(
        "g",
        names[0],
        (Column("g", "group", "group"), *_COLUMNS),
        tuple((names[0] if i < 9 else names[4], *row) for i, row in enumerate(rows)),
    )
    grid = Grid(
        "t",
        names[1],
        tuple(Column(c.key, name, c.style) for c, name in zip(_COLUMNS, names, strict=False)),
        rows,
        ("total", "", None, 1, 2, Fraction(1), None),
    )
    drawings = (
        Bars(
            "b", names[1], tuple(Bar(name, index, name, name) for index, name in enumerate(names)), names[22]
        ),
        Grouped(
            "g",
            names[2],
            tuple(names),
            (
                Series(names[1], tuple(range(len(names))), tuple(names)),
                Series(names[22], tuple(range(len(names))), tuple(names)),
            ),
            names[5],
        ),
        Lines(
            "l", names[3], tuple(names), (Series(names[1], tuple(range(len(names))), tuple(names)),), names[5]
        ),
        Scatter(
            "s",
            names[22],
            tuple(Point(name, index + 1, 1, name, True) for index, name in enumerate(names)),
            names[1],
            names[2],
            ((names[22], ((1.0, 1.0), (20.0, 3.0))),),
            literal(names[22]),
        ),
        Diagram(
            "d",
            names[1],
            tuple(Box(str(i), name, name, i / len(names), name) for i, name in enumerate(names)),
            (Arrow("0", "1", names[1]), Arrow("0", "2", names[19])),
        ),
    )
    texts = (
        *(Text(literal(name)) for name in names),
        *(Text(f"so is {code(name)} named") for name in names),
        *(Text(name) for name in names),
    )
    return Document(
        "hostile",
        names[1],
        literal(names[1]),
        (
            Section(
                names[2],
                (
                    *texts,
                    Items(tuple(map(literal, names))),
                    Table(grid),
                    Table(grouped, open=False),
                    *drawings,
                    Formula("", names[4]),
                    Formula("x < y", names[1]),
                ),
            ),
        ),
        tuple(map(literal, names)),
    )
