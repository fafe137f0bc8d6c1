"""What is mined and not yet in the log, and what of it can never be there."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from monitoring.funnel import SourceFunnel
from streaming.errors import RecordError
from streaming.log.messages import pair_message
from streaming.log.topics import PAIRS, SOURCES
from streaming.schema.dead_letter import DeadLetter
from streaming.settings import Settings
from streaming.sources.container import redacted

if TYPE_CHECKING:
    from streaming.errors import PairstreamError, SourceError
    from streaming.frames.sampling import SamplingConfig
    from streaming.log.protocol import Message
    from streaming.mining.miner import MinerState
    from streaming.records import Pair, Source
    from streaming.schema.progress import Progress, SourceState


class CommitConfig(Settings):
    """When a transaction closes: whichever bound is reached first."""

    pairs: int = Field(64, ge=1)
    """Pairs in a transaction."""
    bytes_total: int = Field(16 << 20, ge=1)
    """Bytes of encoded views in a transaction."""
    interval_s: float = Field(1.0, gt=0.0)
    """Age of a transaction in seconds, and so how late a pair can become visible."""


class Stretch:
    """Pairs that are mined and not yet committed, and how far that is.

    Attributes:
        lost: what reading has cost since the source was opened; it grows by itself.
        lost_before: the part of it that an earlier run has counted.
    """

    def __init__(self, before: Progress, commit: CommitConfig, sampling: SamplingConfig) -> None:
        self.funnel = SourceFunnel() + before.funnel
        self.duration_s = before.duration_s
        self.lost: Counter[str] = Counter()
        self.lost_before: Counter[str] = Counter()
        self._before = before
        self.position_ns = before.position_ns
        self.miner = before.miner
        self._commit = commit
        self._sampling = sampling
        self._pairs: list[Pair] = []
        self._opened_s = time.monotonic()

    def add(self, position_ns: int, pairs: list[Pair], miner: MinerState) -> None:
        """Takes note of a frame, its pairs, and what the miner then knows."""
        self.position_ns = position_ns
        self.miner = miner
        self._pairs.extend(pairs)

    def is_due(self) -> bool:
        """Whether a bound of the transaction is reached."""
        bytes_total = sum(len(p.view_1.jpeg) + len(p.view_2.jpeg) for p in self._pairs)
        return (
            len(self._pairs) >= self._commit.pairs
            or bytes_total >= self._commit.bytes_total
            or time.monotonic() - self._opened_s >= self._commit.interval_s
        )

    def take(self) -> tuple[list[Message], list[DeadLetter]]:
        """Hands over the pairs as messages and opens the next stretch.

        A pair that breaks the data contract becomes a dead letter and counts as rejected.
        """
        messages: list[Message] = []
        letters: list[DeadLetter] = []
        for pair in self._pairs:
            try:
                messages.append(pair_message(pair))
            except RecordError as error:
                self.funnel.accepted -= 1
                self.funnel.rejected[error.reason] += 1
                letters.append(_pair_letter(pair, error))
        self._pairs = []
        self._opened_s = time.monotonic()
        return messages, letters

    def progress(self, state: SourceState, reason: str) -> Progress:
        """How far the source is mined when this stretch is committed."""
        return replace(
            self._before,
            state=state,
            position_ns=self.position_ns,
            max_frames=self._sampling.max_frames,
            end_s=self._sampling.end_s,
            miner=self.miner,
            duration_s=self.duration_s,
            funnel=self.funnel + SourceFunnel(skipped_frames=self.lost - self.lost_before),
            reason=reason,
        )


def source_letter(source: Source, error: SourceError, producer: str) -> DeadLetter:
    """A dead letter for a source that could not be mined to its end."""
    uri = redacted(source.uri)
    return _letter(SOURCES, "source_failed", error, producer, uri, source.source_id)


def _pair_letter(pair: Pair, error: RecordError) -> DeadLetter:
    return _letter(PAIRS, error.reason, error, pair.producer, pair.pair_id, pair.source_id)


def _letter(
    topic: str, reason: str, error: PairstreamError, producer: str, failed: str, source_id: str
) -> DeadLetter:
    original = failed.encode(errors="replace")
    return DeadLetter(
        topic=topic,
        reason=reason,
        error=str(error),
        producer=producer,
        failed_at_ns=time.time_ns(),
        original=original,
        original_bytes_total=len(original),
        source_id=source_id,
    )
