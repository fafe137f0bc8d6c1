"""Replay: reading again what was read before, in passes.

A pass freezes the range of every partition that has been read, cuts it into blocks and visits
each block once, in random order. So a record is read at most once a pass, and how often it was
read before follows from the ends of earlier passes alone, however long the log is.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from streaming.pipeline.config import ReplayPolicy
from streaming.pipeline.window import REPLAY_STREAM, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from streaming.log.protocol import OffsetRange
    from streaming.pipeline.config import PipelineConfig

MAX_BLOCK_OFFSETS: Final = 64


@dataclass(frozen=True, slots=True)
class Position:
    """How far one partition was read.

    Attributes:
        partition: partition of the pairs topic.
        next_fresh: next offset that was in no window yet.
        history: finished passes as (end offset, number of passes that ended there), by growing
            end. As passes only ever begin later, a retained offset was in those that end beyond.
        limit: offset at which reading ends, or None for an endless read.
    """

    partition: int
    next_fresh: int
    history: tuple[tuple[int, int], ...]
    limit: int | None

    def replays(self, offset: int) -> int:
        """How many finished passes held this offset."""
        return sum(passes for end, passes in self.history if end > offset)

    def first_replayable(self, max_replays: int | None) -> int:
        """First offset that was replayed fewer than `max_replays` times; so were all beyond."""
        if max_replays is None:
            return 0
        passes, first = 0, self.next_fresh
        for end, count in reversed(self.history):
            if passes >= max_replays:
                return first
            passes, first = passes + count, end
        return first if passes >= max_replays else 0

    def after_pass(self, end_offset: int) -> Position:
        """The position with one more finished pass."""
        history = dict(self.history)
        history[end_offset] = history.get(end_offset, 0) + 1
        return replace(self, history=tuple(sorted(history.items())))

    def forgetting(self, first_retained: int) -> Position:
        """The position without passes over what is not retained any more."""
        history = tuple(entry for entry in self.history if entry[0] > first_retained)
        return replace(self, history=history)


@dataclass(frozen=True, slots=True)
class PassRange:
    """What a pass reads of one partition, half open."""

    partition: int
    first_offset: int
    end_offset: int


@dataclass(frozen=True, slots=True)
class ReplayPass:
    """One pass over what has been read, and how far it got.

    Attributes:
        rank: the rank that began the pass; with `number` the key of its order of blocks.
        number: the pass's number on that rank.
        block_offsets: offsets in a block.
        ranges: what it reads.
        partitions: only blocks of these are read here; the rest of a divided pass belongs to
            other ranks.
        cursor: number of blocks, in their order, that are done with.
    """

    rank: int
    number: int
    block_offsets: int
    ranges: tuple[PassRange, ...]
    partitions: tuple[int, ...]
    cursor: int

    def __post_init__(self) -> None:
        if self.block_offsets < 1 or not 0 <= self.cursor <= self.block_count:
            raise ValueError(f"cursor {self.cursor} is outside a pass of {self.block_count} blocks")

    @property
    def block_count(self) -> int:
        """Number of blocks, other ranks' included."""
        return sum(self._blocks_of(part) for part in self.ranges)

    def blocks(self, seed: int) -> Iterator[tuple[int, PassRange]]:
        """Blocks that are still to be read, each with the cursor after it."""
        order = _block_order(seed, self.rank, self.number, self.block_count)
        starts = np.cumsum([0, *(self._blocks_of(part) for part in self.ranges)])
        for cursor in range(self.cursor, len(order)):
            owner = int(np.searchsorted(starts, order[cursor], side="right")) - 1
            part = self.ranges[owner]
            first = part.first_offset + int(order[cursor] - starts[owner]) * self.block_offsets
            end = min(first + self.block_offsets, part.end_offset)
            yield cursor + 1, PassRange(part.partition, first, end)

    def restricted(self, partitions: Iterable[int]) -> ReplayPass:
        """The part of this pass that lies in the given partitions."""
        kept = tuple(p for p in self.partitions if p in set(partitions))
        return replace(self, partitions=kept)

    def _blocks_of(self, part: PassRange) -> int:
        return -(-(part.end_offset - part.first_offset) // self.block_offsets)


def begin_pass(
    rank: int,
    number: int,
    positions: Iterable[Position],
    retained: Mapping[int, OffsetRange],
    config: PipelineConfig,
) -> ReplayPass | None:
    """A pass over all that was read and may be read again; None when there is nothing."""
    ranges = []
    for position in positions:
        first = max(
            retained[position.partition].first, position.first_replayable(config.max_replays)
        )
        if config.replay is ReplayPolicy.RECENCY:
            first = max(first, position.next_fresh - config.recent_offsets)
        if first < position.next_fresh:
            ranges.append(PassRange(position.partition, first, position.next_fresh))
    if not ranges:
        return None
    return ReplayPass(
        rank=rank,
        number=number,
        # Several blocks a window, so that a window mixes distant parts of the log.
        block_offsets=max(1, min(MAX_BLOCK_OFFSETS, config.window_records // 8)),
        ranges=tuple(ranges),
        partitions=tuple(part.partition for part in ranges),
        cursor=0,
    )


def take_spans(
    current: ReplayPass,
    room: int,
    positions: Mapping[int, Position],
    retained: Mapping[int, OffsetRange],
    seed: int,
) -> tuple[ReplayPass, list[Span]]:
    """Takes whole blocks of a pass until `room` offsets are filled or the pass is done.

    What retention has removed meanwhile is passed over: forgetting is no loss to a replay.
    """
    spans: list[Span] = []
    cursor = current.cursor
    for after, block in current.blocks(seed):
        if room <= 0:
            break
        cursor = after
        if block.partition not in current.partitions:
            continue
        first = max(block.first_offset, retained[block.partition].first)
        if first >= block.end_offset:
            continue
        spans.extend(_with_passes(positions[block.partition], first, block.end_offset))
        room -= block.end_offset - first
    return replace(current, cursor=cursor), spans


def _with_passes(position: Position, first: int, end: int) -> Iterator[Span]:
    """Cuts a range where the number of earlier readings changes."""
    cuts = [first, *(e for e, _ in position.history if first < e < end), end]
    for begin, stop in itertools.pairwise(cuts):
        yield Span(position.partition, begin, stop, 1 + position.replays(begin))


@functools.lru_cache(maxsize=4)
def _block_order(seed: int, rank: int, number: int, count: int) -> NDArray[np.int64]:
    order = np.random.default_rng([seed, REPLAY_STREAM, rank, number]).permutation(count)
    order.flags.writeable = False
    return order
