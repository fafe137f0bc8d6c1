"""Which earlier frames a frame is compared with.

A slow camera needs a long gap between the views of a pair and a fast one a short gap. The search
begins at the gap that gave the last pair and then goes further or nearer as the measured overlap
says: what two views do not share grows about in proportion to the time between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streaming.mining.verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streaming.mining.config import MiningConfig
    from streaming.mining.verdict import Rejection

TOLERANCE_S: Final = 0.1
"""Sampled frames lie beside their targets by up to the time between two frames of the video."""
_MAX_STEP: Final = 4.0
"""Overlap near 0 or 1 is no measure of how far to go: a step is bounded by this factor."""


class GapSearch:
    """Remembers, over the frames of a source, the gap at which pairs are likely.

    Attributes:
        gap_s: where the search for the next frame begins.
    """

    def __init__(self, config: MiningConfig) -> None:
        self._config = config
        self.gap_s = config.first_gap_s

    def restart(self) -> None:
        """Forgets the gap: another shot begins."""
        self.gap_s = self._config.first_gap_s

    def probe(self, gaps_s: Sequence[float]) -> Probe:
        """Begins the search for one frame; `gaps_s` are the times to the frames before it."""
        return Probe(self, self._config, gaps_s)


class Probe:
    """The search for one frame: proposes a candidate, learns of its rejection, proposes again."""

    def __init__(self, search: GapSearch, config: MiningConfig, gaps_s: Sequence[float]) -> None:
        self._search = search
        self._config = config
        self._gaps_s = gaps_s
        self._nearest_s = config.min_gap_s - TOLERANCE_S
        self._furthest_s = config.max_gap_s + TOLERANCE_S
        self._left = config.max_candidates

    def propose(self) -> int | None:
        """Index of the frame to compare with next, of those given; None ends the search."""
        within = [
            (abs(gap_s - self._search.gap_s), index)
            for index, gap_s in enumerate(self._gaps_s)
            if self._nearest_s < gap_s < self._furthest_s
        ]
        if not within or not self._left:
            return None
        self._left -= 1
        return min(within)[1]

    def accept(self, index: int) -> None:
        """The frame of this index made a pair."""
        self._search.gap_s = self._gaps_s[index]

    def reject(self, index: int, rejection: Rejection) -> None:
        """The frame of this index made no pair: looks further, nearer, or no more."""
        gap_s = self._gaps_s[index]
        if rejection.reason is Reason.TOO_FEW_KEYPOINTS:
            self._left = 0
        elif rejection.reason is Reason.OVERLAP_TOO_HIGH:
            self._nearest_s = gap_s
            self._aim_at(gap_s * self._step(rejection))
        elif rejection.reason in {Reason.OVERLAP_TOO_LOW, Reason.PHOTOMETRIC_MISMATCH}:
            self._furthest_s = gap_s
            self._aim_at(gap_s * self._step(rejection))
        else:
            self._furthest_s = gap_s
            self._aim_at(gap_s / 2)

    def _step(self, rejection: Rejection) -> float:
        overlap = rejection.figures.overlap or 0.0
        aim = 1.0 - (self._config.overlap_min + self._config.overlap_max) / 2
        step = aim / max(1.0 - overlap, 1e-6)
        return min(max(step, 1 / _MAX_STEP), _MAX_STEP)

    def _aim_at(self, gap_s: float) -> None:
        self._search.gap_s = min(max(gap_s, self._config.min_gap_s), self._config.max_gap_s)
