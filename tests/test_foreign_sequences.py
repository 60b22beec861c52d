"""Attention, transformers and recurrent layers in all their forms, each counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_operators import UNFIT, Case, holds, told
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence


def attention(queries: int, keys: int, width: int, values: int | None = None) -> int:
    """q·k and scores·v of one sequence, all heads together."""
    return queries * keys * (width + (width if values is None else values))


def heads(batch: int, count: int, length: int, width: int) -> tuple[int, int, int, int]:
    return (batch, count, length, width)


def sdpa(**options: Any) -> Callable[[], nn.Module]:
    return told(lambda self, *given: F.scaled_dot_product_attention(*given, **options))


def multi(width: int = 8, count: int = 2, **options: Any) -> Callable[[], nn.Module]:
    return lambda: nn.MultiheadAttention(width, count, **options)


def mask(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.zeros(shape, dtype=torch.bool)


def causal(length: int) -> Callable[[], Tensor]:
    return lambda: nn.Transformer.generate_square_subsequent_mask(length)


def flag(value: Any) -> Callable[[], Any]:
    return lambda: value


QKV = ((2, 3, 8), (2, 5, 8), (2, 5, 8))  # 2 samples, 3 queries, 5 keys, 8 wide
SEQUENTIAL = ((3, 2, 8), (5, 2, 8), (5, 2, 8))
PROJECTED = 2 * (3 * 8 * 8 + 2 * (5 * 8 * 8) + 3 * 8 * 8)
WEIGHTS = 4 * (8 * 8 + 8)
MULTI = {"": PROJECTED + 2 * attention(3, 5, 8)}

# of q 2×4 heads × 3 × 6, k 2×4×5×6, v 2×4×5×7
Q, K, V = heads(2, 4, 3, 6), heads(2, 4, 5, 6), heads(2, 4, 5, 7)
ATTENTION = {
    "sdpa": Case(sdpa(), (Q, K, V), {"": 2 * 4 * attention(3, 5, 6, 7)}, 0, 2 * 4 * 3 * 5 * 4),
    "sdpa with a mask": Case(
        sdpa(), (Q, K, V, mask(3, 5)), {"": 2 * 4 * attention(3, 5, 6, 7)}, 0, 2 * 4 * 3 * 5 * 5
    ),
    "sdpa, causal": Case(sdpa(is_causal=True), (Q, K, V), {"": 2 * 4 * attention(3, 5, 6, 7)}, 0),
    "sdpa of grouped queries": Case(
        sdpa(enable_gqa=True),
        (Q, heads(2, 2, 5, 6), heads(2, 2, 5, 7)),
        {"": 2 * 4 * attention(3, 5, 6, 7)},
        0,
    ),
    "sdpa of three axes": Case(sdpa(), ((4, 3, 6), (4, 5, 6), (4, 5, 6)), {"": 4 * attention(3, 5, 6)}, 0),
    "multi-head": Case(multi(batch_first=True), QKV, MULTI, WEIGHTS),
    "multi-head, sequence first": Case(multi(), SEQUENTIAL, MULTI, WEIGHTS),
    "multi-head without weights": Case(
        multi(batch_first=True), QKV, MULTI, WEIGHTS, keywords={"need_weights": flag(False)}
    ),
    "multi-head with a mask": Case(
        multi(batch_first=True), QKV, MULTI, WEIGHTS, keywords={"attn_mask": mask(3, 5)}
    ),
    "multi-head with padding": Case(
        multi(batch_first=True), QKV, MULTI, WEIGHTS, keywords={"key_padding_mask": mask(2, 5)}
    ),
    "multi-head on itself": Case(
        told(lambda self, x: self.a(x, x, x), a=multi(batch_first=True)),
        ((2, 3, 8),),
        {"a": 2 * (4 * 3 * 8 * 8 + attention(3, 3, 8))},
        WEIGHTS,
    ),
    "multi-head on itself, without weights": Case(
        told(lambda self, x: self.a(x, x, x, need_weights=False), a=multi(batch_first=True)),
        ((2, 3, 8),),
        {"a": 2 * (4 * 3 * 8 * 8 + attention(3, 3, 8))},
        WEIGHTS,
    ),
    "multi-head of other widths": Case(
        multi(kdim=6, vdim=4),
        ((3, 2, 8), (5, 2, 6), (5, 2, 4)),
        {"": 2 * (3 * 8 * 8 + 5 * 6 * 8 + 5 * 4 * 8 + 3 * 8 * 8 + attention(3, 5, 8))},
        8 * 8 + 8 * 6 + 8 * 4 + 3 * 8 + 8 * 8 + 8,
    ),
    "multi-head without bias": Case(multi(bias=False, batch_first=True), QKV, MULTI, 4 * 8 * 8),
    "multi-head with a key more, and a zero": Case(
        multi(add_bias_kv=True, add_zero_attn=True),
        SEQUENTIAL,
        {"": PROJECTED + 2 * attention(3, 5 + 2, 8)},
        WEIGHTS + 2 * 8,
    ),
    "multi-head of no batch": Case(
        multi(), ((3, 8), (5, 8), (5, 8)), {"": PROJECTED // 2 + attention(3, 5, 8)}, WEIGHTS
    ),
}

SELF = 2 * (4 * 3 * 8 * 8 + attention(3, 3, 8))  # a layer's attention: 2 samples, 3 tokens, 8 wide
ACROSS = 2 * (3 * 8 * 8 + 2 * 5 * 8 * 8 + 3 * 8 * 8 + attention(3, 5, 8))  # … to 5 tokens of memory
INNER = 2 * 3 * 8 * 16
LAYER = WEIGHTS + (8 * 16 + 16) + (16 * 8 + 8) + 2 * (8 + 8)


def encoder_layer(**options: Any) -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **options)


def decoder_layer() -> nn.Module:
    return nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)


def encoded(prefix: str = "") -> dict[str, int]:
    return {f"{prefix}self_attn": SELF, f"{prefix}linear1": INNER, f"{prefix}linear2": INNER}


def decoded(prefix: str = "") -> dict[str, int]:
    return {**encoded(prefix), f"{prefix}multihead_attn": ACROSS}


def _nested_memory(prefix: str) -> dict[str, int]:
    """The encoder of a transformer: 5 tokens, to themselves."""
    own = 2 * (4 * 5 * 8 * 8 + attention(5, 5, 8))
    return {f"{prefix}self_attn": own, f"{prefix}linear1": 2 * 5 * 8 * 16, f"{prefix}linear2": 2 * 5 * 8 * 16}


TWO = {**encoded("layers.0."), **encoded("layers.1.")}
DECODER = LAYER + WEIGHTS + 2 * 8
WHOLE = {**_nested_memory("encoder.layers.0."), **decoded("decoder.layers.0.")}
TRANSFORMERS = {
    "encoder layer": Case(encoder_layer, ((2, 3, 8),), encoded(), LAYER),
    "encoder layer, norms first": Case(
        lambda: encoder_layer(norm_first=True, activation="gelu"), ((2, 3, 8),), encoded(), LAYER
    ),
    "encoder layer with a mask": Case(encoder_layer, ((2, 3, 8), causal(3)), encoded(), LAYER),
    "encoder": Case(lambda: nn.TransformerEncoder(encoder_layer(), 2), ((2, 3, 8),), TWO, 2 * LAYER),
    "encoder with padding": Case(
        lambda: nn.TransformerEncoder(encoder_layer(), 2),
        ((2, 3, 8),),
        TWO,
        2 * LAYER,
        keywords={"src_key_padding_mask": mask(2, 3)},
    ),
    "encoder with a causal mask": Case(
        lambda: nn.TransformerEncoder(encoder_layer(), 2), ((2, 3, 8), causal(3)), TWO, 2 * LAYER, blind=UNFIT
    ),
    "encoder with a causal mask of its own": Case(
        told(
            lambda self, x: self.layers(
                x, nn.Transformer.generate_square_subsequent_mask(3, device=x.device)
            ),
            layers=lambda: nn.TransformerEncoder(encoder_layer(), 2).layers[0],
        ),
        ((2, 3, 8),),
        encoded("layers."),
        LAYER,
    ),
    "decoder layer": Case(decoder_layer, ((2, 3, 8), (2, 5, 8)), decoded(), DECODER),
    "decoder with a causal mask": Case(
        lambda: nn.TransformerDecoder(decoder_layer(), 1),
        ((2, 3, 8), (2, 5, 8)),
        decoded("layers.0."),
        DECODER,
        keywords={"tgt_mask": causal(3)},
        blind=UNFIT,
    ),
    "transformer": Case(
        lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True),
        ((2, 5, 8), (2, 3, 8)),
        WHOLE,
        LAYER + DECODER + 2 * (8 + 8),
    ),
    "transformer with a causal mask": Case(
        lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True),
        ((2, 5, 8), (2, 3, 8)),
        WHOLE,
        LAYER + DECODER + 2 * (8 + 8),
        keywords={"tgt_mask": causal(3)},
        blind=UNFIT,
    ),
}


def gates(count: int, width: int, hidden: int, given: int | None = None) -> int:
    """Products of one step of a layer: ``count`` gates of what comes in and of what it gave."""
    return count * hidden * (width + (hidden if given is None else given))


def _packed(batch_first: bool) -> Callable[..., Any]:
    """Sequences of 3 and 2 steps, packed on the way."""
    return lambda self, x: pad_packed_sequence(self.net(pack_padded_sequence(x, [3, 2], batch_first))[0])[0]


def _unsorted(self: Any, x: Tensor) -> Tensor:
    lengths = torch.tensor([2, 3], device="cpu")
    out: Tensor = self.net(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))[0].data
    return out


def _lengths(self: Any, x: Tensor, lengths: Tensor) -> Any:
    return self.net(pack_padded_sequence(x, lengths, batch_first=True))[0].data


def _ready() -> PackedSequence:
    with torch.device("cpu"):
        return pack_sequence([torch.zeros(3, 5), torch.zeros(2, 5)])


BIASES = 2 * 4 * 7
RECURRENT = {
    "lstm": Case(
        lambda: nn.LSTM(5, 7),
        ((3, 2, 5),),
        {"": 6 * gates(4, 5, 7)},
        gates(4, 5, 7) + BIASES,
        6 * (BIASES + 7 * (4 + 4 + 5)),
    ),
    "lstm, states given": Case(
        lambda: nn.LSTM(5, 7, batch_first=True),
        ((2, 3, 5), lambda: (torch.zeros(1, 2, 7), torch.zeros(1, 2, 7))),
        {"": 6 * gates(4, 5, 7)},
        gates(4, 5, 7) + BIASES,
    ),
    "lstm of two layers both ways": Case(
        lambda: nn.LSTM(5, 7, 2, bidirectional=True, batch_first=True, dropout=0.5),
        ((2, 3, 5),),
        {"": 6 * 2 * (gates(4, 5, 7) + gates(4, 14, 7))},
        2 * (gates(4, 5, 7) + gates(4, 14, 7) + 2 * BIASES),
        6 * 4 * (BIASES + 7 * (4 + 4 + 5)),
    ),
    "lstm with projections": Case(
        lambda: nn.LSTM(5, 7, 2, proj_size=3, bias=False),
        ((3, 2, 5),),
        {"": 6 * (gates(4, 5, 7, 3) + 7 * 3 + gates(4, 3, 7, 3) + 7 * 3)},
        gates(4, 5, 7, 3) + 7 * 3 + gates(4, 3, 7, 3) + 7 * 3,
        6 * 2 * 7 * (4 + 4 + 5),
    ),
    "lstm of no batch": Case(
        lambda: nn.LSTM(5, 7), ((3, 5),), {"": 3 * gates(4, 5, 7)}, gates(4, 5, 7) + BIASES
    ),
    "gru": Case(
        lambda: nn.GRU(5, 7),
        ((3, 2, 5),),
        {"": 6 * gates(3, 5, 7)},
        gates(3, 5, 7) + 2 * 3 * 7,
        6 * (2 * 3 * 7 + 7 * (3 + 3 + 5)),
    ),
    "gru of two layers both ways": Case(
        lambda: nn.GRU(5, 7, 2, bidirectional=True),
        ((3, 2, 5),),
        {"": 6 * 2 * (gates(3, 5, 7) + gates(3, 14, 7))},
        2 * (gates(3, 5, 7) + gates(3, 14, 7) + 2 * 2 * 3 * 7),
    ),
    "rnn": Case(
        lambda: nn.RNN(5, 7),
        ((3, 2, 5),),
        {"": 6 * gates(1, 5, 7)},
        gates(1, 5, 7) + 2 * 7,
        6 * (2 * 7 + 7 * 2),
    ),
    "rnn of relu, two layers": Case(
        lambda: nn.RNN(5, 7, 2, nonlinearity="relu"),
        ((3, 2, 5),),
        {"": 6 * (gates(1, 5, 7) + gates(1, 7, 7))},
        gates(1, 5, 7) + gates(1, 7, 7) + 2 * 2 * 7,
    ),
    "lstm of a packed sequence": Case(
        told(_packed(True), net=lambda: nn.LSTM(5, 7, batch_first=True)),
        ((2, 3, 5),),
        {"net": (3 + 2) * gates(4, 5, 7)},
        gates(4, 5, 7) + BIASES,
        blind=UNFIT,
    ),
    "gru of a packed sequence both ways": Case(
        told(_packed(False), net=lambda: nn.GRU(5, 7, bidirectional=True)),
        ((3, 2, 5),),
        {"net": (3 + 2) * 2 * gates(3, 5, 7)},
        2 * (gates(3, 5, 7) + 2 * 3 * 7),
        blind=UNFIT,
    ),
    "rnn of a packed sequence out of order": Case(
        told(_unsorted, net=lambda: nn.RNN(5, 7)),
        ((2, 3, 5),),
        {"net": (3 + 2) * gates(1, 5, 7)},
        gates(1, 5, 7) + 2 * 7,
        blind=UNFIT,
    ),
    "lstm, lengths given": Case(
        told(_lengths, net=lambda: nn.LSTM(5, 7)),
        ((2, 3, 5), lambda: torch.tensor([3, 2], device="cpu")),
        {"net": (3 + 2) * gates(4, 5, 7)},
        gates(4, 5, 7) + BIASES,
        blind=UNFIT,
    ),
    "lstm, packed before": Case(
        lambda: nn.LSTM(5, 7), (_ready,), {"": (3 + 2) * gates(4, 5, 7)}, gates(4, 5, 7) + BIASES, blind=UNFIT
    ),
    "lstm cell": Case(
        lambda: nn.LSTMCell(5, 7),
        ((2, 5),),
        {"": 2 * gates(4, 5, 7)},
        gates(4, 5, 7) + BIASES,
        2 * (BIASES + 7 * (4 + 4 + 5)),
    ),
    "gru cell": Case(
        lambda: nn.GRUCell(5, 7), ((2, 5),), {"": 2 * gates(3, 5, 7)}, gates(3, 5, 7) + 2 * 3 * 7
    ),
    "rnn cell": Case(
        lambda: nn.RNNCell(5, 7),
        ((2, 5),),
        {"": 2 * gates(1, 5, 7)},
        gates(1, 5, 7) + 2 * 7,
        2 * (2 * 7 + 7 * 2),
    ),
}
CASES: dict[str, Case] = {**ATTENTION, **TRANSFORMERS, **RECURRENT}


@pytest.mark.parametrize("fast", [True, False])
def test_the_fused_paths_of_torch_make_no_difference(fast: bool) -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fast)
    try:
        for name in ("multi-head", "encoder layer", "encoder with padding"):
            holds(CASES[name])
        assert torch.backends.mha.get_fastpath_enabled() is fast
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
