"""The source node: raw records of the log in the order of the plan."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torchdata.nodes import BaseNode

from streaming.errors import LogError, OffsetOutOfRangeError
from streaming.pipeline.config import LostPolicy
from streaming.pipeline.plan import check_ends, initial_plan, plan_window, skip_lost, with_limits
from streaming.pipeline.redeal import owned_partitions
from streaming.pipeline.state import (
    STATE_VERSION,
    Identity,
    ReadState,
    check_identity,
    parse_state,
)
from streaming.pipeline.window import Address, SpanKind

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from streaming.log.protocol import Log, OffsetRange, Record
    from streaming.pipeline.config import PipelineConfig
    from streaming.pipeline.metrics import PipelineMetrics
    from streaming.pipeline.window import Span, Window

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AddressedRecord:
    """A raw record, and where and when in the run it was read."""

    record: Record
    address: Address


class PairReader(BaseNode[AddressedRecord]):
    """Reads the partitions of one rank, window by window.

    `next` waits while there is nothing to read, in short turns, and ends when `stop` is set or,
    with `until_end`, when the end that the log had at the start is reached.

    Args:
        log: the log to read.
        config: what to read, how it is shuffled and replayed.
        topic: name of the pairs topic.
        rank: this reader's rank; it owns the partitions with `partition % world_size == rank`.
        world_size: number of ranks.
        stop: ends the reading when it is set.
        metrics: counters to fill.

    Raises:
        LogError: on construction, when there is no such topic or it has too few partitions.
    """

    def __init__(
        self,
        log: Log,
        config: PipelineConfig,
        *,
        topic: str,
        rank: int,
        world_size: int,
        stop: threading.Event,
        metrics: PipelineMetrics,
    ) -> None:
        super().__init__()
        partitions = log.partitions(topic)
        owned = owned_partitions(rank, world_size, range(partitions))
        if not owned:
            raise LogError(
                f"{topic}: {partitions} partitions leave nothing to read for rank {rank} of "
                f"{world_size}: run at most {partitions} ranks or make the topic with more"
            )
        self._log = log
        self._config = config
        self._topic = topic
        self._stop = stop
        self._metrics = metrics
        self._identity = Identity(
            topic, log.topic_id(topic), config.seed, rank, world_size, partitions=owned
        )
        self._plan = initial_plan(rank, {})
        self._pending: deque[tuple[int, AddressedRecord]] = deque()
        self._cursor: int | None = None
        self._pass_with_records = 0

    def reset(self, initial_state: dict[str, Any] | None = None) -> None:
        """Begins with the oldest retained record, or goes on from a state.

        Raises:
            LogError: the state is damaged, belongs to another topic, seed or rank, or the log is
                shorter than what was read of it.
        """
        super().reset(initial_state)
        retained = self._retained()
        if initial_state is None:
            plan = initial_plan(self._identity.rank, retained)
        else:
            state = parse_state(initial_state)
            check_identity(state.identity, self._identity)
            plan = state.plan
            check_ends(plan, retained)
        self._pass_with_records = plan.next_pass
        self._plan = with_limits(plan, retained, until_end=self._config.until_end)
        self._forget_window()

    def next(self) -> AddressedRecord:
        """The next record; waits for it.

        Raises:
            StopIteration: after `stop` was set, or at the end of a bounded reading.
            OffsetOutOfRangeError: records were lost to retention and `on_lost` is `fail`.
        """
        while not self._stop.is_set():
            if self._pending:
                self._cursor, item = self._pending.popleft()
                self._count(item.address)
                return item
            self._next_window()
        raise StopIteration

    def get_state(self) -> dict[str, Any]:
        """The state after the last record that was handed out."""
        plan = self._plan
        if self._cursor is not None:
            current = replace(plan.windows[0], cursor=self._cursor)
            plan = replace(plan, windows=(current, *plan.windows[1:]))
        return ReadState(STATE_VERSION, self._identity, plan).to_dict()

    def _next_window(self) -> None:
        if self._cursor is not None:
            self._plan = replace(self._plan, windows=self._plan.windows[1:])
            self._forget_window()
        if not self._plan.windows:
            self._plan_or_wait()
        if not self._plan.windows:
            return
        window = self._plan.windows[0]
        pending = self._load(window)
        if self._stop.is_set():
            return  # What was read may be a part; nothing of it is handed out.
        self._pending, self._cursor = pending, window.cursor
        if pending:
            self._pass_with_records = self._plan.next_pass
        elif self._plan.next_pass > self._pass_with_records + 1:
            # A whole pass held no record, only gaps: without a wait, a busy loop.
            self._stop.wait(self._config.poll_s)

    def _forget_window(self) -> None:
        self._pending.clear()
        self._cursor = None

    def _plan_or_wait(self) -> None:
        retained = self._retained()
        check_ends(self._plan, retained)
        self._plan, lost = skip_lost(self._plan, retained)
        if lost:
            self._report_lost("unread", f"{lost} offsets before they were planned", lost)
        self._plan = plan_window(self._plan, retained, self._config)
        if self._plan.windows:
            return
        if self._plan.finished:
            raise StopIteration
        ends = {position.partition: position.next_fresh for position in self._plan.positions}
        self._log.wait(self._topic, ends, timeout_s=self._config.poll_s)

    def _load(self, window: Window) -> deque[tuple[int, AddressedRecord]]:
        unread = list(window.unread(self._config.seed))
        wanted = {(address.partition, address.offset) for _, address in unread}
        found = {
            (record.partition, record.offset): record
            for span in window.spans
            for record in self._records(span, wanted)
        }
        return deque(
            (cursor, AddressedRecord(record, address))
            for cursor, address in unread
            if (record := found.get((address.partition, address.offset))) is not None
        )

    def _records(self, span: Span, wanted: set[tuple[int, int]]) -> Iterator[Record]:
        partition = span.partition
        offsets = [o for o in range(span.first_offset, span.end_offset) if (partition, o) in wanted]
        if not offsets:
            return
        offset, end = offsets[0], offsets[-1] + 1
        while offset < end and not self._stop.is_set():
            try:
                fetch = self._log.read(
                    self._topic, partition, offset, end - offset, self._config.fetch_bytes
                )
            except OffsetOutOfRangeError:
                first = self._log.offsets(self._topic)[partition].first
                if first <= offset:
                    raise
                if span.kind is SpanKind.FRESH:  # Forgetting is no loss to a replay.
                    lost = sum(offset <= o < first for o in offsets)
                    what = f"{lost} planned offsets of partition {partition} below {first}"
                    self._report_lost("planned", what, lost)
                offset = first
                continue
            yield from (r for r in fetch.records if (partition, r.offset) in wanted)
            if fetch.next_offset == offset:
                self._stop.wait(self._config.poll_s)  # The records are there but not here yet.
            offset = fetch.next_offset

    def _retained(self) -> dict[int, OffsetRange]:
        held = self._log.offsets(self._topic)
        return {partition: held[partition] for partition in self._identity.partitions}

    def _count(self, address: Address) -> None:
        if address.kind is SpanKind.FRESH:
            self._metrics.records_fresh += 1
        else:
            self._metrics.records_replayed += 1

    def _report_lost(self, reason: str, what: str, count: int) -> None:
        self._metrics.lost[reason] += count
        message = f"{self._topic}: retention removed {what}: keep records longer or read faster"
        if self._config.on_lost is LostPolicy.FAIL:
            raise OffsetOutOfRangeError(f"{message}, or set data.on_lost=refill")
        _LOGGER.warning(message)
