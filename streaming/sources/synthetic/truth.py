"""Exact labels from geometry: a pixel's triangle gives its depth, normal and object.

The depth is where the ray through the pixel's centre meets the plane of the triangle, so it is
free of the rounding of a depth buffer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streaming.sources.synthetic.camera import Camera
    from streaming.sources.synthetic.scene import Scene


class Labels(NamedTuple):
    """The truth of one frame, as described in `RenderedFrame`."""

    depth: NDArray[np.float32]
    normals: NDArray[np.float32]
    segmentation: NDArray[np.int16]
    instances: NDArray[np.int16]


class Truth:
    """Turns pictures of triangle numbers of one scene into labels."""

    def __init__(self, scene: Scene, camera: Camera) -> None:
        self._corners = scene.triangles
        edges = self._corners[:, 1:] - self._corners[:, :1]
        normals = np.cross(edges[:, 0], edges[:, 1])
        self._normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
        sizes = [len(mesh.triangles) for mesh in scene.meshes]
        kinds = np.array([mesh.kind for mesh in scene.meshes], np.int16)
        numbers = np.array([mesh.instance for mesh in scene.meshes], np.int16)
        # A last entry for "nothing", so that the number -1 finds it.
        self._kinds = np.append(np.repeat(kinds, sizes), np.int16(0))
        self._instances = np.append(np.repeat(numbers, sizes), np.int16(0))
        matrix = camera.intrinsics
        rays = np.indices((camera.height, camera.width), np.float32)[::-1]
        self._ray_x = (rays[0] - np.float32(matrix[0, 2])) / np.float32(matrix[0, 0])
        self._ray_y = (rays[1] - np.float32(matrix[1, 2])) / np.float32(matrix[1, 1])

    def labels(self, triangles: NDArray[np.int32], pose: NDArray[np.float64]) -> Labels:
        """Labels of a frame.

        Args:
            triangles: triangle of each pixel, int32 (height, width), or -1.
            pose: camera to world, float64 (4, 4).
        """
        turn, place = pose[:3, :3], pose[:3, 3]
        normals = self._normals @ turn
        offset = ((self._corners[:, 0] - place) * self._normals).sum(1)
        normals *= np.where(offset > 0, -1.0, 1.0)[:, None]
        away = -np.maximum(np.abs(offset), 1e-9)
        # On a plane n.X = d, the inverse depth of the ray (x, y, 1) is n.(x, y, 1) / d.
        slope = _with_nothing(normals / away[:, None], 0.0)
        # Nearly edge-on triangles: the plane may leave the triangle within the pixel.
        z = np.maximum((self._corners - place) @ turn[:, 2], 1e-3)
        nearest, farthest = _with_nothing(1 / z.min(1), 1.0), _with_nothing(1 / z.max(1), 1.0)
        inverse = slope[triangles, 0] * self._ray_x
        inverse += slope[triangles, 1] * self._ray_y
        inverse += slope[triangles, 2]
        np.clip(inverse, farthest[triangles], nearest[triangles], out=inverse)
        depth = np.where(triangles >= 0, 1 / inverse, np.float32(0))
        return Labels(
            depth,
            _with_nothing(normals, 0.0)[triangles],
            self._kinds[triangles],
            self._instances[triangles],
        )


def _with_nothing(values: NDArray[np.float64], nothing: float) -> NDArray[np.float32]:
    """Values of the triangles as float32, and one more for pixels without a triangle."""
    tail = np.full((1, *values.shape[1:]), nothing)
    return np.concatenate([values, tail]).astype(np.float32)
