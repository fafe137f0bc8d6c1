"""Looking up topics and their partitions in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streaming.errors import LogError
from streaming.log.protocol import Cleanup

if TYPE_CHECKING:
    import sqlite3


class Topic(NamedTuple):
    """A row of `topics`."""

    row: int
    uuid: str
    cleanup: Cleanup
    retention_ms: int | None
    retention_bytes: int | None


class Partition(NamedTuple):
    """A row of `partitions`."""

    row: int
    number: int
    first_offset: int
    end_offset: int
    value_bytes: int


def find_topic(connection: sqlite3.Connection, name: str) -> Topic:
    """One topic by its name; raises `LogError` when there is none."""
    found = connection.execute(
        "SELECT id, uuid, cleanup, retention_ms, retention_bytes FROM topics WHERE name = ?",
        (name,),
    ).fetchone()
    if found is None:
        known = [name for (name,) in connection.execute("SELECT name FROM topics ORDER BY name")]
        raise LogError(f"there is no topic {name!r}; there are: {', '.join(known) or 'none'}")
    row, uuid, cleanup, retention_ms, retention_bytes = found
    return Topic(row, uuid, Cleanup(cleanup), retention_ms, retention_bytes)


def find_partitions(connection: sqlite3.Connection, topic: str) -> dict[int, Partition]:
    """The partitions of a topic by number; raises `LogError` when there is no such topic."""
    rows = connection.execute(
        "SELECT id, number, first_offset, end_offset, value_bytes FROM partitions"
        " WHERE topic_id = ? ORDER BY number",
        (find_topic(connection, topic).row,),
    )
    return {partition.number: partition for partition in map(Partition._make, rows)}


def find_partition(connection: sqlite3.Connection, topic: str, number: int) -> Partition:
    """One partition of a topic; raises `LogError` when there is none."""
    partitions = find_partitions(connection, topic)
    check_partition(topic, number, len(partitions))
    return partitions[number]


def check_partition(topic: str, number: int, partition_count: int) -> None:
    """Raises `LogError` when a topic of that many partitions has no such number."""
    if not 0 <= number < partition_count:
        line = f"topic {topic!r} has no partition {number}, only 0 to {partition_count - 1}"
        raise LogError(line)
