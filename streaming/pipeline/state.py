"""What a checkpoint keeps of the reading: the plan and whose plan it is, never a payload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from streaming.errors import LogError
from streaming.pipeline.plan import ReadPlan  # noqa: TC001  the adapter reads annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

STATE_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What a state must agree on with the reader that resumes from it.

    Attributes:
        topic: name of the pairs topic.
        topic_id: identity of that very topic.
        seed: seed of the order of records.
        rank: the reader's rank.
        world_size: number of ranks that share the topic.
        partitions: partitions that this rank owns.
    """

    topic: str
    topic_id: str
    seed: int
    rank: int
    world_size: int
    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadState:
    """One rank's state: JSON-able, of a size with the number of spans.

    Attributes:
        version: version of this layout.
        identity: whose state it is.
        plan: what was read and what is planned.
    """

    version: int
    identity: Identity
    plan: ReadPlan

    def to_dict(self) -> dict[str, Any]:
        """The state as JSON-able values."""
        values: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return values


_ADAPTER: Final = TypeAdapter(ReadState)


def parse_state(values: Mapping[str, Any]) -> ReadState:
    """Reads a state back.

    Raises:
        LogError: the version is another one, or a key is missing or damaged.
    """
    if "version" not in values:
        raise LogError("reader state: version is missing: the checkpoint is damaged")
    if values["version"] != STATE_VERSION:
        raise LogError(
            f"reader state: version is {values['version']!r} but this software reads "
            f"{STATE_VERSION}: resume with the version that wrote it"
        )
    try:
        state = _ADAPTER.validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise LogError(
            f"reader state: {where}: {first['msg']}: the checkpoint is damaged"
        ) from error
    planned = tuple(position.partition for position in state.plan.positions)
    if planned != state.identity.partitions or state.plan.rank != state.identity.rank:
        raise LogError(
            f"reader state: plan of rank {state.plan.rank} over partitions {list(planned)} does "
            f"not fit rank {state.identity.rank} with {list(state.identity.partitions)}: "
            "the checkpoint is damaged"
        )
    return state


def check_identity(found: Identity, expected: Identity) -> None:
    """Refuses a state that belongs to another run.

    Raises:
        LogError: names the first thing that differs and what to do.
    """
    remedies = {
        "topic": "resume with the topic it was written for",
        "topic_id": "the topic was deleted and made anew, start a new run",
        "seed": "resume with the seed it was written with",
        "world_size": "deal the states of all ranks again with redeal",
        "rank": "give each rank its own state",
        "partitions": "deal the states of all ranks again with redeal",
    }
    for name, remedy in remedies.items():
        was, now = getattr(found, name), getattr(expected, name)
        if was != now:
            raise LogError(f"reader state: {name} is {was!r} but this reader has {now!r}: {remedy}")
