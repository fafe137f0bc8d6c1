"""What every log engine promises; `tests/contracts/` holds each engine to it.

A log has topics, a topic has partitions, a partition is a sequence of records with growing
offsets. Offsets may have gaps (aborted transactions, compaction, control records): a position is
always *the next offset to read*, never a count.

Readers see committed records only, in order, and never a part of a transaction.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType


class Cleanup(enum.StrEnum):
    """What makes a topic forget."""

    RETAIN = "retain"
    """Records go when they are older than `retention_s` or the topic is over `retention_bytes`."""
    COMPACT = "compact"
    """Only the newest record of each key stays; a record without value removes its key."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How a topic is laid out.

    Attributes:
        name: the topic's name.
        partitions: number of partitions, at least 1; fixed for the life of the topic.
        cleanup: what makes it forget.
        retention_s: age in seconds after which records may go; None keeps them.
        retention_bytes: bytes of values a partition may hold; None sets no bound.
    """

    name: str
    partitions: int
    cleanup: Cleanup = Cleanup.RETAIN
    retention_s: float | None = None
    retention_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What is appended.

    Attributes:
        value: the payload; None is a tombstone in a compacted topic.
        key: decides the partition when given (and no partition is named); required when compacted.
        headers: small labels that tools can read without decoding the value.
        partition: the partition to append to; None lets the log choose: by key, else evenly.
    """

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What is read back."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Half-open range of offsets that a partition holds: `first` is retained, `end` is next."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """Result of one read.

    Attributes:
        records: committed records in order of offset; may be empty.
        next_offset: where to read on. It passes over gaps, so that it can be beyond the last
            record's offset + 1, also when there is no record.
    """

    records: tuple[Record, ...] = field(default=())
    next_offset: int = 0


class Transaction(Protocol):
    """Appends that become visible together or not at all."""

    def append(self, topic: str, message: Message) -> None:
        """Adds a message; raises `LogError` for an unknown topic or partition."""
        ...

    def commit_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Makes the next offsets of a consumer group, by partition, part of this transaction."""
        ...


class TransactionalProducer(Protocol):
    """A writer with a name: making another of the same name fences the older one."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Commits on normal exit and aborts on an exception.

        Raises:
            ProducerFencedError: on commit, when a newer producer of the same name exists. Nothing
                of the transaction is visible then.
        """
        ...

    def close(self) -> None:
        """Releases what the producer holds."""
        ...


class Log(Protocol):
    """An engine: `embedded` on one machine, Kafka on a cluster."""

    def create_topic(self, spec: TopicSpec) -> None:
        """Makes a topic; does nothing when it exists with as many partitions.

        Raises:
            LogError: when it exists with another number of partitions.
        """
        ...

    def delete_topic(self, topic: str) -> None:
        """Removes a topic with its records and the offsets that groups committed on it.

        Raises:
            LogError: when there is no such topic.
        """
        ...

    def partitions(self, topic: str) -> int:
        """Number of partitions; raises `LogError` when there is no such topic."""
        ...

    def topic_id(self, topic: str) -> str:
        """Identity of this very topic: one that is deleted and made anew has another."""
        ...

    def offsets(self, topic: str) -> dict[int, OffsetRange]:
        """The committed range of each partition."""
        ...

    def read(
        self, topic: str, partition: int, offset: int, max_records: int, max_bytes: int
    ) -> Fetch:
        """Reads committed records from `offset` on, without waiting.

        At least one record is given when there is one, however large.

        Raises:
            OffsetOutOfRangeError: when `offset` is below the first retained or beyond the end.
        """
        ...

    def wait(self, topic: str, position: Mapping[int, int], timeout_s: float) -> bool:
        """Waits until any partition reaches beyond `position`; tells whether one does."""
        ...

    def producer(self, transactional_id: str) -> TransactionalProducer:
        """Makes a producer and fences any older one of the same id."""
        ...

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Next offsets that a consumer group has committed, by partition."""
        ...

    def clean(self) -> int:
        """Applies compaction and retention now; gives the number of records removed.

        Kafka does this by itself and gives 0.
        """
        ...

    def close(self) -> None:
        """Releases what the log holds."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def read_all(log: Log, topic: str) -> Sequence[Record]:
    """Every retained record of a small topic (sources, progress), by partition and offset."""
    records: list[Record] = []
    for partition, span in log.offsets(topic).items():
        offset = span.first
        while offset < span.end:
            fetch = log.read(topic, partition, offset, max_records=1_000, max_bytes=1 << 24)
            records.extend(r for r in fetch.records if r.offset < span.end)
            offset = fetch.next_offset
    return records
