"""Where counts land: rows by module, parameters split, operators named, and all of it adding up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from test_operators import Told, ids
from torch import Tensor, library, nn
from torch.nn import functional as F

from costcalc.attribution import Attribution, Operator, Parameters
from costcalc.foreign import Prepared, dispatch
from costcalc.records import NOTHING


def counted(model: nn.Module, *args: Any, **options: Any) -> Attribution:
    return Attribution(dispatch.run(model, args, **options))


def macs(found: Attribution) -> dict[str, int]:
    return {row.name: row.cost.macs for row in found.table.rows if row.cost.macs}


class Mixed(nn.Module):
    """Layers called every way, functions, and parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Linear(4, 4)
        self.forwarded = nn.Linear(4, 4, bias=False)
        self.unused = nn.Linear(9, 9)
        self.scale = nn.Parameter(torch.zeros(4))
        self.block = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU())
        self.block[0].requires_grad_(False)
        self.again = self.block[0]
        self.register_buffer("offset", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.twice(self.twice(x)) * self.scale + self.offset
        x = self.block(self.forwarded.forward(x))
        out: Tensor = self.again(F.linear(x, self.block[0].weight.T))
        return out


X = torch.zeros(2, 4)


def test_every_count_is_in_the_smallest_module_that_did_it() -> None:
    found = counted(Mixed(), X)
    assert macs(found) == {
        "(Mixed)": 2 * 6 * 4,  # the function
        "twice": 2 * (2 * 4 * 4),
        "forwarded": 2 * 4 * 4,
        "block.0": 2 * (2 * 4 * 6),  # also by its other name
    }
    other = {row.name: row.cost.other_ops for row in found.table.rows if row.cost.other_ops}
    assert other == {
        "(Mixed)": 2 * (2 * 4),
        "twice": 2 * (2 * 4),
        "block.0": 2 * (2 * 6),
        "block.1": 2 * (2 * 6),
        "block.2": 2 * 6,
    }


def test_every_parameter_is_with_its_owner() -> None:
    found = counted(Mixed(), X)
    assert {row.name: row.cost.params for row in found.table.rows if row.cost.params} == {
        "(Mixed)": 4,
        "twice": 4 * 4 + 4,
        "forwarded": 4 * 4,
        "unused": 9 * 9 + 9,
        "block.0": 4 * 6 + 6,
        "block.1": 6 + 6,
    }
    assert found.table.rows[-1].name == "unused"


def test_parameters_are_split() -> None:
    found = counted(Mixed(), X).parameters
    trainable = 4 + (4 * 4 + 4) + 4 * 4 + (9 * 9 + 9) + (6 + 6)
    buffers = 4 + (6 + 6 + 1)  # mean, variance and how many batches
    assert found == Parameters(
        trainable, frozen=4 * 6 + 6, shared=0, buffers=buffers, never_executed=9 * 9 + 9
    )


def test_a_weight_held_twice_is_counted_once() -> None:
    model = nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 11))
    model[1].weight = model[0].weight
    found = counted(model, ids(2, 5)())
    assert found.parameters == Parameters(11 * 6 + 11, frozen=0, shared=11 * 6, buffers=0, never_executed=0)
    assert {row.name: row.cost.params for row in found.table.rows} == {"0": 11 * 6, "1": 11}


def test_a_layer_held_twice_is_counted_once() -> None:
    shared = nn.Linear(4, 4)
    found = counted(nn.Sequential(shared, nn.ReLU(), shared), X)
    assert macs(found) == {"0": 2 * (2 * 4 * 4)}
    assert found.parameters.trainable == found.table.total.params == 4 * 4 + 4


def test_parameters_of_a_recurrent_layer_are_executed() -> None:
    """It keeps its weights in a list besides."""
    for model in (nn.LSTM(4, 3), nn.GRU(4, 3, 2, bidirectional=True), nn.RNNCell(4, 3)):
        x = X if isinstance(model, nn.RNNCell) else X[None]
        assert counted(model, x).parameters.never_executed == 0
        assert counted(model, x, backward=True).parameters.never_executed == 0


