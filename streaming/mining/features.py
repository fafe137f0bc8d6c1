"""Local features of views and their matches.

SIFT (Lowe 2004) as RootSIFT (Arandjelovic and Zisserman 2012); nearest neighbours that are mutual
and stand out.
"""

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


def match(features_1: Features, features_2: Features, ratio: float) -> NDArray[np.intp]:
    """Matches two views by one matrix product.

    A match is kept when each keypoint is the nearest of the other, its distance is below `ratio`
    times that of the second nearest (Lowe 2004), and no other match joins the same two places
    (SIFT repeats a keypoint that has several orientations).

    Returns:
        shape (matches, 2): indices of keypoints of view 1 and view 2, ordered by the first.
    """
    if len(features_1) < 2 or len(features_2) < 2:
        return np.empty((0, 2), np.intp)
    similarity = features_1.descriptors @ features_2.descriptors.T
    nearest_2 = similarity.argmax(axis=1)
    nearest_1 = similarity.argmax(axis=0)
    rows = np.arange(len(features_1))
    mutual = rows[nearest_1[nearest_2] == rows]
    columns = nearest_2[mutual]
    best = similarity[mutual, columns]
    similarity[mutual, columns] = -1.0
    second = similarity[mutual].max(axis=1)
    # Descriptors have unit length: squared distance = 2 - 2 * similarity.
    distinct = (1.0 - best) < ratio**2 * (1.0 - second)
    matches = np.stack([mutual[distinct], columns[distinct]], axis=1)
    return _without_repeated_places(matches, features_1, features_2)


def _root(sift: NDArray[np.float32]) -> NDArray[np.float32]:
    # The Hellinger kernel: after an L1 norm and a root the Euclidean length is one.
    root = np.sqrt(sift / np.maximum(sift.sum(axis=1, keepdims=True), 1e-12))
    return np.asarray(root, np.float32)


@lru_cache(maxsize=4)
def _detector(max_keypoints: int) -> cv2.SIFT:
    return cv2.SIFT.create(nfeatures=max_keypoints)


def _without_repeated_places(
    matches: NDArray[np.intp], features_1: Features, features_2: Features
) -> NDArray[np.intp]:
    places = np.hstack(
        [features_1.keypoints[matches[:, 0]], features_2.keypoints[matches[:, 1]]]
    ).round()
    _, first = np.unique(places, axis=0, return_index=True)
    return matches[np.sort(first)]
