"""From a frame to a view that is worth comparing, or the flaw that speaks against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from streaming.frames.quality import (
    FrameFlaw,
    FrameSignature,
    active_area,
    change_flaw,
    luminance,
    sharpness,
    signature,
    view_flaw,
)
from streaming.mining.features import extract
from streaming.mining.views import make_view, to_grey
from streaming.records import CropBox, Features, Frame, SourceKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streaming.mining.config import MiningConfig

_LOOKS: Final = 8
"""Bars are looked for in so many first frames, and then in one of so many."""


@dataclass(frozen=True)
class Seen:
    """A frame's view, with what was measured of it; its features are found when first asked for.

    Attributes:
        timestamp_ns: time of the frame in the source.
        view: uint8 RGB, shape (view_size, view_size, 3).
        crop: the part of the frame that the view shows.
        frame_size: height and width of the frame in pixels.
        sharpness: variance of the Laplacian of the grey view.
        luminance: mean of the grey view, 0-255.
        opens_shot: the frames before it belong to another shot.
        config: says how features are found.
    """

    timestamp_ns: int
    view: NDArray[np.uint8]
    crop: CropBox
    frame_size: tuple[int, int]
    sharpness: float
    luminance: float
    opens_shot: bool
    config: MiningConfig = field(repr=False)

    @cached_property
    def features(self) -> Features:
        """Local features of the view."""
        return extract(self.view, self.config)


class Intake:
    """Looks at the frames of one source in their order and lets the useful ones in."""

    def __init__(self, kind: SourceKind, config: MiningConfig) -> None:
        self._is_film = kind is not SourceKind.IMAGE_SET
        self._config = config
        self._bars = _Bars(config)
        self._last: FrameSignature | None = None
        self._cut = False

    def take(self, frame: Frame) -> Seen | FrameFlaw:
        """Makes the view of a frame, or names what is wrong with the frame."""
        height, width = frame.image.shape[:2]
        crop = CropBox(0, 0, width, height)
        if self._is_film:
            if self._config.crop_to_active_area:
                crop = self._bars.picture_of(frame.image)
            if self._follow(frame.image) is FrameFlaw.STATIC:
                return FrameFlaw.STATIC
        view = make_view(frame.image, crop, self._config.view_size)
        grey = to_grey(view)
        flaw = view_flaw(grey, self._config.quality)
        if flaw is not None:
            return flaw
        opens_shot, self._cut = self._cut, False
        return Seen(
            timestamp_ns=frame.timestamp_ns,
            view=view,
            crop=crop,
            frame_size=(height, width),
            sharpness=sharpness(grey),
            luminance=luminance(grey),
            opens_shot=opens_shot,
            config=self._config,
        )

    def _follow(self, image: NDArray[np.uint8]) -> FrameFlaw | None:
        """Compares with the last frame that was not static; a cut is kept in mind until told."""
        now = signature(image)
        flaw = None if self._last is None else change_flaw(self._last, now, self._config.quality)
        if flaw is not FrameFlaw.STATIC:
            self._last = now
        self._cut |= flaw is FrameFlaw.CUT
        return flaw


class _Bars:
    """Letterbox bars: what has been dark in all frames so far."""

    def __init__(self, config: MiningConfig) -> None:
        self._quality = config.quality
        self._brightest: NDArray[np.uint8] | None = None
        self._picture: CropBox | None = None
        self._frames = 0

    def picture_of(self, image: NDArray[np.uint8]) -> CropBox:
        """The part of a frame between the bars."""
        if self._brightest is None or self._brightest.shape != image.shape:
            self._brightest, self._picture, self._frames = image.copy(), None, 0
        self._brightest = np.asarray(cv2.max(self._brightest, image), np.uint8)
        if self._picture is None or self._frames < _LOOKS or self._frames % _LOOKS == 0:
            self._picture = active_area([self._brightest], self._quality)
        self._frames += 1
        return self._picture
