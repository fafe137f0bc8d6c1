"""Whatever the log and the settings: fresh exactly once, bounded replays, exact counts."""

import json
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streaming.log.protocol import OffsetRange
from streaming.pipeline.plan import initial_plan, plan_window, skip_lost
from streaming.pipeline.state import STATE_VERSION, Identity, ReadState, parse_state
from tests.reading import small_config

# Rounds of (how much each partition grows, how much it forgets, how many windows are read).
ROUNDS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 30), min_size=3, max_size=3),
        st.lists(st.integers(0, 10), min_size=3, max_size=3),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=6,
)
CONFIGS = st.builds(
    small_config,
    window_records=st.integers(1, 40),
    replay=st.sampled_from(["none", "uniform", "recency"]),
    max_replays=st.none() | st.integers(0, 3),
    recent_offsets=st.integers(1, 40),
    seed=st.integers(0, 5),
)


def play(rounds, config):
    """Reads windows while the log grows and forgets; gives the windows and what was lost."""
    retained = {p: OffsetRange(0, 0) for p in range(3)}
    plan = initial_plan(0, retained)
    windows, lost = [], 0
    for growth, forgotten, count in rounds:
        for p, held in list(retained.items()):
            end = held.end + growth[p]
            retained[p] = OffsetRange(min(held.first + forgotten[p], end), end)
        for _ in range(count):
            plan, lost_now = skip_lost(plan, retained)
            lost += lost_now
            plan = plan_window(plan, retained, config)
            windows += plan.windows
            plan = replace(plan, windows=())
    return plan, windows, lost


@given(rounds=ROUNDS, config=CONFIGS)
def test_every_offset_is_fresh_once_or_counted_as_lost(rounds, config):
    plan, windows, lost = play(rounds, config)
    fresh = [
        (s.partition, o)
        for w in windows
        for s in w.spans
        if s.replay_pass == 0
        for o in range(s.first_offset, s.end_offset)
    ]
    assert len(set(fresh)) == len(fresh)
    assert len(fresh) + lost == sum(position.next_fresh for position in plan.positions)


@given(rounds=ROUNDS, config=CONFIGS)
def test_replay_pass_is_the_number_of_earlier_readings(rounds, config):
    """Exactly so when a pass holds all that was read; never twice the same number otherwise."""
    _, windows, _ = play(rounds, config)
    readings: Counter[tuple[int, int]] = Counter()
    seen: set[tuple[int, int, int]] = set()
    for window in windows:
        addresses = [address for _, address in window.unread(config.seed)]
        assert len({(a.partition, a.offset) for a in addresses}) == len(addresses)
        for address in addresses:
            place = (address.partition, address.offset)
            assert readings[place] <= address.replay_pass
            if config.replay == "uniform":
                assert readings[place] == address.replay_pass
            assert (*place, address.replay_pass) not in seen
            seen.add((*place, address.replay_pass))
            readings[place] += 1
    if config.max_replays is not None or config.replay == "none":
        bound = config.max_replays if config.replay != "none" else 0
        assert all(count <= 1 + bound for count in readings.values())


@given(rounds=ROUNDS, config=CONFIGS)
def test_windows_are_of_the_size_asked_for(rounds, config):
    _, windows, _ = play(rounds, config)
    block = max(1, config.window_records // 8)
    assert all(0 < len(window) < config.window_records + block for window in windows)


@given(rounds=ROUNDS, config=CONFIGS)
def test_state_survives_json(rounds, config):
    plan, windows, _ = play(rounds, config)
    plan = replace(plan, windows=tuple(windows[-2:]))
    state = ReadState(STATE_VERSION, Identity("t", "id", 0, 0, 1, (0, 1, 2)), plan)
    assert parse_state(json.loads(json.dumps(state.to_dict()))) == state
