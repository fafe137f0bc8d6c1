"""Settings of mining, and the profiles that they start from."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from streaming.frames.quality import QualityConfig
from streaming.settings import Settings

_MIMIC: Final[dict[str, Any]] = {
    "min_matches": 11,
    "ransac_px": 5.0,
    "min_inlier_ratio": 0.0,
    "visible_max": 1.0,
    "verify_looks": False,
    "overlap_min": 0.5,
    "overlap_max": 0.75,
    "min_gap_s": 1.0,
    "max_gap_s": 1.0,
    "first_gap_s": 1.0,
    "max_candidates": 1,
    "anchor_spacing": 1.0,
    "crop_to_active_area": False,
    "quality": {
        "sharpness_min": 0.0,
        "luminance_min": 0.0,
        "static_share_max": 0.0,
        "static_level_max": 0.0,
        "cut_colour_max": 0.0,
        "cut_layout_max": -1.0,
    },
}
"""The procedure of the MIMIC paper (2023): whole frames, one gap of a second, no further gate."""

_MAX_PATCHES_ACROSS: Final = 32
"""The vote over patches takes memory with the fourth power of this."""


class MiningConfig(Settings):
    """What makes two frames a pair. Equal settings have equal fingerprints."""

    profile: Literal["default", "mimic"] = "default"
    """Where the other settings start from; `mimic` is the procedure of the MIMIC paper."""

    view_size: int = Field(default=224, ge=32, le=1024)
    """Side of the stored views in pixels; frames are squashed to it."""
    patch_size: int = Field(default=16, ge=4, le=128)
    """Side of a patch of the correspondence in pixels; divides `view_size`."""
    jpeg_quality: int = Field(default=95, ge=1, le=100)
    """Quality of the stored JPEG pictures."""
    crop_to_active_area: bool = True
    """Leave out letterbox and pillarbox bars."""
    quality: QualityConfig = QualityConfig()
    """Which frames are not worth comparing, and where a new shot begins."""

    max_keypoints: int = Field(default=600, ge=16, le=5000)
    """SIFT keypoints of a view, the strongest first."""
    ratio: float = Field(default=0.7, gt=0.0, lt=1.0)
    """A match must be this much nearer than the second best one (Lowe's ratio)."""
    min_matches: int = Field(default=15, ge=4)
    """Fewer matches are no evidence of a common place."""
    ransac_px: float = Field(default=5.0, gt=0.0)
    """Distance in view pixels up to which a match agrees with a model."""
    min_inlier_ratio: float = Field(default=0.6, ge=0.0, le=1.0)
    """Share of the matches that must agree with the model. Of 42 pairs of places on walls of equal
    tiles 3 pass; without it 12."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Seed of the random sampling in RANSAC."""

    overlap_min: float = Field(default=0.5, ge=0.0, le=1.0)
    """Least overlap of an accepted pair: matched patches over patches."""
    overlap_max: float = Field(default=0.7, ge=0.0, le=1.0)
    """Greatest overlap of an accepted pair."""
    votes_per_side: int = Field(default=8, ge=1, le=64)
    """Points along the side of a patch that vote for its partner."""
    visible_max: float = Field(default=0.9, ge=0.0, le=1.0)
    """Share of a view that the model may place inside the other, at most. It may lie above
    `overlap_max`, for off its plane a homography claims more overlap than there is, and partners
    that do not look alike are taken out. A still camera lies above it whatever moves before it."""
    verify_looks: bool = True
    """Compare the pictures patch by patch: patches that look other than the model says are no
    partners, and what merely stayed in its place counts as overlap."""
    min_patch_correlation: float = Field(default=0.3, ge=-1.0, le=1.0)
    """Textured patches that correlate less than this under the model are no partners. Higher is
    more often right and gives fewer pairs."""

    min_gap_s: float = Field(default=0.2, gt=0.0)
    """Least time between the views of a pair."""
    max_gap_s: float = Field(default=8.0, gt=0.0)
    """Greatest time between the views of a pair; bounds the frames that are kept."""
    first_gap_s: float = Field(default=1.0, gt=0.0)
    """Gap that is tried first in a source, before any has been accepted."""
    max_candidates: int = Field(default=4, ge=1)
    """Candidate pairs that are judged for a frame, at most."""
    anchor_spacing: float = Field(default=0.25, ge=0.0)
    """After a pair is found, how far on the next is sought, as a share of that pair's gap."""
    image_set_window: int = Field(default=32, ge=1)
    """Earlier images of an image set that an image is compared with, at most."""

    @model_validator(mode="before")
    @classmethod
    def _start_from_profile(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("profile") == "mimic":
            quality = values.get("quality", {})
            if isinstance(quality, dict):
                quality = {**_MIMIC["quality"], **quality}
            return {**_MIMIC, **values, "quality": quality}
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.view_size % self.patch_size:
            raise ValueError(f"view_size must be a multiple of patch_size {self.patch_size}")
        if not 2 <= self.view_size // self.patch_size <= _MAX_PATCHES_ACROSS:
            raise ValueError(f"a view must have 2 to {_MAX_PATCHES_ACROSS} patches along a side")
        if self.overlap_min > self.overlap_max:
            raise ValueError("overlap_min must not be above overlap_max")
        if not self.min_gap_s <= self.first_gap_s <= self.max_gap_s:
            raise ValueError("min_gap_s <= first_gap_s <= max_gap_s must hold")
        return self
