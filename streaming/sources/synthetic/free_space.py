"""Where a camera can go in a room: a plan of the floor with the distance to what is in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from streaming.errors import SourceError

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from streaming.sources.synthetic.scene import Scene

_CELL_M: Final = 0.05
_LOW_M, _HIGH_M = 0.15, 1.95
_REACH_M: Final = 0.3
"""Least distance between the camera and anything in the way."""


class FreeSpace:
    """The largest free area of an enterable scene.

    Attributes:
        floor_z: height of the floor in metres.
        headroom_m: height from the floor to the top of the scene.
    """

    def __init__(self, scene: Scene) -> None:
        """Raises SourceError when there is no place to stand."""
        low, high = scene.bounds
        self.floor_z = float(low[2])
        self.headroom_m = float(high[2] - low[2])
        self._origin = low[:2] - _CELL_M
        columns, rows = (np.ceil((high[:2] - self._origin) / _CELL_M).astype(int) + 1).tolist()
        taken = np.zeros((rows, columns), bool)
        points = _surface_points(scene.triangles)
        height = points[:, 2] - self.floor_z
        points = points[(height > _LOW_M) & (height < _HIGH_M)]
        column, row = ((points[:, :2] - self._origin) / _CELL_M).astype(int).T
        taken[row, column] = True
        region = _largest_region(~taken)
        if region is None:
            raise SourceError("scene: no free place for a camera; use path=orbit")
        distance = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5)
        self._clearance = distance * _CELL_M

    def clearance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance in metres from points (n, 2) to the nearest obstacle; 0 outside, (n,)."""
        column, row = ((points - self._origin) / _CELL_M).astype(int).T
        rows, columns = self._clearance.shape
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        distance = self._clearance[row.clip(0, rows - 1), column.clip(0, columns - 1)]
        return np.where(inside, distance, 0.0)

    def is_clear(self, points: NDArray[np.float64]) -> bool:
        """Whether a camera can be at all of the points (n, 2)."""
        return bool((self.clearance(points) >= min(_REACH_M, 0.9 * self.widest_m)).all())

    @property
    def widest_m(self) -> float:
        """Clearance of the place with the most room around it."""
        return float(self._clearance.max())

    def middle(self) -> NDArray[np.float64]:
        """The place with the most room around it, (2,)."""
        row, column = np.unravel_index(int(self._clearance.argmax()), self._clearance.shape)
        return np.asarray(self._origin + (np.array([column, row]) + 0.5) * _CELL_M)

    def random_places(self, rng: Generator, count: int) -> NDArray[np.float64]:
        """Clear places, uniform over the free area, (count, 2)."""
        row, column = np.nonzero(self._clearance >= min(1.3 * _REACH_M, 0.95 * self.widest_m))
        pick = rng.integers(len(row), size=count)
        inside = rng.uniform(0, 1, (count, 2))
        cells = np.stack([column[pick], row[pick]], 1) + inside
        return np.asarray(self._origin + cells * _CELL_M)


def _surface_points(triangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points on triangles (t, 3, 3), closer to each other than a cell, (n, 3)."""
    edges = np.linalg.norm(triangles - np.roll(triangles, 1, axis=1), axis=2).max(1)
    steps = np.maximum(1, np.ceil(edges / (0.7 * _CELL_M))).astype(int)
    points = []
    for step in np.unique(steps):
        first, second = np.indices((step + 1, step + 1)).reshape(2, -1)
        keep = first + second <= step
        a, b = first[keep] / step, second[keep] / step
        weights = np.stack([1 - a - b, a, b])
        points.append(np.einsum("wn,twk->tnk", weights, triangles[steps == step]).reshape(-1, 3))
    return np.concatenate(points)


def _largest_region(free: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The largest connected free region, one closed off from the rim if there is any."""
    count, label, stats, _ = cv2.connectedComponentsWithStats(free.astype(np.uint8), connectivity=4)
    rim = np.unique(np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]]))
    regions = set(range(1, count))
    choice = (regions - set(rim.tolist())) or regions
    if not choice:
        return None
    return np.asarray(label == max(choice, key=lambda n: stats[n, cv2.CC_STAT_AREA]))
