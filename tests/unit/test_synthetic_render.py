"""Rendered frames against the truth that comes with them."""

import builtins
import subprocess
import sys

import cv2
import numpy as np
import pytest

from streaming.errors import SourceError
from streaming.sources.synthetic.camera import pose
from streaming.sources.synthetic.covisibility import covisibility
from streaming.sources.synthetic.meshes import ObjectClass
from streaming.sources.synthetic.render import (
    SceneRenderer,
    render,
    render_images,
    sample_pairs,
    sample_views,
)
from streaming.sources.synthetic.spec import SyntheticSpec

SPEC = SyntheticSpec(seed=5, rooms=2, frames=8, frames_per_s=4, width=320, height=240)


@pytest.fixture(scope="module")
def frames():
    return list(render(SPEC))


def interior(frame):
    """Pixels whose 3 x 3 neighbours show the same object with the same normal."""
    kernel = np.ones((3, 3), np.uint8)
    same = np.ones(frame.depth.shape, bool)
    for values in (frame.instances[..., None], frame.normals):
        for channel in np.moveaxis(values, -1, 0).astype(np.float32):
            same &= cv2.dilate(channel, kernel) - cv2.erode(channel, kernel) < 1e-4
    same[[0, -1]] = same[:, [0, -1]] = False
    return same


def points_of(frame):
    rows, columns = np.indices(frame.depth.shape)
    pixels = np.stack([columns, rows, np.ones_like(rows)], -1).astype(float)
    return pixels @ np.linalg.inv(frame.intrinsics).T * frame.depth[..., None].astype(float)


def test_frames_have_the_stated_types_shapes_and_times(frames):
    assert [frame.room for frame in frames] == [0] * 4 + [1] * 4
    assert [frame.timestamp_ns for frame in frames] == [n * 250_000_000 for n in range(8)]
    for frame in frames:
        assert (frame.image.dtype, frame.image.shape) == (np.uint8, (240, 320, 3))
        assert (frame.depth.dtype, frame.depth.shape) == (np.float32, (240, 320))
        assert (frame.normals.dtype, frame.normals.shape) == (np.float32, (240, 320, 3))
        assert (frame.segmentation.dtype, frame.segmentation.shape) == (np.int16, (240, 320))
        assert (frame.depth > 0).all()
        np.testing.assert_allclose(np.linalg.norm(frame.normals, axis=-1), 1, atol=1e-5)


