"""A small dense prediction transformer head (DPT, arXiv 2103.13413).

Tokens of four layers become feature maps of 1/4, 1/8, 1/16 and 1/32 of the image (for patches of
16 pixels), which are fused from coarse to fine by convolutions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import nn
from torch.nn import functional as F  # noqa: N812  the field's name for it

from models.patches import square_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

LAYER_COUNT: Final = 4


def default_layers(depth: int) -> list[int]:
    """The layers that a DPT head reads of an encoder with that many blocks, evenly spread."""
    return [max(1, depth * quarter // LAYER_COUNT) - 1 for quarter in range(1, LAYER_COUNT + 1)]


class DPTHead(nn.Module):
    """Convolutional head over the tokens of four layers, for `Encoder.features`."""

    def __init__(self, in_dim: int, out_channels: int, patch_size: int, width: int = 64) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.project = nn.ModuleList(nn.Conv2d(in_dim, width, 1) for _ in range(LAYER_COUNT))
        self.resample = nn.ModuleList(
            [
                nn.ConvTranspose2d(width, width, 4, stride=4),
                nn.ConvTranspose2d(width, width, 2, stride=2),
                nn.Identity(),
                nn.Conv2d(width, width, 3, stride=2, padding=1),
            ]
        )
        self.refine = nn.ModuleList(ResidualConvolution(width) for _ in range(LAYER_COUNT))
        self.fuse = nn.ModuleList(ResidualConvolution(width) for _ in range(LAYER_COUNT))
        self.smooth = nn.Conv2d(width, width // 2, 3, padding=1)
        self.predict = nn.Conv2d(width // 2, out_channels, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Predicts a dense map.

        Args:
            features: patch tokens of a square grid from four layers, the shallowest first, each
                of shape (B, N, in_dim).

        Returns:
            Shape (B, out_channels, H, W), of the size of the image.

        Raises:
            ValueError: when there are not four layers.
        """
        if len(features) != LAYER_COUNT:
            raise ValueError(f"a DPT head reads {LAYER_COUNT} layers, not {len(features)}")
        rows, cols = square_grid(features[0].shape[1])
        maps = []
        for tokens, project, resample, refine in zip(
            features, self.project, self.resample, self.refine, strict=True
        ):
            grid = tokens.transpose(1, 2).reshape(len(tokens), -1, rows, cols)  # (B, D, rows, cols)
            maps.append(refine(resample(project(grid))))  # (B, width, 4 ... 1/2 of the grid)
        fused = self.fuse[-1](maps[-1])
        for finer, fuse in zip(maps[-2::-1], list(self.fuse)[-2::-1], strict=True):
            fused = fuse(finer + _resize(fused, finer.shape[2:]))
        image_size = (rows * self.patch_size, cols * self.patch_size)
        dense: Tensor = self.predict(F.relu(_resize(self.smooth(fused), image_size)))
        return dense


class ResidualConvolution(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, width, H, W) to the same shape."""
        residual: Tensor = self.second(F.relu(self.first(F.relu(maps))))
        return maps + residual


def _resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(maps, size=list(size), mode="bilinear", align_corners=False)
