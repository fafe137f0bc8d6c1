"""From a decoded picture to an upright RGB array with square pixels, not larger than wanted."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.reformatter import Interpolation, VideoReformatter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from av import VideoFrame
    from numpy.typing import NDArray

_SQUARE: Final = Fraction(1)
_PIXEL_ASPECT_TOLERANCE: Final = Fraction(1, 50)
"""Encoders round: a pixel this close to a square is not worth the blur of a resize."""
_PIXEL_ASPECT_MAX: Final = 4
"""No camera has longer pixels: such a value is damage."""


def fit_size(
    width: int, height: int, max_side_px: int, pixel_aspect: Fraction = _SQUARE
) -> tuple[int, int]:
    """Width and height for square pixels, with the longer side bounded."""
    plausible = Fraction(1, _PIXEL_ASPECT_MAX) <= pixel_aspect <= _PIXEL_ASPECT_MAX
    if plausible and abs(pixel_aspect - 1) > _PIXEL_ASPECT_TOLERANCE:
        width = max(1, round(width * pixel_aspect))
    scale = min(Fraction(1), Fraction(max_side_px, max(width, height)))
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrink(image: NDArray[np.uint8], max_side_px: int) -> NDArray[np.uint8]:
    """The image itself, or reduced when its longer side is over the bound."""
    height, width = image.shape[:2]
    size = fit_size(width, height, max_side_px)
    if size == (width, height):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


class RgbConverter:
    """Converts decoded pictures of one stream; keeps the scaler between pictures."""

    def __init__(self, max_side_px: int) -> None:
        self._max_side_px = max_side_px
        self._scaler = VideoReformatter()

    def convert(self, picture: VideoFrame, pixel_aspect: Fraction | None) -> NDArray[np.uint8]:
        """Converts one picture of any pixel format.

        Args:
            picture: as the decoder gave it.
            pixel_aspect: width of a pixel over its height; None when unknown.

        Returns:
            uint8 RGB, shape (height, width, 3), turned as the picture's display matrix says.
        """
        stored = (picture.width, picture.height)
        width, height = fit_size(*stored, self._max_side_px, pixel_aspect or _SQUARE)
        same_size = (width, height) == stored
        rgb = self._scaler.reformat(
            picture,
            width=width,
            height=height,
            format="rgb24",
            interpolation=Interpolation.BILINEAR if same_size else Interpolation.AREA,
            threads=1,  # the default takes every core of the machine
        )
        image = np.asarray(rgb.to_ndarray(), np.uint8)
        side_data: Mapping[str, object] = picture.side_data
        match side_data.get("DISPLAYMATRIX"):
            case SideData() as matrix:
                return upright(image, np.frombuffer(bytes(matrix), np.int32))
            case _:
                return image


def upright(image: NDArray[np.uint8], display_matrix: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Turns and mirrors an image as a display matrix says, to the nearest quarter turn.

    Args:
        image: uint8, shape (height, width, 3).
        display_matrix: int32, 9 values in fixed point; the point (x, y) is shown at
            (m0 x + m3 y, m1 x + m4 y).
    """
    x_to_x, x_to_y, _, y_to_x, y_to_y = (int(value) for value in display_matrix[:5])
    if abs(x_to_x) < abs(x_to_y):
        image = image.swapaxes(0, 1)
        mirror_x, mirror_y = y_to_x < 0, x_to_y < 0
    else:
        mirror_x, mirror_y = x_to_x < 0, y_to_y < 0
    return np.ascontiguousarray(image[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1])
