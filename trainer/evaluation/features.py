"""Patch features of a frozen encoder."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from models.pixels import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from models.encoder import Encoder

_EPSILON = 1e-6


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Evaluation without gradients, and back to training afterwards where the model was in it."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def layer_indices(fractions: Sequence[float], depth: int) -> list[int]:
    """Blocks at these fractions of the depth, counted from 0, in order and each once."""
    return sorted({max(round(fraction * depth), 1) - 1 for fraction in fractions})


def patch_features(
    encoder: Encoder, images: NDArray[np.uint8], layers: Sequence[int], batch_size: int
) -> list[Tensor]:
    """Features of whole, unmasked pictures.

    Args:
        encoder: the encoder; put back into the mode in which it was.
        images: uint8 RGB, shape (n, height, width, 3), of the encoder's size.
        layers: blocks to read, counted from 0.
        batch_size: pictures at once.

    Returns:
        For each layer float32 features on the CPU, shape (n, patches, embed_dim).
    """
    batches: list[list[Tensor]] = []
    with frozen(encoder):
        for start in range(0, len(images), batch_size):
            pixels = as_input(images[start : start + batch_size], encoder)
            features = encoder.features(pixels, layers=list(layers))
            batches.append([layer.float().cpu() for layer in features])
    return [torch.cat(of_layer) for of_layer in zip(*batches, strict=True)]


def as_input(images: NDArray[np.uint8], module: nn.Module) -> Tensor:
    """Pictures (n, height, width, 3) as the module's normalised input (n, 3, height, width)."""
    device = next(module.parameters()).device
    return normalise(torch.from_numpy(images).to(device).permute(0, 3, 1, 2))


class Standardiser:
    """Gives each channel zero mean and unit variance by the statistics of a training set.

    Without it a probe measures the scale of features, which training changes, and not what a
    linear head can read from them.
    """

    def __init__(self, features: Tensor) -> None:
        """Takes the statistics of features (n, patches, channels) over all but the channels."""
        self.mean = features.mean(dim=(0, 1))
        self.deviation = features.std(dim=(0, 1)) + _EPSILON

    def __call__(self, features: Tensor) -> Tensor:
        """Standardises features of the same channels."""
        return (features - self.mean) / self.deviation
