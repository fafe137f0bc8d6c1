"""A camera that pans over a large textured picture: a clip whose pairs are known to exist."""

from pathlib import Path

import cv2
import numpy as np

from tests.media import write_clip

FRAME_HEIGHT, FRAME_WIDTH = 240, 320
PIXELS_PER_S = 100
"""At this speed views a second apart share about two thirds of the picture."""


def write_pan(path: Path, seconds: float = 5.0, rate: int = 8, seed: int = 0) -> Path:
    """Writes a pan from left to right over a random landscape."""
    count = round(seconds * rate)
    width = FRAME_WIDTH + PIXELS_PER_S * count // rate
    landscape = _landscape(FRAME_HEIGHT, width + 1, seed)
    starts = (PIXELS_PER_S * index // rate for index in range(count))
    frames = [landscape[:, start : start + FRAME_WIDTH] for start in starts]
    write_clip(path, frames, rate=rate)
    return path


def _landscape(height: int, width: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for octave in (2, 4, 8, 16, 32, 64):
        noise = generator.random((height // octave + 2, width // octave + 2, 3), np.float32)
        picture += octave**0.3 * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    picture -= picture.min()
    return (255 * picture / picture.max()).astype(np.uint8)
