"""Frames of known overlap are recognised with the right overlap and the right patches."""

import numpy as np
import pytest

from streaming.mining.config import MiningConfig
from streaming.mining.features import extract
from streaming.mining.overlap import overlap
from streaming.mining.verdict import Reason, Rejection, judge
from streaming.records import TwoView
from tests.mining_scenes import (
    PATCH,
    VIEW,
    about_centre,
    centre_error_px,
    patch_distance,
    planar_truth,
    read_rgb,
    shift,
    texture,
    warped,
    window,
)

ANY_OVERLAP = MiningConfig(overlap_min=0.0, overlap_max=1.0, visible_max=1.0)
LEFT, TOP = 280, 290

# Shifts end well inside a patch: half-way between two, the majority hangs on a thousandth pixel.
SHIFTS = {
    0.9: (18.0, 3.0),
    0.8: (35.0, -13.0),
    0.7: (-45.0, -29.0),
    0.6: (0.0, 94.0),
    0.5: (-82.0, -45.0),
    0.4: (99.0, 60.0),
    0.3: (-150.0, 19.0),
}


def judge_views(view_1, view_2, config):
    return judge(extract(view_1, config), extract(view_2, config), view_1, view_2, config)


def shifted_pair(picture, dx, dy):
    """What lies at p in view 1 lies at p + (dx, dy) in view 2."""
    return window(picture, LEFT, TOP), window(picture, LEFT - int(dx), TOP - int(dy))


def assert_recognised(found, matrix, exact_share):
    assert isinstance(found, TwoView), found
    truth = planar_truth(matrix)
    assert found.overlap == pytest.approx(overlap(truth), abs=0.03)
    distance = patch_distance(found.correspondence, truth)
    assert np.mean(distance <= 1) == 1.0
    assert np.mean(distance == 0) >= exact_share
    assert centre_error_px(found.correspondence, matrix).max() < PATCH


@pytest.mark.parametrize("share", SHIFTS)
def test_shifts_of_known_overlap(share):
    dx, dy = SHIFTS[share]
    covered = (1 - abs(dx) / VIEW) * (1 - abs(dy) / VIEW)
    assert covered == pytest.approx(share, abs=0.03), "the case is what its name says"
    found = judge_views(*shifted_pair(texture(1), dx, dy), ANY_OVERLAP)
    assert_recognised(found, shift(dx, dy), exact_share=0.99)


def turned(angle, scale, dx, dy, tilt_x=0.0, tilt_y=0.0):
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return about_centre(np.array([[cosine, -sine, dx], [sine, cosine, dy], [tilt_x, tilt_y, 1.0]]))


HOMOGRAPHIES = [
    turned(0.0, 1.0, 40.0, 0.0, tilt_x=6e-4),
    turned(0.2, 1.0, 50.0, -20.0),
    turned(-0.3, 0.95, -35.0, 30.0, tilt_y=-5e-4),
    turned(0.1, 1.15, 20.0, 45.0, tilt_x=-3e-4, tilt_y=3e-4),
    turned(-0.15, 0.9, -90.0, 10.0),
]


@pytest.mark.parametrize("number", range(len(HOMOGRAPHIES)))
def test_homographies_of_known_overlap(number):
    matrix = HOMOGRAPHIES[number]
    picture = texture(number + 10)
    found = judge_views(window(picture, LEFT, TOP), warped(picture, LEFT, TOP, matrix), ANY_OVERLAP)
    assert_recognised(found, matrix, exact_share=0.95)


def test_the_band_decides_by_overlap():
    config = MiningConfig()
    verdicts = {}
    for share, (dx, dy) in SHIFTS.items():
        verdict = judge_views(*shifted_pair(texture(2), dx, dy), config)
        verdicts[share] = verdict.reason if isinstance(verdict, Rejection) else None
    assert verdicts == {
        0.9: Reason.OVERLAP_TOO_HIGH,
        0.8: Reason.OVERLAP_TOO_HIGH,
        0.7: None,
        0.6: None,
        0.5: verdicts[0.5],  # at the edge of the band
        0.4: Reason.OVERLAP_TOO_LOW,
        0.3: Reason.OVERLAP_TOO_LOW,
    }


def test_a_patch_that_changed_is_no_partner():
    dx, dy = SHIFTS[0.6]
    view_1, view_2 = shifted_pair(texture(3), dx, dy)
    view_2[112:144, 32:64] = 255 - view_2[112:144, 32:64]
    found = judge_views(view_1, view_2, MiningConfig(overlap_min=0.3))
    assert isinstance(found, TwoView)
    hidden = {row * 14 + column for row in (7, 8) for column in (2, 3)}
    assert not hidden & set(found.correspondence.tolist())
    assert len(hidden & set(planar_truth(shift(dx, dy)).tolist())) == 4


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["petra/DFM_4209.jpg", "drone_beach/dji_0025.jpg"])
def test_shifts_in_photographs(shared_data, name):
    picture = read_rgb(shared_data / "image_sets" / name)[:800, :800]
    for dx, dy in list(SHIFTS.values())[1:5]:
        found = judge_views(*shifted_pair(picture, dx, dy), ANY_OVERLAP)
        assert_recognised(found, shift(dx, dy), exact_share=0.95)
