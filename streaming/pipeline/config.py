"""Settings of the way from the log to a batch."""

from __future__ import annotations

import enum

from pydantic import Field, model_validator

from streaming.settings import Settings


class ReplayPolicy(enum.StrEnum):
    """What is read when the unread tail of the log is exhausted."""

    NONE = "none"
    """Nothing: wait for new records."""
    UNIFORM = "uniform"
    """Passes over everything that is retained, each record once a pass, in random order."""
    RECENCY = "recency"
    """The same over the newest `recent_offsets` of each partition only."""


class LostPolicy(enum.StrEnum):
    """What to do when retention removed records that were never read."""

    REFILL = "refill"
    """Count them and go on with the next records."""
    FAIL = "fail"
    """Stop with an error."""


class PipelineConfig(Settings):
    """How pairs are read, shuffled, replayed, decoded and batched."""

    batch_size: int = Field(default=64, ge=1)
    """Pairs in a batch of one rank."""
    window_records: int = Field(default=2048, ge=1)
    """Offsets that are shuffled together; their undecoded records are held in memory."""
    replay: ReplayPolicy = ReplayPolicy.UNIFORM
    """What is read when the unread tail is exhausted."""
    max_replays: int | None = Field(default=None, ge=0)
    """How often a record may be read again; unbounded by default."""
    recent_offsets: int = Field(default=100_000, ge=1)
    """Reach of the recency policy, in offsets of a partition."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Seed of the order of records and of their augmentation."""
    view_size: int = Field(default=224, ge=1)
    """Height and width of the views in pixels; pairs of another size stop the reading."""
    patch_size: int = Field(default=16, ge=1)
    """Side of a patch of the correspondences in pixels; another one stops the reading."""
    decode_threads: int = Field(default=2, ge=1)
    """Threads that decode records."""
    prefetch_batches: int = Field(default=2, ge=1)
    """Finished batches that are held ready."""
    on_lost: LostPolicy = LostPolicy.REFILL
    """What to do when retention removed records that were never read; to replay it is no loss."""
    until_end: bool = False
    """Read up to the end that the log has now, once, without replay, and stop.

    The last batch then holds what is left and may be smaller.
    """
    poll_s: float = Field(default=0.1, gt=0, le=1.0)
    """Longest wait in one call to the log; closing takes at most about as long."""
    fetch_bytes: int = Field(default=16 << 20, ge=1)
    """Most bytes that are asked of the log in one read."""

    @model_validator(mode="after")
    def _patches_tile_the_view(self) -> PipelineConfig:
        if self.view_size % self.patch_size:
            raise ValueError(
                f"view_size {self.view_size} must be a multiple of patch_size {self.patch_size}"
            )
        return self

    @property
    def patch_count(self) -> int:
        """Patches of one view."""
        return (self.view_size // self.patch_size) ** 2
