"""Local features of a view: SIFT (Lowe 2004) as RootSIFT (Arandjelovic and Zisserman 2012)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streaming.mining.views import to_grey
from streaming.records import Features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streaming.mining.config import MiningConfig

_DESCRIPTOR_LENGTH = 128


def extract(view: NDArray[np.uint8], config: MiningConfig) -> Features:
    """Finds the strongest keypoints of a view and describes them.

    Args:
        view: uint8 RGB, shape (view_size, view_size, 3).
        config: bounds the number of keypoints.
    """
    keypoints, sift = _detector(config.max_keypoints).detectAndCompute(to_grey(view), None)
    if not keypoints:
        return Features(np.empty((0, 2), np.float32), np.empty((0, _DESCRIPTOR_LENGTH), np.float32))
    # SIFT gives a little more than asked for when responses are equal.
    count = min(len(keypoints), config.max_keypoints)
    points = np.array([keypoint.pt for keypoint in keypoints[:count]], np.float32)
    return Features(points, _root(np.asarray(sift[:count], np.float32)))


def _root(sift: NDArray[np.float32]) -> NDArray[np.float32]:
    # The Hellinger kernel: after an L1 norm and a root the Euclidean length is one.
    root = np.sqrt(sift / np.maximum(sift.sum(axis=1, keepdims=True), 1e-12))
    return np.asarray(root, np.float32)


@lru_cache(maxsize=4)
def _detector(max_keypoints: int) -> cv2.SIFT:
    return cv2.SIFT.create(nfeatures=max_keypoints)
