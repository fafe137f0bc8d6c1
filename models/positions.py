"""Where a patch is: fixed 2-D sine-cosine embeddings, or 2-D rotary position embeddings.

Sine-cosine embeddings are those of "Attention Is All You Need" (arXiv 1706.03762) for each image
axis, as MAE (arXiv 2111.06377) and CroCo (arXiv 2210.10716) add them to the tokens. Rotary
embeddings (RoFormer, arXiv 2104.09864) rotate queries and keys instead; half of a head's
channels turns with the row and half with the column, as in CroCo v2 (arXiv 2211.10408).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional as F  # noqa: N812  the field's name for it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

SINE_COSINE_BASE: Final = 10_000.0
ROTARY_BASE: Final = 100.0


def grid_positions(rows: int, cols: int) -> Tensor:
    """Row and column of each patch in row-major order: float32, shape (rows * cols, 2)."""
    row, col = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    return torch.stack([row, col], dim=-1).reshape(-1, 2).float()


def sine_cosine_embedding(dim: int, rows: int, cols: int, prefix: int = 0) -> Tensor:
    """Fixed embeddings of the patch positions.

    The first half of the channels encodes the column and the second the row; each half holds
    all sines, then all cosines.

    Args:
        dim: channels, a multiple of 4.
        rows: rows of the patch grid.
        cols: columns of the patch grid.
        prefix: tokens before the patches, which stand nowhere and get zeros.

    Returns:
        float32, shape (prefix + rows * cols, dim).
    """
    exponents = torch.arange(dim // 4, dtype=torch.float64) / (dim // 4)
    frequencies = SINE_COSINE_BASE**-exponents
    column_row = grid_positions(rows, cols).double().flip(-1)
    angles = column_row[:, :, None] * frequencies  # (N, 2, dim / 4)
    embedding = torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(1).float()
    return F.pad(embedding, (0, 0, prefix, 0))


def rotary_angles(head_dim: int, rows: int, cols: int, prefix: int = 0) -> Tensor:
    """Angles by which the channels of a head turn at each patch.

    Args:
        head_dim: channels of a head, a multiple of 4.
        rows: rows of the patch grid.
        cols: columns of the patch grid.
        prefix: tokens before the patches, which stand nowhere and do not turn.

    Returns:
        float32, shape (prefix + rows * cols, 2, head_dim / 4): for the row and the column.
    """
    exponents = torch.arange(head_dim // 4, dtype=torch.float32) / (head_dim // 4)
    angles = grid_positions(rows, cols)[:, :, None] * ROTARY_BASE**-exponents
    return F.pad(angles, (0, 0, 0, 0, prefix, 0))


@dataclass(frozen=True, slots=True)
class Rotation:
    """The turn of each token of a batch.

    Attributes:
        cos: shape (B or 1, 1, N, 2, head_dim / 4).
        sin: the same shape.
    """

    cos: Tensor
    sin: Tensor

    @classmethod
    def of(cls, angles: Tensor) -> Rotation:
        """From angles of shape (B or 1, N, 2, head_dim / 4)."""
        return cls(angles.cos()[:, None], angles.sin()[:, None])

    def __call__(self, heads: Tensor) -> Tensor:
        """Turns queries or keys, shape (B, heads, N, head_dim).

        An axis owns half of the channels; its channel i turns together with channel i + half.
        """
        parts = heads.reshape(*heads.shape[:-1], 2, 2, -1)
        first, second = parts.unbind(-2)  # (B, heads, N, 2, head_dim / 4) each
        turned = torch.stack(
            [first * self.cos - second * self.sin, second * self.cos + first * self.sin], dim=-2
        )
        return turned.flatten(-3).to(heads.dtype)


def pack_rotations(rotations: Sequence[Rotation]) -> Rotation:
    """Joins the rotations of several sequences along the tokens, expanding to a common batch."""
    batch = max(len(rotation.cos) for rotation in rotations)
    return Rotation(
        torch.cat([r.cos.expand(batch, -1, -1, -1, -1) for r in rotations], dim=2),
        torch.cat([r.sin.expand(batch, -1, -1, -1, -1) for r in rotations], dim=2),
    )
