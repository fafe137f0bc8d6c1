"""The verdict on a candidate pair: its geometry, or exactly one reason against it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from streaming.mining.coverage import coverage
from streaming.mining.geometry import TwoViewModel, estimate_homography
from streaming.mining.matching import match
from streaming.mining.overlap import correspond, identity_flow, overlap, visible_share
from streaming.mining.photometry import Likeness, agreement, likeness, stands_still
from streaming.mining.views import to_grey
from streaming.records import TwoView

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import NDArray

    from streaming.mining.config import MiningConfig
    from streaming.records import Features

    Estimator: TypeAlias = Callable[
        [NDArray[np.float32], NDArray[np.float32], MiningConfig], TwoViewModel | None
    ]


class Reason(enum.StrEnum):
    """Why a candidate pair was not kept."""

    TOO_FEW_KEYPOINTS = "too_few_keypoints"
    TOO_FEW_MATCHES = "too_few_matches"
    NO_MODEL = "no_model"
    DEGENERATE_MODEL = "degenerate_model"
    LOW_INLIER_RATIO = "low_inlier_ratio"
    OVERLAP_TOO_LOW = "overlap_too_low"
    OVERLAP_TOO_HIGH = "overlap_too_high"
    INLIERS_NOT_COVERING = "inliers_not_covering"
    """The inliers lie in a small part of the overlap: a common object, not a common place."""
    PHOTOMETRIC_MISMATCH = "photometric_mismatch"
    """The views do not look alike where they should."""
    CUT = "cut"
    """Another shot lies between the views: they are not even compared."""
    MOSTLY_STATIC = "mostly_static"
    """More of the picture stood still than moved as the model says: something moves before a still
    camera, or the camera goes straight ahead and the model holds for the near ground only."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of a candidate pair; None where the verdict came before.

    Attributes:
        match_count: putative matches.
        inlier_count: matches that agree with the model.
        overlap: share of the patches that correspond, 0-1.
        coverage: share of the patches with keypoints in the overlap that lie next to an inlier,
            0-1, in the view where it is less.
        agreement: share of the textured patches in the overlap that look alike, 0-1.
    """

    match_count: int | None = None
    inlier_count: int | None = None
    overlap: float | None = None
    coverage: float | None = None
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A candidate pair that was not kept: the first gate that it failed, and its figures."""

    reason: Reason
    figures: Figures


@dataclass(frozen=True, slots=True)
class _Fit:
    """A model that two views' matches agree on, and the matched points that do."""

    model: TwoViewModel
    inliers_1: NDArray[np.float32]
    inliers_2: NDArray[np.float32]
    figures: Figures


def judge(
    features_1: Features,
    features_2: Features,
    view_1: NDArray[np.uint8],
    view_2: NDArray[np.uint8],
    config: MiningConfig,
    estimate: Estimator = estimate_homography,
) -> TwoView | Rejection:
    """Decides whether two views make a pair.

    The gates come in order of cost: matches, model, overlap, cover, looks. Patches of an accepted
    pair that do not look alike are taken out of its correspondence.

    Args:
        features_1: of view 1.
        features_2: of view 2.
        view_1: uint8 RGB, shape (view_size, view_size, 3).
        view_2: uint8 RGB, of the same shape.
        config: the thresholds.
        estimate: fits a two-view model to matched points of view 1 and view 2, each of shape
            (matches, 2).
    """
    fit = _fit(features_1, features_2, config, estimate)
    if isinstance(fit, Rejection):
        return fit
    flow_12, flow_21 = fit.model.flows(config.view_size, config.patch_size, config.votes_per_side)
    correspondence = correspond(flow_12, flow_21, config.view_size, config.patch_size)
    figures = replace(fit.figures, overlap=overlap(correspondence))
    if visible_share(flow_12, flow_21, config.view_size) > config.visible_max:
        return Rejection(Reason.OVERLAP_TOO_HIGH, figures)
    if overlap(correspondence) < config.overlap_min:
        return Rejection(Reason.OVERLAP_TOO_LOW, figures)
    covered = min(
        coverage(features_1.keypoints, fit.inliers_1, correspondence >= 0, config.patch_size),
        coverage(features_2.keypoints, fit.inliers_2, _hit(correspondence), config.patch_size),
    )
    figures = replace(figures, coverage=covered)
    if covered < config.min_coverage:
        return Rejection(Reason.INLIERS_NOT_COVERING, figures)
    moved, unmoved = _likenesses(view_1, view_2, flow_12, config)
    verified, reason, figures = _verify(correspondence, moved, unmoved, figures, config)
    if reason is not None:
        return Rejection(reason, figures)
    return TwoView(
        homography=fit.model.homography,
        match_count=len(fit.model.inliers),
        inlier_count=len(fit.inliers_1),
        overlap=overlap(verified),
        correspondence=verified,
    )


