"""What can be hung into the training loop: progress display, evaluation, reasons to stop."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """What a line of progress tells; rates are over the steps since the line before.

    Attributes:
        step: number of the step, from 1.
        loss: loss of this very step; None when it was not finite and the step was skipped.
        lr: its learning rate.
        grad_norm: L2 norm of its gradient before clipping; None when not finite.
        pairs_seen: pairs trained on since the beginning of the run.
        pairs_per_s: pairs trained on a second.
        data_wait_s: seconds spent waiting for batches.
        fresh_share: share of the pairs that were read for the first time, 0-1.
        skipped_steps: steps skipped since the beginning of the run.
    """

    step: int
    loss: float | None
    lr: float
    grad_norm: float | None
    pairs_seen: int
    pairs_per_s: float
    data_wait_s: float
    fresh_share: float
    skipped_steps: int


class Hook:
    """Does nothing at every occasion; override what is needed."""

    def on_note(self, text: str) -> None:
        """Something that a person should know, in a line."""

    def on_start(self, step: int, total_steps: int | None) -> None:
        """Training begins after `step` steps; it ends after `total_steps`, if ever."""

    def on_step(self, metrics: StepMetrics) -> None:
        """A step was done for which a line of progress is due."""

    def after_step(self) -> None:
        """A step was done."""

    def on_checkpoint(self, path: Path, step: int) -> None:
        """A checkpoint was written."""

    def on_stop(self) -> None:
        """Training has ended, well or not."""

    def stop_reason(self) -> str | None:
        """Asked after each step, and while waiting for data: why training should stop now."""
        return None


class StopAfter(Hook):
    """Stops after a time from the start of training on, or a number of steps of this process."""

    def __init__(self, max_seconds: float | None = None, max_steps: int | None = None) -> None:
        self._max_seconds = max_seconds
        self._max_steps = max_steps
        self._started_s = time.monotonic()
        self._steps = 0

    def on_start(self, step: int, total_steps: int | None) -> None:
        """Starts the clock."""
        del step, total_steps
        self._started_s = time.monotonic()

    def after_step(self) -> None:
        """Counts the step."""
        self._steps += 1

    def stop_reason(self) -> str | None:
        """Names the limit that is reached."""
        if self._max_steps is not None and self._steps >= self._max_steps:
            return "max_steps"
        elapsed_s = time.monotonic() - self._started_s
        if self._max_seconds is not None and elapsed_s >= self._max_seconds:
            return "max_seconds"
        return None


class StopOnSignal(Hook):
    """Stops on SIGTERM or SIGINT after the step in hand; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None

    def stop_reason(self) -> str | None:
        """Names the signal that came."""
        return None if self._signal is None else self._signal.name

    @contextmanager
    def installed(self) -> Iterator[Self]:
        """Takes the signals while the context lasts."""
        numbers = (signal.SIGTERM, signal.SIGINT)
        earlier = {number: signal.signal(number, self._take) for number in numbers}
        try:
            yield self
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._signal is signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = signal.Signals(number)
