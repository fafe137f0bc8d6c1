"""Forgetting: retention by time and bytes, and compaction by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streaming.log.embedded.partitions import find_partition, find_topic
from streaming.log.protocol import Cleanup

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from streaming.log.embedded.database import Database
    from streaming.log.embedded.partitions import Partition, Topic

TOMBSTONE_RETENTION_MS: Final = 24 * 3600 * 1000
"""Readers have this long to see that a key was removed."""

STEP_RECORDS: Final = 1_000
"""Records of a partition removed in one transaction, so that no writer waits for long."""


def clean_step(database: Database, now_ms: int) -> int:
    """Removes up to `STEP_RECORDS` of each partition that may go; gives how many went."""
    with database.reading() as connection:
        rows = [row for (row,) in connection.execute("SELECT id FROM partitions")]
    return sum(_clean_partition(database, row, now_ms) for row in rows)


def _clean_partition(database: Database, row: int, now_ms: int) -> int:
    with database.writing() as connection:
        found = connection.execute(
            "SELECT name, number FROM partitions JOIN topics ON topics.id = topic_id"
            " WHERE partitions.id = ?",
            (row,),
        ).fetchone()
        if found is None:
            return 0  # deleted meanwhile
        name, number = found
        topic, partition = find_topic(connection, name), find_partition(connection, name, number)
        if topic.cleanup is Cleanup.COMPACT:
            return _compact(connection, partition, now_ms)
        return _retain(connection, topic, partition, now_ms)


def _retain(connection: sqlite3.Connection, topic: Topic, partition: Partition, now_ms: int) -> int:
    """Removes from the oldest on, up to the first record that may stay."""
    removed: list[tuple[int, int]] = []
    value_bytes = partition.value_bytes
    rows = connection.execute(
        "SELECT record_offset, coalesce(length(value), 0), timestamp_ms FROM records"
        " WHERE partition_id = ? ORDER BY record_offset LIMIT ?",
        (partition.row, STEP_RECORDS),
    )
    for offset, size, timestamp_ms in rows:
        expired = topic.retention_ms is not None and timestamp_ms < now_ms - topic.retention_ms
        surplus = topic.retention_bytes is not None and value_bytes > topic.retention_bytes
        if not (expired or surplus):
            break
        removed.append((offset, size))
        value_bytes -= size
    if removed:
        _remove(connection, partition, removed)
        connection.execute(
            "UPDATE partitions SET first_offset = ? WHERE id = ?",
            (removed[-1][0] + 1, partition.row),
        )
    return len(removed)


def _compact(connection: sqlite3.Connection, partition: Partition, now_ms: int) -> int:
    """Removes what a newer record of its key replaces, and tombstones that had their time."""
    removed = connection.execute(
        "SELECT record_offset, coalesce(length(value), 0) FROM records AS record"
        " WHERE partition_id = :partition AND ("
        "  EXISTS (SELECT 1 FROM records AS newer WHERE newer.partition_id = :partition"
        "   AND newer.key = record.key AND newer.record_offset > record.record_offset)"
        "  OR (value IS NULL AND timestamp_ms < :tombstones_before_ms)"
        " ) ORDER BY record_offset LIMIT :limit",
        {
            "partition": partition.row,
            "tombstones_before_ms": now_ms - TOMBSTONE_RETENTION_MS,
            "limit": STEP_RECORDS,
        },
    ).fetchall()
    _remove(connection, partition, removed)
    return len(removed)


def _remove(
    connection: sqlite3.Connection, partition: Partition, removed: Sequence[tuple[int, int]]
) -> None:
    connection.executemany(
        "DELETE FROM records WHERE partition_id = ? AND record_offset = ?",
        [(partition.row, offset) for offset, _ in removed],
    )
    connection.execute(
        "UPDATE partitions SET value_bytes = value_bytes - ? WHERE id = ?",
        (sum(size for _, size in removed), partition.row),
    )
