"""Renders synthetic videos, views and pairs, with the exact truth of each frame."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from streaming.errors import SourceError
from streaming.sources.synthetic.camera import make_camera
from streaming.sources.synthetic.covisibility import covisibility
from streaming.sources.synthetic.paths import camera_path
from streaming.sources.synthetic.rooms import make_room
from streaming.sources.synthetic.scene_file import load_scene
from streaming.sources.synthetic.truth import Truth
from streaming.sources.synthetic.viewpoints import Viewpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from numpy.typing import NDArray

    from streaming.sources.synthetic.camera import Camera
    from streaming.sources.synthetic.rasterizer import Rasterizer
    from streaming.sources.synthetic.scene import Scene
    from streaming.sources.synthetic.spec import SyntheticSpec

_PAIR_SHARE: Final = (0.45, 0.8)
_PAIR_ATTEMPTS: Final = 500


@dataclass(frozen=True, slots=True)
class RenderedFrame:
    """A picture and all that is known of it.

    Attributes:
        timestamp_ns: time in the video; for single views and pairs, their number.
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


class SceneRenderer:
    """Renders one room or scene file from any pose; close it, or use it as a context manager.

    Attributes:
        scene: what is rendered.
        camera: the camera of the spec.
    """

    def __init__(self, spec: SyntheticSpec, room: int = 0) -> None:
        """Raises SourceError when the renderer is not installed or the file cannot be read."""
        self.scene: Scene = load_scene(spec.file) if spec.file else make_room(spec.seed, room)
        self.camera: Camera = make_camera(spec)
        self._room = room
        self._rasterizer = _rasterizer(self.scene, self.camera)
        self._truth = Truth(self.scene, self.camera)

    def image(self, pose: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The picture from a camera-to-world pose (4, 4): uint8 RGB (H, W, 3)."""
        return self._rasterizer.image(pose)

    def frame(self, pose: NDArray[np.float64], timestamp_ns: int = 0) -> RenderedFrame:
        """The picture and its truth from a camera-to-world pose (4, 4)."""
        image = self._rasterizer.image(pose)
        labels = self._truth.labels(self._rasterizer.triangles(pose), pose)
        return RenderedFrame(timestamp_ns, image, *labels, self._room, pose, self.camera.intrinsics)

    def close(self) -> None:
        """Releases the memory of the graphics library."""
        self._rasterizer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def render(spec: SyntheticSpec) -> Iterator[RenderedFrame]:
    """The frames of a video with their truth; the same spec gives the same frames.

    Raises:
        SourceError: the renderer is not installed, or the scene cannot be used.
    """
    for room, numbers in enumerate(_shares(spec.frames, spec.rooms)):
        with SceneRenderer(spec, room) as renderer:
            poses = _poses(spec, renderer, room, len(numbers))
            for number, pose in zip(numbers, poses, strict=True):
                yield renderer.frame(pose, _timestamp_ns(spec, number))


def render_images(
    spec: SyntheticSpec, wanted: Callable[[int], bool] = lambda _: True
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Time stamps in nanoseconds and pictures: `render` without truth, faster.

    Args:
        spec: what to render.
        wanted: tells from its time stamp whether a frame is rendered at all.

    Raises:
        SourceError: the renderer is not installed, or the scene cannot be used.
    """
    for room, numbers in enumerate(_shares(spec.frames, spec.rooms)):
        with SceneRenderer(spec, room) as renderer:
            poses = _poses(spec, renderer, room, len(numbers))
            for number, pose in zip(numbers, poses, strict=True):
                time = _timestamp_ns(spec, number)
                if wanted(time):
                    yield time, renderer.image(pose)


def sample_views(spec: SyntheticSpec, count: int, seed: int) -> list[RenderedFrame]:
    """Single views from random places, spread evenly over the rooms of a spec.

    Args:
        spec: gives the rooms or the scene file, and the frame size.
        count: number of views.
        seed: decides the places.

    Raises:
        SourceError: the renderer is not installed, or the scene cannot be used.
    """
    views = []
    for room, numbers in enumerate(_shares(count, spec.rooms)):
        if not numbers:
            continue
        with SceneRenderer(spec, room) as renderer:
            points = Viewpoints(renderer.scene, renderer.camera)
            rng = np.random.default_rng([seed, room])
            views += [renderer.frame(points.pose(points.anywhere(rng)), n) for n in numbers]
    return views


def sample_pairs(
    spec: SyntheticSpec, count: int, seed: int
) -> list[tuple[RenderedFrame, RenderedFrame]]:
    """Pairs of views of one room, each showing 45-80 % of the other by depth and pose.

    Args:
        spec: gives the rooms or the scene file, and the frame size.
        count: number of pairs, spread evenly over the rooms.
        seed: decides the places.

    Raises:
        SourceError: the renderer is not installed, or the scene gives no such pairs.
    """
    pairs = []
    for room, numbers in enumerate(_shares(count, spec.rooms)):
        if not numbers:
            continue
        with SceneRenderer(spec, room) as renderer:
            points = Viewpoints(renderer.scene, renderer.camera)
            rng = np.random.default_rng([seed, room])
            pairs += [_sample_pair(renderer, points, rng, number) for number in numbers]
    return pairs


def _sample_pair(
    renderer: SceneRenderer, points: Viewpoints, rng: np.random.Generator, number: int
) -> tuple[RenderedFrame, RenderedFrame]:
    low, high = _PAIR_SHARE
    for _ in range(_PAIR_ATTEMPTS):
        view = points.anywhere(rng)
        first = renderer.frame(points.pose(view), 2 * number)
        second = renderer.frame(points.pose(points.near(view, rng)), 2 * number + 1)
        shares = covisibility(first, second).share, covisibility(second, first).share
        if low <= min(shares) and max(shares) <= high:
            return first, second
    raise SourceError("synthetic source: found no overlapping views; use a larger scene")


def _rasterizer(scene: Scene, camera: Camera) -> Rasterizer:
    try:
        from streaming.sources.synthetic.rasterizer import Rasterizer  # noqa: PLC0415  an extra
    except ImportError as error:
        raise SourceError(
            f"synthetic source: cannot load VTK ({error}); install pairstream[synthetic]"
        ) from error
    return Rasterizer(scene, camera)


def _shares(count: int, rooms: int) -> list[range]:
    """The numbers 0 to count - 1, dealt to the rooms in order."""
    edges = [room * count // rooms for room in range(rooms + 1)]
    return [range(first, end) for first, end in itertools.pairwise(edges)]


def _timestamp_ns(spec: SyntheticSpec, number: int) -> int:
    return round(number * 1e9 / spec.frames_per_s)


def _poses(
    spec: SyntheticSpec, renderer: SceneRenderer, room: int, count: int
) -> NDArray[np.float64]:
    times_s = np.arange(count, dtype=np.float64) * (spec.speed / spec.frames_per_s)
    rng = np.random.default_rng([spec.seed, room, 1])
    return camera_path(renderer.scene, renderer.camera, spec.path, times_s, rng)
