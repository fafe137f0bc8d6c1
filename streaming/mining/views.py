"""Views: the squashed square pictures that pairs are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from streaming.errors import RecordError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streaming.records import CropBox


def make_view(image: NDArray[np.uint8], crop: CropBox, view_size: int) -> NDArray[np.uint8]:
    """Squashes a part of a frame to a square view.

    Args:
        image: uint8 RGB, shape (height, width, 3).
        crop: the part to show; must lie in the image and hold at least one pixel.
        view_size: side of the view in pixels.

    Returns:
        uint8 RGB, shape (view_size, view_size, 3).
    """
    part = image[crop.top : crop.bottom, crop.left : crop.right]
    size = (view_size, view_size)
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)


def to_grey(view: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of an RGB picture: uint8, shape (height, width)."""
    return np.asarray(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), np.uint8)


def encode_jpeg(view: NDArray[np.uint8], quality: int) -> bytes:
    """Encodes an RGB view; `quality` is 1-100."""
    bgr = cv2.cvtColor(view, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return jpeg.tobytes()


def decode_view(jpeg: bytes) -> NDArray[np.uint8]:
    """Decodes what `encode_jpeg` made: uint8 RGB, shape (view_size, view_size, 3).

    Raises:
        RecordError: the bytes are no whole JPEG picture.
    """
    view = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if view is None:
        raise RecordError("bad_jpeg", "view: not a JPEG picture; mine or import the pair anew")
    return np.asarray(view, np.uint8)
