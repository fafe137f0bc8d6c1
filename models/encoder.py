"""The vision transformer that is trained, kept and handed on.

Its parameters have timm's names and shapes: see `models.convert.timm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from timm.layers.norm import LayerNorm
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import Block
from torch import nn

from models.attention import SelfAttention
from models.masking import select_tokens
from models.positions import Rotation, pack_rotations, rotary_angles, sine_cosine_embedding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class SelfAttentionBlock(Block):
    """timm's pre-norm transformer block over packed sequences, with rotary positions."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__(dim, heads, qkv_bias=True, attn_layer=SelfAttention)

    def forward(  # type: ignore[override]  # see SelfAttention
        self, tokens: Tensor, lengths: Sequence[int], rotation: Rotation | None
    ) -> Tensor:
        """Maps tokens, shape (B, sum of lengths, D), to tokens of the same shape."""
        tokens = tokens + self.attn(self.norm1(tokens), lengths, rotation)
        refined: Tensor = self.mlp(self.norm2(tokens))
        return tokens + refined


class Encoder(nn.Module):
    """A ViT (arXiv 2010.11929) that can encode the visible patches of an image only.

    Shapes: B images, N patches, V visible patches, D channels, P = 1 with a class token, else 0.

    Attributes:
        embed_dim: channels of a token, D.
        depth: number of blocks.
        heads: attention heads of a block.
        image_size: side of an image in pixels.
        patch_size: side of a patch in pixels.
        grid: rows and columns of patches.
        prefix: tokens before those of the patches: 1 with a class token, else 0.
    """

    def __init__(
        self,
        *,
        image_size: int,
        patch_size: int,
        embed_dim: int,
        depth: int,
        heads: int,
        rotary: bool,
        class_token: bool,
    ) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        self.depth = depth
        self.heads = heads
        self.image_size = image_size
        self.patch_size = patch_size
        self.grid = (image_size // patch_size, image_size // patch_size)
        self.prefix = int(class_token)

        self.patch_embed = PatchEmbed(image_size, patch_size, 3, embed_dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim)) if class_token else None
        self.pos_embed: Tensor | None
        self.angles: Tensor | None
        positions = sine_cosine_embedding(embed_dim, *self.grid, self.prefix)[None]
        self.register_buffer("pos_embed", None if rotary else positions)
        angles = rotary_angles(embed_dim // heads, *self.grid, self.prefix)
        self.register_buffer("angles", angles if rotary else None, persistent=False)
        self.blocks = nn.ModuleList(SelfAttentionBlock(embed_dim, heads) for _ in range(depth))
        self.norm = LayerNorm(embed_dim)

    def forward(self, images: Tensor, visible: Tensor | None = None) -> Tensor:
        """Encodes images, or the visible patches of them.

        Args:
            images: float, shape (B, 3, H, W), normalised.
            visible: patches to encode, shape (B, V), from `masking.visible_indices`; None
                encodes all.

        Returns:
            Tokens after the final norm, shape (B, P + V, D); the class token comes first.
        """
        tokens, rotation = self._embed(images, visible)
        for block in self.blocks:
            tokens = block(tokens, [tokens.shape[1]], rotation)
        encoded: Tensor = self.norm(tokens)
        return encoded

    def encode_pair(self, view_1: Tensor, view_2: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """Encodes the visible patches of view 1 and all of view 2.

        The tokens of both travel packed, so that each layer is one matrix product for both
        views; attention stays within a view.

        Args:
            view_1: float, shape (B, 3, H, W).
            view_2: the same shape.
            visible: visible patches of view 1, shape (B, V).

        Returns:
            Tokens of view 1, shape (B, P + V, D), and of view 2, shape (B, P + N, D).
        """
        tokens_1, rotation_1 = self._embed(view_1, visible)
        tokens_2, rotation_2 = self._embed(view_2, None)
        lengths = [tokens_1.shape[1], tokens_2.shape[1]]
        tokens = torch.cat([tokens_1, tokens_2], dim=1)
        rotation = None
        if rotation_1 is not None and rotation_2 is not None:
            rotation = pack_rotations([rotation_1, rotation_2])
        for block in self.blocks:
            tokens = block(tokens, lengths, rotation)
        encoded_1, encoded_2 = self.norm(tokens).split(lengths, dim=1)
        return encoded_1, encoded_2

    def features(self, images: Tensor, layers: Sequence[int] | None = None) -> list[Tensor]:
        """Patch tokens after chosen blocks, for probing and dense heads.

        Args:
            images: float, shape (B, 3, H, W), normalised.
            layers: indices of blocks as of a list (0 is the first, -1 the last); None is the
                last alone.

        Returns:
            For each layer, in the order asked, tokens of shape (B, N, D) after the final norm.

        Raises:
            IndexError: when there is no such block.
        """
        wanted = [range(self.depth)[layer] for layer in ([-1] if layers is None else layers)]
        outputs: dict[int, Tensor] = {}
        tokens, rotation = self._embed(images, None)
        for index, block in enumerate(self.blocks):
            tokens = block(tokens, [tokens.shape[1]], rotation)
            if index in wanted:
                outputs[index] = self.norm(tokens[:, self.prefix :])
        return [outputs[index] for index in wanted]

    def _embed(self, images: Tensor, visible: Tensor | None) -> tuple[Tensor, Rotation | None]:
        # The residual stream keeps the parameters' precision under autocast.
        tokens = self.patch_embed(images).to(self.norm.weight.dtype)  # (B, N, D)
        if self.cls_token is not None:
            class_tokens = self.cls_token.expand(len(tokens), -1, -1)
            tokens = torch.cat([class_tokens, tokens], dim=1)  # (B, P + N, D)
        if self.pos_embed is not None:
            tokens = tokens + self.pos_embed
        angles = None if self.angles is None else self.angles[None]
        if visible is not None:
            # The class token, number 0, is always visible.
            chosen = nn.functional.pad(visible + self.prefix, (self.prefix, 0))
            tokens = select_tokens(tokens, chosen)  # (B, P + V, D)
            angles = None if angles is None else angles[0, chosen]
        return tokens, None if angles is None else Rotation.of(angles)
