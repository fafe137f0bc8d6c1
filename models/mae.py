"""MAE (arXiv 2111.06377): masked autoencoding of single views.

Shapes: B images, N patches, V visible patches, E and D channels of encoder and decoder,
P = patch_size * patch_size * 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from timm.layers.norm import LayerNorm
from torch import nn

from models.encoder import SelfAttentionBlock
from models.losses import masked_pixel_loss
from models.masking import place_tokens, visible_indices
from models.positions import Rotation, rotary_angles, sine_cosine_embedding
from models.pretraining import PretrainingModel, Reconstruction

if TYPE_CHECKING:
    from torch import Tensor

    from models.encoder import Encoder


class MAE(PretrainingModel):
    """Encoder of the visible patches with a class token, self-attention decoder, linear head."""

    def __init__(self, encoder: Encoder, decoder_dim: int, decoder_depth: int, heads: int) -> None:
        super().__init__(encoder)
        self.decoder_embed = nn.Linear(encoder.embed_dim, decoder_dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_dim))
        self.decoder_pos_embed: Tensor | None
        self.angles: Tensor | None
        rotary = encoder.pos_embed is None
        positions = sine_cosine_embedding(decoder_dim, *encoder.grid, encoder.prefix)[None]
        self.register_buffer("decoder_pos_embed", None if rotary else positions)
        angles = rotary_angles(decoder_dim // heads, *encoder.grid, encoder.prefix)
        self.register_buffer("angles", angles if rotary else None, persistent=False)
        self.decoder_blocks = nn.ModuleList(
            SelfAttentionBlock(decoder_dim, heads) for _ in range(decoder_depth)
        )
        self.decoder_norm = LayerNorm(decoder_dim)
        self.decoder_pred = nn.Linear(decoder_dim, encoder.patch_size**2 * 3)

    def forward(self, view_1: Tensor, view_2: Tensor, mask: Tensor) -> Reconstruction:
        """Reconstructs view 1 from its visible patches; view 2 is passed over."""
        del view_2
        visible = visible_indices(mask, view_1.device)  # (B, V)
        tokens = self.encoder(view_1, visible)  # (B, 1 + V, E)
        patches = self.decode(tokens, visible, mask.shape[1])
        mask = mask.to(view_1.device, non_blocking=True)
        loss = masked_pixel_loss(patches, view_1, mask, self.patch_size)
        return Reconstruction(loss, patches)

    def decode(self, tokens: Tensor, visible: Tensor, patch_count: int) -> Tensor:
        """Predicts all patches.

        Args:
            tokens: encoded class token and visible patches, shape (B, 1 + V, E).
            visible: the patch of each token but the first, shape (B, V).
            patch_count: patches of an image, N.

        Returns:
            Shape (B, N, P).
        """
        tokens = self.decoder_embed(tokens)  # (B, 1 + V, D)
        placed = place_tokens(tokens[:, 1:], visible, self.mask_token, patch_count)  # (B, N, D)
        tokens = torch.cat([tokens[:, :1], placed], dim=1)  # (B, 1 + N, D)
        if self.decoder_pos_embed is not None:
            tokens = tokens + self.decoder_pos_embed
        rotation = None if self.angles is None else Rotation.of(self.angles[None])
        for block in self.decoder_blocks:
            tokens = block(tokens, [tokens.shape[1]], rotation)
        patches: Tensor = self.decoder_pred(self.decoder_norm(tokens))[:, 1:]  # (B, N, P)
        return patches