def test_a_parameter_used_through_a_view_is_executed() -> None:
    weights = nn.Parameter(torch.zeros(3, 4, 4))
    for use in (
        lambda self, x: x @ self.w[1].T,
        lambda self, x: F.linear(x, self.w.data[0]),
        lambda self, x: x @ self.w.detach(),
    ):
        assert counted(Told(use, w=weights), X).parameters.never_executed == 0


def zoo() -> Iterator[Attribution]:
    """Models of different kinds, also with a backward pass."""
    conv = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.ReLU(), nn.Flatten()), nn.Linear(4 * 36, 5)
    )
    for backward in (False, True):
        yield counted(Mixed(), X, backward=backward)
        yield counted(conv, torch.zeros(2, 3, 8, 8), backward=backward)
        yield counted(nn.TransformerEncoderLayer(8, 2, 16), torch.zeros(3, 2, 8), backward=backward)
        yield counted(nn.LSTM(4, 3), X[None], backward=backward)


def test_rows_parts_blocks_and_operators_add_up() -> None:
    for found in zoo():
        total = found.table.total
        assert total == sum((row.cost for row in found.table.rows), NOTHING)
        assert total == sum((part.cost for part in found.layers), NOTHING) == found.whole.cost
        for depth in (None, 1, 2, 3, 9):
            assert total == sum((part.cost for part in found.blocks(depth)), NOTHING)
        assert total.macs == sum(each.macs for each in found.operators)
        assert total.other_ops == sum(each.other_ops for each in found.operators)
        held = found.parameters
        assert total.params == held.trainable + held.frozen
        assert len({row.name for row in found.table.rows}) == len(found.table.rows)
        for name in found.names:
            assert found.part(name).cost == sum(
                (row.cost for row in found.table.rows if f"{row.name}.".startswith(f"{name}.")), NOTHING
            )
        assert all(
            part.structure.peak_activations <= found.whole.structure.peak_activations for part in found.layers
        )


def test_an_unknown_part_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        counted(Mixed(), X).part("nothing")


def test_operators_add_up_to_the_rows_whatever_divides() -> None:
    """Also where operators of one module do not divide though their sum does."""

    def odd(self: Any, x: Tensor) -> Tensor:
        three = x.new_zeros(3).sin()  # 3 and then 1 of work that does not depend on the batch
        return self.layer(x) + three.sum() * 0 + x.new_zeros(2).cos().sum()

    model = Told(odd, layer=nn.Linear(4, 4))
    found = counted(model, X)
    assert sum(each.macs for each in found.operators) == found.table.total.macs
    assert sum(each.other_ops for each in found.operators) == found.table.total.other_ops


def test_work_that_does_not_depend_on_the_batch_is_no_ones_share() -> None:
    """A layer over a table of its own costs the same for any batch: half of it is no count of one sample."""
    model = Told(
        lambda self, x: x + self.layer(self.table)[0],
        layer=nn.Linear(4, 4),
        table=nn.Parameter(torch.zeros(2, 4)),
    )
    alone = counted(model, X[:1], samples=1)
    batched = Attribution(Prepared("it", model, (X,), {}, 2, "", ((X[:1],), {})).run())
    assert (batched.execution.samples, batched.execution.batch) == (1, 2)
    assert alone.table.total.macs == batched.table.total.macs == 2 * 4 * 4


UNKNOWN = "costcalc_tests::fold"


@pytest.fixture(scope="module")
def unknown() -> Any:
    """An operator of the user's own, with a rule for shapes."""

    @library.custom_op(UNKNOWN, mutates_args=())
    def fold(x: Tensor, y: Tensor) -> Tensor:
        return x @ y

    @fold.register_fake
    def _(x: Tensor, y: Tensor) -> Tensor:
        return x.new_empty(x.shape[0], y.shape[1])

    fold.register_autograd(lambda ctx, grad: (grad, None))
    return fold


