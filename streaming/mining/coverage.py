"""Where inliers lie matters as much as how many they are.

A poster that hangs in two rooms gives many inliers, all in one corner of the overlap that the
homography claims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def coverage(
    keypoints: NDArray[np.float32],
    inliers: NDArray[np.float32],
    in_overlap: NDArray[np.bool_],
    patch_size: int,
) -> float:
    """Share of the patches in the overlap that hold keypoints and lie at or next to an inlier.

    Args:
        keypoints: all keypoints of a view, shape (n, 2), pixels.
        inliers: those that agree with the model, shape (m, 2).
        in_overlap: which patches of the view have a partner, shape (patches,).
        patch_size: side of a patch in pixels.

    Returns:
        0-1; 0 when no keypoint lies in the overlap.
    """
    across = round(len(in_overlap) ** 0.5)
    could = _occupied(keypoints, across, patch_size).ravel() & in_overlap
    near = cv2.dilate(
        _occupied(inliers, across, patch_size).astype(np.uint8), np.ones((3, 3), np.uint8)
    )
    does = could & (np.asarray(near).ravel() > 0)
    return float(does.sum()) / max(1.0, float(could.sum()))


def _occupied(points: NDArray[np.float32], across: int, patch_size: int) -> NDArray[np.bool_]:
    """Patches that hold a point, shape (patches down, patches across)."""
    cells = np.clip(((points + 0.5) / patch_size).astype(np.intp), 0, across - 1)
    occupied = np.zeros((across, across), np.bool_)
    occupied[cells[:, 1], cells[:, 0]] = True
    return occupied
