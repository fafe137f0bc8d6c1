"""Mines a source into the log: pairs and progress become visible together, a stretch at a time.

Crash behaviour. A transaction holds, in this order, the pairs of a stretch, and the progress up to
its last frame. Killed before the commit, none of it is visible and the stretch is mined again from
the progress before; killed after it, mining goes on behind it. Either way each pair is in the log
once.
"""

from __future__ import annotations

import contextlib
import platform
import time
from collections import Counter
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Final

from pydantic import Field

from monitoring.funnel import SourceFunnel
from streaming.errors import SourceError
from streaming.frames.sampling import SamplingConfig
from streaming.frames.stream import open_frames
from streaming.log.messages import dead_letter_message, pair_message
from streaming.log.protocol import Message, read_all
from streaming.log.topics import DEAD_LETTERS, PAIRS, PROGRESS, SOURCES
from streaming.mining.config import MiningConfig
from streaming.mining.miner import Miner
from streaming.schema.dead_letter import DeadLetter
from streaming.schema.progress import Progress, SourceState, decode_progress, encode_progress
from streaming.settings import Settings
from streaming.sources.container import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streaming.log.protocol import Log
    from streaming.mining.miner import MinerState
    from streaming.records import Pair, Source

PRODUCER: Final = f"{platform.node()} pairstream/{metadata.version('pairstream')}"


class CommitConfig(Settings):
    """When a transaction closes: whichever bound is reached first."""

    pairs: int = Field(64, ge=1)
    """Pairs in a transaction."""
    bytes_total: int = Field(16 << 20, ge=1)
    """Bytes of encoded views in a transaction."""
    interval_s: float = Field(1.0, gt=0.0)
    """Age of a transaction in seconds, and so how late a pair can become visible."""


class ProduceConfig(Settings):
    """How sources become pairs in the log."""

    sampling: SamplingConfig = SamplingConfig()
    """Which frames are taken from a source."""
    mining: MiningConfig = MiningConfig()
    """Which of them make pairs."""
    commit: CommitConfig = CommitConfig()
    """How often pairs become visible."""

    def mining_fingerprint(self) -> str:
        """Digest of what decides which pairs a source gives; committing does not."""
        return f"{self.sampling.fingerprint()}{self.mining.fingerprint()}"


def read_progress(log: Log) -> dict[str, Progress]:
    """Newest progress of every source in the log, by source id."""
    newest: dict[str, Progress] = {}
    for record in read_all(log, PROGRESS):
        if record.value is not None:
            progress = decode_progress(record.value)
            newest[progress.source_id] = progress
    return newest


