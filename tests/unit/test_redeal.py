"""Dealing the states of all ranks again: what is refused. What it keeps is a property test."""

import pytest

from streaming.errors import LogError
from streaming.pipeline.redeal import owned_partitions, redeal
from tests.memory_log import MemoryLog
from tests.reading import make_reader, small_config, take


def states(world_size, seed=0, topic_id="memory"):
    log = MemoryLog(4, topic_id=topic_id)
    for number in range(40):
        log.append(number % 4, b"")
    result = []
    for rank in range(world_size):
        reader = make_reader(log, small_config(seed=seed), rank=rank, world_size=world_size)
        take(reader, 3)
        result.append(reader.state_dict())
    return result


def test_partitions_are_owned_by_exactly_one_rank():
    owned = [owned_partitions(rank, 3, range(8)) for rank in range(3)]
    assert owned == [(0, 3, 6), (1, 4, 7), (2, 5)]


def test_order_of_the_states_does_not_matter():
    old = states(3)
    assert redeal(old[::-1], 2) == redeal(old, 2)


def test_positions_go_to_their_new_owners():
    new = redeal(states(2), 4)
    assert [state["identity"]["partitions"] for state in new] == [[0], [1], [2], [3]]
    assert [state["identity"]["rank"] for state in new] == [0, 1, 2, 3]
    assert all(state["identity"]["world_size"] == 4 for state in new)


def test_keys_of_permutations_are_never_used_twice():
    old = states(2)
    used = max(state["plan"]["next_window"] for state in old)
    assert all(state["plan"]["next_window"] >= used for state in redeal(old, 3))


def test_the_states_of_all_ranks_are_needed():
    with pytest.raises(LogError, match=r"ranks \[0, 2\] given: the states of 3 ranks are needed"):
        redeal([states(3)[0], states(3)[2]], 2)
    with pytest.raises(LogError, match="needed"):
        redeal([], 2)


@pytest.mark.parametrize("other", [{"seed": 1}, {"topic_id": "other"}])
def test_states_of_different_runs_are_refused(other):
    with pytest.raises(LogError, match="different runs"):
        redeal([states(2)[0], states(2, **other)[1]], 1)


def test_a_world_without_ranks_is_refused():
    with pytest.raises(LogError, match="0 ranks"):
        redeal(states(1), 0)