def _fit(
    features_1: Features, features_2: Features, config: MiningConfig, estimate: Estimator
) -> _Fit | Rejection:
    if min(len(features_1), len(features_2)) < config.min_keypoints:
        return Rejection(Reason.TOO_FEW_KEYPOINTS, Figures())
    matches = match(features_1, features_2, config.ratio)
    figures = Figures(match_count=len(matches))
    if len(matches) < config.min_matches:
        return Rejection(Reason.TOO_FEW_MATCHES, figures)
    points_1 = features_1.keypoints[matches[:, 0]]
    points_2 = features_2.keypoints[matches[:, 1]]
    model = estimate(points_1, points_2, config)
    if model is None:
        return Rejection(Reason.NO_MODEL, figures)
    inlier_count = int(np.count_nonzero(model.inliers))
    figures = replace(figures, inlier_count=inlier_count)
    if inlier_count < max(config.min_inliers, config.min_inlier_ratio * len(matches)):
        return Rejection(Reason.LOW_INLIER_RATIO, figures)
    if model.defect(config.view_size) is not None:
        return Rejection(Reason.DEGENERATE_MODEL, figures)
    return _Fit(model, points_1[model.inliers], points_2[model.inliers], figures)


def _verify(
    correspondence: NDArray[np.int16],
    moved: Likeness,
    unmoved: Likeness,
    figures: Figures,
    config: MiningConfig,
) -> tuple[NDArray[np.int16], Reason | None, Figures]:
    """Takes out partners that do not look alike; objects when there is too little left."""
    matched = correspondence >= 0
    figures = replace(figures, agreement=agreement(moved, matched))
    if agreement(moved, matched) < config.min_agreement:
        return correspondence, Reason.PHOTOMETRIC_MISMATCH, figures
    if config.reject_static and stands_still(moved, unmoved, matched):
        return correspondence, Reason.MOSTLY_STATIC, figures
    # There something moves, is hidden, or lies far off the plane.
    unlike = moved.unlike(config.min_patch_correlation)
    verified = np.where(unlike, np.int16(-1), correspondence)
    share = overlap(verified)
    figures = replace(figures, overlap=share)
    if share < config.overlap_min:
        return verified, Reason.OVERLAP_TOO_LOW, figures
    if share > config.overlap_max:
        return verified, Reason.OVERLAP_TOO_HIGH, figures
    return verified, None, figures


def _hit(correspondence: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which patches of view 2 have a partner, shape (patches,)."""
    hit = np.zeros(len(correspondence), np.bool_)
    hit[correspondence[correspondence >= 0]] = True
    return hit


def _likenesses(
    view_1: NDArray[np.uint8],
    view_2: NDArray[np.uint8],
    flow_12: NDArray[np.floating],
    config: MiningConfig,
) -> tuple[Likeness, Likeness]:
    """How alike the views are under the model, and when nothing had moved."""
    grey_1, grey_2 = to_grey(view_1), to_grey(view_2)
    across = config.view_size // config.patch_size
    still = identity_flow(config.view_size, config.patch_size, config.votes_per_side)
    moved = likeness(grey_1, grey_2, flow_12, across)
    return moved, likeness(grey_1, grey_2, still, across)
