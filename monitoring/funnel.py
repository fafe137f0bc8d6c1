"""The mining funnel: what became of each frame and each candidate pair, by source.

Its invariant: candidates = accepted + the sum of all rejection reasons.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class SourceFunnel:
    """Counts of one source.

    Attributes:
        frames: frames handed to the miner.
        skipped_frames: frames that were not used, by reason.
        accepted: candidate pairs that were kept.
        rejected: candidate pairs that were not kept, by reason.
    """

    frames: int = 0
    skipped_frames: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def candidates(self) -> int:
        """Candidate pairs that were judged."""
        return self.accepted + self.rejected.total()

    @property
    def accepted_share(self) -> float:
        """Share of the candidates that were kept, 0-1; 0 without candidates."""
        return self.accepted / self.candidates if self.candidates else 0.0

    def __add__(self, other: SourceFunnel) -> SourceFunnel:
        """Sums two funnels."""
        return SourceFunnel(
            self.frames + other.frames,
            self.skipped_frames + other.skipped_frames,
            self.accepted + other.accepted,
            self.rejected + other.rejected,
        )
