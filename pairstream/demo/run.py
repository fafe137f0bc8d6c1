"""The demo from start to end: feed, train, score, report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from monitoring.events import read_journal
from monitoring.funnel import SourceFunnel
from pairstream.demo.display import DemoDisplay
from pairstream.demo.feed import Feed, FeedProcess
from pairstream.demo.report import PairPicture, ReportData, smooth, write_report
from streaming.commands.pairs import draw_pair
from streaming.errors import SourceError
from streaming.export import stored_pairs
from streaming.log.address import open_log
from streaming.log.topics import topic_specs
from streaming.producer import read_progress
from trainer.checkpoint import latest
from trainer.evaluation.config import EvalConfig
from trainer.evaluation.runner import evaluate
from trainer.hooks import StopAfter, StopOnSignal
from trainer.parallel import single_process
from trainer.run import train
from trainer.run_folder import RunFolder
from trainer.state import load_model

if TYPE_CHECKING:
    from pathlib import Path

    from streaming.log.protocol import Log
    from streaming.records import Pair
    from trainer.config import TrainConfig
    from trainer.evaluation.runner import EvalReport
    from trainer.parallel import World

_REPORT_PAIRS: Final = 12
_REPORT_SEED: Final = 0
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


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What a demo reached; the loss is smoothed over steps."""

    report: Path
    pairs: int
    candidates: int
    first_loss: float
    last_loss: float
    steps: int
    evaluation: EvalReport


def run_demo(plan: DemoPlan, config: TrainConfig) -> DemoResult:
    """Runs everything; the folder then holds log, run, videos and report.

    Raises:
        SourceError: when the sources give too few pairs for a batch.
    """
    folder = RunFolder(plan.out / "train")
    database = plan.out / "pairs.db"
    rooms = plan.out / "rooms"
    _clear(plan.out, folder, database)
    rooms.mkdir(parents=True, exist_ok=True)
    address = f"sqlite:///{database}"
    world = single_process(config.device)
    started_s = time.monotonic()
    with open_log(address) as log, StopOnSignal().installed() as on_signal:
        for spec in topic_specs():
            log.create_topic(spec)
        feed = FeedProcess(Feed(address, plan.videos, rooms))
        feed.start()
        try:
            with DemoDisplay(log) as display:
                display.stage("1/3  mining pairs" + ("" if plan.videos else " from rendered rooms"))
                _wait_for_pairs(log, feed, config.data.batch_size, display, on_signal)
                display.stage("2/3  pretraining while mining goes on")
                stop_after = StopAfter(max_seconds=plan.train_s)
                train(config, log, folder, world, (display, stop_after, on_signal))
                feed.stop()
                display.stage("3/3  scoring the encoder beside a random one")
                evaluation = _evaluate(folder, plan.out, config, world, display)
        finally:
            feed.stop()
        return _report(plan, config, log, folder, display, evaluation, started_s)


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
    while (pairs := display.poll()) < wanted:
        if on_signal.stop_reason() is not None:
            raise KeyboardInterrupt
        if not feed.is_running:
            pairs = sum(p.funnel.accepted for p in read_progress(log).values())
            if pairs < wanted:
                raise _too_few_pairs(log, pairs, wanted)
        time.sleep(_POLL_S)


def _too_few_pairs(log: Log, pairs: int, wanted: int) -> SourceError:
    progress = read_progress(log).values()
    failures = [p.reason for p in progress if p.reason]
    reasons = sum((p.funnel for p in progress), SourceFunnel()).rejected.most_common(3)
    why = failures[0] if failures else ", ".join(f"{name} {count}" for name, count in reasons)
    return SourceError(
        f"the sources give {pairs} pairs, a batch needs {wanted} ({why}); "
        "take a longer video with a moving camera, or --set data.batch_size=8"
    )


def _evaluate(
    folder: RunFolder, out: Path, config: TrainConfig, world: World, display: DemoDisplay
) -> EvalReport:
    checkpoint = latest(folder.checkpoints, on_passed_over=display.on_note)
    if checkpoint is None:
        raise KeyboardInterrupt
    model = load_model(checkpoint, world.device)
    return evaluate(
        model,
        config.model,
        EvalConfig.quick([f"reconstruction.mask_ratio={config.mask_ratio}"]),
        cache_dir=out / "evaluation",
        on_progress=display.on_note,
    )


def _report(
    plan: DemoPlan,
    config: TrainConfig,
    log: Log,
    folder: RunFolder,
    display: DemoDisplay,
    evaluation: EvalReport,
    started_s: float,
) -> DemoResult:
    progress = read_progress(log)
    total = sum((p.funnel for p in progress.values()), SourceFunnel())
    steps = list(read_journal(folder.journal, "step"))
    losses = [(s["step"], s["loss"]) for s in steps if s["loss"] is not None]
    smoothed = smooth([loss for _, loss in losses])
    pictures = _some_pairs(log)
    elapsed_s = time.monotonic() - started_s
    report = plan.out / "report.html"
    facts = [
        ("frames sampled", f"{total.frames}"),
        ("candidate pairs", f"{total.candidates}"),
        ("pairs", f"{total.accepted}"),
        ("trained on", f"{steps[-1]['pairs_seen']} pairs" if steps else "0 pairs"),
        ("model", f"{config.model.objective} {config.model.size}"),
        ("loss", f"{smoothed[0]:.3f} → {smoothed[-1]:.3f}"),
        ("time", f"{elapsed_s:.0f} s"),
    ]
    data = ReportData(
        title="Pairstream: " + (", ".join(progress) if plan.videos else "rendered rooms"),
        facts=facts,
        funnels=[*((p.source_id, p.funnel) for p in progress.values()), ("all sources", total)],
        pairs=pictures,
        losses=losses,
        pairs_in_log=display.pairs_in_log,
        reconstructions=evaluation.pictures,
        scores=evaluation.scores,
    )
    write_report(report, data)
    return DemoResult(
        report=report,
        pairs=total.accepted,
        candidates=total.candidates,
        first_loss=smoothed[0],
        last_loss=smoothed[-1],
        steps=losses[-1][0],
        evaluation=evaluation,
    )


def _some_pairs(log: Log) -> list[PairPicture]:
    pairs = list(stored_pairs(log, on_rejected=lambda *_: None))
    chosen = np.random.default_rng(_REPORT_SEED).permutation(len(pairs))[:_REPORT_PAIRS]
    return [PairPicture(draw_pair(pairs[i]), _caption(pairs[i])) for i in chosen]


def _caption(pair: Pair) -> str:
    first_s, second_s = pair.view_1.timestamp_ns / 1e9, pair.view_2.timestamp_ns / 1e9
    return (
        f"{pair.source_id} at {first_s:.2f} s and {second_s:.2f} s: "
        f"overlap {pair.two_view.overlap:.0%}, "
        f"{pair.two_view.inlier_count} of {pair.two_view.match_count} matches agree"
    )
