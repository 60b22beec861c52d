"""Models of nobody's zoo, as a user would have them."""

from __future__ import annotations

import torch
from torch import nn


class Words(nn.Module):
    """Tokens to words, with a tied output layer, an optional mask and a layer that nothing runs."""

    def __init__(self, width: int = 8, words: int = 100) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.read = nn.LSTM(width, width, batch_first=True)
        self.write = nn.Linear(width, words, bias=False)
        self.write.weight = self.embed.weight
        self.spare = nn.Linear(4, 4)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        read, _ = self.read(self.embed(tokens))
        given: torch.Tensor = self.write(read if mask is None else read * mask.unsqueeze(-1))
        return given


class Spectral(nn.Module):
    """A convolution and an operator whose cost nobody has written down."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.fft2(self.mix(x)).real


class Deciding(nn.Module):
    """What it does depends on values."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


class Picky(nn.Module):
    """Takes three features, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] != 3:
            raise ValueError("three features, please")
        given: torch.Tensor = self.first(x)
        return given


class Sparse(nn.Module):
    """Computes for the tokens that a mask keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.expert = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        given: torch.Tensor = self.expert(x[x.sum(-1) > 0])
        return given


class Chatty(nn.Module):
    """Prints what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        print("I am built")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print("I run")
        given: torch.Tensor = self.first(x)
        return given


class Moody(nn.Module):
    """Takes one sample; refuses two, and divides more by zero."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) == 2 and not x.is_meta:
            raise ValueError("not twice")
        given: torch.Tensor = self.first(x)
        return given if len(x) == 1 else given / 0


def broken() -> nn.Module:
    """Never gives a model."""
    raise OSError("no weights here")


built = Words()
number = 3
