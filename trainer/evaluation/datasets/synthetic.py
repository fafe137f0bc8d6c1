"""Labelled views and matched pairs of made rooms that no training source shows.

Rooms are made from seeds. The seeds from `HELD_OUT_SEED` on are reserved for evaluation: sources
for training must stay below. Each part of the data has a seed of its own, so that a head is never
scored in a room that it was trained in.
"""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Final, cast

import cv2
import numpy as np

from streaming.mining.truth import exact_correspondence
from streaming.sources.synthetic.render import sample_pairs, sample_views
from streaming.sources.synthetic.spec import SyntheticSpec
from trainer.evaluation.datasets.arrays import LabelledViews, MatchedPairs, ViewPairs
from trainer.evaluation.datasets.cache import cached

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from streaming.sources.synthetic.render import RenderedFrame
    from trainer.evaluation.datasets.cache import Arrays

HELD_OUT_SEED: Final = 1_000_000_000
"""The first seed that is reserved for evaluation."""

_DATA_VERSION: Final = 1
"""To be raised whenever the same seed renders other pictures."""
_VIEWS_PER_ROOM: Final = 4


class Part(enum.IntEnum):
    """The parts of the data; each has its own seed."""

    LABELLED = 0
    VALIDATION = 1
    TEST = 2
    PAIRS = 3


def labelled_views(part: Part, count: int, image_size: int, cache_dir: Path) -> LabelledViews:
    """Views with exact depth.

    Args:
        part: which rooms.
        count: number of views.
        image_size: height and width of the views in pixels.
        cache_dir: where rendered views are kept.
    """

    def make() -> Arrays:
        frames = sample_views(_spec(part, count, image_size), count, HELD_OUT_SEED + part)
        return {
            "images": np.stack([frame.image for frame in frames]),
            "depths_m": np.stack([frame.depth for frame in frames]),
        }

    arrays = cached(cache_dir, _description("views", part, count, image_size), make)
    return LabelledViews(
        images=cast("NDArray[np.uint8]", arrays["images"]),
        depths_m=cast("NDArray[np.float32]", arrays["depths_m"]),
    )


def matched_pairs(count: int, image_size: int, patch_size: int, cache_dir: Path) -> MatchedPairs:
    """Pairs with exact correspondences, by depth and pose.

    Args:
        count: number of pairs.
        image_size: height and width of the views in pixels.
        patch_size: side of a patch in pixels.
        cache_dir: where rendered pairs are kept.
    """

    def make() -> Arrays:
        frames = sample_pairs(
            _spec(Part.PAIRS, count, image_size), count, HELD_OUT_SEED + Part.PAIRS
        )
        return {
            "view_1": np.stack([first.image for first, _ in frames]),
            "view_2": np.stack([second.image for _, second in frames]),
            "correspondence": np.stack(
                [_correspondence(first, second, image_size, patch_size) for first, second in frames]
            ),
        }

    arrays = cached(cache_dir, _description("pairs", Part.PAIRS, count, image_size, patch_size), make)
    return MatchedPairs(
        pairs=ViewPairs(
            view_1=cast("NDArray[np.uint8]", arrays["view_1"]),
            view_2=cast("NDArray[np.uint8]", arrays["view_2"]),
        ),
        correspondence=cast("NDArray[np.int16]", arrays["correspondence"]),
    )


def _correspondence(
    first: RenderedFrame, second: RenderedFrame, image_size: int, patch_size: int
) -> NDArray[np.int16]:
    correspondence, _overlap = exact_correspondence(
        first.depth,
        first.pose,
        first.intrinsics,
        second.depth,
        second.pose,
        second.intrinsics,
        image_size,
        patch_size,
    )
    return correspondence


def _spec(part: Part, count: int, image_size: int) -> SyntheticSpec:
    return SyntheticSpec(
        seed=HELD_OUT_SEED + part,
        rooms=-(-count // _VIEWS_PER_ROOM),
        frames=count,
        width=image_size,
        height=image_size,
    )


def _description(kind: str, part: Part, count: int, image_size: int, *more: int) -> str:
    spec = _spec(part, count, image_size)
    return json.dumps([_DATA_VERSION, kind, spec.fingerprint(), count, image_size, *more])
