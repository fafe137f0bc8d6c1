"""A training run: composes its parts, begins or resumes, trains, and tells how it ended.

In order: lock the folder; find the newest usable checkpoint and check that it is of these
settings and this log; load it; take the events of later steps out of the journal; train. A run
killed anywhere goes on from its newest checkpoint and does the steps after it once more, on the
CPU bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from monitoring.events import Journal
from streaming.errors import PairstreamError
from streaming.log.topics import PAIRS
from streaming.pipeline.loader import PairLoader
from trainer.checkpoint import Checkpoint, CheckpointError, Manifest, latest, save
from trainer.config import check_resumable
from trainer.dead_letters import dead_letters
from trainer.loop import Loop
from trainer.state import TrainState
from trainer.step import NonFiniteLossError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streaming.log.protocol import Log
    from trainer.config import TrainConfig
    from trainer.hooks import Hook
    from trainer.parallel import World
    from trainer.run_folder import RunFolder

NON_FINITE: Final = "non_finite_loss"
FAILED: Final = "error"


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How a run ended.

    Attributes:
        reason: `done`, `end_of_data`, or what a hook gave as its reason to stop.
        step: steps done.
        pairs_seen: pairs trained on.
        skipped_steps: steps skipped because they were not finite.
        resumed_from_step: where it began; 0 for a new run.
        rejected: records that broke the data contract since it began, by reason.
    """

    reason: str
    step: int
    pairs_seen: int
    skipped_steps: int
    resumed_from_step: int
    rejected: dict[str, int]


def train(
    config: TrainConfig, log: Log, folder: RunFolder, world: World, hooks: Sequence[Hook] = ()
) -> TrainResult:
    """Begins or resumes the run of a folder and trains until it is done or told to stop.

    Args:
        config: the run's configuration.
        log: where the pairs are.
        folder: takes journal, checkpoints and configuration.
        world: this process.
        hooks: progress, evaluation, reasons to stop.

    Raises:
        CheckpointError, ConfigError, LogError, RunFolderError: the run cannot be resumed as asked.
        NonFiniteLossError: too many steps in a row were not finite.
        PairstreamError: the data cannot be read on; like the above in the journal's last event.
    """
    topic_id = log.topic_id(PAIRS)
    with (
        folder.locked(),
        dead_letters(log, f"trainer-{folder.path.resolve()}-{world.rank}") as on_rejected,
        PairLoader(
            log, config.data, rank=world.rank, world_size=world.size, on_rejected=on_rejected
        ) as loader,
    ):
        state = TrainState.create(config, world.device)
        checkpoint = _find_checkpoint(config, topic_id, folder, hooks)
        if checkpoint is not None:
            state.restore(checkpoint)
            loader.load_state_dict(checkpoint.manifest.data_positions[world.rank])
        began_at_step = state.step
        rewound = folder.rewind_journal(began_at_step)
        folder.write_config(config)

        def save_checkpoint(position: dict[str, Any]) -> Path:
            manifest = _manifest(config, state, topic_id, position)
            return save(folder.checkpoints, manifest, state.tensors(), config.checkpoint.keep)

        with Journal(folder.journal) as journal:
            journal.write(
                "start",
                step=began_at_step,
                total_steps=config.steps,
                events_rewound=rewound,
                config=config.fingerprint(),
                software_version=_software_version(),
            )
            for hook in hooks:
                hook.on_start(began_at_step, config.steps)
            loop = Loop(config, state, loader, save_checkpoint, journal, hooks, world)
            reason = _run(loop, state, journal, hooks)
            rejected = dict(loader.metrics.rejected)
            journal.write("stop", step=state.step, reason=reason, rejected=rejected)
    return TrainResult(
        reason, state.step, state.pairs_seen, state.skipped_steps, began_at_step, rejected
    )


def _run(loop: Loop, state: TrainState, journal: Journal, hooks: Sequence[Hook]) -> str:
    """Trains; an ending by an error is in the journal too."""
    try:
        return loop.run()
    except PairstreamError as error:
        ending = NON_FINITE if isinstance(error, NonFiniteLossError) else FAILED
        journal.write("stop", step=state.step, reason=ending, error=str(error))
        raise
    finally:
        for hook in hooks:
            hook.on_stop()


def _manifest(
    config: TrainConfig, state: TrainState, topic_id: str, position: dict[str, Any]
) -> Manifest:
    return Manifest(
        software_version=_software_version(),
        step=state.step,
        pairs_seen=state.pairs_seen,
        skipped_steps=state.skipped_steps,
        skipped_in_row=state.skipped_in_row,
        topic_id=topic_id,
        config=config.model_dump(mode="json"),
        data_positions=[position],
    )


def _find_checkpoint(
    config: TrainConfig, topic_id: str, folder: RunFolder, hooks: Sequence[Hook]
) -> Checkpoint | None:
    def note(text: str) -> None:
        for hook in hooks:
            hook.on_note(text)

    checkpoint = latest(folder.checkpoints, on_passed_over=note)
    if checkpoint is None:
        return None
    check_resumable(config, checkpoint.manifest.config, checkpoint.path)
    if checkpoint.manifest.topic_id != topic_id:
        raise CheckpointError(
            f"checkpoint {checkpoint.path}: was trained on another log (its topic of pairs has "
            "another identity); use that log or a new --run"
        )
    note(f"run {folder.path}: resumed from step {checkpoint.manifest.step}")
    return checkpoint


def _software_version() -> str:
    try:
        return metadata.version("pairstream")
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        return "not installed"
