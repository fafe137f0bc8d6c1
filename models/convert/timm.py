"""Encoders in timm.

    model = timm.create_model(**timm_arguments(encoder))
    model.load_state_dict(to_timm(encoder), strict=True)
    tokens = model.forward_features(images)   # equal to encoder(images)

For CroCo-B at 224 pixels with sine-cosine positions the first line is

    timm.create_model(
        "vit_base_patch16_224", num_classes=0, global_pool="", class_token=False,
        img_size=224, patch_size=16, embed_dim=768, depth=12, num_heads=12,
    )

and MAE has `class_token=True`. Encoders with rotary positions load into timm's `Eva`, whose
channels of queries and keys are in another order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from models.positions import ROTARY_BASE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from models.encoder import Encoder


def timm_arguments(encoder: Encoder) -> dict[str, Any]:
    """Keyword arguments with which `timm.create_model` makes the same network."""
    arguments = {
        "model_name": "vit_base_patch16_224",
        "num_classes": 0,
        "global_pool": "",
        "class_token": encoder.cls_token is not None,
        "img_size": encoder.image_size,
        "patch_size": encoder.patch_size,
        "embed_dim": encoder.embed_dim,
        "depth": encoder.depth,
        "num_heads": encoder.heads,
    }
    if encoder.angles is not None:
        arguments |= {
            # The rotary "vit_*" have layer scale, which `create_model` cannot switch off.
            "model_name": "eva_giant_patch14_224",
            "mlp_ratio": 4.0,
            "attn_type": "rope",
            "use_abs_pos_emb": False,
            "use_rot_pos_emb": True,
            "rope_temperature": ROTARY_BASE,
        }
    return arguments


def to_timm(encoder: Encoder) -> dict[str, Tensor]:
    """The encoder's parameters for a timm model made with `timm_arguments`."""
    state = encoder.state_dict()
    return _reorder(state, encoder, _interleaved(encoder)) if encoder.angles is not None else state


def from_timm(state: Mapping[str, Tensor], encoder: Encoder) -> dict[str, Tensor]:
    """Parameters of such a timm model as the `state_dict` of an encoder of the same dimensions."""
    if encoder.angles is None:
        return dict(state)
    return _reorder(state, encoder, _interleaved(encoder).argsort())


def _interleaved(encoder: Encoder) -> Tensor:
    """For each channel of a head in timm's order, its place in ours.

    Two channels turn together: timm keeps them side by side, we keep them a quarter head apart.
    """
    head_dim = encoder.embed_dim // encoder.heads
    ours = torch.arange(head_dim).view(2, 2, head_dim // 4)  # axis, member of the two, frequency
    return ours.transpose(1, 2).reshape(head_dim)


def _reorder(state: Mapping[str, Tensor], encoder: Encoder, order: Tensor) -> dict[str, Tensor]:
    reordered = dict(state)
    for name, value in state.items():
        if ".attn.qkv." in name:
            # queries, keys, values; heads; channels of a head
            parts = value.reshape(3, encoder.heads, len(order), *value.shape[1:]).clone()
            parts[:2] = parts[:2, :, order.to(value.device)]
            reordered[name] = parts.reshape(value.shape)
    return reordered
