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
    is_static,
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
        signature: of the whole frame.
        sharpness: variance of the Laplacian of the grey view.
        luminance: mean of the grey view, 0-255.
        config: says how features are found.
    """

    timestamp_ns: int
    view: NDArray[np.uint8]
    crop: CropBox
    frame_size: tuple[int, int]
    signature: FrameSignature
    sharpness: float
    luminance: float
    config: MiningConfig = field(repr=False)

    @cached_property
    def features(self) -> Features:
        """Local features of the view."""
        return extract(self.view, self.config)


class Intake:
    """Looks at the frames of one source in their order and lets the useful ones in.

    Attributes:
        last: the last frame that was let in.
        picture: the part of the last frame between its bars.
    """

    def __init__(self, kind: SourceKind, config: MiningConfig) -> None:
        self.last: Seen | None = None
        self.picture: CropBox | None = None
        self._is_film = kind is not SourceKind.IMAGE_SET
        self._config = config
        self._bars = _Bars(config)

    def take(self, frame: Frame) -> Seen | FrameFlaw:
        """Lets a frame in, or names what is wrong with it."""
        quality = self._config.quality
        seen = self._see(frame)
        if self._is_film and self.last and is_static(self.last.signature, seen.signature, quality):
            return FrameFlaw.STATIC
        flaw = view_flaw(seen.sharpness, seen.luminance, quality)
        if flaw is not None:
            return flaw
        self.last = seen
        return seen

    def take_again(self, frame: Frame, picture: CropBox | None) -> Seen:
        """Lets a frame in that was let in before, when `picture` lay between the bars."""
        if picture is not None:
            self._bars.presume(picture, frame.image)
        self.last = self._see(frame)
        return self.last

    def _see(self, frame: Frame) -> Seen:
        height, width = frame.image.shape[:2]
        self.picture = CropBox(0, 0, width, height)
        if self._is_film and self._config.crop_to_active_area:
            self.picture = self._bars.picture_of(frame.image)
        view = make_view(frame.image, self.picture, self._config.view_size)
        grey = to_grey(view)
        return Seen(
            timestamp_ns=frame.timestamp_ns,
            view=view,
            crop=self.picture,
            frame_size=(height, width),
            signature=signature(frame.image),
            sharpness=sharpness(grey),
            luminance=luminance(grey),
            config=self._config,
        )


class _Bars:
    """Letterbox bars: what has been dark in all frames so far."""

    def __init__(self, config: MiningConfig) -> None:
        self._quality = config.quality
        self._brightest: NDArray[np.uint8] | None = None
        self._picture: CropBox | None = None
        self._frames = 0

    def presume(self, picture: CropBox, image: NDArray[np.uint8]) -> None:
        """Goes on as if that part of frames like `image` had been bright before."""
        self._brightest = image.copy()
        self._brightest[picture.top : picture.bottom, picture.left : picture.right] = 255

    def picture_of(self, image: NDArray[np.uint8]) -> CropBox:
        """The part of a frame between the bars."""
        if self._brightest is None or self._brightest.shape != image.shape:
            self._brightest, self._picture, self._frames = image.copy(), None, 0
        self._brightest = np.asarray(cv2.max(self._brightest, image), np.uint8)
        if self._picture is None or self._frames < _LOOKS or self._frames % _LOOKS == 0:
            self._picture = active_area([self._brightest], self._quality)
        self._frames += 1
        return self._picture
