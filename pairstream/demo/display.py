"""What the demo shows on the terminal while it runs: yield and reasons, and the loss."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from streaming.commands.mine import funnel_table
from streaming.producer import read_progress
from trainer.hooks import Hook

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from streaming.log.protocol import Log
    from trainer.hooks import StepMetrics

_POLL_INTERVAL_S: Final = 0.5
_PLAIN_INTERVAL_S: Final = 10.0
_SPARKS: Final = "█▇▆▅▄▃▂▁"
_SPARK_WIDTH: Final = 60


class DemoDisplay(Hook):
    """Shows the stream and the training side by side; plain lines where there is no terminal.

    Attributes:
        pairs_in_log: (seconds since the start, pairs mined so far), for the report.
    """

    def __init__(self, log: Log) -> None:
        self.pairs_in_log: list[tuple[float, int]] = []
        self._log = log
        self._started_s = time.monotonic()
        self._polled_s = self._printed_s = float("-inf")
        self._losses: list[float] = []
        self._metrics: StepMetrics | None = None
        self._stage = ""
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def stage(self, title: str) -> None:
        """Names what is being done now."""
        self._stage = title
        self._console.print(f"[bold]{title}")

    def on_note(self, text: str) -> None:
        """Passes on what the training has to say."""
        self._console.print(text)

    def on_step(self, metrics: StepMetrics) -> None:
        """Takes note of the loss."""
        self._metrics = metrics
        if metrics.loss is not None:
            self._losses.append(metrics.loss)

    def after_step(self) -> None:
        """Keeps the figures fresh."""
        self.poll()

    def poll(self) -> int:
        """Reads the log's progress, at most twice a second; gives the pairs mined so far."""
        now_s = time.monotonic()
        if now_s - self._polled_s < _POLL_INTERVAL_S:
            return self.pairs_in_log[-1][1]
        self._polled_s = now_s
        progress = read_progress(self._log).values()
        pairs = sum(p.funnel.accepted for p in progress)
        self.pairs_in_log.append((now_s - self._started_s, pairs))
        if self._console.is_terminal:
            self._live.update(Group(funnel_table(progress), self._training()))
        elif now_s - self._printed_s >= _PLAIN_INTERVAL_S:
            self._printed_s = now_s
            candidates = sum(p.funnel.candidates for p in progress)
            sys.stderr.write(f"{pairs} pairs of {candidates} candidates; {self._training()}\n")
        return pairs

    def _training(self) -> Text:
        if self._metrics is None:
            return Text("waiting for pairs")
        m = self._metrics
        loss = "-" if m.loss is None else f"{m.loss:.4f}"
        line = f"step {m.step}, loss {loss}, {m.pairs_per_s:.0f} pairs/s, {m.fresh_share:.0%} fresh"
        if not self._console.is_terminal:
            return Text(line)
        return Text(f"\n{line}\nloss since the start  {_sparkline(self._losses)}")


def _sparkline(values: list[float]) -> str:
    if not values:
        return ""
    stride = max(1, len(values) // _SPARK_WIDTH)
    means = [
        sum(values[i : i + stride]) / stride for i in range(0, len(values) - stride + 1, stride)
    ]
    low, high = min(means), max(means)
    scale = (len(_SPARKS) - 1) / max(high - low, 1e-9)
    return "".join(_SPARKS[round((high - mean) * scale)] for mean in means)
