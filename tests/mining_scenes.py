"""Pictures and pairs of views whose geometry is known by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from streaming.mining.geometry import homography_flow
from streaming.mining.overlap import correspond, lattice

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VIEW = 224
PATCH = 16
ACROSS = VIEW // PATCH


def texture(seed: int, side: int = 800) -> NDArray[np.uint8]:
    """A picture full of things: noise of several scales, boxes and discs; uint8 RGB."""
    rng = np.random.default_rng(seed)
    picture = np.full((side, side, 3), 128.0, np.float32)
    for cell in (4, 12, 40, 120):
        small = rng.normal(0, 18, (side // cell + 2, side // cell + 2, 3)).astype(np.float32)
        picture += cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    for _ in range(150):
        x, y, size = [*rng.integers(0, side, 2).tolist(), int(rng.integers(6, 50))]
        colour = rng.uniform(0, 255, 3).tolist()
        if rng.random() < 0.5:
            cv2.rectangle(picture, (x, y), (x + size, y + size // 2), colour, -1)
        else:
            cv2.circle(picture, (x, y), size // 2, colour, -1)
    return np.clip(picture, 0, 255).astype(np.uint8)


def read_rgb(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    assert image is not None, path
    return np.asarray(image, np.uint8)


def window(picture: NDArray[np.uint8], left: int, top: int) -> NDArray[np.uint8]:
    return picture[top : top + VIEW, left : left + VIEW].copy()


def warped(picture: NDArray[np.uint8], left: int, top: int, matrix: NDArray) -> NDArray[np.uint8]:
    """The view that `matrix` makes of the window's plane (pixels of the window to its own)."""
    to_window = np.array([[1.0, 0, -left], [0, 1, -top], [0, 0, 1]])
    return cv2.warpPerspective(picture, matrix @ to_window, (VIEW, VIEW), flags=cv2.INTER_LINEAR)


def shift(dx: float, dy: float) -> NDArray[np.float64]:
    return np.array([[1.0, 0, dx], [0, 1, dy], [0, 0, 1]])


def about_centre(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = (VIEW - 1) / 2
    return shift(middle, middle) @ matrix @ shift(-middle, -middle)


def planar_truth(matrix: NDArray[np.float64]) -> NDArray[np.int16]:
    """The exact correspondence under a homography: every pixel votes."""
    pixels = lattice(VIEW, PATCH, PATCH)
    there, back = homography_flow(matrix, pixels), homography_flow(np.linalg.inv(matrix), pixels)
    return correspond(there, back, VIEW, PATCH)


def patch_distance(found: NDArray[np.int16], truth: NDArray[np.int16]) -> NDArray[np.int_]:
    """Distance on the grid for patches that both match (others are left out)."""
    both = (found >= 0) & (truth >= 0)
    row, column = np.divmod(found[both].astype(int), ACROSS)
    true_row, true_column = np.divmod(truth[both].astype(int), ACROSS)
    return np.maximum(abs(row - true_row), abs(column - true_column))


def centre_error_px(found: NDArray[np.int16], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the middle of each matched patch truly lies from that of its partner, by axis."""
    matched = np.flatnonzero(found >= 0)
    row, column = np.divmod(np.stack([matched, found[matched].astype(int)]), ACROSS)
    x, y = column * PATCH + (PATCH - 1) / 2, row * PATCH + (PATCH - 1) / 2
    lands = matrix @ np.stack([x[0], y[0], np.ones_like(x[0])])
    return np.maximum(abs(lands[0] / lands[2] - x[1]), abs(lands[1] / lands[2] - y[1]))
