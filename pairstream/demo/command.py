"""`pairstream demo`: video to pairs to a falling loss and scores, on one machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streaming.errors import INTERRUPTED_STATUS, SourceError
from streaming.settings import load_settings
from streaming.sources.spec import expand


def demo_command(
    videos: Annotated[
        list[str] | None,
        typer.Option("--video", help="your own video, folder or address; repeatable"),
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for everything that the demo writes")] = Path(
        "runs/demo"
    ),
    seconds: Annotated[int, typer.Option(min=5, help="train for at most so long")] = 150,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="one training setting, as optim.lr=1e-3; repeatable"),
    ] = None,
) -> None:
    """Mine pairs from video, pretrain on them while mining goes on, score the encoder, report.

    Without --video, rooms are rendered into videos. Starts anew each time, but for the rendered
    rooms.
    """
    from pairstream.demo.run import DemoPlan, DemoStoppedError, run_demo
    from trainer.config import TrainConfig, recipe
    from trainer.evaluation.scores import Verdict
    from trainer.evaluation.table import footnotes, score_table

    config = load_settings(
        TrainConfig, recipe=recipe("demo"), environ=os.environ, overrides=overrides or []
    )
    console = Console()
    try:
        result = run_demo(DemoPlan(out, seconds, _usable(videos or [])), config)
    except DemoStoppedError as stopped:
        console.print(f"stopped; what was made so far is in {out}")
        raise typer.Exit(INTERRUPTED_STATUS) from stopped
    scores = result.evaluation.scores
    console.print(score_table(scores, "the pretrained encoder beside a random one"))
    for line in footnotes(scores):
        console.print(line, style="dim", highlight=False)
    share = result.pairs / max(result.candidates, 1)
    better = sum(score.verdict is Verdict.BETTER for score in scores)
    lines = (
        f"pairs   {result.pairs} of {result.candidates} candidates ({share:.0%})",
        f"loss    {result.first_loss:.4f} to {result.last_loss:.4f} in {result.steps} steps",
        f"scores  {better} of {len(scores)} better than random initialisation",
        f"report  {result.report.absolute().as_uri()}",
    )
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _usable(videos: list[str]) -> tuple[str, ...]:
    """The sources that can be opened; the others are complained of, all of them are an error."""
    usable: list[str] = []
    for video in videos:
        try:
            expand(video)
        except SourceError as error:
            if len(videos) == 1:
                raise
            sys.stderr.write(f"error: {error}\n")
        else:
            usable.append(video)
    if videos and not usable:
        raise SourceError("nothing to mine: no source could be opened, see the lines above")
    return tuple(usable)