def test_the_same_spec_gives_the_same_bytes(frames):
    for one, two in zip(frames, render(SPEC), strict=True):
        for name in ("image", "depth", "normals", "segmentation", "instances"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_images_alone_are_those_of_the_frames(frames):
    pictures = list(render_images(SPEC))
    assert [time for time, _ in pictures] == [frame.timestamp_ns for frame in frames]
    for (_, image), frame in zip(pictures, frames, strict=True):
        np.testing.assert_array_equal(image, frame.image)


def test_only_wanted_images_are_given(frames):
    wanted = {frames[2].timestamp_ns, frames[7].timestamp_ns}
    pictures = dict(render_images(SPEC, wanted.__contains__))
    assert set(pictures) == wanted
    np.testing.assert_array_equal(pictures[frames[7].timestamp_ns], frames[7].image)


def test_depth_and_pose_of_two_frames_agree_within_one_percent(frames):
    for first, second in ((frames[0], frames[2]), (frames[5], frames[7])):
        found = covisibility(first, second)
        with np.errstate(invalid="ignore"):
            near = np.rint(found.pixels)
            inside = (near >= 0).all(-1) & (near < (320, 240)).all(-1)
        column, row = np.where(inside[..., None], near, 0).astype(int).transpose(2, 0, 1)
        # Half a pixel of rounding moves a point on a slant: compare on the plane of its triangle.
        seen = points_of(second)[row, column]
        normal = second.normals[row, column]
        ray = (
            np.concatenate([found.pixels, np.ones((240, 320, 1))], -1)
            @ np.linalg.inv(second.intrinsics).T
        )
        expected = (seen * normal).sum(-1) / (ray * normal).sum(-1)
        same = inside & interior(first) & interior(second)[row, column]
        same &= first.instances == second.instances[row, column]
        error = np.abs(found.depth / expected - 1)[same]
        assert same.mean() > 0.3
        assert np.quantile(error, 0.98) < 1e-3
        assert (error < 0.01).mean() > 0.995


def test_covisible_pixels_have_the_same_colour_and_object(frames):
    first, second = frames[0], frames[1]
    found = covisibility(first, second)
    sampled = cv2.remap(second.image, found.pixels.astype(np.float32), None, cv2.INTER_LINEAR)
    usable = found.visible & interior(first)
    error = np.abs(sampled.astype(float) - first.image)[usable].mean()
    shuffled = np.abs(np.roll(second.image, 20, axis=1).astype(float) - first.image)[usable].mean()
    assert found.share > 0.5
    assert error < 8
    assert error < shuffled / 4
    nearest = np.rint(found.pixels[usable]).astype(int)
    seen = second.segmentation[nearest[:, 1], nearest[:, 0]]
    assert (seen == first.segmentation[usable]).mean() > 0.99


def test_normals_are_those_of_the_depth_on_planes_and_face_the_camera(frames):
    for frame in (frames[0], frames[6]):
        points = points_of(frame)
        down = np.gradient(points, axis=0)
        right = np.gradient(points, axis=1)
        normal = np.cross(right, down)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        normal *= -np.sign((normal * points).sum(-1, keepdims=True))
        planes = np.isin(
            frame.segmentation, [ObjectClass.WALL, ObjectClass.FLOOR, ObjectClass.PICTURE]
        )
        where = interior(frame) & planes
        cosine = (normal * frame.normals).sum(-1)[where]
        assert where.mean() > 0.2
        assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 0.5
        assert ((frame.normals * points).sum(-1) < 0).all()


def test_a_wall_is_as_far_as_it_is_built():
    with SceneRenderer(SPEC) as renderer:
        _, high = renderer.scene.bounds
        place = np.array([high[0] / 2, high[1] / 2, 2.2])
        frame = renderer.frame(pose(place, yaw=np.pi / 2, pitch=0.0))
        wall = (frame.segmentation == ObjectClass.WALL) & (frame.normals[..., 2] < -0.999)
        assert wall.any()
        np.testing.assert_allclose(frame.depth[wall], high[1] - place[1], rtol=1e-5)
        floor = frame.segmentation == ObjectClass.FLOOR
        np.testing.assert_allclose(points_of(frame)[floor][:, 1], 2.2, rtol=1e-4)


def test_instances_map_to_the_classes_of_the_scene(frames):
    with SceneRenderer(SPEC) as renderer:
        kinds = np.array([0, *(mesh.kind for mesh in renderer.scene.meshes)])
    for frame in frames[:4]:
        np.testing.assert_array_equal(kinds[frame.instances], frame.segmentation)
    assert len(np.unique(frames[0].segmentation)) >= 3


def test_a_feature_detector_finds_hundreds_of_keypoints():
    views = sample_views(SPEC, 8, seed=1)
    sift = cv2.SIFT_create()
    counts = [
        len(sift.detect(cv2.cvtColor(cv2.resize(v.image, (224, 224)), cv2.COLOR_RGB2GRAY)))
        for v in views
    ]
    assert np.median(counts) > 200
    assert min(counts) > 60


def test_speed_zero_is_a_camera_on_a_tripod():
    spec = SPEC.model_copy(update={"speed": 0.0, "rooms": 1, "frames": 3})
    images = [image for _, image in render_images(spec)]
    np.testing.assert_array_equal(images[0], images[2])


def test_a_sampled_pair_overlaps_both_ways():
    pairs = sample_pairs(SPEC, 4, seed=3)
    assert [one.room for one, _ in pairs] == [0, 0, 1, 1]
    for first, second in pairs:
        assert first.room == second.room
        assert 0.45 <= covisibility(first, second).share <= 0.8
        assert 0.45 <= covisibility(second, first).share <= 0.8


def test_samples_depend_on_their_seed_alone():
    spec = SPEC.model_copy(update={"rooms": 1})
    one, two, other = (sample_views(spec, 1, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0].image, two[0].image)
    assert not np.array_equal(one[0].image, other[0].image)


def test_frames_of_different_rooms_share_nothing(frames):
    assert covisibility(frames[3], frames[4]).share == 0


def test_without_the_renderer_the_extra_is_named(monkeypatch):
    real_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("streaming.sources.synthetic.rasterizer"):
            raise ModuleNotFoundError("No module named 'vtkmodules'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(SourceError, match=r"install pairstream\[synthetic\]"):
        next(render(SPEC))


def test_rendering_writes_nothing_to_stderr_and_gives_its_memory_back():
    program = """
import resource
import numpy as np
from streaming.sources.synthetic.camera import make_camera
from streaming.sources.synthetic.rasterizer import Rasterizer
from streaming.sources.synthetic.rooms import make_room
from streaming.sources.synthetic.spec import SyntheticSpec
scene, camera = make_room(5, 0), make_camera(SyntheticSpec(width=64, height=48))
def peak_mib(times):
    for _ in range(times):
        with Rasterizer(scene, camera) as rasterizer:
            rasterizer.image(np.eye(4))
            rasterizer.triangles(np.eye(4))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
first = peak_mib(2)
textures = sum(mesh.texture.nbytes for mesh in scene.meshes) / 2**20
print((peak_mib(10) - first) / textures)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    # Ten rasterizers that kept their textures would have grown by ten times their size.
    assert float(done.stdout) < 4
