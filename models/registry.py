"""Which networks there are, and how a configuration becomes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.croco import CroCo
from models.encoder import Encoder
from models.mae import MAE

if TYPE_CHECKING:
    from models.pretraining import PretrainingModel

Objective = Literal["croco", "mae"]
Size = Literal["tiny", "small", "base", "large"]
Positions = Literal["cosine", "rope"]


class Dimensions(NamedTuple):
    """Channels, blocks and attention heads of a transformer."""

    dim: int
    depth: int
    heads: int


ENCODERS: Final[dict[Size, Dimensions]] = {
    "tiny": Dimensions(192, 12, 3),
    "small": Dimensions(384, 12, 6),
    "base": Dimensions(768, 12, 12),
    "large": Dimensions(1024, 24, 16),
}
DECODERS: Final[dict[Size, Dimensions]] = {
    "tiny": Dimensions(128, 4, 4),
    "small": Dimensions(256, 8, 8),
    "base": Dimensions(512, 8, 16),
    "large": Dimensions(512, 8, 16),
}


class ModelConfig(BaseModel):
    """A network: what it learns by, how large it is, what it looks at."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True
    )

    objective: Objective = "croco"
    """croco completes a view from another; mae reconstructs a view from itself."""
    size: Size = "base"
    """Encoder of timm's ViT of that name and a decoder to match."""
    image_size: int = Field(224, gt=0)
    """Side of an image in pixels."""
    patch_size: int = Field(16, gt=0)
    """Side of a patch in pixels; divides `image_size`."""
    positions: Positions = "cosine"
    """Fixed 2-D sine-cosine embeddings, or 2-D rotary embeddings of base 100."""
    embed_dim: int | None = Field(None, gt=0)
    """Channels of the encoder, instead of those of `size`."""
    depth: int | None = Field(None, gt=0)
    """Blocks of the encoder, instead of those of `size`."""
    heads: int | None = Field(None, gt=0)
    """Attention heads of the encoder, instead of those of `size`."""
    decoder_dim: int | None = Field(None, gt=0)
    """Channels of the decoder, instead of those of `size`."""
    decoder_depth: int | None = Field(None, gt=0)
    """Blocks of the decoder, instead of those of `size`."""
    decoder_heads: int | None = Field(None, gt=0)
    """Attention heads of the decoder, instead of those of `size`."""

    @property
    def encoder(self) -> Dimensions:
        """Dimensions of the encoder."""
        named = ENCODERS[self.size]
        return Dimensions(
            self.embed_dim or named.dim, self.depth or named.depth, self.heads or named.heads
        )

    @property
    def decoder(self) -> Dimensions:
        """Dimensions of the decoder."""
        named = DECODERS[self.size]
        return Dimensions(
            self.decoder_dim or named.dim,
            self.decoder_depth or named.depth,
            self.decoder_heads or named.heads,
        )

    @property
    def patch_count(self) -> int:
        """Patches of an image."""
        return (self.image_size // self.patch_size) ** 2

    @model_validator(mode="after")
    def _check_divisions(self) -> Self:
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size must be a multiple of patch_size {self.patch_size}")
        for part, dimensions in (("encoder", self.encoder), ("decoder", self.decoder)):
            # Each image axis takes half of the channels, sine and cosine half of these.
            divisor = 4 * dimensions.heads if self.positions == "rope" else 4
            for number in (dimensions.heads, divisor):
                if dimensions.dim % number:
                    raise ValueError(
                        f"{part}: {dimensions.dim} channels must be a multiple of {number}"
                        f" for {dimensions.heads} heads and {self.positions} positions"
                    )
        return self


def build_model(config: ModelConfig, seed: int = 0) -> PretrainingModel:
    """Builds a network with freshly drawn weights, in float32 on the CPU.

    Args:
        config: which network.
        seed: the weights are the same for the same seed.
    """
    encoder = Encoder(
        image_size=config.image_size,
        patch_size=config.patch_size,
        embed_dim=config.encoder.dim,
        depth=config.encoder.depth,
        heads=config.encoder.heads,
        rotary=config.positions == "rope",
        class_token=config.objective == "mae",
    )
    network = CroCo if config.objective == "croco" else MAE
    model = network(encoder, *config.decoder)
    model.initialise(torch.Generator().manual_seed(seed))
    return model
