"""Laws that correspondences obey."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streaming.mining.geometry import Homography, homography_flow
from streaming.mining.overlap import correspond, identity_flow, lattice, overlap
from streaming.mining.truth import exact_correspondence
from tests.mining_scenes import about_centre, shift

PATCHES = st.sampled_from([(64, 16, 4), (96, 16, 16), (224, 16, 8), (224, 32, 10)])


@st.composite
def homographies(draw):
    angle = draw(st.floats(-3.1, 3.1))
    scale = draw(st.floats(0.5, 2.0))
    dx, dy = draw(st.floats(-200, 200)), draw(st.floats(-200, 200))
    tilt_x, tilt_y = draw(st.floats(-1e-3, 1e-3)), draw(st.floats(-1e-3, 1e-3))
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return about_centre(np.array([[cosine, -sine, dx], [sine, cosine, dy], [tilt_x, tilt_y, 1.0]]))


def correspondence_of(matrix, view, patch, votes):
    model = Homography(matrix, np.ones(4, np.bool_))
    return correspond(*model.flows(view, patch, votes), view, patch)


@given(PATCHES)
def test_equal_views_correspond_patch_by_patch(sizes):
    view, patch, votes = sizes
    flow = identity_flow(view, patch, votes)
    patches = (view // patch) ** 2
    assert (correspond(flow, flow, view, patch) == np.arange(patches)).all()
    assert np.array_equal(homography_flow(np.eye(3), lattice(view, patch, votes)), flow)


@given(PATCHES, st.integers(-14, 14), st.integers(-14, 14))
def test_a_shift_by_whole_patches_is_that_shift(sizes, columns, rows):
    view, patch, votes = sizes
    across = view // patch
    found = correspondence_of(shift(columns * patch, rows * patch), view, patch, votes)
    row, column = np.divmod(np.arange(across**2), across)
    row, column = row + rows, column + columns
    inside = (row >= 0) & (row < across) & (column >= 0) & (column < across)
    assert (found == np.where(inside, row * across + column, -1)).all()


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(-1, 1), st.integers(-1, 1))
def test_a_shift_by_half_a_patch_loses_no_more_than_the_border(columns, rows, half_x, half_y):
    matrix = shift(16 * columns + 8 * half_x, 16 * rows + 8 * half_y)
    found = correspondence_of(matrix, 224, 16, 8)
    kept = (12 - abs(columns)) * (12 - abs(rows))
    assert (found >= 0).sum() >= kept


@given(homographies(), PATCHES)
@settings(deadline=None)
def test_exchanged_views_give_the_inverse(matrix, sizes):
    view, patch, votes = sizes
    model = Homography(matrix, np.ones(4, np.bool_))
    flow_12, flow_21 = model.flows(view, patch, votes)
    there = correspond(flow_12, flow_21, view, patch)
    back = correspond(flow_21, flow_12, view, patch)
    matched = np.flatnonzero(there >= 0)
    inverse = np.full(len(there), -1)
    inverse[there[matched]] = matched
    assert (back == inverse).all()


@given(
    hnp.arrays(np.float32, (32, 32, 2), elements=st.floats(-1e6, 1e6, width=32) | st.just(np.nan)),
    hnp.arrays(np.float32, (32, 32, 2), elements=st.floats(-100, 160, width=32) | st.just(np.inf)),
)
@settings(deadline=None)
def test_any_flow_gives_unique_targets_and_a_share(flow_12, flow_21):
    found = correspond(flow_12, flow_21, 64, 16)
    targets = found[found >= 0]
    assert found.dtype == np.int16
    assert len(set(targets.tolist())) == len(targets)
    assert found.min() >= -1
    assert found.max() < 16
    assert 0.0 <= overlap(found) <= 1.0


@given(homographies(), st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=30)
def test_flow_and_its_inverse_undo_each_other(matrix, seed):
    points = np.sort(np.random.default_rng(seed).uniform(0, 224, 3)).astype(np.float32)
    flow = homography_flow(matrix, points).astype(np.float64)
    ahead = ~np.isnan(flow[..., 0]) & (np.abs(flow) < 2000).all(axis=-1)
    homogeneous = np.concatenate([flow, np.ones_like(flow[..., :1])], axis=-1)
    returned = homogeneous @ np.linalg.inv(matrix).T
    returned = returned[..., :2] / returned[..., 2:]
    expected = np.stack(np.meshgrid(points, points), axis=-1)
    assert np.allclose(returned[ahead], expected[ahead], atol=0.5)


@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.floats(1.0, 4.0))
@settings(deadline=None, max_examples=30)
def test_a_wall_seen_by_a_camera_that_steps_aside_is_shifted(step_x, step_y, distance):
    depth = np.full((120, 160), distance)
    intrinsics = np.array([[150.0, 0, 79.5], [0, 150.0, 59.5], [0, 0, 1]])
    moved = np.eye(4)
    moved[:2, 3] = step_x, step_y
    found, share = exact_correspondence(
        depth, np.eye(4), intrinsics, depth, moved, intrinsics, view_size=64, patch_size=16
    )
    in_view = shift(-step_x * 150 / distance * 64 / 160, -step_y * 150 / distance * 64 / 120)
    assert (found == correspondence_of(in_view, 64, 16, 16)).mean() > 0.7
    assert share == overlap(found)
