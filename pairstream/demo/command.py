"""`pairstream demo`: video to pairs to a falling loss and scores, on one machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pairstream.demo.run import DemoSettings, run_demo
from streaming.errors import SourceError
from streaming.sources.spec import expand
from trainer.config import TrainConfig, recipe
from streaming.settings import load_settings


def demo_command(
    videos: Annotated[
        list[str] | None,
        typer.Option("--video", help="your own video, folder or address; repeatable"),
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for everything that the demo writes")] = Path(
        "runs/demo"
    ),
    seconds: Annotated[int, typer.Option(min=5, help="how long to train")] = 120,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="one training setting, as optim.lr=1e-3; repeatable"),
    ] = None,
) -> None:
    """Mine pairs from video, pretrain on them while mining goes on, score the encoder, report.

    Without --video, rooms are rendered into videos. Starts anew each time, but for the rendered
    rooms.
    """
    config = load_settings(
        TrainConfig, recipe=recipe("demo"), environ=os.environ, overrides=overrides or []
    )
    run_demo(DemoSettings(out, seconds, _usable(videos or [])), config)


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
