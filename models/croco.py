"""CroCo (arXiv 2210.10716): cross-view completion.

View 1 is masked, mostly; it is completed from its visible patches and the whole of view 2.
Shapes: B pairs, N patches, V visible patches, E and D channels of encoder and decoder,
P = patch_size * patch_size * 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from timm.layers.norm import LayerNorm
from torch import nn

from models.decoder import CrossAttentionBlock
from models.losses import masked_pixel_loss
from models.masking import place_tokens, visible_indices
from models.positions import Rotation, rotary_angles, sine_cosine_embedding
from models.pretraining import PretrainingModel, Reconstruction

if TYPE_CHECKING:
    from torch import Tensor

    from models.encoder import Encoder


class CroCo(PretrainingModel):
    """Encoder for both views, cross-attention decoder, linear prediction of pixels."""

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
            CrossAttentionBlock(decoder_dim, heads) for _ in range(decoder_depth)
        )
        self.decoder_norm = LayerNorm(decoder_dim)
        self.decoder_pred = nn.Linear(decoder_dim, encoder.patch_size**2 * 3)

    def forward(self, view_1: Tensor, view_2: Tensor, mask: Tensor) -> Reconstruction:
        """Completes the masked patches of view 1; see `PretrainingModel.forward`."""
        visible = visible_indices(mask, view_1.device)  # (B, V)
        tokens_1, tokens_2 = self.encoder.encode_pair(view_1, view_2, visible)
        patches = self.decode(tokens_1, tokens_2, visible)
        mask = mask.to(view_1.device, non_blocking=True)
        loss = masked_pixel_loss(patches, view_1, mask, self.patch_size)
        return Reconstruction(loss, patches)

    def decode(self, tokens_1: Tensor, tokens_2: Tensor, visible: Tensor) -> Tensor:
        """Predicts all patches of view 1.

        Args:
            tokens_1: encoded visible patches of view 1, shape (B, V, E).
            tokens_2: encoded patches of view 2, shape (B, N, E).
            visible: the patch of each token of view 1, shape (B, V).

        Returns:
            Shape (B, N, P).
        """
        memory = self.decoder_embed(tokens_2)  # (B, N, D)
        tokens = self.decoder_embed(tokens_1)  # (B, V, D)
        tokens = place_tokens(tokens, visible, self.mask_token, memory.shape[1])  # (B, N, D)
        if self.decoder_pos_embed is not None:
            tokens = tokens + self.decoder_pos_embed
            memory = memory + self.decoder_pos_embed
        rotation = None if self.angles is None else Rotation.of(self.angles[None])
        for block in self.decoder_blocks:
            tokens = block(tokens, memory, rotation)
        patches: Tensor = self.decoder_pred(self.decoder_norm(tokens))  # (B, N, P)
        return patches
