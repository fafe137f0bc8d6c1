"""Progress of a run on the terminal: a live line, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from trainer.hooks import Hook

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from trainer.hooks import StepMetrics

_PLAIN_INTERVAL_S: Final = 5.0


class LiveProgress(Hook):
    """A bar with loss, speed, learning rate and the time that is left.

    Args:
        console: a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def on_note(self, text: str) -> None:
        """Prints it above the bar."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def on_start(self, step: int, total_steps: int | None) -> None:
        """Shows the bar."""
        self._task = self._progress.add_task("waiting for pairs", total=total_steps, completed=step)
        self._progress.start()

    def on_step(self, metrics: StepMetrics) -> None:
        """Brings the figures up to date."""
        if self._task is not None:
            self._progress.update(
                self._task, completed=metrics.step, description=_describe(metrics)
            )

    def on_stop(self) -> None:
        """Takes the bar away."""
        self._progress.stop()


class PlainProgress(Hook):
    """A line each few seconds and at each checkpoint.

    Args:
        console: where lines go.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total = ""
        self._printed_s = float("-inf")

    def on_note(self, text: str) -> None:
        """Prints it."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def on_start(self, step: int, total_steps: int | None) -> None:
        """Says that the first step may have to wait, and keeps the length of the run."""
        self._total = "" if total_steps is None else f"/{total_steps}"
        self.on_note(f"step {step}{self._total}  waiting for pairs")

    def on_step(self, metrics: StepMetrics) -> None:
        """Prints a line unless one was printed just now."""
        if time.monotonic() - self._printed_s >= _PLAIN_INTERVAL_S:
            self._printed_s = time.monotonic()
            self.on_note(f"step {metrics.step}{self._total}  {_describe(metrics)}")

    def on_checkpoint(self, path: Path, step: int) -> None:
        """Prints where it is."""
        self.on_note(f"checkpoint of step {step}: {path}")


def _describe(metrics: StepMetrics) -> str:
    loss = "skipped (not finite)" if metrics.loss is None else f"{metrics.loss:.4f}"
    return (
        f"loss {loss}  {metrics.pairs_per_s:.0f} pairs/s  lr {metrics.lr:.2e}  "
        f"fresh {metrics.fresh_share:.0%}"
    )
