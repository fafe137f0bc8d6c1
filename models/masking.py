"""Which patches are hidden. A mask is bool, shape (B, N); true means masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def masked_count(patches: int, ratio: float) -> int:
    """How many patches a mask hides: the ratio of them, rounded.

    Raises:
        ValueError: when the ratio masks no patch or all patches.
    """
    masked = round(ratio * patches)
    if not 0 < masked < patches:
        raise ValueError(f"mask ratio {ratio} masks {masked} of {patches} patches")
    return masked


def random_mask(batch: int, patches: int, ratio: float, generator: torch.Generator) -> Tensor:
    """Draws uniformly random masks with the same number of masked patches in each row.

    Args:
        batch: number of rows B.
        patches: patches of an image N.
        ratio: share of masked patches, rounded to whole patches.
        generator: source of randomness; the mask lies on its device. A mask on the CPU lets
            networks on an accelerator take it without waiting for the device.

    Returns:
        bool, shape (B, N).

    Raises:
        ValueError: when the ratio masks no patch or all patches.
    """
    masked = masked_count(patches, ratio)
    scores = torch.rand(batch, patches, generator=generator, device=generator.device)
    ranks = scores.argsort(dim=1).argsort(dim=1)
    return ranks < masked


@torch.compiler.disable  # type: ignore[untyped-decorator]  # torch leaves it untyped
def visible_indices(mask: Tensor, device: torch.device) -> Tensor:
    """Indices of the visible patches in growing order: int64, shape (B, visible), on `device`.

    Their number is a shape, which the host must know: this is why the function stands outside
    compiled graphs, and why a mask on the CPU spares a synchronisation with the device.

    Raises:
        ValueError: when rows differ in their number of visible patches.
    """
    visible = ~mask
    counts = visible.sum(dim=1)
    count = int(counts[0])
    if bool((counts != count).any()):
        raise ValueError("rows of a mask must hide the same number of patches")
    indices = visible.nonzero()[:, 1].reshape(len(mask), count)
    return indices.to(device, non_blocking=True)


def select_tokens(tokens: Tensor, indices: Tensor) -> Tensor:
    """Picks tokens by index: shapes (B, N, D) and (B, M) give (B, M, D)."""
    return tokens.gather(1, indices[:, :, None].expand(-1, -1, tokens.shape[-1]))


def place_tokens(visible: Tensor, indices: Tensor, filler: Tensor, patches: int) -> Tensor:
    """Puts tokens at their patches and a filler token at all others.

    Args:
        visible: tokens, shape (B, M, D).
        indices: the patch of each, shape (B, M).
        filler: shape (1, 1, D).
        patches: patches of an image N.

    Returns:
        Shape (B, N, D).
    """
    batch, _, dim = visible.shape
    canvas = filler.to(visible.dtype).expand(batch, patches, dim)
    return canvas.scatter(1, indices[:, :, None].expand(-1, -1, dim), visible)
