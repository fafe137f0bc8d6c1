"""How the embedded log forgets; what all logs promise of it is in `tests/contracts`."""

import logging

import pytest

from streaming.errors import LogError
from streaming.log.embedded import EmbeddedLog
from streaming.log.embedded.cleaning import STEP_RECORDS, TOMBSTONE_RETENTION_MS
from streaming.log.protocol import Cleanup, Message, TopicSpec, read_all


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(tmp_path, clock):
    with EmbeddedLog(tmp_path / "log.db", clock=clock) as log:
        yield log


def append(log: EmbeddedLog, topic: str, *messages: Message) -> None:
    with log.producer("p").transaction() as transaction:
        for message in messages:
            transaction.append(topic, message)


class TestCleaning:
    def test_retention_by_time_to_the_millisecond(self, log, clock):
        log.create_topic(TopicSpec("t", 1, retention_s=10))
        append(log, "t", Message(b"old"))
        clock.now_s += 5
        append(log, "t", Message(b"young"))
        clock.now_s += 5
        assert log.clean() == 0
        clock.now_s += 0.002
        assert log.clean() == 1
        assert [record.value for record in read_all(log, "t")] == [b"young"]

    def test_retention_by_bytes_counts_each_partition_for_itself(self, log, clock):
        log.create_topic(TopicSpec("t", 2, retention_bytes=300))
        clock.now_s -= 1  # no commit cleans before the time
        append(log, "t", *[Message(bytes(100), partition=p) for p in (0, 0, 0, 0, 0, 1, 1)])
        assert log.clean() == 2
        assert {n: (s.first, s.end) for n, s in log.offsets("t").items()} == {0: (2, 5), 1: (0, 2)}

    def test_works_in_steps(self, log, clock):
        log.create_topic(TopicSpec("t", 1, retention_s=1))
        append(log, "t", *[Message(b"x")] * (2 * STEP_RECORDS + 10))
        clock.now_s += 2
        assert log.clean() == 2 * STEP_RECORDS + 10
        assert log.clean() == 0

    def test_bytes_are_still_right_after_many_removals(self, log):
        log.create_topic(TopicSpec("t", 1, Cleanup.COMPACT))
        log.create_topic(TopicSpec("u", 1, retention_bytes=50))
        for n in range(20):
            append(log, "t", Message(bytes(n), key=b"%d" % (n % 3)))
            append(log, "u", Message(bytes(n)))
        log.clean()
        with log._database.reading() as connection:
            booked = connection.execute("SELECT value_bytes FROM partitions ORDER BY id").fetchall()
            held = connection.execute(
                "SELECT sum(length(value)) FROM records GROUP BY partition_id ORDER BY partition_id"
            ).fetchall()
        assert booked == held

    def test_tombstones_go_after_a_day(self, log, clock):
        log.create_topic(TopicSpec("t", 1, Cleanup.COMPACT))
        append(log, "t", Message(b"1", key=b"k"), Message(None, key=b"k"))
        log.clean()
        assert [record.value for record in read_all(log, "t")] == [None]
        clock.now_s += TOMBSTONE_RETENTION_MS / 1000 + 1
        assert log.clean() == 1
        assert read_all(log, "t") == []

    def test_commits_clean_by_and_by(self, log, clock):
        log.create_topic(TopicSpec("t", 1, retention_s=1))
        append(log, "t", *[Message(b"x")] * (STEP_RECORDS + 10))
        clock.now_s += 61
        append(log, "t", Message(b"y"))
        assert log.offsets("t")[0].first == STEP_RECORDS
        append(log, "t", Message(b"y"))
        assert log.offsets("t")[0].first == STEP_RECORDS + 10

    def test_a_failure_to_clean_does_not_fail_the_commit(self, log, monkeypatch, caplog):
        def fail(*_args):
            raise LogError("disk is full")

        log.create_topic(TopicSpec("t", 1))
        monkeypatch.setattr("streaming.log.embedded.log.clean_step", fail)
        with caplog.at_level(logging.WARNING):
            append(log, "t", Message(b"kept"))
        assert "disk is full" in caplog.text
        assert len(read_all(log, "t")) == 1
