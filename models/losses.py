"""The masked reconstruction loss of MAE (arXiv 2111.06377), which CroCo shares.

Targets are pixels normalised by the mean and variance of their own patch; the loss is the mean
squared error over the masked patches only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.patches import patchify, unpatchify

if TYPE_CHECKING:
    from torch import Tensor

# Keeps patches of one colour finite.
VARIANCE_EPSILON: Final = 1e-6


def normalised_targets(images: Tensor, patch_size: int) -> Tensor:
    """What a network should predict: float32, shape (B, N, patch_size * patch_size * 3)."""
    patches = patchify(images.float(), patch_size)
    mean, std = _patch_statistics(patches)
    return (patches - mean) / std


def masked_pixel_loss(prediction: Tensor, images: Tensor, mask: Tensor, patch_size: int) -> Tensor:
    """Mean squared error over the masked patches, in float32 whatever the prediction's type.

    Args:
        prediction: shape (B, N, patch_size * patch_size * 3).
        images: the images that were masked, shape (B, 3, H, W).
        mask: bool, shape (B, N), true = masked; at least one patch is.
        patch_size: side of a patch in pixels.

    Returns:
        A scalar.
    """
    error = prediction.float() - normalised_targets(images, patch_size)
    per_patch = error.square().mean(dim=-1)  # (B, N)
    return (per_patch * mask).sum() / mask.sum()


def denormalise(patches: Tensor, images: Tensor, patch_size: int) -> Tensor:
    """Turns predictions into pictures with the statistics of the true patches.

    Args:
        patches: predictions, shape (B, N, patch_size * patch_size * 3).
        images: the true images, shape (B, 3, H, W); they give each patch its mean and spread.
        patch_size: side of a patch in pixels.

    Returns:
        float32 images, shape (B, 3, H, W), normalised as `images` are; see `pixels.to_uint8`.
    """
    mean, std = _patch_statistics(patchify(images.float(), patch_size))
    rows, cols = images.shape[2] // patch_size, images.shape[3] // patch_size
    return unpatchify(patches.float() * std + mean, patch_size, (rows, cols))


def _patch_statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
    mean = patches.mean(dim=-1, keepdim=True)
    variance = patches.var(dim=-1, keepdim=True)
    return mean, (variance + VARIANCE_EPSILON).sqrt()
