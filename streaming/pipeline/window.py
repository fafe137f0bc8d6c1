"""Windows: which records are shuffled together, and in which order they are handed out.

A window is a list of spans of offsets. What is permuted are its offsets, not the records found
there: the order then follows from the plan alone, so that a gap or a record lost to retention
moves no other record, and a window can be divided among ranks without looking into the log.
"""

from __future__ import annotations

import enum
import hashlib
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FRESH_PASS: Final = 0
WINDOW_STREAM: Final = 1
REPLAY_STREAM: Final = 2


class SpanKind(enum.StrEnum):
    """Whether the records of a span are read for the first time."""

    FRESH = "fresh"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a sample comes from.

    Attributes:
        partition: partition of the pairs topic.
        offset: offset in the partition.
        replay_pass: how often this run read the record before; 0 is fresh.
    """

    partition: int
    offset: int
    replay_pass: int

    @property
    def kind(self) -> SpanKind:
        """Whether the record is read for the first time."""
        return SpanKind.FRESH if self.replay_pass == FRESH_PASS else SpanKind.REPLAY

    def augmentation_seed(self, seed: int) -> int:
        """Seed of this sample's random augmentation, 0 to 2**63 - 1, equal on every machine."""
        packed = struct.pack("<4q", seed, self.partition, self.offset, self.replay_pass)
        digest = hashlib.blake2b(packed, digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 1


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of offsets that one window reads; gaps make it hold fewer records.

    Attributes:
        partition: partition of the pairs topic.
        first_offset: first offset.
        end_offset: one beyond the last offset.
        replay_pass: how often this run read these records before; 0 is fresh.
    """

    partition: int
    first_offset: int
    end_offset: int
    replay_pass: int

    def __post_init__(self) -> None:
        if not 0 <= self.first_offset < self.end_offset or self.replay_pass < 0:
            raise ValueError(f"not a span: {self}")

    def __len__(self) -> int:
        """Number of offsets, gaps included."""
        return self.end_offset - self.first_offset

    @property
    def kind(self) -> SpanKind:
        """Whether the records are read for the first time."""
        return SpanKind.FRESH if self.replay_pass == FRESH_PASS else SpanKind.REPLAY


@dataclass(frozen=True, slots=True)
class Window:
    """Spans that are shuffled together, and how much of them has been handed out.

    Attributes:
        rank: the rank that planned the window; with `number` the key of its permutation.
        number: the window's number on that rank.
        spans: disjoint ranges of offsets.
        partitions: only offsets of these partitions are to be read here; the rest of a divided
            window belongs to other ranks.
        cursor: number of offsets, in permuted order, that are done with.
    """

    rank: int
    number: int
    spans: tuple[Span, ...]
    partitions: tuple[int, ...]
    cursor: int

    def __post_init__(self) -> None:
        if not 0 <= self.cursor <= len(self):
            raise ValueError(f"cursor {self.cursor} is outside a window of {len(self)} offsets")

    def __len__(self) -> int:
        """Number of offsets, gaps and other ranks' parts included."""
        return sum(len(span) for span in self.spans)

    def unread(self, seed: int) -> Iterator[tuple[int, Address]]:
        """What is still to be handed out, in order.

        Yields:
            The cursor after handing out the address, and the address. There may be no record.
        """
        order = np.random.default_rng([seed, WINDOW_STREAM, self.rank, self.number]).permutation(
            len(self)
        )
        starts = np.cumsum([0, *(len(span) for span in self.spans)])
        owners = np.searchsorted(starts, order, side="right") - 1
        for slot in range(self.cursor, len(order)):
            span = self.spans[owners[slot]]
            if span.partition in self.partitions:
                offset = span.first_offset + int(order[slot] - starts[owners[slot]])
                yield slot + 1, Address(span.partition, offset, span.replay_pass)

    def restricted(self, partitions: Iterable[int]) -> Window:
        """The part of this window that lies in the given partitions."""
        kept = tuple(p for p in self.partitions if p in set(partitions))
        return replace(self, partitions=kept)
