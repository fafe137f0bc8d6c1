"""Renders a synthetic video, with the exact truth of each frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streaming.errors import SourceError
from streaming.sources.synthetic.camera import make_camera
from streaming.sources.synthetic.paths import camera_path
from streaming.sources.synthetic.rooms import make_room
from streaming.sources.synthetic.scene_file import load_scene
from streaming.sources.synthetic.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from streaming.sources.synthetic.camera import Camera
    from streaming.sources.synthetic.rasterizer import Rasterizer
    from streaming.sources.synthetic.scene import Scene
    from streaming.sources.synthetic.spec import SyntheticSpec


@dataclass(frozen=True, slots=True)
class RenderedFrame:
    """A picture and all that is known of it.

    Attributes:
        timestamp_ns: time in the video; for single views, their number.
        image: uint8 RGB, shape (H, W, 3).
        depth: float32, shape (H, W), metres along the optical axis; 0 where nothing is hit.
        normals: float32, shape (H, W, 3), unit vectors in camera coordinates (x right, y down,
            z forward) that face the camera; 0 where nothing is hit.
        segmentation: int16, shape (H, W), index into `CLASS_NAMES`; 0 where nothing is hit.
        instances: int16, shape (H, W), number of the object in its room; 0 where nothing is hit.
        room: number of the room in the video, from 0.
        pose: float64, shape (4, 4), camera to world.
        intrinsics: float64, shape (3, 3); pixel centres have whole coordinates.
    """

    timestamp_ns: int
    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]
    segmentation: NDArray[np.int16]
    instances: NDArray[np.int16]
    room: int
    pose: NDArray[np.float64]
    intrinsics: NDArray[np.float64]


def render(spec: SyntheticSpec) -> Iterator[RenderedFrame]:
    """The frames of a video with their truth; the same spec gives the same frames.

    Raises:
        SourceError: the renderer is not installed, or the scene cannot be used.
    """
    camera = make_camera(spec)
    for room, (first, count) in enumerate(_stretches(spec)):
        scene = make_scene(spec, room)
        poses = _poses(spec, scene, camera, room, count)
        yield from render_at(scene, camera, poses, _timestamps_ns(spec, first, count), room)


def render_images(spec: SyntheticSpec) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Time stamp in nanoseconds and picture of each frame: `render` without truth, faster.

    Raises:
        SourceError: the renderer is not installed, or the scene cannot be used.
    """
    camera = make_camera(spec)
    for room, (first, count) in enumerate(_stretches(spec)):
        scene = make_scene(spec, room)
        poses = _poses(spec, scene, camera, room, count)
        with make_rasterizer(scene, camera) as rasterizer:
            for time, pose in zip(_timestamps_ns(spec, first, count), poses, strict=True):
                yield time, rasterizer.image(pose)


def render_at(
    scene: Scene,
    camera: Camera,
    poses: NDArray[np.float64],
    timestamps_ns: list[int],
    room: int = 0,
) -> Iterator[RenderedFrame]:
    """A scene from given camera-to-world poses, float64 (n, 4, 4).

    Raises:
        SourceError: the renderer is not installed.
    """
    truth = Truth(scene, camera)
    with make_rasterizer(scene, camera) as rasterizer:
        for time, pose in zip(timestamps_ns, poses, strict=True):
            image = rasterizer.image(pose)
            labels = truth.labels(rasterizer.triangles(pose), pose)
            yield RenderedFrame(
                time,
                image,
                labels.depth,
                labels.normals,
                labels.segmentation,
                labels.instances,
                room,
                pose,
                camera.intrinsics,
            )


def make_scene(spec: SyntheticSpec, room: int) -> Scene:
    """A room of a spec, or its scene file.

    Raises:
        SourceError: the scene file cannot be read.
    """
    return make_room(spec.seed, room) if spec.file is None else load_scene(spec.file)


def make_rasterizer(scene: Scene, camera: Camera) -> Rasterizer:
    """Raises SourceError when VTK is not installed."""
    try:
        from streaming.sources.synthetic.rasterizer import Rasterizer  # noqa: PLC0415  an extra
    except ImportError as error:
        raise SourceError(
            f"synthetic source: cannot load VTK ({error}); install pairstream[synthetic]"
        ) from error
    return Rasterizer(scene, camera)


def _stretches(spec: SyntheticSpec) -> list[tuple[int, int]]:
    """First frame and number of frames of each room."""
    edges = [room * spec.frames // spec.rooms for room in range(spec.rooms + 1)]
    return [(a, b - a) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def _timestamps_ns(spec: SyntheticSpec, first: int, count: int) -> list[int]:
    return [round(n * 1e9 / spec.frames_per_s) for n in range(first, first + count)]


def _poses(
    spec: SyntheticSpec, scene: Scene, camera: Camera, room: int, count: int
) -> NDArray[np.float64]:
    times_s = np.arange(count) * (spec.speed / spec.frames_per_s)
    rng = np.random.default_rng([spec.seed, room, 0xCA])
    return camera_path(scene, camera, spec.path, times_s, rng)
