"""Records that break the data contract go to the dead letters; they never stop a trainer."""

from __future__ import annotations

import platform
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streaming.log.messages import dead_letter_message
from streaming.log.topics import DEAD_LETTERS
from streaming.schema.dead_letter import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streaming.errors import RecordError
    from streaming.log.protocol import Log, Record


@contextmanager
def dead_letters(log: Log, writer: str) -> Iterator[Callable[[Record, RecordError], None]]:
    """Gives a function that writes one dead letter at once.

    A run that is resumed reads records again that it had read ahead, so that a letter may be
    there twice.

    Args:
        log: takes the letters.
        writer: name of this trainer, unique among the writers of the log.
    """
    producer = log.producer(writer)

    def write(record: Record, error: RecordError) -> None:
        value = record.value or b""
        source_id = dict(record.headers).get("source_id")
        letter = DeadLetter(
            topic=record.topic,
            reason=error.reason,
            error=str(error),
            producer=f"{platform.node()} {writer}",
            failed_at_ns=time.time_ns(),
            original=value,
            original_bytes_total=len(value),
            partition=record.partition,
            offset=record.offset,
            source_id=None if source_id is None else source_id.decode(errors="replace"),
        )
        with producer.transaction() as transaction:
            transaction.append(DEAD_LETTERS, dead_letter_message(letter))

    try:
        yield write
    finally:
        producer.close()
