"""What mining costs on one core, stage by stage, beside the plain way of doing it."""

from __future__ import annotations

import pkgutil
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path  # noqa: TC003  typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any, Final, ParamSpec, TypeVar
from unittest.mock import patch

import cv2
import typer
from rich.table import Table

from benchmarks.material import rooms_video
from benchmarks.plain import mine_plainly, seek_view
from benchmarks.report import publish
from monitoring.funnel import SourceFunnel
from streaming.frames.stream import open_frames
from streaming.mining.miner import Miner
from streaming.producer import ProduceConfig
from streaming.sources.spec import parse_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")

_STAGES: Final = {
    "decode": "sampled frame",
    "view and quality": "sampled frame",
    "SIFT and RootSIFT": "compared frame",
    "match": "candidate pair",
    "RANSAC": "candidate pair",
    "overlap": "candidate pair",
    "rest of the verdict": "candidate pair",
    "JPEG": "view",
}
"""Stages in their order, and what each is entered for; a pair may be rejected before the last."""


_CLOCKED: Final = (
    ("intake.Intake.take", "view and quality", 1),
    ("intake.extract", "SIFT and RootSIFT", 1),
    ("verdict.match", "match", 1),
    ("verdict.estimate_homography", "RANSAC", 1),
    ("geometry.Homography.flows", "overlap", 0),
    ("verdict.correspond", "overlap", 1),
    ("miner.judge", "rest of the verdict", 1),
    ("miner.encode_jpeg", "JPEG", 1),
)
"""What the miner calls, below `streaming.mining`; the stage it is a part of; entries a call."""


@dataclass
class StageClock:
    """CPU seconds by stage, without those of stages inside of it, and how often it was entered."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    entries: Counter[str] = field(default_factory=Counter)
    _inside_s: list[float] = field(default_factory=list)

    def timed(self, function: Callable[P, T], stage: str, entries: int = 1) -> Callable[P, T]:
        """The function, with its time added to a stage."""

        def measured(*args: P.args, **kwargs: P.kwargs) -> T:
            self._inside_s.append(0.0)
            began_s = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                taken_s = time.process_time() - began_s
                self.seconds[stage] += taken_s - self._inside_s.pop()
                self.entries[stage] += entries
                if self._inside_s:
                    self._inside_s[-1] += taken_s

        return measured


@dataclass(eq=False)
class Side:
    """One of the two ways of mining: what it has done so far, and the CPU time it took."""

    cpu_s: float = 0.0
    frames: int = 0
    candidates: int = 0
    pairs: int = 0
    clock: StageClock = field(default_factory=StageClock)

    @property
    def pairs_per_core_s(self) -> float:
        """Accepted pairs in a second of one core."""
        return self.pairs / self.cpu_s


def main(
    video: Annotated[
        list[Path] | None, typer.Option(help="A video to mine beside the rendered one.")
    ] = None,
) -> None:
    """Mines videos with the default settings, in turn with the plain way."""
    cv2.setNumThreads(1)
    tables, figures = [], {}
    for path in [*(video or []), rooms_video()]:
        ours, plain = Side(), Side()
        _in_turn({ours: _mine(path, ours), plain: _mine_plainly(path, plain)})
        tables.append(_table(path.name, ours, plain))
        figures[path.name] = _figures(ours, plain)
    headline = {
        name: figures[rooms_video().name][name]
        for name in ("pairs_per_core_s", "speedup_to_plain", "ms_per_frame")
    }
    publish("mining", tables, headline, figures)


def _in_turn(ways: dict[Side, Iterator[float]]) -> None:
    """Goes on with the side that is behind in the video, so that noise meets both alike."""
    reached_s = dict.fromkeys(ways, -1.0)
    while reached_s:
        side = min(reached_s, key=reached_s.__getitem__)
        began_s = time.process_time()
        position_s = next(ways[side], None)
        side.cpu_s += time.process_time() - began_s
        if position_s is None:
            del reached_s[side]
        else:
            reached_s[side] = position_s


def _mine(path: Path, side: Side) -> Iterator[float]:
    config, source, funnel = ProduceConfig(), parse_source(str(path)), SourceFunnel()
    with _clocked(side.clock), open_frames(source, config.sampling) as frames:
        miner = Miner(source, config.mining, "bench", time.time_ns, funnel)
        next_frame = side.clock.timed(partial(next, frames, None), "decode")
        while (frame := next_frame()) is not None:
            miner.process(frame)
            yield frame.timestamp_ns / 1e9
    side.frames, side.candidates, side.pairs = funnel.frames, funnel.candidates, funnel.accepted


def _mine_plainly(path: Path, side: Side) -> Iterator[float]:
    pairs: list[tuple[bytes, bytes]] = []
    with patch("benchmarks.plain.seek_view", side.clock.timed(seek_view, "decode")):
        for position_s in mine_plainly(path, pairs):
            side.candidates += 1
            yield position_s
    side.pairs = len(pairs)


@contextmanager
def _clocked(clock: StageClock) -> Iterator[None]:
    """Puts the clock around what the miner calls."""
    with ExitStack() as patches:
        for name, stage, entries in _CLOCKED:
            path = f"streaming.mining.{name}"
            timed = clock.timed(pkgutil.resolve_name(path), stage, entries)
            patches.enter_context(patch(path, timed))
        yield


def _table(name: str, ours: Side, plain: Side) -> Table:
    table = Table("", "ms", "each", "share of the time", title=name, title_justify="left")
    stages = ours.clock
    for stage, unit in _STAGES.items():
        each_ms = 1e3 * stages.seconds[stage] / max(stages.entries[stage], 1)
        share = stages.seconds[stage] / ours.cpu_s
        table.add_row(stage, f"{each_ms:.2f}", f"{unit} ({stages.entries[stage]})", f"{share:.0%}")
    rest = 1 - sum(stages.seconds.values()) / ours.cpu_s
    table.add_row("everything else", "", "", f"{rest:.0%}")
    table.add_section()
    for label, side in (("Pairstream", ours), ("plain way", plain)):
        counts = f"{side.pairs} pairs of {side.candidates} candidates in {side.cpu_s:.1f} s"
        table.add_row(label, f"{1e3 / side.pairs_per_core_s:.1f}", "pair", counts)
    table.add_row("decoding in the plain way", *_plain_decoding(plain))
    return table


def _plain_decoding(plain: Side) -> tuple[str, str, str]:
    seconds, entries = plain.clock.seconds["decode"], plain.clock.entries["decode"]
    return f"{1e3 * seconds / entries:.1f}", f"frame ({entries})", f"{seconds / plain.cpu_s:.0%}"


def _figures(ours: Side, plain: Side) -> dict[str, Any]:
    return {
        "pairs_per_core_s": ours.pairs_per_core_s,
        "speedup_to_plain": ours.pairs_per_core_s / plain.pairs_per_core_s,
        "ms_per_frame": 1e3 * ours.cpu_s / ours.frames,
        "frames": ours.frames,
        "candidates": ours.candidates,
        "pairs": ours.pairs,
        "stage_cpu_s": dict(ours.clock.seconds),
        "stage_entries": dict(ours.clock.entries),
        "plain_pairs_per_core_s": plain.pairs_per_core_s,
        "plain_ms_per_candidate": 1e3 * plain.cpu_s / plain.candidates,
        "plain_candidates": plain.candidates,
        "plain_pairs": plain.pairs,
        "plain_decode_cpu_s": plain.clock.seconds["decode"],
    }


if __name__ == "__main__":
    typer.run(main)
