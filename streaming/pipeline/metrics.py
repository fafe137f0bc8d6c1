"""Counters of the pipeline; whoever exports metrics reads them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class PipelineMetrics:
    """What one rank's pipeline has done since it was made.

    Attributes:
        records_fresh: records read for the first time.
        records_replayed: records read again.
        rejected: readings of records that break the data contract, by reason; a record that
            replay reads again counts again.
        lost: offsets that retention removed before they were read for the first time, by `unread`
            (they were in no window yet) and `planned` (a window waited to read them).
        batches: batches handed out.
        data_wait_s: seconds that the consumer has waited for a batch; grows while it waits.
    """

    records_fresh: int = 0
    records_replayed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    data_wait_s: float = 0.0
