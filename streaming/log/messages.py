"""Records as messages of the log: their bytes, and headers that tools can read without decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streaming.log.protocol import Message
from streaming.schema.codec import encode_pair, pair_schema_fingerprint
from streaming.schema.dead_letter import encode_dead_letter

if TYPE_CHECKING:
    from streaming.records import Pair
    from streaming.schema.dead_letter import DeadLetter


def pair_message(pair: Pair) -> Message:
    """A pair for the pairs topic, without key, so that the log spreads pairs evenly.

    Raises:
        RecordError: when the pair breaks the data contract.
    """
    value = encode_pair(pair)
    headers = (
        ("source_id", pair.source_id.encode()),
        ("schema", pair_schema_fingerprint().encode()),
    )
    return Message(value, headers=headers)


def dead_letter_message(letter: DeadLetter) -> Message:
    """A dead letter for the dead-letters topic."""
    return Message(encode_dead_letter(letter), headers=(("reason", letter.reason.encode()),))
