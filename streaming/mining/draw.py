"""Pictures of pairs: which patches correspond."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GAP_PX = 8
_TINT = 0.35
_DIM = 0.35
_LINES = 12
_WHITE = 255


def draw_correspondences(
    view_1: NDArray[np.uint8],
    view_2: NDArray[np.uint8],
    correspondence: NDArray[np.int16],
    patch_size: int,
) -> NDArray[np.uint8]:
    """Draws two views side by side with their correspondence.

    Partners share a colour, which turns from left to right and fades from top to bottom of view 1;
    patches without a partner are dimmed; a few partners are joined by lines.

    Args:
        view_1: uint8 RGB, shape (side, side, 3).
        view_2: uint8 RGB, of the same shape.
        correspondence: for each patch of view 1 the patch of view 2 or -1, shape (patches,).
        patch_size: side of a patch in pixels.

    Returns:
        uint8 RGB, shape (side, 2 * side + gap, 3).
    """
    across = view_1.shape[1] // patch_size
    colours = _colours(across)
    left = view_1.astype(np.float32) * _DIM
    right = view_2.astype(np.float32) * _DIM
    matched = np.flatnonzero(correspondence >= 0)
    for patch in matched:
        _tint(left, view_1, _box(patch, across, patch_size), colours[patch])
        partner = correspondence[patch]
        _tint(right, view_2, _box(partner, across, patch_size), colours[patch])
    gap = np.full((view_1.shape[0], _GAP_PX, 3), _WHITE, np.float32)
    picture = np.ascontiguousarray(np.hstack([left, gap, right]).round().astype(np.uint8))
    for patch in matched[:: max(1, len(matched) // _LINES)]:
        x_1, y_1 = _centre(patch, across, patch_size)
        x_2, y_2 = _centre(correspondence[patch], across, patch_size)
        end = (x_2 + view_1.shape[1] + _GAP_PX, y_2)
        colour = tuple(int(channel) for channel in colours[patch])
        cv2.line(picture, (x_1, y_1), end, colour, thickness=1, lineType=cv2.LINE_AA)
    return picture


def _colours(across: int) -> NDArray[np.float32]:
    """One RGB colour for each patch of view 1, shape (patches, 3)."""
    rows = np.linspace(1.0, 0.45, across)
    hues = np.linspace(0.0, 0.85, across)
    rgb = [colorsys.hsv_to_rgb(hue, row, 1.0) for row in rows for hue in hues]
    return np.array(rgb, np.float32) * _WHITE


def _tint(
    picture: NDArray[np.float32],
    view: NDArray[np.uint8],
    box: tuple[slice, slice],
    colour: NDArray[np.float32],
) -> None:
    picture[box] = (1 - _TINT) * view[box] + _TINT * colour


def _box(patch: np.integer, across: int, size: int) -> tuple[slice, slice]:
    row, column = divmod(int(patch), across)
    return slice(row * size, (row + 1) * size), slice(column * size, (column + 1) * size)


def _centre(patch: np.integer, across: int, size: int) -> tuple[int, int]:
    row, column = divmod(int(patch), across)
    return column * size + size // 2, row * size + size // 2
