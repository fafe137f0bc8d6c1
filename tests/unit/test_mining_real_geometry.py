"""Real pictures whose geometry was measured by others."""

import cv2
import numpy as np
import pytest

from streaming.mining.config import MiningConfig
from streaming.mining.features import extract
from streaming.mining.overlap import overlap
from streaming.mining.truth import exact_correspondence, exact_flow
from streaming.mining.verdict import judge
from streaming.mining.views import make_view, to_grey
from streaming.records import CropBox, TwoView
from tests.mining_scenes import VIEW, patch_distance, planar_truth, read_rgb

pytestmark = pytest.mark.shared_data

CAMERAS = {
    "posed_a": ("pgm", 1000.0, (518.0, 519.0, 325.5, 253.5)),
    "posed_b": ("png", 5000.0, (481.2, -480.0, 319.5, 239.5)),
}


def whole_view(image):
    return make_view(image, CropBox(0, 0, image.shape[1], image.shape[0]), VIEW)


def test_graffiti_wall(shared_data):
    folder = shared_data / "planar_and_stereo"
    wall_1, wall_3 = read_rgb(folder / "graf1.png"), read_rgb(folder / "graf3.png")
    stored = cv2.FileStorage(str(folder / "H1to3p.xml"), cv2.FILE_STORAGE_READ)
    in_frames = stored.getNode("H13").mat()
    height, width = wall_1.shape[:2]
    scale = np.diag([width / VIEW, height / VIEW, 1.0])
    scale[:2, 2] = np.array([width, height]) / VIEW / 2 - 0.5
    truth = planar_truth(np.linalg.inv(scale) @ in_frames @ scale)
    view_1, view_3 = whole_view(wall_1), whole_view(wall_3)
    config = MiningConfig()
    found = judge(extract(view_1, config), extract(view_3, config), view_1, view_3, config)
    assert isinstance(found, TwoView)
    assert found.overlap == pytest.approx(overlap(truth), abs=0.03)
    assert np.mean(patch_distance(found.correspondence, truth) == 0) >= 0.95


def posed_frames(folder):
    """(image, (depth in metres, pose, intrinsics)) of each frame."""
    suffix, unit, (fx, fy, cx, cy) = CAMERAS[folder.name]
    intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    frames = []
    for number, line in enumerate(np.loadtxt(folder / "pose.txt"), start=1):
        pose = np.eye(4)
        pose[:3, 3] = line[:3]
        pose[:3, :3] = rotation(*line[3:])
        stored = cv2.imread(str(folder / f"depth/{number}.{suffix}"), cv2.IMREAD_UNCHANGED)
        image = read_rgb(folder / f"color/{number}.png")
        frames.append((image, (stored / unit, pose, intrinsics)))
    return frames


def rotation(x, y, z, w):
    x, y, z, w = np.array([x, y, z, w]) / np.linalg.norm([x, y, z, w])
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@pytest.mark.parametrize("name", CAMERAS)
def test_exact_flow_shows_the_same_colours(shared_data, name):
    frames = posed_frames(shared_data / "rgbd" / name)
    checked = 0
    for image_1, camera_1 in frames:
        for image_2, camera_2 in frames:
            if image_1 is image_2:
                continue
            flow = exact_flow(camera_1, camera_2, VIEW, 16)
            inside = ((flow >= 0) & (flow <= VIEW - 1)).all(axis=-1)
            if inside.mean() < 0.15:
                continue
            grey_1, grey_2 = (to_grey(whole_view(i)).astype(float) for i in (image_1, image_2))
            x, y = np.rint(flow[inside]).astype(int).T
            seen = grey_2[y, x]
            error = np.abs(seen - grey_1[inside]).mean()
            shuffled = np.random.default_rng(0).permutation(seen)
            assert error < np.abs(shuffled - grey_1[inside]).mean() / 3
            checked += 1
    assert checked >= 6


@pytest.mark.parametrize("name", CAMERAS)
def test_exact_correspondence_of_posed_frames(shared_data, name):
    frames = posed_frames(shared_data / "rgbd" / name)
    (_, camera_1), (_, camera_2) = frames[3], frames[4]
    there, share = exact_correspondence(*camera_1, *camera_2)
    back, share_back = exact_correspondence(*camera_2, *camera_1)
    assert 0.25 < share < 0.5
    assert share == share_back
    partners = np.flatnonzero(there >= 0)
    assert (back[there[partners]] == partners).all()
    known = camera_1[0] > 0
    itself, whole = exact_correspondence(*camera_1, *camera_1)
    assert whole == pytest.approx(known.mean(), abs=0.1)
    matched = np.flatnonzero(itself >= 0)
    assert (itself[matched] == matched).all()
