"""Metrics of single predictions: pure functions on arrays with a validity mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DELTA_BASE = 1.25
"""A depth is right at level k when it is off by a factor below 1.25**k (Eigen et al., 2014)."""


@dataclass(frozen=True, slots=True)
class DepthMetrics:
    """Errors of one depth map over its valid pixels.

    Attributes:
        delta_1: share of pixels off by a factor below 1.25, 0-1.
        delta_2: share of pixels off by a factor below 1.25 squared, 0-1.
        delta_3: share of pixels off by a factor below 1.25 cubed, 0-1.
        rmse_m: root mean squared error in metres.
        abs_rel: mean of |prediction - truth| / truth.
    """

    delta_1: float
    delta_2: float
    delta_3: float
    rmse_m: float
    abs_rel: float


def depth_metrics(
    predicted_m: NDArray[np.floating],
    true_m: NDArray[np.floating],
    valid: NDArray[np.bool_],
) -> DepthMetrics:
    """Compares one depth map with the truth.

    Args:
        predicted_m: positive depths in metres.
        true_m: true depths in metres, positive where valid; same shape.
        valid: the pixels that count; same shape.

    Raises:
        ValueError: when no pixel is valid.
    """
    if not valid.any():
        raise ValueError("a depth map without a valid pixel has no score")
    predicted = predicted_m[valid].astype(np.float64)
    true = true_m[valid].astype(np.float64)
    factor = np.maximum(predicted / true, true / predicted)
    error = predicted - true
    return DepthMetrics(
        delta_1=float(np.mean(factor < DELTA_BASE)),
        delta_2=float(np.mean(factor < DELTA_BASE**2)),
        delta_3=float(np.mean(factor < DELTA_BASE**3)),
        rmse_m=float(np.sqrt(np.mean(error**2))),
        abs_rel=float(np.mean(np.abs(error) / true)),
    )


def patch_accuracy(
    predicted: NDArray[np.integer],
    true: NDArray[np.integer],
    columns: int,
    radius: int = 0,
) -> float:
    """Share of the co-visible patches whose predicted partner is right.

    Args:
        predicted: for each patch of view 1 the partner in view 2, row-major index.
        true: the same from ground truth, -1 where there is none; those do not count.
        columns: patches in a row of the grid.
        radius: the greatest Chebyshev distance on the grid that counts as right.

    Raises:
        ValueError: when no patch is co-visible.
    """
    covisible = true >= 0
    if not covisible.any():
        raise ValueError("a pair without a co-visible patch has no score")
    rows_apart = np.abs(predicted[covisible] // columns - true[covisible] // columns)
    columns_apart = np.abs(predicted[covisible] % columns - true[covisible] % columns)
    return float(np.mean(np.maximum(rows_apart, columns_apart) <= radius))


def chance_patch_accuracy(true: NDArray[np.integer], columns: int, radius: int = 0) -> float:
    """What a uniform guess over all patches of view 2 gets by `patch_accuracy`.

    Args and errors as there; patches near the border have fewer neighbours, which is counted.
    """
    covisible = true[true >= 0]
    if not len(covisible):
        raise ValueError("a pair without a co-visible patch has no score")
    rows = len(true) // columns
    row, column = covisible // columns, covisible % columns
    height = np.minimum(row + radius, rows - 1) - np.maximum(row - radius, 0) + 1
    width = np.minimum(column + radius, columns - 1) - np.maximum(column - radius, 0) + 1
    return float(np.mean(height * width) / (rows * columns))
