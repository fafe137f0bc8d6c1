"""What is measured between two lines of progress."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from trainer.hooks import StepMetrics

if TYPE_CHECKING:
    from streaming.pipeline.batch import PairBatch
    from trainer.state import TrainState
    from trainer.step import StepReading


class Meter:
    """Adds up pairs and waiting; each line of progress begins anew.

    Args:
        processes: how many train together; each gets as many pairs as this one.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._begin()

    def add(self, batch: PairBatch, waited_s: float) -> None:
        """Counts a batch, and the seconds it was waited for."""
        self._pairs += len(batch)
        self._fresh_pairs += batch.fresh_share * len(batch)
        self._waited_s += waited_s

    def read(self, reading: StepReading, state: TrainState) -> StepMetrics:
        """The line of progress of a step; there was at least one batch since the line before."""
        elapsed_s = time.perf_counter() - self._began_s
        metrics = StepMetrics(
            step=reading.step,
            loss=_finite(reading.loss),
            lr=reading.lr,
            grad_norm=_finite(reading.grad_norm),
            pairs_seen=state.pairs_seen,
            pairs_per_s=self._pairs * self._processes / elapsed_s,
            data_wait_s=self._waited_s,
            fresh_share=self._fresh_pairs / self._pairs,
            skipped_steps=state.skipped_steps,
        )
        self._begin()
        return metrics

    def _begin(self) -> None:
        self._began_s = time.perf_counter()
        self._pairs = 0
        self._fresh_pairs = 0.0
        self._waited_s = 0.0


def _finite(value: float) -> float | None:
    """JSON has no word for values that are not finite."""
    return value if math.isfinite(value) else None
