"""What became of the pictures of a source: how many were decoded, sampled, and lost to what."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field


class LossReason(enum.StrEnum):
    """Why a part of a source gave no frame."""

    CORRUPT_PACKET = "corrupt_packet"
    """A packet that could not be read or decoded."""
    CORRUPT_FRAME = "corrupt_frame"
    """A picture that the decoder itself calls damaged, or that could not be converted."""
    OUT_OF_ORDER = "out_of_order"
    """A picture that is no later than the one before it."""
    UNREADABLE_IMAGE = "unreadable_image"
    """A file of an image set that is no whole image."""


@dataclass(slots=True)
class FrameReport:
    """Counts that grow while a source is read.

    Attributes:
        decoded: pictures that were decoded; those between two samples may be left undecoded.
        sampled: frames handed out.
        skipped: what was lost, by `LossReason`.
    """

    decoded: int = 0
    sampled: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
