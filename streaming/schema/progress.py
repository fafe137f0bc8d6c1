"""How far a source has been mined: the value of a record in the topic `pairstream.progress`."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from monitoring.funnel import SourceFunnel
from streaming.errors import RecordError
from streaming.mining.miner import MinerState


class SourceState(enum.StrEnum):
    """What a source is doing."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of one source, written in the same transaction as the pairs that it accounts for.

    Attributes:
        source_id: the source.
        uri: where its frames come from, without credentials.
        config_fingerprint: the settings that decide which pairs it gives; see
            `ProduceConfig.mining_fingerprint`.
        state: what it is doing.
        position_ns: every frame up to this time is mined and its pairs are in the log; -1 before
            the first.
        duration_s: length of the source in seconds; None when unknown.
        funnel: counts since the start of the source.
        reason: why it failed, one line.
        max_frames: mined up to so many frames; None is without bound.
        end_s: mined up to this time in seconds; None is to the end.
        miner: what mining goes on with after `position_ns`; None before the first frame and in
            records from before there was this field.
    """

    source_id: str
    uri: str
    config_fingerprint: str
    state: SourceState
    position_ns: int = -1
    duration_s: float | None = None
    funnel: SourceFunnel = field(default_factory=SourceFunnel)
    reason: str = ""
    max_frames: int | None = None
    end_s: float | None = None
    miner: MinerState | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is the progress of: the source and the settings."""
        return self.source_id, self.config_fingerprint


def encode_progress(progress: Progress) -> bytes:
    """JSON, so that any tool can read it."""
    # Not dataclasses.asdict, which takes a Counter apart.
    values = {f.name: getattr(progress, f.name) for f in dataclasses.fields(progress)}
    values["funnel"] = {
        f.name: getattr(progress.funnel, f.name) for f in dataclasses.fields(SourceFunnel)
    }
    values["miner"] = None if progress.miner is None else dataclasses.asdict(progress.miner)
    return json.dumps(values, sort_keys=True).encode()


def decode_progress(value: bytes) -> Progress:
    """Reads what this or a newer version wrote; raises `RecordError` for anything else."""
    try:
        fields = _known(Progress, json.loads(value))
        funnel = fields.pop("funnel")
        miner = fields.pop("miner", None)
        return Progress(
            state=SourceState(fields.pop("state")),
            funnel=SourceFunnel(
                frames=funnel["frames"],
                skipped_frames=Counter(funnel["skipped_frames"]),
                accepted=funnel["accepted"],
                rejected=Counter(funnel["rejected"]),
            ),
            miner=None if miner is None else _miner_state(miner),
            **fields,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            "bad_progress",
            f"progress record: not readable ({error!r}); was it written by another program?",
        ) from error


def _miner_state(fields: dict[str, Any]) -> MinerState:
    # JSON knows lists only.
    known = _known(MinerState, fields)
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in known.items()}
    return MinerState(**plain)


def _known(kind: type[Progress | MinerState], fields: dict[str, Any]) -> dict[str, Any]:
    """Without the fields that a newer version has added."""
    return {f.name: fields[f.name] for f in dataclasses.fields(kind) if f.name in fields}
