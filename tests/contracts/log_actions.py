"""What the contract tests of logs do over and over."""

from streaming.log.protocol import Log, Message, read_all


def append(log: Log, topic: str, *messages: Message, name: str = "writer") -> None:
    """Appends messages in one transaction of a new producer."""
    producer = log.producer(name)
    with producer.transaction() as transaction:
        for message in messages:
            transaction.append(topic, message)
    producer.close()


def values(log: Log, topic: str) -> list[bytes | None]:
    """Values of all records of a topic, by partition and offset."""
    return [record.value for record in read_all(log, topic)]


def numbered(count: int, partition: int | None = None) -> list[Message]:
    """Messages with the values 0, 1, 2, ..."""
    return [Message(b"%d" % n, partition=partition) for n in range(count)]
