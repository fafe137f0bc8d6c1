"""A scene as the renderer and the camera's path see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streaming.sources.synthetic.meshes import Mesh


@dataclass(frozen=True, slots=True)
class Scene:
    """Meshes and what is behind them.

    Attributes:
        meshes: all objects.
        background: red, green and blue where nothing is hit, 0-255.
        enterable: whether a camera can stand inside, as in a room.
    """

    meshes: tuple[Mesh, ...]
    background: tuple[int, int, int]
    enterable: bool

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Lowest and highest corner, float64 (2, 3)."""
        low = np.min([mesh.vertices.min(0) for mesh in self.meshes], axis=0)
        high = np.max([mesh.vertices.max(0) for mesh in self.meshes], axis=0)
        return np.stack([low, high])

    @property
    def triangles(self) -> NDArray[np.float64]:
        """Corners of all triangles in the order of the meshes, float64 (t, 3, 3)."""
        return np.concatenate([mesh.vertices[mesh.triangles] for mesh in self.meshes])
