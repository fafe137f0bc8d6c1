"""The verdict on a candidate pair: its geometry, or exactly one reason against it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from streaming.mining.features import match
from streaming.mining.geometry import Homography, estimate_homography
from streaming.mining.overlap import correspond, identity_flow, overlap, visible_share
from streaming.mining.photometry import contradicted, likeness, stayed
from streaming.mining.views import to_grey
from streaming.records import TwoView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streaming.mining.config import MiningConfig
    from streaming.records import Features


class Reason(enum.StrEnum):
    """Why a candidate pair was not kept."""

    TOO_FEW_KEYPOINTS = "too_few_keypoints"
    TOO_FEW_MATCHES = "too_few_matches"
    NO_MODEL = "no_model"
    DEGENERATE_MODEL = "degenerate_model"
    LOW_INLIER_RATIO = "low_inlier_ratio"
    OVERLAP_TOO_LOW = "overlap_too_low"
    OVERLAP_TOO_HIGH = "overlap_too_high"
    PHOTOMETRIC_MISMATCH = "photometric_mismatch"
    """The views do not look alike where they should."""
    CUT = "cut"
    """Another shot lies between the views: they are not even compared."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of a candidate pair; None where the verdict came before.

    Attributes:
        match_count: putative matches.
        inlier_count: matches that agree with the model.
        overlap: share of the patches that correspond, 0-1, as known when it was rejected.
    """

    match_count: int | None = None
    inlier_count: int | None = None
    overlap: float | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A candidate pair that was not kept: the first gate that it failed, and its figures."""

    reason: Reason
    figures: Figures


def judge(
    features_1: Features,
    features_2: Features,
    view_1: NDArray[np.uint8],
    view_2: NDArray[np.uint8],
    config: MiningConfig,
) -> TwoView | Rejection:
    """Decides whether two views make a pair.

    The gates come in order of cost: matches, model, overlap, looks. The correspondence of
    an accepted pair leaves out patches whose looks contradict the model.

    Two overlaps are measured, and both must lie in the band. What the views provably share may
    not be too little: patches that went where the model says. What they show again may not be too
    much: those patches and the ones that stayed where they were. The second tells a still camera,
    before which something moves, and a camera that goes straight ahead, for which far scenery
    stays: both show nearly the same again whatever the model says.

    Args:
        features_1: of view 1.
        features_2: of view 2.
        view_1: uint8 RGB, shape (view_size, view_size, 3).
        view_2: uint8 RGB, of the same shape.
        config: the thresholds.
    """
    model = _fit(features_1, features_2, config)
    if isinstance(model, Rejection):
        return model
    flow_12, flow_21 = model.flows(config.view_size, config.patch_size, config.votes_per_side)
    correspondence = correspond(flow_12, flow_21, config.view_size, config.patch_size)
    share = overlap(correspondence)
    figures = Figures(len(model.inliers), model.inlier_count, share)
    if visible_share(flow_12, flow_21, config.view_size) > config.visible_max:
        return Rejection(Reason.OVERLAP_TOO_HIGH, figures)
    if share < config.overlap_min:
        return Rejection(Reason.OVERLAP_TOO_LOW, figures)
    verified, again = _look(view_1, view_2, flow_12, correspondence, config)
    share = overlap(verified)
    if share < config.overlap_min:
        return Rejection(Reason.PHOTOMETRIC_MISMATCH, replace(figures, overlap=share))
    if again > config.overlap_max:
        return Rejection(Reason.OVERLAP_TOO_HIGH, replace(figures, overlap=again))
    return TwoView(
        homography=model.homography,
        match_count=len(model.inliers),
        inlier_count=model.inlier_count,
        overlap=share,
        correspondence=verified,
    )


def _fit(
    features_1: Features, features_2: Features, config: MiningConfig
) -> Homography | Rejection:
    if min(len(features_1), len(features_2)) < config.min_matches:
        return Rejection(Reason.TOO_FEW_KEYPOINTS, Figures())
    matches = match(features_1, features_2, config.ratio)
    figures = Figures(match_count=len(matches))
    if len(matches) < config.min_matches:
        return Rejection(Reason.TOO_FEW_MATCHES, figures)
    points_1 = features_1.keypoints[matches[:, 0]]
    points_2 = features_2.keypoints[matches[:, 1]]
    model = estimate_homography(points_1, points_2, config)
    if model is None:
        return Rejection(Reason.NO_MODEL, figures)
    figures = replace(figures, inlier_count=model.inlier_count)
    if model.inlier_count < config.min_inlier_ratio * len(matches):
        return Rejection(Reason.LOW_INLIER_RATIO, figures)
    if not model.is_possible(config.view_size):
        return Rejection(Reason.DEGENERATE_MODEL, figures)
    return model


def _look(
    view_1: NDArray[np.uint8],
    view_2: NDArray[np.uint8],
    flow_12: NDArray[np.floating],
    correspondence: NDArray[np.int16],
    config: MiningConfig,
) -> tuple[NDArray[np.int16], float]:
    """The correspondence that looks right, and the share of the patches that show again, 0-1."""
    if not config.verify_looks:
        return correspondence, overlap(correspondence)
    grey_1, grey_2 = to_grey(view_1), to_grey(view_2)
    across = config.view_size // config.patch_size
    still = identity_flow(config.view_size, config.patch_size, config.votes_per_side)
    moved = likeness(grey_1, grey_2, flow_12, across)
    unmoved = likeness(grey_1, grey_2, still, across)
    wrong = contradicted(moved, unmoved, config.min_patch_correlation)
    verified = np.where(wrong, np.int16(-1), correspondence)
    return verified, float(np.mean((verified >= 0) | stayed(unmoved)))
