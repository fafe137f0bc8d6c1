"""Views of different places are no pairs, whatever they have in common."""

import cv2
import numpy as np
import pytest

from streaming.mining.config import MiningConfig
from streaming.mining.features import extract
from streaming.mining.verdict import Reason, Rejection, judge
from streaming.records import TwoView
from tests.mining_scenes import read_rgb, texture, window

CONFIG = MiningConfig()
PLAIN = MiningConfig(profile="mimic")


def verdict_on(view_1, view_2, config=CONFIG):
    return judge(extract(view_1, config), extract(view_2, config), view_1, view_2, config)


def test_unrelated_pictures():
    views = [window(texture(seed), 100, 100) for seed in range(6)]
    for index, view_1 in enumerate(views):
        for view_2 in views[index + 1 :]:
            verdict = verdict_on(view_1, view_2)
            assert isinstance(verdict, Rejection)
            assert verdict.reason is Reason.TOO_FEW_MATCHES


def test_an_empty_view():
    view = np.full((224, 224, 3), 127, np.uint8)
    verdict = verdict_on(view, view)
    assert isinstance(verdict, Rejection)
    assert verdict.reason is Reason.TOO_FEW_KEYPOINTS
    assert verdict.figures.match_count is None


@pytest.mark.parametrize("square", [16, 28])
def test_chessboards(square):
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:224, :224]
    for _ in range(8):
        views = []
        for _ in range(2):
            x, y = rng.integers(0, 300, 2)
            board = ((columns + x) // square + (rows + y) // square) % 2 * 255
            board = cv2.GaussianBlur(board.astype(np.uint8), (3, 3), 0)
            views.append(np.repeat(board[:, :, None], 3, axis=2))
        assert isinstance(verdict_on(*views), Rejection)


def test_a_wall_of_equal_tiles():
    motif = cv2.resize(texture(5), (128, 128), interpolation=cv2.INTER_AREA)
    wall = np.tile(motif, (8, 8, 1))
    rng = np.random.default_rng(1)
    plain = 0
    for _ in range(12):
        views = [window(wall, *rng.integers(0, 700, 2)) for _ in range(2)]
        assert isinstance(verdict_on(*views), Rejection)
        plain += isinstance(verdict_on(*views, PLAIN), TwoView)
    assert plain > 0, "the plain procedure takes some of them: the gates are needed"


def test_a_logo_on_a_plain_ground_and_before_a_scene():
    """What is plain in one view tells all the same: the other view is not plain there."""
    plain, scene = np.full((224, 224, 3), 60, np.uint8), window(texture(9), 100, 100)
    logo = cv2.resize(texture(7), (100, 60), interpolation=cv2.INTER_AREA)
    plain[80:140, 50:150] = logo
    scene[110:170, 100:200] = logo
    assert isinstance(verdict_on(plain, scene, PLAIN), TwoView)
    verdict = verdict_on(plain, scene)
    assert isinstance(verdict, Rejection)
    assert verdict.reason is Reason.PHOTOMETRIC_MISMATCH


@pytest.mark.shared_data
def test_a_small_common_object_before_unrelated_backgrounds(shared_data):
    footage = shared_data / "planar_and_stereo"
    photographs = [
        cv2.resize(read_rgb(path), (224, 224), interpolation=cv2.INTER_AREA)
        for path in (
            footage / "graf1.png",
            footage / "aloeL.jpg",
            footage / "leuvenA.jpg",
            shared_data / "image_sets/petra/DFM_4209.jpg",
            shared_data / "image_sets/drone_beach/dji_0018.jpg",
            shared_data / "image_sets/drone_beach/dji_0033.jpg",
        )
    ]
    poster = cv2.resize(texture(7), (100, 100), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(2)
    taken, plain = 0, 0
    for index, background_1 in enumerate(photographs):
        for background_2 in photographs[index + 1 :]:
            views = []
            for background in (background_1, background_2):
                x, y = rng.integers(0, 124, 2)
                view = background.copy()
                view[y : y + 100, x : x + 100] = poster
                views.append(view)
            taken += isinstance(verdict_on(*views), TwoView)
            plain += isinstance(verdict_on(*views, PLAIN), TwoView)
    assert taken == 0
    assert plain >= 5, "the plain procedure is taken in: the gates are needed"
