"""Real pair records with tiny pictures, and bytes that are none."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from streaming.records import CropBox, Pair, TwoView, View
from streaming.schema.codec import encode_pair

VIEW_SIZE = 16
PATCH_SIZE = 8
PATCHES = (VIEW_SIZE // PATCH_SIZE) ** 2


def small_view(seed: int, size: int = VIEW_SIZE) -> View:
    image = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    _, jpeg = cv2.imencode(".jpg", image)
    return View(
        jpeg=jpeg.tobytes(),
        timestamp_ns=seed,
        frame_height=480,
        frame_width=640,
        crop=CropBox(0, 0, 640, 480),
        sharpness=100.0,
        luminance=128.0,
    )


@functools.lru_cache(maxsize=1024)
def small_pair(number: int, size: int = VIEW_SIZE, patch_size: int = PATCH_SIZE) -> Pair:
    """A valid pair; another number gives other pictures and another id."""
    patches = (size // patch_size) ** 2
    correspondence = np.random.default_rng(number).integers(-1, patches, patches, dtype=np.int16)
    return Pair(
        pair_id=f"pair-{number}",
        source_id=f"source-{number % 3}",
        producer="test 0",
        config_fingerprint="0",
        mined_at_ns=1_000 + number,
        view_1=small_view(2 * number, size),
        view_2=small_view(2 * number + 1, size),
        two_view=TwoView(np.eye(3), 40, 30, 0.6, correspondence),
        view_size=size,
        patch_size=patch_size,
    )


@functools.lru_cache(maxsize=1024)
def small_value(number: int) -> bytes:
    """The pair as it stands in the log."""
    return encode_pair(small_pair(number))
