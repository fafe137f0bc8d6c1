"""Random places to look from: single ones, and second ones near a first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from streaming.sources.synthetic.camera import pose
from streaming.sources.synthetic.free_space import FreeSpace
from streaming.sources.synthetic.paths import eye_height, outside_pose

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from streaming.sources.synthetic.camera import Camera
    from streaming.sources.synthetic.scene import Scene

_ATTEMPTS: Final = 40
_FREE_AHEAD_M: Final = 0.9
_STEP_M: Final = 0.9
_TURN_RAD: Final = np.radians(28)


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """A place and a direction of view.

    Attributes:
        place: metres, (3,); of no meaning outside an object, which the camera always faces.
        yaw: radians; outside an object the angle at which the camera stands.
        pitch: radians; outside an object the lift.
    """

    place: NDArray[np.float64]
    yaw: float
    pitch: float


class Viewpoints:
    """Draws viewpoints of one scene."""

    def __init__(self, scene: Scene, camera: Camera) -> None:
        """Raises SourceError when an enterable scene has no place to stand."""
        self._scene = scene
        self._camera = camera
        self._space = FreeSpace(scene) if scene.enterable else None

    def pose(self, view: Viewpoint) -> NDArray[np.float64]:
        """Camera-to-world matrix (4, 4)."""
        if self._space is None:
            return outside_pose(self._scene, self._camera, view.yaw, view.pitch)
        return pose(view.place, view.yaw, view.pitch)

    def anywhere(self, rng: Generator) -> Viewpoint:
        """A random viewpoint; in a room with free floor ahead where such a one is found."""
        pitch = float(rng.normal(np.radians(-5), np.radians(7)))
        view = Viewpoint(np.zeros(3), float(rng.uniform(0, 2 * np.pi)), pitch)
        if self._space is None:
            return replace(view, pitch=float(rng.uniform(-0.2, 0.7)))
        for _ in range(_ATTEMPTS):
            floor_place = self._space.random_places(rng, 1)[0]
            yaw = float(rng.uniform(0, 2 * np.pi))
            place = np.append(floor_place, eye_height(self._space, rng))
            view = Viewpoint(place, yaw, pitch)
            ahead = floor_place + _FREE_AHEAD_M * np.array([np.cos(yaw), np.sin(yaw)])
            if self._space.clearance(ahead[None])[0] > 0:
                break
        return view

    def near(self, view: Viewpoint, rng: Generator) -> Viewpoint:
        """A viewpoint a step and a turn away from another."""
        turned = replace(
            view,
            yaw=view.yaw + float(rng.uniform(-_TURN_RAD, _TURN_RAD)),
            pitch=view.pitch + float(rng.normal(0, np.radians(4))),
        )
        if self._space is None:
            return turned
        for _ in range(_ATTEMPTS):
            step = rng.uniform(-_STEP_M, _STEP_M, 2)
            place = view.place + np.append(step, rng.normal(0, 0.08))
            if self._space.is_clear(place[None, :2]):
                return replace(turned, place=place)
        return turned
