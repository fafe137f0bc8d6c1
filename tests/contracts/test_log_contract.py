"""What every log engine promises to those who append and read.

No test takes offsets to be contiguous or to begin at 0: engines may leave gaps.
"""

import threading
import time
from collections import Counter

import pytest

from streaming.errors import LogError, OffsetOutOfRangeError
from streaming.log.protocol import Cleanup, Message, TopicSpec, read_all
from tests.contracts.log_actions import append, numbered, values


class TestTopics:
    def test_has_as_many_partitions_as_asked_for(self, log):
        log.create_topic(TopicSpec("t", 3))
        assert log.partitions("t") == 3
        assert list(log.offsets("t")) == [0, 1, 2]

    def test_making_it_twice_changes_nothing(self, log):
        log.create_topic(TopicSpec("t", 2))
        append(log, "t", Message(b"kept"))
        identity = log.topic_id("t")
        log.create_topic(TopicSpec("t", 2))
        assert log.topic_id("t") == identity
        assert values(log, "t") == [b"kept"]

    def test_another_number_of_partitions_is_refused(self, log):
        log.create_topic(TopicSpec("t", 2))
        with pytest.raises(LogError, match="2 partitions, not 3"):
            log.create_topic(TopicSpec("t", 3))

    def test_no_partitions_are_refused(self, log):
        with pytest.raises(LogError, match="at least 1"):
            log.create_topic(TopicSpec("t", 0))

    def test_made_anew_it_has_another_identity_and_nothing_of_the_old(self, log, other_log):
        log.create_topic(TopicSpec("t", 1))
        identity = log.topic_id("t")
        producer = log.producer("p")
        with producer.transaction() as transaction:
            transaction.append("t", Message(b"old"))
            transaction.commit_offsets("g", "t", {0: 1})
        log.delete_topic("t")
        with pytest.raises(LogError, match="no topic 't'"):
            other_log.topic_id("t")
        log.create_topic(TopicSpec("t", 1))
        assert other_log.topic_id("t") == log.topic_id("t") != identity
        assert values(other_log, "t") == []
        assert other_log.committed("g", "t") == {}

    @pytest.mark.parametrize(
        "ask",
        [
            lambda log: log.partitions("nowhere"),
            lambda log: log.topic_id("nowhere"),
            lambda log: log.delete_topic("nowhere"),
            lambda log: log.offsets("nowhere"),
            lambda log: log.read("nowhere", 0, 0, 1, 1),
            lambda log: log.wait("nowhere", {0: 0}, 0),
            lambda log: log.committed("g", "nowhere"),
            lambda log: append(log, "nowhere", Message(b"")),
        ],
    )
    def test_an_unknown_topic_is_an_error_of_one_line(self, log, ask):
        with pytest.raises(LogError, match="nowhere") as caught:
            ask(log)
        assert "\n" not in str(caught.value)


class TestAppending:
    def test_gives_back_what_was_appended(self, log):
        log.create_topic(TopicSpec("t", 1))
        before_ms = int(time.time() * 1000)
        headers = (("source_id", b"a/b"), ("source_id", b"\x00\xff"), ("empty", b""))
        append(log, "t", Message(b"\x00value\xff", key=b"\xffkey\x00", headers=headers))
        (record,) = read_all(log, "t")
        assert record.topic == "t"
        assert record.partition == 0
        assert record.key == b"\xffkey\x00"
        assert record.value == b"\x00value\xff"
        assert record.headers == headers
        assert before_ms <= record.timestamp_ms <= int(time.time() * 1000)

    def test_an_empty_value_is_not_a_missing_one(self, log):
        log.create_topic(TopicSpec("t", 1))
        append(log, "t", Message(b"", key=b""), Message(None, key=b"k"))
        empty, missing = read_all(log, "t")
        assert (empty.value, empty.key) == (b"", b"")
        assert missing.value is None

    def test_keeps_the_order_in_a_partition_over_transactions(self, log):
        log.create_topic(TopicSpec("t", 2))
        for start in range(0, 30, 10):
            append(log, "t", *[Message(b"%d" % n, partition=1) for n in range(start, start + 10)])
        records = read_all(log, "t")
        assert [r.value for r in records] == [b"%d" % n for n in range(30)]
        assert {r.partition for r in records} == {1}
        offsets = [r.offset for r in records]
        assert offsets == sorted(set(offsets))

    def test_messages_without_key_are_spread_evenly(self, log):
        log.create_topic(TopicSpec("t", 4))
        for n in range(40):
            append(log, "t", *numbered(2), name=f"writer {n % 3}")
        counts = Counter(record.partition for record in read_all(log, "t"))
        assert set(counts) == {0, 1, 2, 3}
        assert max(counts.values()) <= 2 * min(counts.values())

    def test_messages_of_a_key_stay_together(self, log, other_log):
        log.create_topic(TopicSpec("t", 8))
        for handle in (log, other_log, log):
            append(handle, "t", *[Message(b"", key=b"key %d" % n) for n in range(50)])
        homes: dict[bytes, set[int]] = {}
        for record in read_all(log, "t"):
            homes.setdefault(record.key, set()).add(record.partition)
        assert all(len(home) == 1 for home in homes.values())
        assert len(set.union(*homes.values())) > 1

    def test_a_partition_that_is_not_there_is_an_error(self, log):
        log.create_topic(TopicSpec("t", 2))
        for partition in (2, -1):
            with pytest.raises(LogError, match=f"no partition {partition}"):
                append(log, "t", Message(b"", partition=partition))
        assert values(log, "t") == []

    def test_a_compacted_topic_demands_keys(self, log):
        log.create_topic(TopicSpec("t", 1, Cleanup.COMPACT))
        with pytest.raises(LogError, match="key"):
            append(log, "t", Message(b"value"))


