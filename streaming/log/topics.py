"""The topics of Pairstream."""

from __future__ import annotations

from typing import Final

from streaming.log.protocol import Cleanup, TopicSpec

SOURCES: Final = "pairstream.sources"
PROGRESS: Final = "pairstream.progress"
PAIRS: Final = "pairstream.pairs"
DEAD_LETTERS: Final = "pairstream.dead-letters"
CHECKPOINTS: Final = "pairstream.checkpoints"
EVALUATIONS: Final = "pairstream.evaluations"

_WEEK_S: Final = 7 * 24 * 3600.0


def topic_specs(pair_partitions: int = 4) -> tuple[TopicSpec, ...]:
    """All topics; pairs are spread over `pair_partitions` partitions."""
    return (
        TopicSpec(SOURCES, 1, Cleanup.COMPACT),
        TopicSpec(PROGRESS, 1, Cleanup.COMPACT),
        TopicSpec(PAIRS, pair_partitions, retention_s=_WEEK_S),
        TopicSpec(DEAD_LETTERS, 1, retention_s=_WEEK_S),
        TopicSpec(CHECKPOINTS, 1, Cleanup.COMPACT),
        TopicSpec(EVALUATIONS, 1),
    )
