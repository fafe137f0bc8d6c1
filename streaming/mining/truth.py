"""Exact correspondence of two views whose depth and camera poses are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streaming.mining.overlap import correspond, identity_flow, overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DEPTH_TOLERANCE = 0.03
"""A point this much (as a share) behind the surface that the other camera sees is hidden."""


def exact_correspondence(  # noqa: PLR0913, PLR0917  two cameras of three arrays each
    depth_1: NDArray[np.floating],
    pose_1: NDArray[np.float64],
    intrinsics_1: NDArray[np.float64],
    depth_2: NDArray[np.floating],
    pose_2: NDArray[np.float64],
    intrinsics_2: NDArray[np.float64],
    view_size: int = 224,
    patch_size: int = 16,
) -> tuple[NDArray[np.int16], float]:
    """Corresponding patches of two whole frames, each squashed to a square view.

    Args:
        depth_1: depth along the optical axis, shape (height, width); 0 or not finite: unknown.
        pose_1: camera to world, shape (4, 4); x to the right, y down, z ahead.
        intrinsics_1: shape (3, 3), in pixels of the frame, whole at pixel centres.
        depth_2: as `depth_1`; its shape may differ.
        pose_2: as `pose_1`, in the same unit of length as the depths.
        intrinsics_2: as `intrinsics_1`.
        view_size: side of the views in pixels.
        patch_size: side of a patch in pixels.

    Returns:
        the correspondence, shape (patches,) (see `overlap.correspond`), and the overlap, 0-1.
    """
    camera_1 = (depth_1, pose_1, intrinsics_1)
    camera_2 = (depth_2, pose_2, intrinsics_2)
    flow_12 = exact_flow(camera_1, camera_2, view_size, patch_size)
    flow_21 = exact_flow(camera_2, camera_1, view_size, patch_size)
    correspondence = correspond(flow_12, flow_21, view_size, patch_size)
    return correspondence, overlap(correspondence)


def exact_flow(
    camera_1: tuple[NDArray[np.floating], NDArray[np.float64], NDArray[np.float64]],
    camera_2: tuple[NDArray[np.floating], NDArray[np.float64], NDArray[np.float64]],
    view_size: int,
    patch_size: int,
) -> NDArray[np.float64]:
    """Where each pixel of view 1 lies in view 2.

    Args:
        camera_1: depth, pose and intrinsics, as in `exact_correspondence`.
        camera_2: the same of the other camera.
        view_size: side of the views in pixels.
        patch_size: side of a patch in pixels.

    Returns:
        shape (view_size, view_size, 2): x and y in pixels of view 2; NaN where the point is behind
        that camera, hidden from it, or without a known depth.
    """
    depth_1, pose_1, intrinsics_1 = camera_1
    depth_2, pose_2, intrinsics_2 = camera_2
    pixels_1 = _to_frame(identity_flow(view_size, patch_size, patch_size), depth_1, view_size)
    z_1 = _look_up(depth_1, pixels_1)
    rays = np.concatenate([pixels_1, np.ones_like(z_1)[..., None]], axis=-1)
    points_1 = (rays @ np.linalg.inv(intrinsics_1).T) * z_1[..., None]
    motion = np.linalg.inv(pose_2) @ pose_1
    points_2 = points_1 @ motion[:3, :3].T + motion[:3, 3]
    z_2 = np.where(points_2[..., 2] > 0, points_2[..., 2], np.nan)
    pixels_2 = ((points_2 @ intrinsics_2.T) / z_2[..., None])[..., :2]
    surface = _look_up(depth_2, pixels_2)
    # A comparison with NaN is false: beyond the frame nothing hides the point.
    hidden = z_2 > surface * (1 + _DEPTH_TOLERANCE)
    unknown = np.isnan(surface) & _inside(depth_2, pixels_2)
    return _to_view(np.where((hidden | unknown)[..., None], np.nan, pixels_2), depth_2, view_size)


def _to_frame(
    points: NDArray[np.floating], depth: NDArray[np.floating], view_size: int
) -> NDArray[np.float64]:
    height, width = depth.shape
    frame = (points.astype(np.float64) + 0.5) * np.array([width, height]) / view_size - 0.5
    return np.asarray(frame, np.float64)


def _to_view(
    points: NDArray[np.float64], depth: NDArray[np.floating], view_size: int
) -> NDArray[np.float64]:
    height, width = depth.shape
    return np.asarray((points + 0.5) * view_size / np.array([width, height]) - 0.5, np.float64)


def _inside(depth: NDArray[np.floating], pixels: NDArray[np.float64]) -> NDArray[np.bool_]:
    height, width = depth.shape
    return np.asarray(((pixels >= -0.5) & (pixels < [width - 0.5, height - 0.5])).all(axis=-1))


def _look_up(depth: NDArray[np.floating], pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Depth at the nearest pixel; NaN outside and where it is unknown. Edges are not blended."""
    height, width = depth.shape
    inside = _inside(depth, pixels)
    nearest = np.where(inside[..., None], np.rint(pixels), 0).astype(np.intp)
    column = np.clip(nearest[..., 0], 0, width - 1)
    row = np.clip(nearest[..., 1], 0, height - 1)
    values = depth[row, column].astype(np.float64)
    known = inside & np.isfinite(values) & (values > 0)
    return np.asarray(np.where(known, values, np.nan), np.float64)