class TestReading:
    def test_goes_on_at_the_next_offset(self, log):
        log.create_topic(TopicSpec("t", 1))
        append(log, "t", *numbered(25))
        span = log.offsets("t")[0]
        offset, batches = span.first, []
        while offset < span.end:
            fetch = log.read("t", 0, offset, max_records=10, max_bytes=1 << 20)
            batches.append([record.value for record in fetch.records])
            assert fetch.next_offset > offset
            offset = fetch.next_offset
        assert [value for batch in batches for value in batch] == [b"%d" % n for n in range(25)]
        assert max(map(len, batches)) == 10
        at_end = log.read("t", 0, offset, max_records=10, max_bytes=1 << 20)
        assert (at_end.records, at_end.next_offset) == ((), offset)

    def test_keeps_to_max_bytes_but_gives_at_least_one_record(self, log):
        log.create_topic(TopicSpec("t", 1))
        append(log, "t", *[Message(bytes(1000)) for _ in range(10)])
        first = log.offsets("t")[0].first
        few = log.read("t", 0, first, max_records=10, max_bytes=3500)
        assert 1 <= len(few.records) <= 3
        one = log.read("t", 0, few.next_offset, max_records=10, max_bytes=1)
        assert len(one.records) == 1
        assert one.records[0].offset >= few.next_offset > few.records[-1].offset

    @pytest.mark.parametrize("distance", [-1, -100, 1, 100])
    def test_outside_of_the_range_is_an_error(self, log, distance):
        log.create_topic(TopicSpec("t", 1))
        append(log, "t", *numbered(5))
        span = log.offsets("t")[0]
        edge = span.first if distance < 0 else span.end
        with pytest.raises(OffsetOutOfRangeError):
            log.read("t", 0, edge + distance, 10, 1000)

    def test_of_a_partition_that_is_not_there_is_an_error(self, log):
        log.create_topic(TopicSpec("t", 1))
        with pytest.raises(LogError, match="no partition 1"):
            log.read("t", 1, 0, 10, 1000)


class TestWaiting:
    def test_wakes_up_when_something_is_committed(self, log, other_log):
        log.create_topic(TopicSpec("t", 2))
        position = {n: span.end for n, span in log.offsets("t").items()}
        committing = threading.Timer(0.2, append, (other_log, "t", Message(b"", partition=1)))
        committing.start()
        start_s = time.monotonic()
        assert log.wait("t", position, timeout_s=30)
        assert time.monotonic() - start_s < 10
        committing.join()

    def test_gives_up_after_the_timeout(self, log):
        log.create_topic(TopicSpec("t", 1))
        append(log, "t", Message(b""))
        position = {0: log.offsets("t")[0].end}
        start_s = time.monotonic()
        assert not log.wait("t", position, timeout_s=0.2)
        assert 0.15 < time.monotonic() - start_s < 5

    def test_does_not_wait_when_there_is_something_already(self, log):
        log.create_topic(TopicSpec("t", 1))
        first = log.offsets("t")[0].first
        append(log, "t", Message(b""))
        assert log.wait("t", {0: first}, timeout_s=0)
