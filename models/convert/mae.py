"""Published MAE checkpoints (the whole network, under `model` in the file).

Files that hold an encoder alone have timm's names: see `models.convert.timm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.convert.names import inverted, rename

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_PREFIXES: Final = {
    "cls_token": "encoder.cls_token",
    "pos_embed": "encoder.pos_embed",
    "patch_embed.": "encoder.patch_embed.",
    "blocks.": "encoder.blocks.",
    "norm.": "encoder.norm.",
    "mask_token": "mask_token",
    "decoder_": "decoder_",
}


def from_mae(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published parameters as the `state_dict` of `models.mae.MAE`; ValueError for other names."""
    return rename(published, _PREFIXES)


def to_mae(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `from_mae`."""
    return rename(state, inverted(_PREFIXES))
