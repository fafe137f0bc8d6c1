"""The plan: unread records first, then replay; what retention takes is told."""

import pytest

from streaming.errors import LogError
from streaming.log.protocol import OffsetRange
from streaming.pipeline.plan import check_ends, initial_plan, plan_window, skip_lost, with_limits
from streaming.pipeline.window import Span, SpanKind
from tests.reading import small_config


def read_window(plan, retained, config):
    """Plans the next window and takes it for read."""
    planned = plan_window(plan, retained, config)
    window = planned.windows[-1] if planned.windows else None
    return window, planned.__class__(
        planned.rank, planned.positions, (), planned.passes, planned.next_window, planned.next_pass
    )


def windows_of(retained, config, count, plan=None):
    plan = plan or initial_plan(0, retained)
    windows = []
    for _ in range(count):
        window, plan = read_window(plan, retained, config)
        windows.append(window)
    return windows, plan


def offsets_of(window, kind):
    spans = [span for span in window.spans if span.kind is kind]
    return [(s.partition, o) for s in spans for o in range(s.first_offset, s.end_offset)]


def test_fresh_spans_share_the_window_evenly_and_fill_it():
    retained = {0: OffsetRange(5, 7), 1: OffsetRange(0, 100), 2: OffsetRange(0, 100)}
    (window,), plan = windows_of(retained, small_config(window_records=10), 1)
    assert set(window.spans) == {Span(0, 5, 7, 0), Span(1, 0, 4, 0), Span(2, 0, 4, 0)}
    assert [position.next_fresh for position in plan.positions] == [7, 4, 4]


def test_replay_fills_what_fresh_records_leave_of_a_window():
    config = small_config(window_records=10)
    _, plan = windows_of({0: OffsetRange(0, 20)}, config, 2)
    (window,), _ = windows_of({0: OffsetRange(0, 24)}, config, 1, plan)
    assert offsets_of(window, SpanKind.FRESH) == [(0, o) for o in range(20, 24)]
    replayed = offsets_of(window, SpanKind.REPLAY)
    assert len(set(replayed)) == len(replayed) == 6
    assert max(replayed) < (0, 20)


def test_a_pass_reads_everything_once_and_ends_its_window():
    retained = {0: OffsetRange(0, 13), 1: OffsetRange(3, 10)}
    _, plan = windows_of(retained, small_config(window_records=20), 1)
    windows, _ = windows_of(retained, small_config(window_records=12), 4, plan)
    assert [{span.replay_pass for span in window.spans} for window in windows] == [
        {1},
        {1},
        {2},
        {2},
    ]
    everything = {(0, o) for o in range(13)} | {(1, o) for o in range(3, 10)}
    for first, second in (windows[:2], windows[2:]):
        read = offsets_of(first, SpanKind.REPLAY) + offsets_of(second, SpanKind.REPLAY)
        assert len(read) == len(everything)
        assert set(read) == everything


def test_blocks_of_a_pass_come_in_random_order():
    config = small_config(window_records=1000, seed=3)
    (_, window), _ = windows_of({0: OffsetRange(0, 1000)}, config, 2)
    firsts = [span.first_offset for span in window.spans]
    assert len(firsts) > 8
    assert firsts != sorted(firsts)


def test_no_replay_beyond_max_replays():
    config = small_config(max_replays=2)
    windows, plan = windows_of({0: OffsetRange(0, 8)}, config, 5)
    assert [w and w.spans[0].replay_pass for w in windows] == [0, 1, 2, None, None]
    (window,), _ = windows_of({0: OffsetRange(0, 11)}, config, 1, plan)
    assert window.spans == (Span(0, 8, 11, 0),)


def test_later_records_are_replayed_when_older_ones_are_used_up():
    config = small_config(max_replays=1)
    _, plan = windows_of({0: OffsetRange(0, 8)}, config, 3)
    windows, _ = windows_of({0: OffsetRange(0, 12)}, config, 3, plan)
    assert {span.kind for span in windows[1].spans} == {SpanKind.REPLAY}
    assert sorted(windows_offsets(windows[1])) == [8, 9, 10, 11]
    assert windows[2] is None


def windows_offsets(window):
    return [o for s in window.spans for o in range(s.first_offset, s.end_offset)]


def test_policy_none_reads_fresh_records_only():
    windows, _ = windows_of({0: OffsetRange(0, 8)}, small_config(replay="none"), 2)
    assert windows[1] is None


def test_recency_replays_only_the_newest_offsets():
    config = small_config(replay="recency", recent_offsets=5, window_records=20)
    (_, window), _ = windows_of({0: OffsetRange(0, 20)}, config, 2)
    assert sorted(windows_offsets(window)) == [15, 16, 17, 18, 19]


def test_replay_passes_over_what_is_not_retained_any_more():
    config = small_config(window_records=20)
    _, plan = windows_of({0: OffsetRange(0, 20)}, config, 1)
    (window,), _ = windows_of({0: OffsetRange(15, 20)}, config, 1, plan)
    assert sorted(windows_offsets(window)) == [15, 16, 17, 18, 19]


def test_limits_end_a_bounded_reading():
    retained = {0: OffsetRange(0, 10), 1: OffsetRange(0, 0)}
    config = small_config(until_end=True)
    plan = with_limits(initial_plan(0, retained), retained, until_end=True)
    grown = {0: OffsetRange(0, 15), 1: OffsetRange(0, 3)}
    windows, plan = windows_of(grown, config, 3, plan)
    assert [len(w) if w else None for w in windows] == [8, 2, None]
    assert plan.finished


def test_limits_are_kept_while_bounded_and_dropped_when_not():
    plan = with_limits(
        initial_plan(0, {0: OffsetRange(0, 5)}), {0: OffsetRange(0, 5)}, until_end=True
    )
    grown = {0: OffsetRange(0, 9)}
    assert with_limits(plan, grown, until_end=True).positions[0].limit == 5
    assert with_limits(plan, grown, until_end=False).positions[0].limit is None


def test_retention_that_overtakes_the_unread_tail_is_counted():
    plan = initial_plan(0, {0: OffsetRange(0, 10)})
    plan, lost = skip_lost(plan, {0: OffsetRange(4, 10)})
    assert (lost, plan.positions[0].next_fresh) == (4, 4)
    assert skip_lost(plan, {0: OffsetRange(4, 10)})[1] == 0


def test_nothing_is_lost_beyond_a_limit():
    retained = {0: OffsetRange(0, 10)}
    plan = with_limits(initial_plan(0, retained), retained, until_end=True)
    plan, lost = skip_lost(plan, {0: OffsetRange(25, 30)})
    assert lost == 10
    assert plan.finished


def test_a_log_that_lost_its_end_is_refused():
    plan = initial_plan(0, {0: OffsetRange(0, 10)})
    _, plan = read_window(plan, {0: OffsetRange(0, 10)}, small_config(window_records=10))
    with pytest.raises(LogError, match="ends at offset 4 but was read up to 10"):
        check_ends(plan, {0: OffsetRange(0, 4)})
