"""Which moments of a source become frames.

Targets lie on a grid from the start of the source, at 0, 1/rate, 2/rate ... seconds; the first
frame at or after a target is sampled, once, however many targets it serves. The grid does not
move with `start_s`: the stretches of a source give the same frames as the whole.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Self

from pydantic import Field, model_validator

from streaming.settings import Settings

NS_PER_S: Final = 1_000_000_000
ROUNDING_NS: Final = 1_000_000
"""A frame counts as at its target up to a millisecond early: some containers (Matroska) round
timestamps to that, which would pass over every other frame when all are wanted."""


class SamplingConfig(Settings):
    """Which frames of a source are used."""

    frames_per_s: float = Field(default=4.0, gt=0, le=240, allow_inf_nan=False)
    """Frames sampled from a second of the source; it gives fewer when it has fewer."""
    start_s: float = Field(default=0.0, ge=0, le=1e9)
    """Frames before this time are passed over, in seconds from the start of the source."""
    end_s: float | None = Field(default=None, gt=0, le=1e9)
    """Frames from this time on are passed over; None reads to the end."""
    max_frames: int | None = Field(default=None, ge=1)
    """Stop after so many frames; None sets no bound."""
    max_side_px: int = Field(default=960, ge=32, le=16_384)
    """Larger frames are reduced to this longer side, keeping their aspect."""

    @model_validator(mode="after")
    def _check_stretch(self) -> Self:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError(f"end_s: must be after start_s ({self.start_s})")
        return self


def grid_target_at(timestamp_ns: int, frames_per_s: float) -> int:
    """The last target of the grid at or before a time, in nanoseconds."""
    interval_ns = NS_PER_S / Fraction(frames_per_s)
    index = timestamp_ns // interval_ns
    following = _grid_target(index + 1, interval_ns)
    return following if following <= timestamp_ns else _grid_target(index, interval_ns)


def grid_target_after(timestamp_ns: int, frames_per_s: float) -> int:
    """The first target of the grid after a time, in nanoseconds."""
    interval_ns = NS_PER_S / Fraction(frames_per_s)
    index = timestamp_ns // interval_ns
    target = _grid_target(index, interval_ns)
    while target <= timestamp_ns:
        index += 1
        target = _grid_target(index, interval_ns)
    return target


class Sampler:
    """Decides frame by frame, in the order of time, which are sampled.

    Attributes:
        wanted_from_ns: frames before this time are certain not to be sampled.
        done: no later frame will be sampled.
    """

    def __init__(self, sampling: SamplingConfig) -> None:
        self._sampling = sampling
        self._from_ns = round(sampling.start_s * NS_PER_S) - ROUNDING_NS
        end_s = sampling.end_s
        self._end_ns = None if end_s is None else round(end_s * NS_PER_S) - ROUNDING_NS
        self._taken = 0
        self.done = False
        # The frame before `start_s` decides which target the first one after it serves.
        self._aim_at(grid_target_at(self._from_ns + ROUNDING_NS, sampling.frames_per_s))

    def take(self, timestamp_ns: int) -> bool:
        """Tells whether the frame at this time is sampled."""
        if self.done or timestamp_ns < self.wanted_from_ns:
            return False
        if self._end_ns is not None and timestamp_ns >= self._end_ns:
            self.done = True
            return False
        self._aim_at(grid_target_after(timestamp_ns + ROUNDING_NS, self._sampling.frames_per_s))
        if timestamp_ns < self._from_ns:
            return False
        self._taken += 1
        if self._taken == self._sampling.max_frames:
            self.done = True
        return True

    def _aim_at(self, target_ns: int) -> None:
        self.wanted_from_ns = target_ns - ROUNDING_NS


def _grid_target(index: int, interval_ns: Fraction) -> int:
    return round(index * interval_ns)
