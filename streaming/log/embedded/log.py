"""Reading and administration of an embedded log."""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Final, Self

from streaming.errors import LogError, OffsetOutOfRangeError
from streaming.log.embedded.cleaning import STEP_RECORDS, clean_step
from streaming.log.embedded.database import Database
from streaming.log.embedded.partitions import find_partition, find_partitions, find_topic
from streaming.log.embedded.producer import EmbeddedProducer, unpack_headers
from streaming.log.protocol import Fetch, OffsetRange, Record

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from streaming.log.embedded.partitions import Partition
    from streaming.log.protocol import TopicSpec

_LOG: Final = logging.getLogger(__name__)

MAX_TRANSACTION_BYTES: Final = 256 << 20
"""An open transaction lives in memory."""

_CLEAN_EVERY_S: Final = 60.0
_POLL_S: Final = 0.01


class EmbeddedLog:
    """A log in a SQLite file; see `Log` for what it promises.

    May be used by several threads at once. After a fork the child must open its own.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool = True,
        max_transaction_bytes: int = MAX_TRANSACTION_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Opens the file.

        Args:
            path: the SQLite file, in a folder that exists.
            create: whether to make a file that is missing.
            max_transaction_bytes: bytes of keys and values that an open transaction may hold.
            clock: seconds since 1970-01-01 UTC; stamps records and decides what is old.

        Raises:
            LogError: when the file cannot be opened, or is not a log that this version knows.
        """
        self._database = Database(path, create=create)
        self._max_transaction_bytes = max_transaction_bytes
        self._clock = clock
        self._clean_at_s = clock()

    def create_topic(self, spec: TopicSpec) -> None:
        """Makes a topic; see `Log`."""
        if spec.partitions < 1:
            raise LogError(f"topic {spec.name!r}: {spec.partitions} partitions, at least 1 needed")
        retention_ms = None if spec.retention_s is None else int(spec.retention_s * 1000)
        with self._database.writing() as connection:
            topic = connection.execute(
                "INSERT INTO topics (name, uuid, cleanup, retention_ms, retention_bytes)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
                (spec.name, str(uuid.uuid4()), spec.cleanup, retention_ms, spec.retention_bytes),
            )
            if topic.rowcount == 0:
                present = len(find_partitions(connection, spec.name))
                if present != spec.partitions:
                    line = f"exists with {present} partitions, not {spec.partitions}"
                    raise LogError(f"topic {spec.name!r} {line}; the number is fixed for its life")
                return
            connection.executemany(
                "INSERT INTO partitions (topic_id, number) VALUES (?, ?)",
                [(topic.lastrowid, number) for number in range(spec.partitions)],
            )

    def delete_topic(self, topic: str) -> None:
        """Removes a topic with all that it holds; see `Log`."""
        with self._database.writing() as connection:
            row = find_topic(connection, topic).row
            connection.execute("DELETE FROM topics WHERE id = ?", (row,))

    def partitions(self, topic: str) -> int:
        """Number of partitions; see `Log`."""
        return len(self.offsets(topic))

    def topic_id(self, topic: str) -> str:
        """Identity of this very topic; see `Log`."""
        with self._database.reading() as connection:
            return find_topic(connection, topic).uuid

    def offsets(self, topic: str) -> dict[int, OffsetRange]:
        """The committed range of each partition; see `Log`."""
        with self._database.reading() as connection:
            partitions = find_partitions(connection, topic)
        return {n: OffsetRange(p.first_offset, p.end_offset) for n, p in partitions.items()}

    def read(
        self, topic: str, partition: int, offset: int, max_records: int, max_bytes: int
    ) -> Fetch:
        """Reads committed records; see `Log`."""
        with self._database.reading() as connection:
            span = find_partition(connection, topic, partition)
            if not span.first_offset <= offset <= span.end_offset:
                held = f"which holds {span.first_offset} to {span.end_offset}"
                line = f"offset {offset} is not in {topic!r} partition {partition}, {held}"
                raise OffsetOutOfRangeError(line)
            return _fetch(connection, span, topic, offset, max(max_records, 1), max_bytes)

    def wait(self, topic: str, position: Mapping[int, int], timeout_s: float) -> bool:
        """Waits for records beyond a position; see `Log`."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            with self._database.reading() as connection:
                for number, offset in position.items():
                    if find_partition(connection, topic, number).end_offset > offset:
                        return True
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            time.sleep(min(_POLL_S, left_s))

    def producer(self, transactional_id: str) -> EmbeddedProducer:
        """Makes a producer and fences any older one of the same id; see `Log`."""
        return EmbeddedProducer(
            self._database,
            transactional_id,
            max_transaction_bytes=self._max_transaction_bytes,
            clock=self._clock,
            after_commit=self._tidy_up,
        )

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Next offsets that a consumer group has committed; see `Log`."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT number, next_offset FROM group_offsets"
                " JOIN partitions ON partitions.id = partition_id"
                " WHERE group_name = ? AND topic_id = ?",
                (group, find_topic(connection, topic).row),
            )
            return dict(rows.fetchall())

    def clean(self) -> int:
        """Applies compaction and retention now; see `Log`.

        Producers of this log do so too, about once a minute.
        """
        removed_total = 0
        while removed := clean_step(self._database, int(self._clock() * 1000)):
            removed_total += removed
        return removed_total

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _tidy_up(self) -> None:
        try:
            self._database.bound_wal()
            self._clean_when_due()
        except (LogError, OSError) as error:
            # The commit before it stands all the same: raising would make the caller repeat it.
            _LOG.warning("tidying up after a commit failed: %s", error)

    def _clean_when_due(self) -> None:
        now_s = self._clock()
        if now_s < self._clean_at_s:
            return
        self._clean_at_s = now_s + _CLEAN_EVERY_S
        if clean_step(self._database, int(now_s * 1000)) >= STEP_RECORDS:
            self._clean_at_s = now_s


def _fetch(
    connection: sqlite3.Connection,
    span: Partition,
    topic: str,
    offset: int,
    max_records: int,
    max_bytes: int,
) -> Fetch:
    records: list[Record] = []
    bytes_left = max_bytes
    statement = connection.execute(
        "SELECT record_offset, timestamp_ms, key, value, headers FROM records"
        " WHERE partition_id = ? AND record_offset >= ? ORDER BY record_offset LIMIT ?",
        (span.row, offset, max_records),
    )
    with closing(statement):  # left unfinished, it would keep its connection in this transaction
        for at, timestamp_ms, key, value, headers in statement:
            bytes_left -= len(value or b"")
            if bytes_left < 0 and records:
                return Fetch(tuple(records), at)
            labels = unpack_headers(headers)
            records.append(Record(topic, span.number, at, timestamp_ms, key, value, labels))
    more = len(records) == max_records
    return Fetch(tuple(records), records[-1].offset + 1 if more else span.end_offset)
