"""Writing: transactions wait in memory and go into the file in one step.

A commit, in order: take the file's only write lock; refuse when fenced; give offsets; insert;
move group offsets; commit. A process that dies anywhere before the last step leaves nothing.
"""

from __future__ import annotations

import json
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streaming.errors import LogError, ProducerFencedError
from streaming.log.embedded.partitions import check_partition, find_partitions, find_topic
from streaming.log.protocol import Cleanup

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping

    from streaming.log.embedded.database import Database
    from streaming.log.protocol import Message


class EmbeddedTransaction:
    """What a transaction holds until it is committed."""

    def __init__(self, database: Database, max_bytes: int) -> None:
        self._database = database
        self._max_bytes = max_bytes
        self._bytes_total = 0
        self._topics: dict[str, tuple[Cleanup, int]] = {}
        self.is_open = True
        self.messages: dict[str, list[Message]] = {}
        self.group_offsets: list[tuple[str, str, dict[int, int]]] = []

    def append(self, topic: str, message: Message) -> None:
        """Adds a message; see `Transaction`."""
        self._check_open()
        cleanup, partition_count = self._look_up(topic)
        if message.partition is not None:
            check_partition(topic, message.partition, partition_count)
        if message.key is None and cleanup is Cleanup.COMPACT:
            raise LogError(f"topic {topic!r} is compacted: each of its messages needs a key")
        self._bytes_total += len(message.value or b"") + len(message.key or b"")
        if self._bytes_total > self._max_bytes:
            line = f"a transaction holds more than {self._max_bytes} bytes; commit more often"
            raise LogError(line)
        self.messages.setdefault(topic, []).append(message)

    def commit_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Adds next offsets of a consumer group; see `Transaction`."""
        self._check_open()
        for number in offsets:
            check_partition(topic, number, self._look_up(topic)[1])
        self.group_offsets.append((group, topic, dict(offsets)))

    def _look_up(self, topic: str) -> tuple[Cleanup, int]:
        if topic not in self._topics:
            with self._database.reading() as connection:
                cleanup = find_topic(connection, topic).cleanup
                self._topics[topic] = (cleanup, len(find_partitions(connection, topic)))
        return self._topics[topic]

    def _check_open(self) -> None:
        if not self.is_open:
            raise LogError("this transaction is over; begin another one")


class EmbeddedProducer:
    """A writer with a name; see `TransactionalProducer`."""

    def __init__(
        self,
        database: Database,
        transactional_id: str,
        *,
        max_transaction_bytes: int,
        clock: Callable[[], float],
        after_commit: Callable[[], None],
    ) -> None:
        self._database = database
        self._transactional_id = transactional_id
        self._max_transaction_bytes = max_transaction_bytes
        self._clock = clock
        self._after_commit = after_commit
        self._current: EmbeddedTransaction | None = None
        self._closed = False
        with database.writing() as connection:
            connection.execute(
                "INSERT INTO producers VALUES (?, 1)"
                " ON CONFLICT (transactional_id) DO UPDATE SET epoch = epoch + 1",
                (transactional_id,),
            )
            self._epoch = _epoch(connection, transactional_id)

    @contextmanager
    def transaction(self) -> Iterator[EmbeddedTransaction]:
        """Begins a transaction; see `TransactionalProducer`."""
        if self._closed:
            raise LogError(f"producer {self._transactional_id!r} is closed; make another one")
        if self._current is not None:
            line = f"producer {self._transactional_id!r} has a transaction open: finish it first"
            raise LogError(line)
        transaction = EmbeddedTransaction(self._database, self._max_transaction_bytes)
        self._current = transaction
        try:
            yield transaction
            self._commit(transaction)
        finally:
            transaction.is_open = False
            self._current = None
        self._after_commit()

    def close(self) -> None:
        """Refuses further transactions."""
        self._closed = True

    def _commit(self, transaction: EmbeddedTransaction) -> None:
        timestamp_ms = int(self._clock() * 1000)
        with self._database.writing() as connection:
            if _epoch(connection, self._transactional_id) != self._epoch:
                line = "a newer producer of this name exists; nothing of the transaction is kept"
                raise ProducerFencedError(f"producer {self._transactional_id!r}: {line}")
            for topic, messages in transaction.messages.items():
                _insert(connection, topic, messages, timestamp_ms)
            for group, topic, offsets in transaction.group_offsets:
                _move_group(connection, group, topic, offsets)


def _epoch(connection: sqlite3.Connection, transactional_id: str) -> int:
    (epoch,) = connection.execute(
        "SELECT epoch FROM producers WHERE transactional_id = ?", (transactional_id,)
    ).fetchone()
    return int(epoch)


def _insert(
    connection: sqlite3.Connection, topic: str, messages: list[Message], timestamp_ms: int
) -> None:
    partitions = find_partitions(connection, topic)
    ends = {number: partition.end_offset for number, partition in partitions.items()}
    value_bytes = dict.fromkeys(ends, 0)
    rows = []
    for message in messages:
        number = _choose_partition(message, ends)
        check_partition(topic, number, len(partitions))
        row = partitions[number].row
        headers = _pack_headers(message.headers)
        rows.append((row, ends[number], timestamp_ms, message.key, headers, message.value))
        ends[number] += 1
        value_bytes[number] += len(message.value or b"")
    connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.executemany(
        "UPDATE partitions SET end_offset = ?, value_bytes = value_bytes + ? WHERE id = ?",
        [(ends[n], value_bytes[n], partition.row) for n, partition in partitions.items()],
    )


def _choose_partition(message: Message, ends: Mapping[int, int]) -> int:
    """The partition named, else by key, else the one that was given least so far."""
    if message.partition is not None:
        return message.partition
    if message.key is not None:
        return zlib.crc32(message.key) % len(ends)
    return min(ends, key=ends.__getitem__)


def _move_group(
    connection: sqlite3.Connection, group: str, topic: str, offsets: Mapping[int, int]
) -> None:
    partitions = find_partitions(connection, topic)
    for number in offsets:
        check_partition(topic, number, len(partitions))
    connection.executemany(
        "INSERT INTO group_offsets VALUES (?, ?, ?) ON CONFLICT (group_name, partition_id)"
        " DO UPDATE SET next_offset = excluded.next_offset",
        [(group, partitions[number].row, offset) for number, offset in offsets.items()],
    )


def _pack_headers(headers: tuple[tuple[str, bytes], ...]) -> str | None:
    """As JSON, in which latin-1 makes text of any bytes, one character each."""
    if not headers:
        return None
    return json.dumps([(name, label.decode("latin-1")) for name, label in headers])


def unpack_headers(packed: str | None) -> tuple[tuple[str, bytes], ...]:
    """Headers of a row of `records`."""
    if packed is None:
        return ()
    return tuple((name, label.encode("latin-1")) for name, label in json.loads(packed))
