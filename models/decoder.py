"""The decoder blocks of CroCo (arXiv 2210.10716, "CrossBlock")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from timm.layers.norm import LayerNorm

from models.attention import CrossAttention
from models.encoder import SelfAttentionBlock

if TYPE_CHECKING:
    from torch import Tensor

    from models.positions import Rotation


class CrossAttentionBlock(SelfAttentionBlock):
    """Self-attention in view 1, cross-attention to view 2, then an MLP; each pre-norm, residual."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__(dim, heads)
        self.cross_norm = LayerNorm(dim)
        self.memory_norm = LayerNorm(dim)
        self.cross_attn = CrossAttention(dim, heads)

    def forward(  # type: ignore[override]  # a decoder block has a memory
        self, tokens: Tensor, memory: Tensor, rotation: Rotation | None
    ) -> Tensor:
        """Maps tokens of view 1, shape (B, N, D), given those of view 2, shape (B, M, D)."""
        tokens = tokens + self.attn(self.norm1(tokens), [tokens.shape[1]], rotation)
        memory = self.memory_norm(memory)
        tokens = tokens + self.cross_attn(self.cross_norm(tokens), memory, rotation, rotation)
        refined: Tensor = self.mlp(self.norm2(tokens))
        return tokens + refined
