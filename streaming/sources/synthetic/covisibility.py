"""Where the pixels of one rendered frame are in another: exact correspondences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streaming.sources.synthetic.render import RenderedFrame

_DEPTH_TOLERANCE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Covisibility:
    """The pixels of a first frame as they fall into a second.

    Attributes:
        pixels: float64, shape (H, W, 2), x and y in the second frame; NaN where the first frame
            hits nothing or the point is behind the second camera.
        depth: float64, shape (H, W), depth in the second camera in metres; NaN likewise.
        visible: bool, shape (H, W), the second frame shows the same point.
    """

    pixels: NDArray[np.float64]
    depth: NDArray[np.float64]
    visible: NDArray[np.bool_]

    @property
    def share(self) -> float:
        """Share of the first frame's pixels that the second shows, 0-1."""
        return float(self.visible.mean())


def covisibility(first: RenderedFrame, second: RenderedFrame) -> Covisibility:
    """Projects the pixels of the first frame into the second by depth and pose.

    A point is visible when its depth is within 1 % of what the second frame sees at the nearest
    pixel. Frames of different rooms share nothing.
    """
    height, width = first.depth.shape
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(first.intrinsics).T
    change = np.linalg.inv(second.pose) @ first.pose
    points = (rays * first.depth[..., None]) @ change[:3, :3].T + change[:3, 3]
    usable = (first.depth > 0) & (points[..., 2] > 1e-6) & (first.room == second.room)
    points[~usable] = np.nan
    pixels = (points @ second.intrinsics.T)[..., :2] / points[..., 2:]
    with np.errstate(invalid="ignore"):
        near = np.rint(pixels)
        tall, wide = second.depth.shape
        visible = usable & (near >= 0).all(-1) & (near[..., 0] < wide) & (near[..., 1] < tall)
    column, row = np.where(visible[..., None], near, 0).astype(int).transpose(2, 0, 1)
    seen = second.depth[row, column]
    visible &= np.abs(np.nan_to_num(points[..., 2]) - seen) < _DEPTH_TOLERANCE * seen
    return Covisibility(pixels, points[..., 2], visible)
