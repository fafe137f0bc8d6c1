"""From stored pixels to network inputs and back: ImageNet normalisation, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from torch import Tensor

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


def normalise(images: Tensor) -> Tensor:
    """uint8 RGB images, shape (B, 3, H, W), to float32 of about zero mean and unit variance."""
    mean, std = _statistics(images)
    return (images.float() / 255.0 - mean) / std


def to_uint8(images: Tensor) -> Tensor:
    """The inverse of `normalise`: rounds, and clips what lies outside 0-255."""
    mean, std = _statistics(images)
    return ((images.float() * std + mean) * 255.0).round().clamp(0, 255).to(torch.uint8)


def _statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    mean = torch.tensor(IMAGENET_MEAN, device=images.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=images.device).view(3, 1, 1)
    return mean, std
