"""The training loop: batches in; a journal, checkpoints and occasions for hooks out.

What it works with it knows by protocols and hooks only; `trainer.run` puts them together.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from trainer.meter import Meter
from trainer.step import settle, train_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from monitoring.events import Journal
    from streaming.pipeline.batch import PairBatch
    from trainer.config import TrainConfig
    from trainer.hooks import Hook
    from trainer.parallel import World
    from trainer.state import TrainState
    from trainer.step import StepOutcome, StepReading

_WAIT_S = 0.1


class Batches(Protocol):
    """Where batches come from."""

    def __iter__(self) -> Iterator[PairBatch]:
        """Hands out batches; ends with the data."""
        ...

    def ready(self, timeout_s: float = 0.0) -> bool:
        """Waits until the next batch, or the end, is at hand; tells whether it is."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """The position after the last batch that was handed out."""
        ...


class Loop:
    """Trains until the steps are done, the data ends, or a hook says to stop.

    After each step, in this order: the line of progress that is due, the checkpoint that is due,
    the question whether to stop. A checkpoint holds the last step, unless an exception ends the
    run: steps that stay not finite, lost records that are to fail, an error of the log or the
    disk, a second Ctrl-C. Then the checkpoint before stands.

    Args:
        config: the run's configuration.
        state: what training changes.
        batches: where batches come from.
        save_checkpoint: writes a checkpoint of the state and a position in the data.
        journal: takes the events.
        hooks: are called in order.
        world: this process.
    """

    def __init__(
        self,
        config: TrainConfig,
        state: TrainState,
        batches: Batches,
        save_checkpoint: Callable[[dict[str, Any]], Path],
        journal: Journal,
        hooks: Sequence[Hook],
        world: World,
    ) -> None:
        self._config = config
        self._state = state
        self._batches = batches
        self._save_checkpoint = save_checkpoint
        self._journal = journal
        self._hooks = hooks
        self._world = world
        self._unread: list[StepOutcome] = []
        self._meter = Meter(world.size)

    def run(self) -> str:
        """Trains; tells why it stopped.

        Raises:
            NonFiniteLossError: too many steps in a row were not finite.
        """
        reason = self._stop_reason()
        saved_step = self._state.step
        batches = iter(self._batches)
        while reason is None:
            batch = self._next_batch(batches)
            if batch is None:
                reason = self._stop_reason() or "end_of_data"
            else:
                self._step(batch)
                reason = self._stop_reason()
            step = self._state.step
            due = step % self._config.checkpoint.every_steps == 0 or reason is not None
            if due and step > saved_step:
                self._checkpoint()
                saved_step = step
        return reason

    def _next_batch(self, batches: Iterator[PairBatch]) -> PairBatch | None:
        began_s = time.perf_counter()
        while not self._batches.ready(_WAIT_S):
            if self._stop_reason() is not None:
                return None
        batch = next(batches, None)
        if batch is not None:
            self._meter.add(batch, waited_s=time.perf_counter() - began_s)
        return batch

    def _step(self, batch: PairBatch) -> None:
        self._unread.append(train_step(self._state, batch, self._config, self._world))
        for hook in self._hooks:
            hook.after_step()
        if self._state.step % self._config.log_every == 0:
            metrics = self._meter.read(self._settle()[-1], self._state)
            self._journal.write("step", **asdict(metrics))
            for hook in self._hooks:
                hook.on_step(metrics)

    def _checkpoint(self) -> None:
        self._settle()
        path = self._save_checkpoint(self._batches.state_dict())
        self._journal.write("checkpoint", step=self._state.step, path=str(path))
        for hook in self._hooks:
            hook.on_checkpoint(path, self._state.step)

    def _settle(self) -> list[StepReading]:
        outcomes, self._unread = self._unread, []
        return settle(outcomes, self._state, self._config.max_skipped_in_row, self._note_skipped)

    def _note_skipped(self, reading: StepReading) -> None:
        records = [f"{a.partition}@{a.offset}" for a in reading.addresses]
        self._journal.write("skipped", step=reading.step, records=records)

    def _stop_reason(self) -> str | None:
        if self._config.steps is not None and self._state.step >= self._config.steps:
            return "done"
        return next((r for hook in self._hooks if (r := hook.stop_reason()) is not None), None)
