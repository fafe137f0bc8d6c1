"""`pairstream eval`: scores a checkpoint beside random initialisation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from monitoring.events import Journal
from streaming.errors import ConfigError
from streaming.log.address import open_log
from streaming.settings import load_settings
from trainer.evaluation.config import EvalConfig, TaskName
from trainer.run_folder import RunFolder, RunFolderError

if TYPE_CHECKING:
    from trainer.checkpoint import Checkpoint
    from trainer.config import TrainConfig
    from trainer.evaluation.datasets.arrays import ViewPairs
    from trainer.evaluation.runner import EvalReport

SCORES_FILE = "scores.jsonl"
"""Name of the file in a run's folder that each evaluation appends its scores to."""


def eval_command(  # noqa: PLR0913  the options of the command
    run: Annotated[
        Path | None, typer.Option(help="folder of a run: its newest checkpoint is scored")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="one checkpoint, such as RUN/checkpoints/step-00001000")
    ] = None,
    tasks: Annotated[
        list[TaskName] | None, typer.Option("--task", help="a task to run; repeatable; else all")
    ] = None,
    log_address: Annotated[
        str | None,
        typer.Option("--log", help="log of held-out pairs for reconstruction; else rendered ones"),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="folder that keeps rendered data; by default ~/.cache")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="one setting, as repeats=5; repeatable")
    ] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="less data, fewer repeats")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the scores as JSON")] = False,
) -> None:
    """Score a pretrained model beside the same network from random initialisation.

    The scores are appended to scores.jsonl in the run's folder.
    """
    from trainer.evaluation.datasets.cache import default_cache_dir, make_cache_dir
    from trainer.evaluation.runner import evaluate
    from trainer.parallel import single_process
    from trainer.state import load_model, trained_config

    console = Console(stderr=True)
    found = _open_checkpoint(run, checkpoint, console)
    trained_as = trained_config(found)
    config = _load_config(trained_as, tasks or [], overrides or [], quick=quick)
    cache_dir = make_cache_dir(cache or default_cache_dir())
    # Not where it was trained: a checkpoint of a GPU can be scored without one.
    model = load_model(found, single_process("auto").device)
    pairs = None
    if log_address is not None:
        pairs = _read_pairs(log_address, config, trained_as, found, console)
    report = evaluate(
        model,
        trained_as.model,
        config,
        cache_dir=cache_dir,
        pairs=pairs,
        on_progress=lambda line: console.print(line, style="dim", highlight=False),
    )
    if as_json:
        typer.echo(json.dumps(_as_json(found, config, report)))
    else:
        _print(found, report)
    # A checkpoint lies in RUN/checkpoints/.
    scores_path = (run or found.path.parent.parent) / SCORES_FILE
    _keep(scores_path, found, config, report)
    kept = f"{report.seconds:.0f} s, kept in {scores_path}"
    console.print(kept, style="dim", highlight=False, soft_wrap=True)


def _open_checkpoint(run: Path | None, checkpoint: Path | None, console: Console) -> Checkpoint:
    from trainer.checkpoint import CheckpointError, latest, read

    if (run is None) == (checkpoint is None):
        raise ConfigError("eval: give either --run DIR or --checkpoint PATH")
    if checkpoint is not None:
        return read(checkpoint)
    folder = RunFolder(run or Path()).checkpoints
    found = latest(folder, on_passed_over=lambda line: console.print(line, highlight=False))
    if found is None:
        raise CheckpointError(f"run {run}: has no checkpoint; train it first, or wait for one")
    return found


def _load_config(
    trained_as: TrainConfig, tasks: list[TaskName], overrides: list[str], *, quick: bool
) -> EvalConfig:
    presets = [f"reconstruction.mask_ratio={trained_as.mask_ratio}"]
    if tasks:
        presets.append(f"tasks=[{', '.join(tasks)}]")
    if quick:
        return EvalConfig.quick([*presets, *overrides])
    return load_settings(EvalConfig, overrides=[*presets, *overrides])


def _read_pairs(
    address: str,
    config: EvalConfig,
    trained_as: TrainConfig,
    checkpoint: Checkpoint,
    console: Console,
) -> ViewPairs:
    from trainer.evaluation.datasets.pairs import mined_pairs

    with open_log(address, create=False) as log:
        mined = mined_pairs(
            log, config.data.pairs, trained_as.model.image_size, checkpoint.manifest.topic_id
        )
    for reason, count in mined.rejected.items():
        console.print(f"{address}: {count} records not used: {reason}", highlight=False)
    return mined.pairs


def _print(checkpoint: Checkpoint, report: EvalReport) -> None:
    from trainer.evaluation.table import footnotes, score_table

    output = Console()
    title = f"{checkpoint.path.name} beside random initialisation"
    output.print(score_table(report.scores, title))
    for line in footnotes(report.scores):
        output.print(line, style="dim", highlight=False)


def _keep(path: Path, checkpoint: Checkpoint, config: EvalConfig, report: EvalReport) -> None:
    try:
        with Journal(path) as journal:
            journal.write("evaluation", **_as_json(checkpoint, config, report))
    except OSError as error:
        raise RunFolderError(
            f"scores {path}: cannot be kept ({error.strerror}); they are printed only"
        ) from error


def _as_json(checkpoint: Checkpoint, config: EvalConfig, report: EvalReport) -> dict[str, Any]:
    return {
        "checkpoint": str(checkpoint.path),
        "step": checkpoint.manifest.step,
        "pairs_seen": checkpoint.manifest.pairs_seen,
        "config": config.model_dump(mode="json"),
        **report.as_json(),
    }
