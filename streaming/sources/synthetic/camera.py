"""The pinhole camera and where it stands: OpenCV axes, x right, y down, z forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streaming.sources.synthetic.spec import SyntheticSpec

_FIELD_OF_VIEW_DEG: Final = (65.0, 75.0)


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera with square pixels and the principal point in the middle.

    Attributes:
        width: pixels.
        height: pixels.
        focal: focal length in pixels.
    """

    width: int
    height: int
    focal: float

    @property
    def intrinsics(self) -> NDArray[np.float64]:
        """Calibration matrix (3, 3); a pixel's centre has whole coordinates."""
        return np.array(
            [
                [self.focal, 0.0, (self.width - 1) / 2],
                [0.0, self.focal, (self.height - 1) / 2],
                [0.0, 0.0, 1.0],
            ]
        )

    @property
    def vertical_angle_deg(self) -> float:
        """Vertical field of view."""
        return float(np.degrees(2 * np.arctan(self.height / 2 / self.focal)))

    @property
    def narrow_half_angle_rad(self) -> float:
        """Half of the smaller field of view."""
        return float(np.arctan(min(self.width, self.height) / 2 / self.focal))


def make_camera(spec: SyntheticSpec) -> Camera:
    """The camera of a video; its field of view along the wider side depends on the seed."""
    angle = np.radians(np.random.default_rng([spec.seed, 0xFEED]).uniform(*_FIELD_OF_VIEW_DEG))
    wide = max(spec.width, spec.height)
    return Camera(spec.width, spec.height, float(wide / 2 / np.tan(angle / 2)))


def pose(
    position: NDArray[np.float64], yaw: float, pitch: float, roll: float = 0.0
) -> NDArray[np.float64]:
    """Camera-to-world matrix (4, 4) of a camera in a world with z up.

    Args:
        position: metres, (3,).
        yaw: heading in radians, counter-clockwise from +x.
        pitch: radians above the horizon.
        roll: radians, clockwise about the view direction.
    """
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    level = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    below = np.cross(forward, level)
    right = np.cos(roll) * level + np.sin(roll) * below
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    matrix[:3, 3] = position
    return matrix
