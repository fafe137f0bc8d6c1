"""Mines a source into the log: pairs and progress become visible together, a stretch at a time.

Crash behaviour. A transaction holds, in this order, the pairs of a stretch, and the progress up to
its last frame. Killed before the commit, none of it is visible and the stretch is mined again from
the progress before; killed after it, mining goes on behind it. Either way each pair is in the log
once.
"""

from __future__ import annotations

import contextlib
import logging
import platform
import sys
import time
from collections import Counter
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Final

from streaming.errors import RecordError, SourceError
from streaming.frames.sampling import SamplingConfig
from streaming.frames.stream import open_frames
from streaming.log.messages import dead_letter_message
from streaming.log.protocol import Message, read_all
from streaming.log.topics import DEAD_LETTERS, PAIRS, PROGRESS
from streaming.mining.config import MiningConfig
from streaming.mining.miner import Miner
from streaming.schema.progress import Progress, SourceState, decode_progress, encode_progress
from streaming.settings import Settings
from streaming.sources.container import redacted
from streaming.stretch import CommitConfig, Stretch, source_letter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streaming.log.protocol import Log, Record, TransactionalProducer
    from streaming.records import Source

PRODUCER: Final = f"{platform.node()} pairstream/{metadata.version('pairstream')}"
_LOGGER: Final = logging.getLogger(__name__)


class ProduceConfig(Settings):
    """How sources become pairs in the log."""

    environment_prefix = "PAIRSTREAM_MINE__"

    sampling: SamplingConfig = SamplingConfig()
    """Which frames are taken from a source."""
    mining: MiningConfig = MiningConfig()
    """Which of them make pairs."""
    commit: CommitConfig = CommitConfig()
    """How often pairs become visible."""

    def mining_fingerprint(self) -> str:
        """Digest of what decides which pairs a source gives.

        Committing does not, nor does how far it is mined: further frames change no earlier pair.
        """
        endless = self.sampling.model_copy(update={"max_frames": None, "end_s": None})
        return f"{endless.fingerprint()}{self.mining.fingerprint()}"


def _warn(record: Record, error: RecordError) -> None:
    _LOGGER.warning("%s offset %d: %s; passed over", record.topic, record.offset, error)


def read_progress(
    log: Log, on_rejected: Callable[[Record, RecordError], None] = _warn
) -> dict[tuple[str, str], Progress]:
    """Newest progress of each source with each settings, by `Progress.key`.

    Records that cannot be read go to `on_rejected`; the error names the source.
    """
    newest: dict[tuple[str, str], Progress] = {}
    # Not every older record of a key has been compacted away.
    last = {record.key: record for record in read_all(log, PROGRESS)}
    for record in sorted(last.values(), key=lambda record: record.offset):
        if record.value is None:
            continue
        try:
            progress = decode_progress(record.value)
        except RecordError as error:
            source_id = (record.key or b"?").decode(errors="replace").split("\n")[0]
            on_rejected(record, RecordError(error.reason, f"source {source_id}: {error}"))
        else:
            newest[progress.key] = progress
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

    A source that is done with these settings is left alone, or mined on from there if it may now
    be mined further; with other settings it is mined anew.

    Args:
        source: what to mine.
        log: holds the topics of Pairstream.
        config: sampling, mining and commit settings.
        stop: asked after each frame; True commits what there is and returns.
        on_progress: called after each commit.

    Returns:
        The progress that the log now holds: `done`, `failed` with a reason, or `running` when
        it was stopped. If what the log holds cannot be read, `failed`, and the log is left as it
        is.
    """
    try:
        before = _left_at(source, log, config)
        if _is_finished(before, config.sampling):
            return before
        with contextlib.closing(log.producer(f"pairstream.mine.{source.source_id}")) as producer:
            # Only now is an older producer certain to write no more.
            before = _left_at(source, log, config)
            if _is_finished(before, config.sampling):
                return before
            stretch = Stretch(before, config.commit, config.sampling)
            return _mine_on(source, config, stretch, producer, stop, on_progress)
    except RecordError as error:
        return replace(_unstarted(source, config), state=SourceState.FAILED, reason=str(error))


def _mine_on(
    source: Source,
    config: ProduceConfig,
    stretch: Stretch,
    producer: TransactionalProducer,
    stop: Callable[[], bool],
    on_progress: Callable[[Progress], None],
) -> Progress:
    def commit(state: SourceState, error: SourceError | None = None) -> Progress:
        messages, letters = stretch.take()
        if error is not None:
            letters.append(source_letter(source, error, PRODUCER))
        progress = stretch.progress(state, reason="" if error is None else str(error))
        with producer.transaction() as transaction:
            for message in messages:
                transaction.append(PAIRS, message)
            for letter in letters:
                transaction.append(DEAD_LETTERS, dead_letter_message(letter))
            message = Message(encode_progress(progress), key=_record_key(progress))
            transaction.append(PROGRESS, message)
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
    unread: dict[bytes | None, RecordError] = {}
    known = read_progress(log, lambda record, error: unread.update({record.key: error}))
    unstarted = _unstarted(source, config)
    # To mine from the start what has been mined, perhaps, would double its pairs.
    for key in (_record_key(unstarted), source.source_id.encode()):
        if key in unread:
            raise unread[key]
    return known.get(unstarted.key, unstarted)


def _unstarted(source: Source, config: ProduceConfig) -> Progress:
    fingerprint = config.mining_fingerprint()
    return Progress(source.source_id, redacted(source.uri), fingerprint, SourceState.RUNNING)


def _record_key(progress: Progress) -> bytes:
    return "\n".join(progress.key).encode()


def _is_finished(progress: Progress, sampling: SamplingConfig) -> bool:
    if progress.state is not SourceState.DONE:
        return False
    bounds = (progress.max_frames, sampling.max_frames), (progress.end_s, sampling.end_s)
    return all(
        reached is None or (wanted is not None and wanted <= reached) for reached, wanted in bounds
    )


def _mine(source: Source, config: ProduceConfig, stretch: Stretch) -> Iterator[None]:
    """Mines behind the stretch's position, yielding after each frame."""
    start_ns = stretch.position_ns
    # Frames just before the position are not mined again, but later ones pair with them.
    context_ns = None if stretch.miner is None else stretch.miner.context_ns
    from_ns = start_ns if context_ns is None else context_ns
    unbounded = config.sampling.model_copy(update={"max_frames": None})
    with open_frames(source, unbounded, from_ns=from_ns) as frames:
        stretch.duration_s = frames.duration_s
        fingerprint = config.mining_fingerprint()
        miner = Miner(
            source, config.mining, PRODUCER, time.time_ns, stretch.funnel, fingerprint=fingerprint
        )
        if stretch.miner is not None:
            miner.restore(stretch.miner)
        stretch.lost = frames.report.skipped
        for frame in frames:
            if frame.timestamp_ns <= start_ns:
                miner.remember(frame)
                stretch.lost_before = Counter(stretch.lost)
            elif stretch.funnel.frames >= (config.sampling.max_frames or sys.maxsize):
                return
            else:
                stretch.add(frame.timestamp_ns, miner.process(frame), miner.state)
            yield
    if not stretch.funnel.frames:
        uri, sampling = redacted(source.uri), config.sampling
        end = "the end" if sampling.end_s is None else f"end_s {sampling.end_s:g}"
        raise SourceError(f"{uri}: no frame between start_s {sampling.start_s:g} and {end}")
