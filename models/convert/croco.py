"""Published CroCo checkpoints: parameters under `model`, dimensions under `croco_kwargs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from models.convert.names import inverted, rename
from models.registry import ModelConfig, Positions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_PREFIXES: Final = {
    "patch_embed.": "encoder.patch_embed.",
    "enc_pos_embed": "encoder.pos_embed",
    "enc_blocks.": "encoder.blocks.",
    "enc_norm.": "encoder.norm.",
    "decoder_embed.": "decoder_embed.",
    "mask_token": "mask_token",
    "dec_pos_embed": "decoder_pos_embed",
    "dec_blocks.#.norm1.": "decoder_blocks.#.norm1.",
    "dec_blocks.#.attn.": "decoder_blocks.#.attn.",
    "dec_blocks.#.norm2.": "decoder_blocks.#.cross_norm.",
    "dec_blocks.#.norm_y.": "decoder_blocks.#.memory_norm.",
    "dec_blocks.#.cross_attn.projq.": "decoder_blocks.#.cross_attn.query.",
    "dec_blocks.#.cross_attn.projk.": "decoder_blocks.#.cross_attn.key.",
    "dec_blocks.#.cross_attn.projv.": "decoder_blocks.#.cross_attn.value.",
    "dec_blocks.#.cross_attn.proj.": "decoder_blocks.#.cross_attn.proj.",
    "dec_blocks.#.norm3.": "decoder_blocks.#.norm2.",
    "dec_blocks.#.mlp.": "decoder_blocks.#.mlp.",
    "dec_norm.": "decoder_norm.",
    "prediction_head.": "decoder_pred.",
}
_POSITIONS: Final[dict[str, Positions]] = {"cosine": "cosine", "RoPE100": "rope"}
_FIELDS: Final = {
    "img_size": "image_size",
    "patch_size": "patch_size",
    "enc_embed_dim": "embed_dim",
    "enc_depth": "depth",
    "enc_num_heads": "heads",
    "dec_embed_dim": "decoder_dim",
    "dec_depth": "decoder_depth",
    "dec_num_heads": "decoder_heads",
}


def from_croco(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published parameters as the `state_dict` of `models.croco.CroCo`.

    Raises:
        ValueError: for a name that CroCo has not.
    """
    state = rename(published, _PREFIXES)
    # Published position embeddings have no batch axis.
    return {n: v[None] if n.endswith("pos_embed") else v for n, v in state.items()}


def to_croco(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `from_croco`."""
    published = rename(state, inverted(_PREFIXES))
    return {n: v[0] if n.endswith("pos_embed") else v for n, v in published.items()}


def croco_config(croco_kwargs: Mapping[str, Any]) -> ModelConfig:
    """The configuration of a published network from the `croco_kwargs` of its file.

    What `croco_kwargs` does not name is as in CroCo v1 with the base decoder.

    Raises:
        ValueError: for positions that are neither `cosine` nor `RoPE100`.
    """
    positions = croco_kwargs.get("pos_embed", "cosine")
    if positions not in _POSITIONS:
        raise ValueError(f"pos_embed {positions}: only {', '.join(_POSITIONS)} can be converted")
    sizes = {ours: croco_kwargs[name] for name, ours in _FIELDS.items() if name in croco_kwargs}
    return ModelConfig(objective="croco", size="base", positions=_POSITIONS[positions], **sizes)
