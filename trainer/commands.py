"""`pairstream train`: pretrains on the pairs of a log, and goes on where it stopped."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from streaming.errors import INTERRUPTED_STATUS
from streaming.log.address import DEFAULT_LOG, open_log
from streaming.settings import load_settings
from trainer.run_folder import RunFolder, RunFolderError

if TYPE_CHECKING:
    from trainer.config import TrainConfig
    from trainer.hooks import Hook

NON_FINITE_STATUS: Final = 3
_DEFAULT_RECIPE: Final = "demo"


def train_command(  # noqa: PLR0913  the options of the command
    log_address: Annotated[
        str, typer.Option("--log", help="the log, for example sqlite:///pairs.db")
    ] = DEFAULT_LOG,
    run: Annotated[
        Path, typer.Option(help="folder of the run: journal, checkpoints, configuration")
    ] = Path("runs/train"),
    recipe_name: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            help="name of a recipe or a YAML file; by default that of the run, and for a new one "
            f"{_DEFAULT_RECIPE}, which a CPU trains in minutes",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="one setting, as optim.lr=1e-3; repeatable")
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="stop after so many steps; the schedule stays")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(min=0.0, help="stop after so many seconds of training")
    ] = None,
    *,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="begin a new run; refuses a folder that holds one")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="print how the run ended as JSON")
    ] = False,
) -> None:
    """Pretrain on the pairs of a log.

    A folder that holds a checkpoint is resumed. SIGTERM and Ctrl-C finish the step and write a
    checkpoint first. Exit status: 0 when the run is done, or stopped at --max-steps, --max-seconds
    or the end of the data; 2 for a mistake; 3 when the loss stayed not finite; 130 when
    interrupted.
    """
    from trainer.hooks import StopAfter, StopOnSignal
    from trainer.parallel import single_process
    from trainer.progress import LiveProgress, PlainProgress
    from trainer.run import train
    from trainer.step import NonFiniteLossError

    folder = RunFolder(run)
    if fresh and folder.holds_run():
        raise RunFolderError(f"run {run}: holds a run already; remove it or use another --run")
    config = _load_config(folder, recipe_name, overrides or [])
    console = Console(stderr=True)
    live = console.is_terminal and not as_json
    display: Hook = LiveProgress(console) if live else PlainProgress(console)
    with (
        open_log(log_address, create=False) as log,
        StopOnSignal().installed() as on_signal,
    ):
        hooks = (display, StopAfter(max_seconds, max_steps), on_signal)
        try:
            result = train(config, log, folder, single_process(config.device), hooks)
        except NonFiniteLossError as error:
            console.print(f"error: {error}", highlight=False, soft_wrap=True, markup=False)
            raise typer.Exit(NON_FINITE_STATUS) from error
    if as_json:
        typer.echo(json.dumps(asdict(result)))
    else:
        display.on_note(f"{run}: step {result.step}, {result.pairs_seen} pairs ({result.reason})")
    if on_signal.stop_reason() is not None:
        raise typer.Exit(INTERRUPTED_STATUS)


def _load_config(folder: RunFolder, recipe_name: str | None, overrides: list[str]) -> TrainConfig:
    """The recipe that is named; else the run's own settings, so that they need not be repeated."""
    from trainer.config import TrainConfig, recipe

    resumes = recipe_name is None and folder.holds_run()
    source = folder.config if resumes else recipe(recipe_name or _DEFAULT_RECIPE)
    return load_settings(TrainConfig, recipe=source, environ=os.environ, overrides=overrides)
