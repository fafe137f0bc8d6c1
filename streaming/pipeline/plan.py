"""The plan: which spans of the log are read next. Unread records first, then replay.

Pure: the log enters as the offset ranges that it holds at the moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streaming.errors import LogError
from streaming.pipeline.config import ReplayPolicy
from streaming.pipeline.replay import Position, ReplayPass, begin_pass, take_spans
from streaming.pipeline.window import FRESH_PASS, Span, Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streaming.log.protocol import OffsetRange
    from streaming.pipeline.config import PipelineConfig


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """All that one rank knows of what it has read and will read.

    Attributes:
        rank: the rank.
        positions: the partitions that it owns, by number.
        windows: planned windows in order of reading; the first is the current one. More than one
            only after a change of world size.
        passes: replay passes that are not finished, in order of reading.
        next_window: number of the next window.
        next_pass: number of the next pass.
    """

    rank: int
    positions: tuple[Position, ...]
    windows: tuple[Window, ...]
    passes: tuple[ReplayPass, ...]
    next_window: int
    next_pass: int

    @property
    def finished(self) -> bool:
        """Whether every partition was planned up to its limit; never true without limits."""
        return all(p.limit is not None and p.next_fresh >= p.limit for p in self.positions)


def initial_plan(rank: int, retained: Mapping[int, OffsetRange]) -> ReadPlan:
    """A plan that has read nothing and begins with the oldest retained records."""
    positions = tuple(
        Position(partition, held.first, history=(), limit=None)
        for partition, held in sorted(retained.items())
    )
    return ReadPlan(rank, positions, windows=(), passes=(), next_window=0, next_pass=0)


def with_limits(
    plan: ReadPlan, retained: Mapping[int, OffsetRange], *, until_end: bool
) -> ReadPlan:
    """The plan bounded to what the log holds now, or unbounded; limits it has already stay."""

    def bounded(position: Position) -> Position:
        if not until_end or position.limit is None:
            limit = retained[position.partition].end if until_end else None
            return replace(position, limit=limit)
        return position

    return replace(plan, positions=tuple(bounded(position) for position in plan.positions))


def check_ends(plan: ReadPlan, retained: Mapping[int, OffsetRange]) -> None:
    """Refuses a log that does not hold what was planned of it.

    Raises:
        LogError: a partition ends before what was read of it.
    """
    for position in plan.positions:
        end = retained[position.partition].end
        if end < position.next_fresh:
            raise LogError(
                f"partition {position.partition} ends at offset {end} but was read up to "
                f"{position.next_fresh}: the log lost records; restore it or start a new run"
            )


def skip_lost(plan: ReadPlan, retained: Mapping[int, OffsetRange]) -> tuple[ReadPlan, int]:
    """Moves on where retention overtook the unread tail.

    Returns:
        The plan, and the number of offsets that were lost before any window held them.
    """
    lost = 0
    positions = []
    for position in plan.positions:
        held = retained[position.partition]
        next_fresh = max(position.next_fresh, held.first)
        readable = held.first if position.limit is None else min(held.first, position.limit)
        lost += max(0, readable - position.next_fresh)
        positions.append(replace(position.forgetting(held.first), next_fresh=next_fresh))
    return replace(plan, positions=tuple(positions)), lost


def plan_window(
    plan: ReadPlan, retained: Mapping[int, OffsetRange], config: PipelineConfig
) -> ReadPlan:
    """Adds the next window to the plan, or nothing when there is nothing to read now.

    Fresh spans share the window evenly among partitions as far as each has unread records; what
    is left of it is filled from a replay pass, and ends early with that pass, so that no record
    is twice in a window.
    """
    fresh = _fresh_spans(plan.positions, retained, config.window_records)
    room = config.window_records - sum(len(span) for span in fresh)
    replayed: list[Span] = []
    if room and config.replay is not ReplayPolicy.NONE and not config.until_end:
        # Before the fresh spans count as read: a pass must not hold what this window reads first.
        plan, replayed = _replay_spans(plan, retained, room, config)
    spans = (*fresh, *replayed)
    if not spans:
        return plan
    window = Window(
        rank=plan.rank,
        number=plan.next_window,
        spans=spans,
        partitions=tuple(sorted({span.partition for span in spans})),
        cursor=0,
    )
    ends = {span.partition: span.end_offset for span in fresh}
    positions = tuple(
        replace(p, next_fresh=ends[p.partition]) if p.partition in ends else p
        for p in plan.positions
    )
    return replace(
        plan,
        positions=positions,
        windows=(*plan.windows, window),
        next_window=plan.next_window + 1,
    )


def _fresh_spans(
    positions: Sequence[Position], retained: Mapping[int, OffsetRange], room: int
) -> list[Span]:
    unread: list[tuple[int, Position]] = []
    for position in positions:
        end = retained[position.partition].end
        end = end if position.limit is None else min(end, position.limit)
        if end > position.next_fresh:
            unread.append((end - position.next_fresh, position))
    spans = []
    # The shortest first: what it leaves of its share goes to the longer ones.
    unread.sort(key=lambda item: (item[0], item[1].partition))
    for index, (count, position) in enumerate(unread):
        take = min(count, -(-room // (len(unread) - index)))
        if take:
            first = position.next_fresh
            spans.append(Span(position.partition, first, first + take, FRESH_PASS))
        room -= take
    return spans


def _replay_spans(
    plan: ReadPlan, retained: Mapping[int, OffsetRange], room: int, config: PipelineConfig
) -> tuple[ReadPlan, list[Span]]:
    if not plan.passes:
        begun = begin_pass(plan.rank, plan.next_pass, plan.positions, retained, config)
        if begun is None:
            return plan, []
        plan = replace(plan, passes=(begun,), next_pass=plan.next_pass + 1)
    positions = {position.partition: position for position in plan.positions}
    current, spans = take_spans(plan.passes[0], room, positions, retained, config.seed)
    if current.cursor < current.block_count:
        return replace(plan, passes=(current, *plan.passes[1:])), spans
    for part in current.ranges:
        if part.partition in current.partitions:
            positions[part.partition] = positions[part.partition].after_pass(part.end_offset)
    return replace(plan, positions=tuple(positions.values()), passes=plan.passes[1:]), spans
