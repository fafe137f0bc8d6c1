"""Do the pictures agree with the geometry? Correlation of corresponding patches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALIKE = 0.5
"""Correlation from which two patches may show the same thing."""
SAME = 0.8
"""Correlation from which two patches do show the same thing."""
_MIN_CONTRAST = 2.0
"""Standard deviation in grey levels below which a patch is flat and says nothing."""


def patch_correlation(
    grey_1: NDArray[np.uint8], grey_2: NDArray[np.uint8], flow_12: NDArray[np.floating], across: int
) -> NDArray[np.float32]:
    """Correlation of each patch of view 1 with what the flow shows in its place.

    Args:
        grey_1: view 1, shape (view_size, view_size).
        grey_2: view 2, of the same shape.
        flow_12: where the points of view 1 lie in view 2, shape (side, side, 2).
        across: patches along a side of the view.

    Returns:
        normalised cross-correlation, -1 to 1, shape (patches,); NaN for flat patches.
    """
    side = len(flow_12)
    seen_1 = cv2.resize(grey_1, (side, side), interpolation=cv2.INTER_AREA)
    x, y = np.nan_to_num(flow_12, nan=-1.0).astype(np.float32).transpose(2, 0, 1)
    seen_2 = cv2.remap(grey_2, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    patches_1 = _centred_patches(np.asarray(seen_1, np.uint8), across)
    patches_2 = _centred_patches(np.asarray(seen_2, np.uint8), across)
    deviation_1 = np.sqrt(np.mean(patches_1**2, axis=1))
    deviation_2 = np.sqrt(np.mean(patches_2**2, axis=1))
    flat = np.minimum(deviation_1, deviation_2) < _MIN_CONTRAST
    covariance = np.mean(patches_1 * patches_2, axis=1)
    scale = np.where(flat, np.nan, deviation_1 * deviation_2)
    return np.asarray(covariance / scale, np.float32)


def agreement(correlation: NDArray[np.float32], matched: NDArray[np.bool_]) -> float:
    """Share of the matched, textured patches that look alike, 0-1; 0 when all are flat."""
    told = correlation[matched & ~np.isnan(correlation)]
    return float(np.mean(told >= ALIKE)) if len(told) else 0.0


def stands_still(
    moved: NDArray[np.float32], unmoved: NDArray[np.float32], matched: NDArray[np.bool_]
) -> bool:
    """Whether more patches stayed where they were than moved as the model says.

    That is so when something moves before a still camera, and also where the camera goes straight
    ahead and the model holds for the near ground only.

    Args:
        moved: correlation of patches under the model, shape (patches,).
        unmoved: correlation of patches in the same place of both views, shape (patches,).
        matched: whether the model gives a patch a partner, shape (patches,).
    """
    with_model = np.where(matched & ~np.isnan(moved), moved, -1.0)
    without = np.where(np.isnan(unmoved), -1.0, unmoved)
    stayed = np.count_nonzero((without >= SAME) & (with_model < ALIKE))
    went = np.count_nonzero((with_model >= SAME) & (without < ALIKE))
    return bool(stayed > went)


def _centred_patches(grey: NDArray[np.uint8], across: int) -> NDArray[np.float32]:
    """Shape (patches, points of a patch), each patch with mean 0."""
    size = len(grey) // across
    blocks = grey.reshape(across, size, across, size).swapaxes(1, 2)
    patches = blocks.reshape(across * across, size * size).astype(np.float32)
    return np.asarray(patches - patches.mean(axis=1, keepdims=True), np.float32)
