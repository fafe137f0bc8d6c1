"""Dead letters: what could not be mined, parsed or decoded, kept with the reason."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from streaming.schema.avro import schema_family

MAX_ORIGINAL_BYTES: Final = 256 << 10
MAX_TEXT_LENGTH: Final = 1000
_MAX_LETTER_BYTES: Final = MAX_ORIGINAL_BYTES + (64 << 10)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One failure.

    Attributes:
        topic: the topic that it was read from or meant for.
        reason: a short stable word for the kind of failure, such as `RecordError.reason`.
        error: one line that tells what is wrong.
        producer: host and software version that gave up on it.
        failed_at_ns: wall-clock time, nanoseconds since 1970-01-01 UTC.
        original: what failed; at most `MAX_ORIGINAL_BYTES` of it are kept.
        original_bytes_total: length of what failed.
        partition: where it was read, if it was.
        offset: where it was read, if it was.
        source_id: the source that it comes from, if known.
    """

    topic: str
    reason: str
    error: str
    producer: str
    failed_at_ns: int
    original: bytes
    original_bytes_total: int
    partition: int | None = None
    offset: int | None = None
    source_id: str | None = None


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """Encodes a dead letter; long or unprintable contents are cut and cleaned, never refused."""
    source_id = None if letter.source_id is None else _one_line(letter.source_id)
    bounded = dataclasses.replace(
        letter,
        topic=_one_line(letter.topic),
        reason=_one_line(letter.reason),
        error=_one_line(letter.error),
        producer=_one_line(letter.producer),
        source_id=source_id,
        original=letter.original[:MAX_ORIGINAL_BYTES],
    )
    return schema_family("dead-letter").encode(dataclasses.asdict(bounded))


def decode_dead_letter(value: bytes) -> DeadLetter:
    """Decodes a dead letter of any schema version.

    Raises:
        RecordError: when the bytes are none.
    """
    return DeadLetter(**schema_family("dead-letter").decode(value, _MAX_LETTER_BYTES))


def _one_line(text: str) -> str:
    line = " ".join(text.split())[:MAX_TEXT_LENGTH]
    return line.encode("utf-8", "replace").decode()
