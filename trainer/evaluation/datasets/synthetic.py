"""Labelled views and matched pairs of made rooms that no training source shows.

Rooms are made from seeds. The seeds from `HELD_OUT_SEED` on are reserved for evaluation: the
addresses of sources are refused them. Each part of the data has a seed of its own, so that a head
is never scored in a room that it was trained in.
"""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Final, cast

import cv2
import numpy as np

from streaming.mining.truth import exact_correspondence
from streaming.mining.views import make_view
from streaming.records import CropBox
from streaming.sources.synthetic.render import sample_pairs, sample_views
from streaming.sources.synthetic.spec import HELD_OUT_SEED, SyntheticSpec
from trainer.evaluation.datasets.arrays import LabelledViews, MatchedPairs, ViewPairs
from trainer.evaluation.datasets.cache import cached

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from streaming.sources.synthetic.render import RenderedFrame
    from trainer.evaluation.datasets.cache import Arrays

_DATA_VERSION: Final = 3
"""To be raised whenever the same seed gives other pictures or labels."""
# Making a room costs as much as rendering many views of it; depth differs more between the places
# in a room than between rooms.
_VIEWS_PER_ROOM: Final = 8
_PAIRS_PER_ROOM: Final = 6


class Part(enum.IntEnum):
    """The parts of the data; each has its own rooms."""

    LABELLED = 0
    VALIDATION = 1
    TEST = 2


def labelled_views(part: Part, count: int, image_size: int, cache_dir: Path) -> LabelledViews:
    """Views with exact depth.

    Args:
        part: which rooms.
        count: number of views.
        image_size: height and width of the views in pixels.
        cache_dir: where rendered views are kept.
    """
    spec = _spec(part, count, image_size)

    def make() -> Arrays:
        frames = sample_views(spec, count, spec.seed)
        return {
            "images": _images(frames, image_size),
            "depths_m": _depths_m(frames, image_size),
            "scenes": _rooms(frames),
        }

    arrays = cached(cache_dir, _description("views", spec, count, image_size), make)
    return LabelledViews(
        images=cast("NDArray[np.uint8]", arrays["images"]),
        depths_m=cast("NDArray[np.float32]", arrays["depths_m"]),
        scenes=cast("NDArray[np.int64]", arrays["scenes"]),
    )


def matched_pairs(count: int, image_size: int, patch_size: int, cache_dir: Path) -> MatchedPairs:
    """Pairs of the test rooms with exact correspondences and depth.

    Args:
        count: number of pairs.
        image_size: height and width of the views in pixels.
        patch_size: side of a patch in pixels.
        cache_dir: where rendered pairs are kept.
    """
    spec = _spec(Part.TEST, count, image_size)

    def make() -> Arrays:
        frames = sample_pairs(spec, count, spec.seed)
        first, second = zip(*frames, strict=True)
        return {
            "view_1": _images(first, image_size),
            "view_2": _images(second, image_size),
            "depths_m": _depths_m(first, image_size),
            "scenes": _rooms(first),
            "correspondence": np.stack(
                [_correspondence(one, two, image_size, patch_size) for one, two in frames]
            ),
        }

    arrays = cached(cache_dir, _description("pairs", spec, count, image_size, patch_size), make)
    return MatchedPairs(
        pairs=ViewPairs(
            view_1=cast("NDArray[np.uint8]", arrays["view_1"]),
            view_2=cast("NDArray[np.uint8]", arrays["view_2"]),
            scenes=cast("NDArray[np.int64]", arrays["scenes"]),
        ),
        correspondence=cast("NDArray[np.int16]", arrays["correspondence"]),
        depths_m=cast("NDArray[np.float32]", arrays["depths_m"]),
    )


def _spec(part: Part, count: int, image_size: int) -> SyntheticSpec:
    """Frames of a video's shape, squashed to square views as in mining, and twice their size."""
    return SyntheticSpec(
        seed=HELD_OUT_SEED + part,
        rooms=-(-count // (_PAIRS_PER_ROOM if part is Part.TEST else _VIEWS_PER_ROOM)),
        frames=count,
        width=2 * round(image_size * 4 / 3),
        height=2 * image_size,
    )


def _description(kind: str, spec: SyntheticSpec, *numbers: int) -> str:
    return json.dumps([_DATA_VERSION, kind, spec.fingerprint(), *numbers])


def _images(frames: Sequence[RenderedFrame], image_size: int) -> NDArray[np.uint8]:
    height, width = frames[0].image.shape[:2]
    whole = CropBox(0, 0, width, height)
    return np.stack([make_view(frame.image, whole, image_size) for frame in frames])


def _rooms(frames: Sequence[RenderedFrame]) -> NDArray[np.int64]:
    return np.array([frame.room for frame in frames], np.int64)


def _depths_m(frames: Sequence[RenderedFrame], image_size: int) -> NDArray[np.float32]:
    # A mean over the edge of an object is a depth that is nowhere.
    size, nearest = (image_size, image_size), cv2.INTER_NEAREST
    depths = [cv2.resize(frame.depth, size, interpolation=nearest) for frame in frames]
    return np.stack(depths).astype(np.float32)


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
