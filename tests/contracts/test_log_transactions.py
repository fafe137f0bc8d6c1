"""What every log engine promises of transactions, fencing and group offsets."""

import threading

import pytest

from streaming.errors import LogError, ProducerFencedError
from streaming.log.protocol import Message, TopicSpec
from tests.contracts.log_actions import append, numbered, values


class TestTransactions:
    def test_nothing_is_visible_before_the_commit_and_all_of_it_after(self, log, other_log):
        log.create_topic(TopicSpec("a", 2))
        log.create_topic(TopicSpec("b", 1))
        with log.producer("p").transaction() as transaction:
            for message in [*numbered(5, partition=0), *numbered(5, partition=1)]:
                transaction.append("a", message)
            transaction.append("b", Message(b"x"))
            for handle in (log, other_log):
                assert values(handle, "a") == values(handle, "b") == []
        for handle in (log, other_log):
            assert len(values(handle, "a")) == 10
            assert values(handle, "b") == [b"x"]

    def test_an_exception_aborts_and_leaves_nothing(self, log):
        log.create_topic(TopicSpec("t", 2))
        producer = log.producer("p")
        with pytest.raises(ZeroDivisionError), producer.transaction() as transaction:  # noqa: PT012
            for message in numbered(5):
                transaction.append("t", message)
            transaction.commit_offsets("g", "t", {0: 3})
            raise ZeroDivisionError
        assert values(log, "t") == []
        assert log.committed("g", "t") == {}
        with producer.transaction() as transaction:
            transaction.append("t", Message(b"after"))
        assert values(log, "t") == [b"after"]

    def test_readers_see_a_part_of_no_transaction(self, log, other_log):
        """Each transaction writes one record to each partition: the counts never differ for long.

        Partitions are read one after the other, the later ones may have more, never less.
        """
        log.create_topic(TopicSpec("t", 3))
        writer = threading.Thread(
            target=lambda: [
                append(other_log, "t", *[Message(b"%d" % n, partition=p) for p in range(3)])
                for n in range(60)
            ]
        )
        writer.start()
        seen = 0
        while seen < 60:
            counts = [
                len(log.read("t", p, log.offsets("t")[p].first, 999, 9999).records)
                for p in range(3)
            ]
            assert counts == sorted(counts)
            seen = counts[0]
        writer.join()

    def test_a_producer_has_one_transaction_at_a_time(self, log):
        log.create_topic(TopicSpec("t", 1))
        producer = log.producer("p")
        with producer.transaction(), pytest.raises(LogError), producer.transaction():
            pass

    def test_a_transaction_that_is_over_takes_nothing_more(self, log):
        log.create_topic(TopicSpec("t", 1))
        with log.producer("p").transaction() as transaction:
            pass
        with pytest.raises(LogError):
            transaction.append("t", Message(b"late"))
        with pytest.raises(LogError):
            transaction.commit_offsets("g", "t", {0: 0})

    def test_a_closed_producer_begins_nothing(self, log):
        producer = log.producer("p")
        producer.close()
        with pytest.raises(LogError), producer.transaction():
            pass


class TestFencing:
    def test_a_newer_producer_of_the_same_name_fences_the_older(self, log, other_log):
        log.create_topic(TopicSpec("t", 1))
        zombie = log.producer("p")
        with pytest.raises(ProducerFencedError), zombie.transaction() as transaction:  # noqa: PT012
            transaction.append("t", Message(b"zombie"))
            transaction.commit_offsets("g", "t", {0: 99})
            heir = other_log.producer("p")
            with heir.transaction() as heirs:
                heirs.append("t", Message(b"heir"))
        assert values(log, "t") == [b"heir"]
        assert log.committed("g", "t") == {}
        with pytest.raises(ProducerFencedError), zombie.transaction() as transaction:
            transaction.append("t", Message(b"zombie"))
        append(log, "t", Message(b"of another name"), name="q")
        with heir.transaction() as heirs:
            heirs.append("t", Message(b"heir"))
        assert values(log, "t") == [b"heir", b"of another name", b"heir"]


class TestGroupOffsets:
    def test_move_with_the_records_of_the_transaction(self, log, other_log):
        log.create_topic(TopicSpec("in", 2))
        log.create_topic(TopicSpec("out", 1))
        assert log.committed("g", "in") == {}
        with log.producer("p").transaction() as transaction:
            transaction.append("out", Message(b"1"))
            transaction.commit_offsets("g", "in", {1: 7})
            assert other_log.committed("g", "in") == {}
        assert other_log.committed("g", "in") == {1: 7}
        with log.producer("p").transaction() as transaction:
            transaction.commit_offsets("g", "in", {0: 2, 1: 8})
            transaction.commit_offsets("g", "in", {1: 9})
        assert other_log.committed("g", "in") == {0: 2, 1: 9}
        assert other_log.committed("another", "in") == {}
        assert other_log.committed("g", "out") == {}

    def test_of_a_partition_that_is_not_there_are_an_error(self, log):
        log.create_topic(TopicSpec("t", 1))
        with (
            pytest.raises(LogError, match="no partition 3"),
            log.producer("p").transaction() as transaction,
        ):
            transaction.commit_offsets("g", "t", {3: 1})
