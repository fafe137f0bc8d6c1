"""The plain way of mining, as a yardstick: what MIMIC (arXiv 2306.15128) describes, step by step.

Frames a second apart, each found by seeking; SIFT on both frames of every pair; brute-force
matching with Lowe's ratio in a Python loop; a RANSAC homography; and patches that correspond by a
vote over sampled pixels, each of which is projected by itself.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_VIEW_SIZE: Final = 224
_PATCH_SIZE: Final = 16
_ACROSS: Final = _VIEW_SIZE // _PATCH_SIZE
_SAMPLES: Final = 100
_RATIO: Final = 0.7
_MORE_MATCHES_THAN: Final = 10
_RANSAC_PX: Final = 5.0
_OVERLAP: Final = (0.5, 0.75)
_GAP_S: Final = 1.0
_JPEG: Final = (cv2.IMWRITE_JPEG_QUALITY, 95)
_OUT: Final = -1


def mine_plainly(video: Path, pairs: list[tuple[bytes, bytes]]) -> Iterator[float]:
    """Adds the JPEG pictures of each pair of a video to `pairs`.

    Yields:
        After each candidate pair, the time of its first frame in seconds.
    """
    rng = np.random.default_rng(0)
    capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    gap = round(_GAP_S * capture.get(cv2.CAP_PROP_FPS))
    for number in range(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) - gap, gap):
        view_1, view_2 = seek_view(capture, number), seek_view(capture, number + gap)
        if _is_pair(view_1, view_2, rng):
            pairs.append(_jpegs(view_1, view_2))
        yield number / gap * _GAP_S
    capture.release()


def seek_view(capture: cv2.VideoCapture, number: int) -> NDArray[np.uint8]:
    """The view of one frame, by its number."""
    capture.set(cv2.CAP_PROP_POS_FRAMES, number)
    found, frame = capture.read()
    if not found:
        raise RuntimeError(f"frame {number} cannot be read")
    return np.asarray(cv2.resize(frame, (_VIEW_SIZE, _VIEW_SIZE)), np.uint8)


def _is_pair(
    view_1: NDArray[np.uint8], view_2: NDArray[np.uint8], rng: np.random.Generator
) -> bool:
    sift = cv2.SIFT.create()
    points_1, descriptors_1 = sift.detectAndCompute(cv2.cvtColor(view_1, cv2.COLOR_BGR2GRAY), None)
    points_2, descriptors_2 = sift.detectAndCompute(cv2.cvtColor(view_2, cv2.COLOR_BGR2GRAY), None)
    if min(len(points_1), len(points_2)) < 2:
        return False
    good = []
    for best, second in cv2.BFMatcher().knnMatch(descriptors_1, descriptors_2, k=2):
        if best.distance < _RATIO * second.distance:
            good.append(best)
    if len(good) <= _MORE_MATCHES_THAN:
        return False
    from_1 = np.array([points_1[match.queryIdx].pt for match in good], np.float32)
    to_2 = np.array([points_2[match.trainIdx].pt for match in good], np.float32)
    found, _ = cv2.findHomography(from_1, to_2, cv2.RANSAC, _RANSAC_PX)
    homography = np.array(found, np.float64)
    if homography.shape != (3, 3) or abs(np.linalg.det(homography)) < 1e-12:
        return False
    there = _matched_patches(homography, rng)
    back = _matched_patches(np.array(np.linalg.inv(homography), np.float64), rng)
    overlap = min(there, back) / _ACROSS**2
    return _OVERLAP[0] <= overlap <= _OVERLAP[1]


def _matched_patches(homography: NDArray[np.float64], rng: np.random.Generator) -> int:
    """Number of patches that most of their sampled pixels place in a patch of their own."""
    targets: set[int] = set()
    for patch in range(_ACROSS**2):
        row, column = divmod(patch, _ACROSS)
        votes: Counter[int] = Counter()
        for dy, dx in rng.integers(0, _PATCH_SIZE, (_SAMPLES, 2)):
            pixel = np.array([column * _PATCH_SIZE + dx, row * _PATCH_SIZE + dy, 1.0])
            x, y, depth = homography @ pixel
            across, down = x / depth // _PATCH_SIZE, y / depth // _PATCH_SIZE
            inside = 0 <= across < _ACROSS and 0 <= down < _ACROSS
            votes[int(down * _ACROSS + across) if inside else _OUT] += 1
        target = votes.most_common(1)[0][0]
        if target != _OUT:
            targets.add(target)
    return len(targets)


def _jpegs(view_1: NDArray[np.uint8], view_2: NDArray[np.uint8]) -> tuple[bytes, bytes]:
    first, second = (cv2.imencode(".jpg", view, _JPEG)[1].tobytes() for view in (view_1, view_2))
    return first, second
