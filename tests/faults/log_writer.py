"""A process to be killed: counts on in a log, from where the log says that it was.

Usage: python -m tests.faults.log_writer ADDRESS together|apart [STOP]
"""

import sys
import time

from streaming.log.address import open_log
from streaming.log.protocol import Log, Message, TransactionalProducer, read_all

NUMBERS = "numbers"
PROGRESS = "progress"
RECORDS_PER_TRANSACTION = 20
PADDING = bytes(50_000)


def next_number(log: Log) -> int:
    records = read_all(log, PROGRESS)
    return int(records[-1].value or 0) if records else 0


def write_together(producer: TransactionalProducer, start: int, stop: int) -> None:
    """Records and progress in one transaction."""
    with producer.transaction() as transaction:
        for n in range(start, stop):
            transaction.append(NUMBERS, Message(b"%d " % n + PADDING))
        transaction.append(PROGRESS, Message(b"%d" % stop, key=b"writer"))


def write_apart(producer: TransactionalProducer, start: int, stop: int) -> None:
    """The mistake: records first, progress after them."""
    with producer.transaction() as transaction:
        for n in range(start, stop):
            transaction.append(NUMBERS, Message(b"%d " % n + PADDING))
    time.sleep(0.02)
    with producer.transaction() as transaction:
        transaction.append(PROGRESS, Message(b"%d" % stop, key=b"writer"))


def main() -> None:
    address, way = sys.argv[1:3]
    stop = int(sys.argv[3]) if len(sys.argv) > 3 else sys.maxsize
    write = {"together": write_together, "apart": write_apart}[way]
    with open_log(address, create=False) as log:
        producer = log.producer("writer")
        n = next_number(log)
        print("writing", flush=True)  # noqa: T201  the parent waits for it
        while n < stop:
            write(producer, n, n + RECORDS_PER_TRANSACTION)
            n += RECORDS_PER_TRANSACTION


if __name__ == "__main__":
    main()
