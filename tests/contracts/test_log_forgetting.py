"""What every log engine promises of compaction and retention."""

import time

import pytest

from streaming.errors import OffsetOutOfRangeError
from streaming.log.protocol import Cleanup, Message, OffsetRange, Record, TopicSpec, read_all
from tests.contracts.log_actions import append, numbered, values


class TestForgetting:
    def test_compaction_keeps_the_newest_record_of_each_key(self, log):
        log.create_topic(TopicSpec("t", 2, Cleanup.COMPACT))
        for n in range(5):
            append(log, "t", *[Message(b"%d" % n, key=b"key %d" % k) for k in range(6)])
        append(log, "t", Message(None, key=b"key 0"))
        before = log.offsets("t")
        log.clean()
        newest = {record.key: record.value for record in read_all(log, "t")}
        expected = {b"key %d" % k: b"4" for k in range(1, 6)}
        assert newest.pop(b"key 0", None) is None
        assert newest == expected
        assert {n: span.end for n, span in log.offsets("t").items()} == {
            n: span.end for n, span in before.items()
        }

    def test_a_tombstone_can_still_be_read_after_compaction(self, log):
        log.create_topic(TopicSpec("t", 1, Cleanup.COMPACT))
        append(log, "t", Message(b"1", key=b"k"), Message(None, key=b"k"))
        log.clean()
        assert values(log, "t")[-1] is None

    def test_reading_passes_over_the_gaps_of_compaction(self, log):
        log.create_topic(TopicSpec("t", 1, Cleanup.COMPACT))
        append(log, "t", *[Message(b"%d" % n, key=b"k") for n in range(50)])
        append(log, "t", Message(b"last", key=b"other"))
        log.clean()
        span = log.offsets("t")[0]
        found: list[Record] = []
        offset = span.first
        while offset < span.end:
            fetch = log.read("t", 0, offset, max_records=1, max_bytes=1000)
            assert fetch.next_offset > offset
            found.extend(fetch.records)
            offset = fetch.next_offset
        assert [record.value for record in found][-2:] == [b"49", b"last"]

    def test_retention_by_bytes_moves_first_and_never_gives_an_offset_twice(self, log):
        log.create_topic(TopicSpec("t", 1, retention_bytes=5_000))
        first = log.offsets("t")[0].first
        append(log, "t", *[Message(bytes(1000)) for _ in range(20)])
        end = log.offsets("t")[0].end
        log.clean()
        left = log.offsets("t")[0]
        assert first < left.first < left.end == end
        with pytest.raises(OffsetOutOfRangeError):
            log.read("t", 0, first, 10, 1000)
        append(log, "t", Message(b"new"))
        assert read_all(log, "t")[-1].offset >= end

    def test_retention_by_time_can_empty_a_partition(self, log):
        log.create_topic(TopicSpec("t", 1, retention_s=0.05))
        append(log, "t", *numbered(10))
        end = log.offsets("t")[0].end
        time.sleep(0.2)
        log.clean()
        assert log.offsets("t")[0] == OffsetRange(end, end)
        assert log.read("t", 0, end, 10, 1000).records == ()
        append(log, "t", Message(b"new"))
        (record,) = read_all(log, "t")
        assert record.offset >= end

    def test_keeps_all_without_bounds(self, log):
        log.create_topic(TopicSpec("t", 1))
        append(log, "t", *numbered(10))
        log.clean()
        assert len(values(log, "t")) == 10
