"""What every pretraining network offers to the trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from models.encoder import Encoder


class Reconstruction(NamedTuple):
    """Output of a pretraining network; a tuple, so that DDP and FSDP find its tensors.

    Attributes:
        loss: float32 scalar.
        patches: prediction, shape (B, N, patch_size * patch_size * 3), in the space of the
            target (normalised by patch); `losses.denormalise` makes pictures of it.
    """

    loss: Tensor
    patches: Tensor


class PretrainingModel(nn.Module, ABC):
    """A network that reconstructs the masked patches of view 1.

    Attributes:
        encoder: the part that is kept after pretraining.
        image_size: side of an image in pixels.
        patch_size: side of a patch in pixels.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.image_size = encoder.image_size
        self.patch_size = encoder.patch_size

    @abstractmethod
    def forward(self, view_1: Tensor, view_2: Tensor, mask: Tensor) -> Reconstruction:
        """Reconstructs view 1.

        Args:
            view_1: float, shape (B, 3, H, W), ImageNet-normalised.
            view_2: the same; a network of single views passes over it.
            mask: bool, shape (B, N), over the patches of view 1, true = masked, as many in each
                row. Best kept on the CPU: then no step waits for the device.
        """

    def initialise(self, generator: torch.Generator) -> None:
        """Draws all weights as MAE and CroCo do.

        Linear layers, the patch embedding among them, are Xavier-uniform with zero bias; tokens
        are normal with a standard deviation of 0.02; norms start as the identity.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                # A convolution over patches is a linear layer over their pixels.
                weight = module.weight.detach().flatten(1)
                nn.init.xavier_uniform_(weight, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.endswith("_token"):
                nn.init.normal_(parameter, std=0.02, generator=generator)
