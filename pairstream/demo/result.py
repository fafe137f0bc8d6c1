"""What a demo reached, gathered from its log and journal into figures and the report page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from models.registry import build_model
from monitoring.events import read_journal
from monitoring.funnel import SourceFunnel
from pairstream.demo.report import PairPicture, ReportData, smooth, write_report
from streaming.commands.pairs import draw_pair
from streaming.errors import PairstreamError
from streaming.export import pair_addresses, pairs_at
from streaming.producer import read_progress
from trainer.evaluation.table import footnotes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from streaming.log.protocol import Log
    from streaming.records import Pair
    from streaming.schema.progress import Progress
    from trainer.config import TrainConfig
    from trainer.evaluation.runner import EvalReport
    from trainer.run_folder import RunFolder

_REPORT_PAIRS: Final = 12
_REPORT_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class DemoRecord:
    """What a demo did.

    Attributes:
        title: headline of the report.
        config: how it was trained.
        folder: holds the journal of the training.
        pairs_in_log: (seconds since the start, pairs mined so far).
        evaluation: the scores.
        elapsed_s: wall-clock time of the whole demo in seconds.
    """

    title: str
    config: TrainConfig
    folder: RunFolder
    pairs_in_log: Sequence[tuple[float, int]]
    evaluation: EvalReport
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What a demo reached; the losses are smoothed over steps."""

    report: Path
    pairs: int
    candidates: int
    first_loss: float
    last_loss: float
    steps: int
    evaluation: EvalReport


def summarise(record: DemoRecord, log: Log, report: Path) -> DemoResult:
    """Writes the report and gives the figures of the last lines on the terminal."""
    progress = read_progress(log)
    total = sum((p.funnel for p in progress.values()), SourceFunnel())
    steps = list(read_journal(record.folder.journal, "step"))
    losses = [(s["step"], s["loss"]) for s in steps if s["loss"] is not None]
    if not losses:
        raise PairstreamError("training ended before its first line of progress; give it longer")
    smoothed = smooth([loss for _, loss in losses])
    facts = [
        ("frames sampled", f"{total.frames}"),
        ("candidate pairs", f"{total.candidates}"),
        ("pairs", f"{total.accepted}"),
        ("pairs seen in training", f"{steps[-1]['pairs_seen']}"),
        (
            "model",
            f"{record.config.model.objective}, {_parameters(record.config) / 1e6:.1f} M parameters",
        ),
        ("loss", f"{smoothed[0]:.3f} → {smoothed[-1]:.3f}"),
        ("time", f"{record.elapsed_s:.0f} s"),
    ]
    data = ReportData(
        title=record.title,
        facts=facts,
        funnels=_funnels(progress, total),
        pairs=_some_pairs(log),
        losses=losses,
        pairs_in_log=record.pairs_in_log,
        reconstructions=record.evaluation.pictures,
        scores=record.evaluation.scores,
        score_notes=footnotes(record.evaluation.scores),
    )
    write_report(report, data)
    return DemoResult(
        report=report,
        pairs=total.accepted,
        candidates=total.candidates,
        first_loss=smoothed[0],
        last_loss=smoothed[-1],
        steps=losses[-1][0],
        evaluation=record.evaluation,
    )


def _funnels(
    progress: Mapping[tuple[str, str], Progress], total: SourceFunnel
) -> list[tuple[str, SourceFunnel]]:
    by_source = [(p.source_id, p.funnel) for p in progress.values()]
    return by_source if len(by_source) == 1 else [("all sources", total), *by_source]


def _parameters(config: TrainConfig) -> int:
    return sum(parameter.numel() for parameter in build_model(config.model).parameters())


def _some_pairs(log: Log) -> list[PairPicture]:
    addresses = pair_addresses(log)
    order = np.random.default_rng(_REPORT_SEED).permutation(len(addresses))
    chosen = [addresses[index] for index in order[:_REPORT_PAIRS]]
    pairs = pairs_at(log, chosen, on_rejected=lambda *_: None)
    return [PairPicture(draw_pair(pair), _caption(pair)) for pair in pairs]


def _caption(pair: Pair) -> str:
    first_s, second_s = pair.view_1.timestamp_ns / 1e9, pair.view_2.timestamp_ns / 1e9
    return (
        f"{pair.source_id} at {first_s:.2f} s and {second_s:.2f} s: "
        f"overlap {pair.two_view.overlap:.0%}, "
        f"{pair.two_view.inlier_count} of {pair.two_view.match_count} matches agree"
    )
