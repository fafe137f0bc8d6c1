"""Change of world size: the unread rests of all ranks are dealt to another number of ranks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from streaming.errors import LogError
from streaming.pipeline.plan import ReadPlan
from streaming.pipeline.state import ReadState, parse_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streaming.pipeline.window import Window


def owned_partitions(rank: int, world_size: int, partitions: Iterable[int]) -> tuple[int, ...]:
    """The partitions that a rank reads."""
    return tuple(sorted(p for p in partitions if p % world_size == rank))


def redeal(states: Sequence[Mapping[str, Any]], world_size: int) -> list[dict[str, Any]]:
    """Deals the states of all ranks of a run to `world_size` ranks.

    Every partition goes to its new owner with everything that is still to be read of it: its next
    unread offset, its part of planned windows and of replay passes. So nothing is skipped and
    nothing is read twice.

    Args:
        states: the states of all old ranks, in any order.
        world_size: the new number of ranks.

    Returns:
        The states of the new ranks, by rank.

    Raises:
        LogError: the states are damaged, of different runs, or not those of all ranks.
    """
    if world_size < 1:
        raise LogError(f"cannot deal reader states to {world_size} ranks: give at least 1")
    old = sorted((parse_state(state) for state in states), key=lambda state: state.identity.rank)
    _check_complete(old)
    return [_state_of(rank, world_size, old).to_dict() for rank in range(world_size)]


def _check_complete(old: Sequence[ReadState]) -> None:
    ranks = [state.identity.rank for state in old]
    if not old or ranks != list(range(old[0].identity.world_size)):
        expected = old[0].identity.world_size if old else "all"
        raise LogError(f"states of ranks {ranks} given: the states of {expected} ranks are needed")
    shared = {
        (s.identity.topic, s.identity.topic_id, s.identity.seed, s.identity.world_size) for s in old
    }
    if len(shared) > 1:
        raise LogError(f"the states are of different runs: {sorted(shared)}")


def _state_of(rank: int, world_size: int, old: Sequence[ReadState]) -> ReadState:
    positions = sorted(
        (position for state in old for position in state.plan.positions),
        key=lambda position: position.partition,
    )
    owned = owned_partitions(rank, world_size, (p.partition for p in positions))
    windows = (window.restricted(owned) for state in old for window in state.plan.windows)
    passes = (current.restricted(owned) for state in old for current in state.plan.passes)
    plan = ReadPlan(
        rank=rank,
        positions=tuple(position for position in positions if position.partition in owned),
        windows=tuple(window for window in windows if _has_unread(window)),
        passes=tuple(current for current in passes if current.partitions),
        # Beyond all numbers in use, so that no key of a permutation is ever used twice.
        next_window=max(state.plan.next_window for state in old),
        next_pass=max(state.plan.next_pass for state in old),
    )
    identity = replace(old[0].identity, rank=rank, world_size=world_size, partitions=owned)
    return replace(old[0], identity=identity, plan=plan)


def _has_unread(window: Window) -> bool:
    return bool(window.partitions) and window.cursor < len(window)
