"""What maps one view to the other: a homography.

It is exact for planes and for a camera that only turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streaming.mining.overlap import lattice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streaming.mining.config import MiningConfig

_MIN_POINTS = 4
_TINY = 1e-9
_MAX_SCALE = 4.0
"""A camera that comes four times as near shares no half of a view."""


@dataclass(frozen=True, slots=True)
class Homography:
    """A plane, or a turning camera.

    Attributes:
        homography: shape (3, 3), its last element is 1.
        inliers: shape (matches,).
    """

    homography: NDArray[np.float64]
    inliers: NDArray[np.bool_]

    @property
    def inlier_count(self) -> int:
        """Number of matches that agree with it."""
        return int(np.count_nonzero(self.inliers))

    def is_possible(self, view_size: int) -> bool:
        """Whether both views can show one place, judged at corners, edges and middle of the view.

        No point may lie behind the other camera, nothing may be mirrored, and nothing enlarged or
        shrunk beyond reason.
        """
        both = (self.homography, _inverse(self.homography))
        return all(_is_possible(matrix, view_size) for matrix in both)

    def flows(
        self, view_size: int, patch_size: int, votes_per_side: int
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Flow by the homography and by its inverse."""
        positions = lattice(view_size, patch_size, votes_per_side)
        there = homography_flow(self.homography, positions)
        return there, homography_flow(_inverse(self.homography), positions)


def estimate_homography(
    points_1: NDArray[np.float32], points_2: NDArray[np.float32], config: MiningConfig
) -> Homography | None:
    """Fits a homography to matches by seeded RANSAC with local optimisation (USAC).

    Args:
        points_1: shape (matches, 2), pixels of view 1.
        points_2: shape (matches, 2), pixels of view 2.
        config: inlier distance `ransac_px` and `seed`.

    Returns:
        None when no four matches agree or the result cannot be inverted.
    """
    if len(points_1) < _MIN_POINTS:
        return None
    found, mask = cv2.findHomography(points_1, points_2, _usac(config.ransac_px, config.seed))
    matrix = np.array(found, np.float64)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or abs(matrix[2, 2]) < _TINY:
        return None
    matrix /= matrix[2, 2]
    if abs(np.linalg.det(matrix)) < _TINY:
        return None
    return Homography(matrix, np.asarray(mask, np.bool_).ravel())


def homography_flow(
    matrix: NDArray[np.float64], positions: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Where a homography takes the points of a square lattice.

    Args:
        matrix: shape (3, 3); its sign must make the depth of visible points positive.
        positions: the lattice's positions along x and along y, shape (side,).

    Returns:
        shape (side, side, 2), indexed by y then x; NaN where a point lies behind the camera.
    """
    by_x = matrix[:, :1] * positions
    by_y = matrix[:, 1:2] * positions + matrix[:, 2:]
    x, y, depth = (by_y[:, :, None] + by_x[:, None, :]).astype(np.float32)
    inverse = np.float32(1.0) / np.where(depth > 1e-9, depth, np.float32(np.nan))
    return np.stack([x * inverse, y * inverse], axis=-1)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _usac(ransac_px: float, seed: int) -> cv2.UsacParams:
    parameters = cv2.UsacParams()
    parameters.threshold = ransac_px
    parameters.randomGeneratorState = seed
    parameters.confidence = 0.999
    parameters.maxIterations = 2_000
    parameters.isParallel = False
    return parameters


def _is_possible(matrix: NDArray[np.float64], view_size: int) -> bool:
    ends = np.array([-0.5, 0.5 * (view_size - 1), view_size - 0.5])
    grid_x, grid_y = np.meshgrid(ends, ends)
    points = np.stack([grid_x.ravel(), grid_y.ravel(), np.ones(9)])
    depth = matrix[2] @ points
    if depth.min() <= 0:
        return False
    # Determinant of the Jacobian of a homography at a point: det(H) / depth^3.
    area_scale = np.linalg.det(matrix) / depth**3
    return bool(area_scale.min() >= _MAX_SCALE**-2 and area_scale.max() <= _MAX_SCALE**2)
