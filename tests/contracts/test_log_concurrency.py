"""What every log engine promises to many processes and threads at once."""

import multiprocessing
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from streaming.log.address import open_log
from streaming.log.protocol import Log, Message, TopicSpec, read_all
from tests.contracts.log_actions import append


def write_numbers(address: str, writer: str, transactions: int) -> None:
    """Runs in a process of its own: transactions of 5 records, spread by the log."""
    with open_log(address, create=False) as log:
        producer = log.producer(writer)
        for n in range(transactions):
            with producer.transaction() as transaction:
                for k in range(5):
                    transaction.append("t", Message(f"{writer} {5 * n + k}".encode()))


def write_some(log: Log, name: str) -> None:
    """Appends 40 transactions of 3 records."""
    for n in range(40):
        append(log, "t", *[Message(f"{name} {n} {k}".encode()) for k in "xyz"], name=name)


def read_some(log: Log, count: int) -> list[bytes | None]:
    """Follows a topic until it has given that many records."""
    found: list[bytes | None] = []
    position = {n: span.first for n, span in log.offsets("t").items()}
    while len(found) < count:
        assert log.wait("t", position, timeout_s=60)
        for n, offset in position.items():
            fetch = log.read("t", n, offset, max_records=7, max_bytes=1 << 20)
            found.extend(record.value for record in fetch.records)
            position[n] = fetch.next_offset
    return found


class TestManyAtOnce:
    def test_processes_that_write_at_once_lose_and_double_nothing(self, log, log_address):
        log.create_topic(TopicSpec("t", 3))
        context = multiprocessing.get_context("spawn")
        writers = [
            context.Process(target=write_numbers, args=(log_address, name, 100)) for name in "ab"
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert [writer.exitcode for writer in writers] == [0, 0]
        records = read_all(log, "t")
        expected = Counter(f"{name} {n}".encode() for name in "ab" for n in range(500))
        assert Counter(record.value for record in records) == expected
        for partition in range(3):
            mine = [record.value.split() for record in records if record.partition == partition]
            for name in (b"a", b"b"):
                order = [int(number) for writer, number in mine if writer == name]
                assert order == sorted(order)

    def test_a_log_serves_several_threads(self, log):
        log.create_topic(TopicSpec("t", 2))
        with ThreadPoolExecutor() as threads:
            writing = [threads.submit(write_some, log, name) for name in "abc"]
            reading = [threads.submit(read_some, log, 360) for _ in range(2)]
        assert [done.result() for done in writing] == [None, None, None]
        expected = Counter(f"{a} {n} {k}".encode() for a in "abc" for n in range(40) for k in "xyz")
        for done in reading:
            assert Counter(done.result()) == expected