def test_an_operator_of_unknown_cost_is_named_with_count_and_place(unknown: Any) -> None:
    inner = Told(lambda self, x: unknown(unknown(x, self.w), self.w), w=nn.Parameter(torch.zeros(4, 4)))
    found = counted(nn.Sequential(nn.Linear(4, 4), inner), X)
    assert found.uncounted == (Operator(UNKNOWN, 2, 0, 0, 0, "unknown", ("1",)),)
    assert macs(found) == {"0": 2 * 4 * 4}  # at least
    assert found.parameters.never_executed == 0


def test_an_operator_that_multiplies_nothing_is_told_apart(unknown: Any) -> None:
    found = counted(Told(lambda self, x: x.sort()[0]), X)
    assert not found.uncounted
    assert [(each.name, each.knowledge) for each in found.operators] == [("aten::sort", "no MACs")]


def test_operators_come_dearest_first() -> None:
    found = counted(Mixed(), X)
    costs = [(each.macs, each.other_ops) for each in found.operators]
    assert costs == sorted(costs, reverse=True)
    linear = found.operators[0]
    assert (linear.name, linear.times, linear.macs) == ("aten::linear", 6, found.table.total.macs)
    assert linear.modules == ("twice", "forwarded", "block.0", "(Mixed)")


def test_reads_writes_and_peak() -> None:
    """Input 2×3, 4 wide inside, 5 out: two live at once, and what is needed later stays."""
    plain = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5))
    found = counted(plain, torch.zeros(2, 3))
    assert [(row.cost.reads, row.cost.writes) for row in found.table.rows] == [(6, 8), (8, 8), (8, 10)]
    assert found.whole.structure.peak_activations == 8 + 10
    skip = Told(lambda self, x: self.a(x).sin() + x, a=nn.Linear(3, 3))
    assert counted(skip, torch.zeros(2, 3)).whole.structure.peak_activations == 6 + 6
    assert (
        counted(
            nn.Sequential(nn.Flatten(), nn.Identity()), torch.zeros(2, 3)
        ).whole.structure.peak_activations
        == 6
    )


@pytest.mark.parametrize(
    "spread",
    [
        lambda tokens, x: tokens.expand(len(x), -1, -1),
        lambda tokens, x: tokens.repeat(len(x), 1, 1),
        lambda tokens, x: torch.stack([tokens[0]] * len(x)),
        lambda tokens, x: torch.cat([tokens] * len(x)),
        lambda tokens, x: tokens + torch.zeros(len(x), 1, 1),
    ],
    ids=["expand", "repeat", "stack", "cat", "add"],
)
def test_what_is_spread_over_the_batch_grows_with_it(spread: Any) -> None:
    model = Told(
        lambda self, x: self.layer(spread(self.tokens, x)) @ x.transpose(1, 2),
        layer=nn.Linear(4, 4),
        tokens=nn.Parameter(torch.zeros(1, 3, 4)),
    )
    one, eight = torch.zeros(1, 5, 4), torch.zeros(8, 5, 4)
    found = Attribution(Prepared("it", model, (eight,), {}, 8, "", ((one,), {})).run()).table.total
    assert found.macs == 3 * 4 * 4 + 3 * 4 * 5


def test_a_size_that_equals_the_batch_changes_nothing() -> None:
    def masked(self: Any, x: Tensor) -> Tensor:
        made: Tensor = self.layer(x)
        return (made @ made.mT) * torch.tril(torch.ones(7, 7))

    model = Told(masked, layer=nn.Linear(4, 4))
    one = (torch.zeros(1, 7, 4),), {}
    totals = [
        Attribution(Prepared("it", model, (torch.zeros(b, 7, 4),), {}, b, "", one).run()).table.total
        for b in (1, 2, 7)
    ]
    assert totals[0] == totals[1] == totals[2]
