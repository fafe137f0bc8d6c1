"""The simplest dense head: each token predicts the pixels of its patch linearly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from models.patches import unpatchify

if TYPE_CHECKING:
    from torch import Tensor


class LinearHead(nn.Module):
    """One linear layer from a token to `out_channels` values at each pixel of its patch."""

    def __init__(self, in_dim: int, out_channels: int, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.linear = nn.Linear(in_dim, out_channels * patch_size**2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps patch tokens of a square grid, shape (B, N, in_dim), to (B, out_channels, H, W)."""
        return unpatchify(self.linear(tokens), self.patch_size)
