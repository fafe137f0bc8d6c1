"""The nouns that are handed from stage to stage: Source, Frame, Features, TwoView, View, Pair.

All are immutable. Arrays are made read-only at construction, so that a stage can hold on to what
it was given without copying it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SourceKind(enum.StrEnum):
    """How the frames of a source are obtained."""

    VIDEO = "video"
    IMAGE_SET = "image_set"
    SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class Source:
    """A place where frames come from.

    Attributes:
        source_id: stable name, unique in a log; by default made of the URI.
        uri: a path, an `http(s)://` address or a `synthetic://` address.
        kind: how frames are obtained from it.
    """

    source_id: str
    uri: str
    kind: SourceKind


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture of a source.

    Attributes:
        source_id: the source it belongs to.
        timestamp_ns: presentation time from the start of the source, in nanoseconds. In an image
            set, which has no clock, the index of the image in natural order.
        image: uint8 RGB, shape (height, width, 3), upright (rotation metadata applied).
    """

    source_id: str
    timestamp_ns: int
    image: NDArray[np.uint8]

    def __post_init__(self) -> None:
        _freeze(self.image)


@dataclass(frozen=True, slots=True)
class Features:
    """Local features of one view.

    Attributes:
        keypoints: float32, shape (n, 2), x and y in pixels of the view.
        descriptors: float32, shape (n, 128), RootSIFT (unit L2 norm).
    """

    keypoints: NDArray[np.float32]
    descriptors: NDArray[np.float32]

    def __post_init__(self) -> None:
        _freeze(self.keypoints)
        _freeze(self.descriptors)

    def __len__(self) -> int:
        """Number of keypoints."""
        return len(self.keypoints)


@dataclass(frozen=True, slots=True)
class TwoView:
    """What is known of the geometry between two views.

    Attributes:
        homography: float64, shape (3, 3), maps pixels of view 1 to pixels of view 2.
        match_count: number of putative matches.
        inlier_count: number of matches that agree with the homography.
        overlap: share of the patches of a view that correspond to a patch of the other, 0-1.
        correspondence: int16, shape (patches,): for each patch of view 1 in row-major order the
            corresponding patch of view 2, or -1.
    """

    homography: NDArray[np.float64]
    match_count: int
    inlier_count: int
    overlap: float
    correspondence: NDArray[np.int16]

    def __post_init__(self) -> None:
        _freeze(self.homography)
        _freeze(self.correspondence)


@dataclass(frozen=True, slots=True)
class CropBox:
    """A rectangle of a frame in pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class View:
    """One picture of a pair as it is stored.

    Attributes:
        jpeg: the encoded picture.
        timestamp_ns: time of its frame in the source.
        frame_height: height of the decoded frame in pixels.
        frame_width: width of the decoded frame in pixels.
        crop: the part of the frame that the view shows, squashed to the view's size.
        sharpness: variance of the Laplacian of the grey view.
        luminance: mean of the grey view, 0-255.
    """

    jpeg: bytes
    timestamp_ns: int
    frame_height: int
    frame_width: int
    crop: CropBox
    sharpness: float
    luminance: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two views of one scene with their geometry: the unit of training data.

    Attributes:
        pair_id: hex digest of source id, both timestamps and the mining configuration: the same
            source mined with the same settings gives the same ids.
        source_id: the source that both views come from.
        producer: host and software version that mined it.
        config_fingerprint: hex digest of the mining configuration.
        mined_at_ns: wall-clock time of mining, nanoseconds since 1970-01-01 UTC.
        view_1: the reference view.
        view_2: the other view.
        two_view: the geometry between them, in pixels and patches of the stored views.
        view_size: height and width of the stored views in pixels.
        patch_size: side of a patch of `two_view.correspondence` in pixels.
        warnings: reason codes of soft warnings.
    """

    pair_id: str
    source_id: str
    producer: str
    config_fingerprint: str
    mined_at_ns: int
    view_1: View
    view_2: View
    two_view: TwoView
    view_size: int
    patch_size: int
    warnings: tuple[str, ...] = ()


def _freeze(array: NDArray[np.generic]) -> None:
    array.flags.writeable = False
