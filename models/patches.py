"""Images as sequences of patches.

Patches are in row-major order on the patch grid; the values of a patch are ordered row, column,
channel.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cuts images into patches.

    Args:
        images: shape (B, C, H, W), H and W multiples of `patch_size`.
        patch_size: side of a patch in pixels.

    Returns:
        Shape (B, N, patch_size * patch_size * C).

    Raises:
        ValueError: when the image does not divide into whole patches.
    """
    batch, channels, height, width = images.shape
    if height % patch_size or width % patch_size:
        raise ValueError(f"{height}x{width} pixels do not divide into patches of {patch_size}")
    rows, cols = height // patch_size, width // patch_size
    grid = images.reshape(batch, channels, rows, patch_size, cols, patch_size)
    # (B, rows, cols, patch row, patch column, C)
    return grid.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows * cols, patch_size**2 * channels)


def unpatchify(patches: Tensor, patch_size: int, grid: tuple[int, int] | None = None) -> Tensor:
    """The inverse of `patchify`.

    Args:
        patches: shape (B, N, patch_size * patch_size * C).
        patch_size: side of a patch in pixels.
        grid: rows and columns of patches; a square grid when not given.

    Returns:
        Shape (B, C, rows * patch_size, columns * patch_size).

    Raises:
        ValueError: when the patches do not fill the grid.
    """
    batch, count, values = patches.shape
    rows, cols = grid or square_grid(count)
    if rows * cols != count:
        raise ValueError(f"{count} patches do not fill a grid of {rows}x{cols}")
    channels = values // patch_size**2
    pixels = patches.reshape(batch, rows, cols, patch_size, patch_size, channels)
    # (B, C, rows, patch row, cols, patch column)
    return pixels.permute(0, 5, 1, 3, 2, 4).reshape(
        batch, channels, rows * patch_size, cols * patch_size
    )


def square_grid(count: int) -> tuple[int, int]:
    """Rows and columns of a square grid of `count` patches; ValueError when there is none."""
    side = math.isqrt(count)
    if side**2 != count:
        raise ValueError(f"{count} patches do not form a square grid: name its rows and columns")
    return side, side