def mine_source(
    source: Source,
    log: Log,
    config: ProduceConfig,
    *,
    stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Mines a source from where the log says it was left, to its end.

    A source that is done with these settings is left alone; with other settings it is mined anew.

    Args:
        source: what to mine.
        log: holds the topics of Pairstream.
        config: sampling, mining and commit settings.
        stop: asked after each frame; True commits what there is and returns.
        on_progress: called after each commit.

    Returns:
        The progress that the log now holds: `done`, `failed` with a reason, or `running` when
        it was stopped.
    """
    before = _left_at(source, log, config)
    if before.state is SourceState.DONE:
        return before
    stretch = _Stretch(before, config.commit)
    with contextlib.closing(log.producer(f"pairstream.mine.{source.source_id}")) as producer:

        def commit(state: SourceState, error: SourceError | None = None) -> Progress:
            progress = stretch.progress(state, reason="" if error is None else str(error))
            with producer.transaction() as transaction:
                for pair in stretch.take():
                    transaction.append(PAIRS, pair_message(pair))
                if error is not None:
                    letter = dead_letter_message(_letter(source, error))
                    transaction.append(DEAD_LETTERS, letter)
                key = source.source_id.encode()
                transaction.append(PROGRESS, Message(encode_progress(progress), key=key))
            on_progress(progress)
            return progress

        try:
            for _ in _mine(source, config, stretch):
                if stop():
                    return commit(SourceState.RUNNING)
                if stretch.is_due():
                    commit(SourceState.RUNNING)
        except SourceError as error:
            return commit(SourceState.FAILED, error)
        return commit(SourceState.DONE)


def _left_at(source: Source, log: Log, config: ProduceConfig) -> Progress:
    fingerprint = config.mining_fingerprint()
    known = read_progress(log).get(source.source_id)
    if known is not None and known.config_fingerprint == fingerprint:
        return known
    return Progress(source.source_id, redacted(source.uri), fingerprint, SourceState.RUNNING)


def _mine(source: Source, config: ProduceConfig, stretch: _Stretch) -> Iterator[None]:
    """Mines behind the stretch's position, yielding after each frame."""
    start_ns = stretch.position_ns
    # Frames just before the position are not mined again, but later ones pair with them.
    context_ns = None if stretch.miner is None else stretch.miner.context_ns
    context_s = (start_ns if context_ns is None else context_ns) / 1e9
    bounds = {"start_s": max(config.sampling.start_s, context_s), "max_frames": None}
    with open_frames(source, config.sampling.model_copy(update=bounds)) as frames:
        stretch.duration_s = frames.duration_s
        miner = Miner(source, config.mining, PRODUCER, time.time_ns, stretch.funnel)
        if stretch.miner is not None:
            miner.restore(stretch.miner)
        try:
            for frame in frames:
                if frame.timestamp_ns <= start_ns:
                    miner.remember(frame)
                    continue
                if stretch.funnel.frames == config.sampling.max_frames:
                    return
                stretch.add(frame.timestamp_ns, miner.process(frame), miner.state)
                yield
        finally:
            stretch.undecoded = Counter(frames.report.skipped)


class _Stretch:
    """Pairs that are mined and not yet committed, and how far that is."""

    def __init__(self, before: Progress, config: CommitConfig) -> None:
        self.funnel = SourceFunnel() + before.funnel
        self.duration_s = before.duration_s
        self.undecoded: Counter[str] = Counter()
        self._before = before
        self.position_ns = before.position_ns
        self.miner = before.miner
        self._config = config
        self._pairs: list[Pair] = []
        self._opened_s = time.monotonic()

    def add(self, position_ns: int, pairs: list[Pair], miner: MinerState) -> None:
        """Takes note of a frame, its pairs, and what the miner then knows."""
        self.position_ns = position_ns
        self.miner = miner
        self._pairs.extend(pairs)

    def is_due(self) -> bool:
        """Whether a bound of the transaction is reached."""
        bytes_total = sum(len(p.view_1.jpeg) + len(p.view_2.jpeg) for p in self._pairs)
        return (
            len(self._pairs) >= self._config.pairs
            or bytes_total >= self._config.bytes_total
            or time.monotonic() - self._opened_s >= self._config.interval_s
        )

    def take(self) -> list[Pair]:
        """Hands over the pairs and opens the next stretch."""
        taken, self._pairs = self._pairs, []
        self._opened_s = time.monotonic()
        return taken

    def progress(self, state: SourceState, reason: str) -> Progress:
        """How far the source is mined when this stretch is committed."""
        return replace(
            self._before,
            state=state,
            position_ns=self.position_ns,
            miner=self.miner,
            duration_s=self.duration_s,
            funnel=self.funnel + SourceFunnel(skipped_frames=self.undecoded),
            reason=reason,
        )


def _letter(source: Source, error: SourceError) -> DeadLetter:
    uri = redacted(source.uri).encode(errors="replace")
    return DeadLetter(
        topic=SOURCES,
        reason="source_failed",
        error=str(error),
        producer=PRODUCER,
        failed_at_ns=time.time_ns(),
        original=uri,
        original_bytes_total=len(uri),
        source_id=source.source_id,
    )
