"""Tells a burst of broken records, which is passed over, from a log that holds nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streaming.pipeline.window import SpanKind

if TYPE_CHECKING:
    from streaming.pipeline.window import Address

_RETURNS_OF_A_BROKEN_LOG: Final = 20


class BrokenRow:
    """Broken records in a row: a burst of them is passed over, a log of nothing else is not."""

    def __init__(self) -> None:
        self._first: tuple[int, int] | None = None
        self._returns = 0

    def holds_whole_pass(self, address: Address) -> bool:
        """Takes the next of the row; tells whether the row has been through all records.

        It has when its first replayed record has come back often: passes are shuffled and may
        mix in a window, but no shuffling keeps a usable record away for so long.
        """
        place = (address.partition, address.offset)
        if address.kind is SpanKind.FRESH:
            return False
        if self._first is None:
            self._first = place
        elif place == self._first:
            self._returns += 1
        return self._returns == _RETURNS_OF_A_BROKEN_LOG
