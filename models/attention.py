"""Self-attention and cross-attention with optional rotary positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from timm.layers.attention import Attention
from torch import nn
from torch.nn import functional as F  # noqa: N812  the field's name for it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from models.positions import Rotation


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention; each argument has shape (B, heads, tokens, head_dim).

    Fused, except for reduced precision on a CPU, where two plain matrix products are faster.
    """
    if query.device.type != "cpu" or query.dtype == torch.float32:
        fused: Tensor = F.scaled_dot_product_attention(query, key, value)
        return fused
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    mixed: Tensor = scores.softmax(dim=-1).to(value.dtype) @ value
    return mixed


class SelfAttention(Attention):
    """timm's attention (same parameters) over packed sequences, with rotary positions."""

    def forward(  # type: ignore[override]  # timm's masks are not needed, lengths are
        self, tokens: Tensor, lengths: Sequence[int], rotation: Rotation | None
    ) -> Tensor:
        """Lets tokens attend to the tokens of their own sequence.

        Args:
            tokens: shape (B, sum of lengths, D).
            lengths: tokens of each sequence that is packed along the second axis.
            rotation: turns queries and keys by their position.

        Returns:
            Shape (B, sum of lengths, D).
        """
        batch, count, _ = tokens.shape
        qkv = self.qkv(tokens).reshape(batch, count, 3, self.num_heads, self.head_dim)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, tokens, head_dim) each
        if rotation is not None:
            query, key = rotation(query), rotation(key)
        sequences = zip(*(t.split(list(lengths), dim=2) for t in (query, key, value)), strict=True)
        mixed = torch.cat([attend(*sequence) for sequence in sequences], dim=2)
        projected: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, count, -1))
        return projected


class CrossAttention(nn.Module):
    """Attention of one sequence to another."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)

    def forward(
        self,
        tokens: Tensor,
        memory: Tensor,
        rotation: Rotation | None,
        memory_rotation: Rotation | None,
    ) -> Tensor:
        """Lets tokens, shape (B, N, D), attend to a memory, shape (B, M, D)."""
        query = self._split_heads(self.query(tokens))
        key = self._split_heads(self.key(memory))
        value = self._split_heads(self.value(memory))
        if rotation is not None:
            query = rotation(query)
        if memory_rotation is not None:
            key = memory_rotation(key)
        projected: Tensor = self.proj(attend(query, key, value).transpose(1, 2).flatten(2))
        return projected

    def _split_heads(self, tokens: Tensor) -> Tensor:
        batch, count, _ = tokens.shape
        return tokens.view(batch, count, self.heads, -1).transpose(1, 2)  # (B, heads, N, head_dim)
