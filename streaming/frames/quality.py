"""What a picture is worth: sharp enough, lit, different from the last one, free of bars.

Pure functions on arrays. Each flaw has one name, under which frames are counted.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from pydantic import Field

from streaming.records import CropBox
from streaming.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_THUMBNAIL: Final = (64, 48)
_COLOUR_BITS: Final = 3
"""The histogram has 8 steps a channel."""
_BAR_UNIFORMITY: Final = 6
"""Spread of the grey levels along a row of a bar; noise of a night sky is wider."""
_ACTIVE_SHARE_MIN: Final = 0.25
"""Bars that would leave less than this of the frame are a dark scene."""


class FrameFlaw(enum.StrEnum):
    """Why a frame is not worth mining."""

    BLURRED = "blurred"
    DARK = "dark"
    STATIC = "static"


class QualityConfig(Settings):
    """Thresholds on single frames and on the change between two."""

    sharpness_min: float = Field(default=30.0, ge=0)
    """Variance of the Laplacian of the grey view below which it is blurred (at 224x224)."""
    luminance_min: float = Field(default=16.0, ge=0, le=255)
    """Mean of the grey view, 0-255, below which it is dark."""
    static_share_max: float = Field(default=0.05, ge=0, le=1)
    """Share of the picture that may change while the camera counts as standing still."""
    static_level_max: float = Field(default=4.0, ge=0, le=255)
    """Grey levels that a place of the picture may change by and count as unchanged."""
    cut_colour_max: float = Field(default=0.45, ge=0, le=1)
    """Shared colours (histogram intersection, 0-1) below which there is a cut."""
    cut_layout_max: float = Field(default=0.2, ge=-1, le=1)
    """Correlation of the thumbnails below which moderately different colours make a cut too."""
    cut_colour_with_layout_max: float = Field(default=0.75, ge=0, le=1)
    """Shared colours below which an uncorrelated layout is a cut, not a fast turn."""
    bar_luminance_max: int = Field(default=24, ge=0, le=255)
    """Grey level up to which rows and columns at the border may be letterbox bars."""


@dataclass(frozen=True, slots=True)
class FrameSignature:
    """The little of a frame that tells whether another shows the same.

    Attributes:
        thumbnail: float32, shape (48, 64), grey levels 0-255.
        colours: float64, shape (512,), share of each colour, sums to 1.
    """

    thumbnail: NDArray[np.float32]
    colours: NDArray[np.float64]


def sharpness(grey: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of a grey image, shape (height, width); grows with resolution."""
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def luminance(grey: NDArray[np.uint8]) -> float:
    """Mean of a grey image, shape (height, width), 0-255."""
    return float(grey.mean())


def view_flaw(sharpness: float, luminance: float, config: QualityConfig) -> FrameFlaw | None:
    """What is wrong with a view of this sharpness and luminance by itself."""
    if luminance < config.luminance_min:
        return FrameFlaw.DARK
    if sharpness < config.sharpness_min:
        return FrameFlaw.BLURRED
    return None


def signature(image: NDArray[np.uint8]) -> FrameSignature:
    """Signature of an RGB image, uint8, shape (height, width, 3)."""
    small = np.asarray(cv2.resize(image, _THUMBNAIL, interpolation=cv2.INTER_AREA), np.uint8)
    steps = (small >> (8 - _COLOUR_BITS)).astype(np.intp)
    bins = (((steps[..., 0] << _COLOUR_BITS) | steps[..., 1]) << _COLOUR_BITS) | steps[..., 2]
    counts = np.bincount(bins.ravel(), minlength=1 << (3 * _COLOUR_BITS))
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return FrameSignature(grey.astype(np.float32), counts / counts.sum())


def changed_share(before: FrameSignature, after: FrameSignature, level_max: float) -> float:
    """Share of the picture that changed by more than some grey levels, 0-1.

    A change of all levels alike is the exposure's, and does not count.
    """
    change = after.thumbnail - before.thumbnail
    return float((np.abs(change - np.median(change)) > level_max).mean())


def is_static(before: FrameSignature, after: FrameSignature, config: QualityConfig) -> bool:
    """Whether nothing moved but small objects, which change a small part of the picture only.

    Compare with the last frame that was kept, not merely the last one: else a camera that moves
    slowly counts as static for ever.
    """
    return changed_share(before, after, config.static_level_max) <= config.static_share_max


def may_be_cut(before: FrameSignature, after: FrameSignature, config: QualityConfig) -> bool:
    """Whether colours or layout changed so much that a new shot may have begun.

    A camera that turns fast changes them as much: look for common features before you believe it.
    """
    colour = float(np.minimum(before.colours, after.colours).sum())
    if colour < config.cut_colour_max:
        return True
    layout = _correlation(before.thumbnail, after.thumbnail)
    return layout < config.cut_layout_max and colour < config.cut_colour_with_layout_max


def active_area(images: Sequence[NDArray[np.uint8]], config: QualityConfig) -> CropBox:
    """The part of the frame that shows a picture, without letterbox and pillarbox bars.

    Bars are rows and columns at the border that are dark and uniform in every frame. Give several
    frames from different moments: one dark frame alone proves nothing.

    Args:
        images: uint8 RGB, each of the same shape (height, width, 3); at least one.
        config: how dark a bar is.

    Returns:
        The whole frame where there are no bars, or when the bars would leave next to nothing.
    """
    brightest = np.max([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images], axis=0)
    height, width = brightest.shape
    whole = CropBox(0, 0, width, height)
    top, bottom = _picture_span(brightest, config.bar_luminance_max)
    left, right = _picture_span(brightest[top:bottom].T, config.bar_luminance_max)
    if (bottom - top) * (right - left) < _ACTIVE_SHARE_MIN * height * width:
        return whole
    return CropBox(left, top, right, bottom)


def _picture_span(rows: NDArray[np.uint8], level_max: int) -> tuple[int, int]:
    """Half-open range of the rows between the bars at either end; empty when all are bars."""
    if not rows.size:
        return 0, 0
    # Not the maximum: compression rings and a few hot pixels reach into bars.
    low, high = np.percentile(rows, (5, 98), axis=1)
    picture = np.flatnonzero((high > level_max) | (high - low > _BAR_UNIFORMITY))
    return (int(picture[0]), int(picture[-1]) + 1) if len(picture) else (0, 0)


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Pearson correlation, -1 to 1; 0 when one of them is uniform."""
    a, b = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else 0.0
