"""What is particular to the embedded log; what all logs promise is in `tests/contracts`."""

import contextlib
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from streaming.errors import LogError
from streaming.log.embedded import EmbeddedLog, database
from streaming.log.protocol import Message, TopicSpec, read_all


@pytest.fixture
def log(tmp_path):
    with EmbeddedLog(tmp_path / "log.db") as log:
        yield log


def append(log: EmbeddedLog, topic: str, *messages: Message, producer: str = "p") -> None:
    with log.producer(producer).transaction() as transaction:
        for message in messages:
            transaction.append(topic, message)


class TestOpening:
    def test_finds_what_was_written_before(self, tmp_path):
        with EmbeddedLog(tmp_path / "log.db") as log:
            log.create_topic(TopicSpec("t", 1))
            append(log, "t", Message(b"kept"))
        with EmbeddedLog(tmp_path / "log.db", create=False) as log:
            assert [record.value for record in read_all(log, "t")] == [b"kept"]

    def test_leaves_nothing_beside_the_file(self, tmp_path):
        EmbeddedLog(tmp_path / "log.db").close()
        assert [path.name for path in tmp_path.iterdir()] == ["log.db"]

    def test_made_by_many_at_once_it_is_one_log(self, tmp_path):
        barrier = threading.Barrier(8)

        def make(n):
            barrier.wait()
            with EmbeddedLog(tmp_path / "log.db") as log:
                log.create_topic(TopicSpec("t", 2))
                append(log, "t", Message(b"%d" % n), producer=f"p{n}")

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(make, range(8)))
        with EmbeddedLog(tmp_path / "log.db") as log:
            assert {record.value for record in read_all(log, "t")} == {b"%d" % n for n in range(8)}

    @pytest.mark.parametrize("path", ["no/folder/log.db", "file/log.db", ".", "folder.db"])
    def test_paths_that_cannot_be(self, tmp_path, path):
        (tmp_path / "file").write_bytes(b"")
        (tmp_path / "folder.db").mkdir()
        with pytest.raises(LogError, match=r"^log ") as caught:
            EmbeddedLog(tmp_path / path)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b"video bytes " * 1000])
    def test_a_file_that_is_no_log(self, tmp_path, content):
        (tmp_path / "log.db").write_bytes(content)
        with pytest.raises(LogError, match="not a"):
            EmbeddedLog(tmp_path / "log.db")
        assert (tmp_path / "log.db").read_bytes() == content

    def test_a_database_of_something_else(self, tmp_path):
        with contextlib.closing(sqlite3.connect(tmp_path / "log.db")) as connection:
            connection.execute("CREATE TABLE bookmarks (url TEXT)")
        with pytest.raises(LogError, match="this SQLite database is not a log"):
            EmbeddedLog(tmp_path / "log.db")

    def test_a_newer_layout(self, tmp_path):
        EmbeddedLog(tmp_path / "log.db").close()
        with contextlib.closing(sqlite3.connect(tmp_path / "log.db")) as connection:
            connection.execute("PRAGMA user_version = 2")
        with pytest.raises(LogError, match="its layout is version 2, this software knows 1"):
            EmbeddedLog(tmp_path / "log.db")

    def test_a_damaged_file(self, tmp_path):
        with EmbeddedLog(tmp_path / "log.db") as log:
            log.create_topic(TopicSpec("t", 1))
            append(log, "t", *[Message(bytes(5000)) for _ in range(100)])
        content = bytearray((tmp_path / "log.db").read_bytes())
        content[16384:] = b"\xaa" * (len(content) - 16384)
        (tmp_path / "log.db").write_bytes(content)
        with (
            EmbeddedLog(tmp_path / "log.db") as log,
            pytest.raises(LogError, match="malformed") as caught,
        ):
            read_all(log, "t")
        assert "\n" not in str(caught.value)

    def test_closed_it_says_so(self, log):
        log.close()
        with pytest.raises(LogError, match="it is closed"):
            log.partitions("t")

    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_forked_child_is_told_to_open_its_own(self, log):
        log.create_topic(TopicSpec("t", 1))
        child = os.fork()
        if child == 0:
            try:
                log.partitions("t")
            except LogError as error:
                os._exit(7 if "fork" in str(error) else 8)
            os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert log.partitions("t") == 1


class TestTransactions:
    def test_are_bounded_in_memory(self, tmp_path):
        with EmbeddedLog(tmp_path / "log.db", max_transaction_bytes=10_000) as log:
            log.create_topic(TopicSpec("t", 1))
            with pytest.raises(LogError, match="more than 10000 bytes; commit more often"):
                append(log, "t", *[Message(bytes(4000))] * 3)
            assert read_all(log, "t") == []
            append(log, "t", *[Message(bytes(4000))] * 2)

    def test_spread_messages_without_key_evenly_between_producers(self, log):
        log.create_topic(TopicSpec("t", 4))
        for n in range(10):
            with log.producer(f"p{n}").transaction() as transaction:
                transaction.append("t", Message(b""))
        assert sorted(span.end for span in log.offsets("t").values()) == [2, 2, 3, 3]

    def test_a_topic_deleted_before_the_commit_aborts(self, log):
        log.create_topic(TopicSpec("t", 1))
        log.create_topic(TopicSpec("u", 1))
        with (  # noqa: PT012  the block is the transaction
            pytest.raises(LogError, match="no topic 'u'"),
            log.producer("p").transaction() as transaction,
        ):
            transaction.append("t", Message(b""))
            transaction.append("u", Message(b""))
            log.delete_topic("u")
        assert read_all(log, "t") == []

    def test_the_partition_of_a_key_is_the_same_in_every_version(self, log):
        log.create_topic(TopicSpec("t", 16))
        append(log, "t", *[Message(b"", key=key) for key in (b"a", b"b", b"camera/1")])
        homes = {record.key: record.partition for record in read_all(log, "t")}
        assert homes == {b"a": 3, b"b": 9, b"camera/1": 14}


class TestFile:
    def test_readers_that_never_rest_do_not_let_the_write_ahead_log_grow(
        self, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(database, "_WAL_MAX_BYTES", 8 << 20)
        monkeypatch.setattr(database, "_WAL_KEPT_BYTES", 4 << 20)
        monkeypatch.setattr(database, "_CHECKPOINT_PAGES", 64)
        stop = threading.Event()
        with EmbeddedLog(tmp_path / "log.db") as log:
            log.create_topic(TopicSpec("t", 1))
            append(log, "t", Message(b""))

            def read():
                while not stop.is_set():
                    log.read("t", 0, 0, 100, 1 << 20)

            with ThreadPoolExecutor(3) as threads:
                reading = [threads.submit(read) for _ in range(3)]
                for _ in range(60):
                    append(log, "t", Message(bytes(1 << 20)))
                stop.set()
            for done in reading:
                done.result()
            assert (tmp_path / "log.db-wal").stat().st_size < 30 << 20

    def test_connections_are_shared_by_threads_that_come_and_go(self, log):
        log.create_topic(TopicSpec("t", 1))
        for _ in range(20):
            thread = threading.Thread(target=log.partitions, args=("t",))
            thread.start()
            thread.join()
        assert len(log._database._idle) == 1
