"""The demo from start to end: feed, train, score, report."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from monitoring.funnel import SourceFunnel
from pairstream.demo.display import DemoDisplay
from pairstream.demo.feed import Feed, FeedProcess
from pairstream.demo.result import DemoRecord, DemoResult, summarise
from streaming.errors import PairstreamError, SourceError
from streaming.log.address import open_log
from streaming.log.topics import topic_specs
from streaming.producer import read_progress
from streaming.sources.container import redacted
from trainer.checkpoint import latest
from trainer.evaluation.config import EvalConfig
from trainer.evaluation.runner import evaluate
from trainer.hooks import StopAfter, StopOnSignal
from trainer.parallel import single_process
from trainer.run import train
from trainer.run_folder import RunFolder
from trainer.state import load_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streaming.log.protocol import Log
    from trainer.config import TrainConfig
    from trainer.evaluation.runner import EvalReport
    from trainer.parallel import World

_LEAST_PAIRS: Final = 4
"""Pairs are replayed to fill a batch, but fewer than these show nothing."""
_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What a demo works on.

    Attributes:
        out: folder for everything that it writes.
        train_s: wall-clock time of training in seconds.
        videos: the user's own sources; empty renders rooms.
    """

    out: Path
    train_s: float
    videos: tuple[str, ...]


class DemoStoppedError(Exception):
    """The user or the system stopped the demo; what it has made so far is kept."""


def run_demo(plan: DemoPlan, config: TrainConfig) -> DemoResult:
    """Runs everything; the folder then holds log, run, videos and report.

    Raises:
        SourceError: when the sources give too few pairs.
        DemoStoppedError: on SIGINT or SIGTERM before the scoring.
    """
    folder = RunFolder(plan.out / "train")
    database = plan.out / "pairs.db"
    rooms = plan.out / "rooms"
    _clear(plan.out, folder, database)
    rooms.mkdir(parents=True, exist_ok=True)
    address = f"sqlite:///{database}"
    world = single_process(config.device)
    started_s = time.monotonic()
    with open_log(address) as log, DemoDisplay(log) as display:
        for spec in topic_specs():
            log.create_topic(spec)
        feed = FeedProcess(Feed(address, plan.videos, rooms))
        feed.start()
        try:
            with StopOnSignal().installed() as on_signal, _leaving_a_core():
                display.stage("1/3  mining pairs" + ("" if plan.videos else " from rendered rooms"))
                _wait_for_pairs(log, feed, config.data.batch_size, display, on_signal)
                display.stage("2/3  pretraining while mining goes on")
                stop_after = StopAfter(max_seconds=plan.train_s)
                train(config, log, folder, world, (display, stop_after, on_signal))
                _check_not_stopped(on_signal)
        finally:
            feed.stop()
        display.stage("3/3  scoring the encoder beside a random one")
        evaluation = _evaluate(folder, plan.out, config, world, display)
        record = DemoRecord(
            title="Pairstream: " + (", ".join(map(redacted, plan.videos)) or "rendered rooms"),
            config=config,
            folder=folder,
            pairs_in_log=display.pairs_in_log,
            evaluation=evaluation,
            elapsed_s=time.monotonic() - started_s,
        )
        return summarise(record, log, plan.out / "report.html")


@contextmanager
def _leaving_a_core() -> Iterator[None]:
    """Leaves a core to the feed: threads that wait for each other stall when one has no core."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before - 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _clear(out: Path, folder: RunFolder, database: Path) -> None:
    """Removes what an earlier demo left, but for rendered rooms and evaluation data."""
    with folder.locked():
        for path in sorted(folder.checkpoints.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.journal.unlink(missing_ok=True)
        for suffix in ("", "-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        (out / "report.html").unlink(missing_ok=True)


def _wait_for_pairs(
    log: Log, feed: FeedProcess, wanted: int, display: DemoDisplay, on_signal: StopOnSignal
) -> None:
    """Waits for a batch of pairs, or for the end of the stream if that gives a few at least."""
    while display.poll() < wanted:
        _check_not_stopped(on_signal)
        if not feed.is_running:
            _check_enough(log)
            return
        time.sleep(_POLL_S)


def _check_not_stopped(on_signal: StopOnSignal) -> None:
    if on_signal.stop_reason() is not None:
        raise DemoStoppedError


def _check_enough(log: Log) -> None:
    progress = read_progress(log).values()
    total = sum((p.funnel for p in progress), SourceFunnel())
    if total.accepted >= _LEAST_PAIRS:
        return
    failures = [p.reason for p in progress if p.reason]
    reasons = [f"{name} {count}" for name, count in total.rejected.most_common(3)]
    raise SourceError(
        f"too few pairs to train on: {total.accepted} of {total.candidates} candidates "
        f"({'; '.join([*failures, *reasons])}); take a longer video with a moving camera"
    )


def _evaluate(
    folder: RunFolder, out: Path, config: TrainConfig, world: World, display: DemoDisplay
) -> EvalReport:
    checkpoint = latest(folder.checkpoints, on_passed_over=display.on_note)
    if checkpoint is None:
        raise PairstreamError("training ended before its first step; raise --seconds")
    model = load_model(checkpoint, world.device)
    return evaluate(
        model,
        config.model,
        EvalConfig.quick([f"reconstruction.mask_ratio={config.mask_ratio}"]),
        cache_dir=out / "evaluation",
        on_progress=display.on_note,
    )
