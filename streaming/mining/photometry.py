"""Do the pictures agree with the geometry? Correlation of corresponding patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TEXTURE: Final = 1.0
"""Standard deviation in grey levels from which a patch tells anything. As low as that, for before
a still camera even the noise of asphalt repeats; at 2 a pair of a still car park passes. In one of
the views is enough: a logo on a plain ground is no pair with the same logo before a room."""
_SAME: Final = 0.8
"""Correlation from which a patch is the same in the same place of both views. At 0.9 two pairs of
a still car park pass; at 0.7 it takes the sky for the same anywhere."""
_CLEARLY: Final = 0.1
"""Difference of correlations that is no chance. Without it far scenery, which hardly moves, is
taken out patch by patch (2 of 12 pairs of a drone are left); 0.2 leaves more wrong partners."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike the patches of view 1 are to what a flow shows in their place.

    Attributes:
        correlation: normalised cross-correlation, -1 to 1, shape (patches,); 0 for flat patches.
        is_textured: whether either has enough contrast to be compared, shape (patches,).
    """

    correlation: NDArray[np.float32]
    is_textured: NDArray[np.bool_]


def likeness(
    grey_1: NDArray[np.uint8], grey_2: NDArray[np.uint8], flow_12: NDArray[np.floating], across: int
) -> Likeness:
    """Compares each patch of view 1 with what the flow shows in its place.

    Args:
        grey_1: view 1, shape (view_size, view_size).
        grey_2: view 2, of the same shape.
        flow_12: where the points of view 1 lie in view 2, shape (side, side, 2).
        across: patches along a side of the view.
    """
    side = len(flow_12)
    seen_1 = cv2.resize(grey_1, (side, side), interpolation=cv2.INTER_AREA)
    x, y = np.nan_to_num(flow_12, nan=-1.0).astype(np.float32).transpose(2, 0, 1)
    seen_2 = cv2.remap(grey_2, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    patches_1 = _centred_patches(np.asarray(seen_1, np.uint8), across)
    patches_2 = _centred_patches(np.asarray(seen_2, np.uint8), across)
    deviation_1 = np.sqrt(np.mean(patches_1**2, axis=1))
    deviation_2 = np.sqrt(np.mean(patches_2**2, axis=1))
    covariance = np.mean(patches_1 * patches_2, axis=1)
    scale = np.maximum(deviation_1 * deviation_2, np.float32(1e-6))
    return Likeness(
        correlation=np.asarray(covariance / scale, np.float32),
        is_textured=np.maximum(deviation_1, deviation_2) >= _TEXTURE,
    )


def contradicted(moved: Likeness, unmoved: Likeness, correlation_min: float) -> NDArray[np.bool_]:
    """Which patches look other than the model says: hidden, moving, or far off its plane.

    Args:
        moved: likeness under the model.
        unmoved: likeness of the same places of both views. A patch that is clearly more alike
            where it was has not gone where the model says.
        correlation_min: least correlation under the model.

    Returns:
        shape (patches,); flat patches contradict nothing.
    """
    unlike = moved.correlation < correlation_min
    stayed = unmoved.correlation > moved.correlation + _CLEARLY
    return moved.is_textured & (unlike | stayed)


def stayed(unmoved: Likeness) -> NDArray[np.bool_]:
    """Which patches are the same in the same place of both views, shape (patches,)."""
    return unmoved.is_textured & (unmoved.correlation >= _SAME)


def _centred_patches(grey: NDArray[np.uint8], across: int) -> NDArray[np.float32]:
    """Shape (patches, points of a patch), each patch with mean 0."""
    size = len(grey) // across
    blocks = grey.reshape(across, size, across, size).swapaxes(1, 2)
    patches = blocks.reshape(across * across, size * size).astype(np.float32)
    return np.asarray(patches - patches.mean(axis=1, keepdims=True), np.float32)
