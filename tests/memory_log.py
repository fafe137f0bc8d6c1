"""A log in memory with deliberate gaps between offsets and short reads, to test readers of logs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from streaming.errors import OffsetOutOfRangeError
from streaming.log.protocol import Fetch, OffsetRange, Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class MemoryLog:
    """The reading half of the `Log` protocol over one topic.

    Args:
        partitions: number of partitions.
        gaps: offsets left out before each record, in turn.
        read_records: most records that one read gives, whatever is asked for.
        topic_id: identity of the topic.
    """

    def __init__(
        self,
        partitions: int = 1,
        gaps: Sequence[int] = (0, 1, 0, 0, 3),
        read_records: int = 3,
        topic_id: str = "memory",
    ) -> None:
        self._gaps = gaps
        self._read_records = read_records
        self._topic_id = topic_id
        self._records: list[list[Record]] = [[] for _ in range(partitions)]
        self._first = [0] * partitions
        self._end = [0] * partitions
        self._appended = 0
        self._grown = threading.Condition()
        self.reads: list[tuple[int, int]] = []

    def append(self, partition: int, value: bytes | None) -> int:
        """Adds a record and gives its offset."""
        with self._grown:
            offset = self._end[partition] + self._gaps[self._appended % len(self._gaps)]
            self._appended += 1
            self._records[partition].append(Record("pairs", partition, offset, 0, None, value))
            self._end[partition] = offset + 1
            self._grown.notify_all()
            return offset

    def skip(self, partition: int, offsets: int) -> None:
        """Grows a partition by offsets without records, as an aborted transaction does."""
        with self._grown:
            self._end[partition] += offsets
            self._grown.notify_all()

    def trim(self, partition: int, first: int) -> None:
        """Forgets what lies below an offset."""
        with self._grown:
            self._first[partition] = first
            self._records[partition] = [r for r in self._records[partition] if r.offset >= first]

    def addresses(self) -> list[tuple[int, int]]:
        """Partition and offset of every record held."""
        return [(r.partition, r.offset) for records in self._records for r in records]

    def partitions(self, topic: str) -> int:
        return len(self._records)

    def topic_id(self, topic: str) -> str:
        return self._topic_id

    def offsets(self, topic: str) -> dict[int, OffsetRange]:
        with self._grown:
            bounds = zip(self._first, self._end, strict=True)
            return {partition: OffsetRange(*bound) for partition, bound in enumerate(bounds)}

    def read(
        self, topic: str, partition: int, offset: int, max_records: int, max_bytes: int
    ) -> Fetch:
        with self._grown:
            self.reads.append((partition, offset))
            if not self._first[partition] <= offset <= self._end[partition]:
                raise OffsetOutOfRangeError(f"offset {offset} is not in partition {partition}")
            found = [r for r in self._records[partition] if r.offset >= offset]
            given = tuple(found[: min(max_records, self._read_records)])
            more = len(given) < len(found)
            return Fetch(given, given[-1].offset + 1 if more else self._end[partition])

    def wait(self, topic: str, position: Mapping[int, int], timeout_s: float) -> bool:
        def beyond() -> bool:
            return any(self._end[partition] > offset for partition, offset in position.items())

        with self._grown:
            return self._grown.wait_for(beyond, timeout_s)
