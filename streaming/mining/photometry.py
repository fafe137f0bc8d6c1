"""Do the pictures agree with the geometry? Correlation of corresponding patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALIKE: Final = 0.5
"""Correlation from which two patches may show the same thing."""
_SAME: Final = 0.8
"""Correlation from which two patches do show the same thing."""
_TEXTURE: Final = 2.0
"""Standard deviation in grey levels from which a patch has texture; below is mostly noise."""
_FAINT_TEXTURE: Final = 1.0
"""Enough to tell that nothing moved: before a still camera even the noise of asphalt repeats."""
_STAYED_TO_WENT: Final = 0.75
"""On footage, things moving before a still camera give 1.7 and more, hand-held cameras 0.2-0.6."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike the patches of view 1 are to what a flow shows in their place.

    Attributes:
        correlation: normalised cross-correlation, -1 to 1, shape (patches,); 0 for flat patches.
        contrast: standard deviation in grey levels in the flatter of the two, shape (patches,).
    """

    correlation: NDArray[np.float32]
    contrast: NDArray[np.float32]

    def unlike(self, correlation_min: float) -> NDArray[np.bool_]:
        """Which textured patches correlate less than that, shape (patches,)."""
        return (self.contrast >= _TEXTURE) & (self.correlation < correlation_min)


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
        contrast=np.asarray(np.minimum(deviation_1, deviation_2), np.float32),
    )


def agreement(moved: Likeness, matched: NDArray[np.bool_]) -> float:
    """Share of the matched, textured patches that look alike, 0-1; 0 when all are flat."""
    told = moved.correlation[matched & (moved.contrast >= _TEXTURE)]
    return float(np.mean(told >= _ALIKE)) if len(told) else 0.0


def stands_still(moved: Likeness, unmoved: Likeness, matched: NDArray[np.bool_]) -> bool:
    """Whether about as many patches stayed where they were as moved the way the model says.

    That is so when something moves before a still camera, and also where the camera goes straight
    ahead and the model holds for the near ground only.

    Args:
        moved: likeness of patches under the model.
        unmoved: likeness of patches in the same place of both views.
        matched: whether the model gives a patch a partner, shape (patches,).
    """
    with_model = np.where(matched & (moved.contrast >= _FAINT_TEXTURE), moved.correlation, -1.0)
    without = np.where(unmoved.contrast >= _FAINT_TEXTURE, unmoved.correlation, -1.0)
    stayed = np.count_nonzero((without >= _SAME) & (with_model < _ALIKE))
    went = np.count_nonzero((with_model >= _SAME) & (without < _ALIKE))
    return bool(stayed > _STAYED_TO_WENT * went)


def _centred_patches(grey: NDArray[np.uint8], across: int) -> NDArray[np.float32]:
    """Shape (patches, points of a patch), each patch with mean 0."""
    size = len(grey) // across
    blocks = grey.reshape(across, size, across, size).swapaxes(1, 2)
    patches = blocks.reshape(across * across, size * size).astype(np.float32)
    return np.asarray(patches - patches.mean(axis=1, keepdims=True), np.float32)
