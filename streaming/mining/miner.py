"""The miner: frames of one source in, pairs out. It computes and does no I/O."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from streaming.frames.quality import FrameFlaw
from streaming.mining.intake import Intake, Seen
from streaming.mining.search import GapSearch
from streaming.mining.verdict import Reason, Rejection, judge
from streaming.mining.views import encode_jpeg
from streaming.records import Pair, SourceKind, TwoView, View

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from monitoring.funnel import SourceFunnel
    from streaming.mining.config import MiningConfig
    from streaming.records import Frame, Source

    RejectionHook = Callable[[NDArray[np.uint8], NDArray[np.uint8], Rejection], None]

NEAR_DUPLICATE: Final = "near_duplicate"
"""Frames so soon after a pair that theirs would show the same; they still serve as first views."""
_NS_PER_S: Final = 1_000_000_000
_KEPT_FRAMES: Final = 64
"""Frames of a video that are kept to be compared with, at most."""


@dataclass(frozen=True, slots=True)
class MinerState:
    """What a miner knows beside the frames themselves; plain numbers, to be stored anywhere.

    Attributes:
        gap_s: where the search for the next frame begins.
        rests_until_ns: frames before this time would make near duplicates.
        spent_ns: times of recent frames that already are the first view of a pair.
    """

    gap_s: float
    rests_until_ns: int
    spent_ns: tuple[int, ...]


class Miner:
    """Mines one source.

    In a video each frame is compared with earlier ones of its shot until one makes a pair with it
    (see `GapSearch`); no frame is the first view of two pairs. In an image set, which has no
    clock, each image is compared with all of the last `image_set_window` ones.

    The frames of a source must come in their order. The same frames and settings give the same
    pairs, except for `mined_at_ns`, which comes from the clock.
    """

    def __init__(
        self,
        source: Source,
        config: MiningConfig,
        producer: str,
        clock: Callable[[], int],
        funnel: SourceFunnel,
        on_rejected: RejectionHook | None = None,
    ) -> None:
        """Makes a miner.

        Args:
            source: where the frames come from.
            config: what makes two frames a pair.
            producer: host and software version, noted in each pair.
            clock: wall-clock time in nanoseconds since 1970-01-01 UTC.
            funnel: counts what becomes of frames and candidate pairs.
            on_rejected: is shown both views of each rejected candidate pair.
        """
        self._source = source
        self._config = config
        self._fingerprint = config.fingerprint()
        self._producer = producer
        self._clock = clock
        self._funnel = funnel
        self._on_rejected = on_rejected
        self._intake = Intake(source.kind, config)
        self._search = GapSearch(config)
        self._is_set = source.kind is SourceKind.IMAGE_SET
        self._earlier: deque[Seen] = deque(
            maxlen=config.image_set_window if self._is_set else _KEPT_FRAMES
        )
        self._last_kept_ns: int | None = None
        self._rests_until_ns = 0
        self._spent_ns: deque[int] = deque(maxlen=_KEPT_FRAMES)

    @property
    def state(self) -> MinerState:
        """To go on later, or elsewhere: see `restore`."""
        return MinerState(self._search.gap_s, self._rests_until_ns, tuple(self._spent_ns))

    def restore(self, state: MinerState) -> None:
        """Makes a new miner go on like the one that `state` is from.

        Call it first, then `remember` with the frames of the last `max_gap_s` at least, then
        `process` with the following ones.
        """
        self._search.gap_s = state.gap_s
        self._rests_until_ns = state.rests_until_ns
        self._spent_ns.extend(state.spent_ns)

    def process(self, frame: Frame) -> list[Pair]:
        """Takes the next frame; gives the pairs of which it is the second view."""
        self._funnel.frames += 1
        seen = self._intake.take(frame)
        if isinstance(seen, FrameFlaw):
            self._funnel.skipped_frames[seen.value] += 1
            return []
        if seen.opens_shot:
            self._open_shot()
        pairs = self._pairs_in_set(seen) if self._is_set else self._pairs_in_video(seen)
        self._keep(seen)
        return pairs

    def remember(self, frame: Frame) -> None:
        """Takes a frame that was mined before, so that later ones can be compared with it."""
        seen = self._intake.take(frame)
        if isinstance(seen, FrameFlaw):
            return
        if seen.opens_shot:
            self._earlier.clear()
        self._keep(seen)

    def _open_shot(self) -> None:
        if self._earlier:
            self._funnel.rejected[Reason.CUT.value] += 1
        self._earlier.clear()
        self._search.restart()
        self._rests_until_ns = 0

    def _keep(self, seen: Seen) -> None:
        if not self._is_set and self._last_kept_ns is not None:
            # Denser sampling than the window can hold would shorten the longest gap.
            spacing_ns = self._config.max_gap_s * _NS_PER_S / _KEPT_FRAMES
            if seen.timestamp_ns - self._last_kept_ns < spacing_ns:
                return
        self._last_kept_ns = seen.timestamp_ns
        if seen.timestamp_ns not in self._spent_ns:
            self._earlier.append(seen)

    def _pairs_in_set(self, seen: Seen) -> list[Pair]:
        candidates = [(earlier, self._judge(earlier, seen)) for earlier in self._earlier]
        return [
            self._pair(earlier, seen, verdict)
            for earlier, verdict in candidates
            if isinstance(verdict, TwoView)
        ]

    def _pairs_in_video(self, seen: Seen) -> list[Pair]:
        if seen.timestamp_ns < self._rests_until_ns:
            self._funnel.skipped_frames[NEAR_DUPLICATE] += 1
            return []
        gaps_s = [(seen.timestamp_ns - e.timestamp_ns) / _NS_PER_S for e in self._earlier]
        probe = self._search.probe(gaps_s)
        while (index := probe.propose()) is not None:
            verdict = self._judge(self._earlier[index], seen)
            if isinstance(verdict, TwoView):
                probe.accept(index)
                rest_s = self._config.anchor_spacing * gaps_s[index]
                self._rests_until_ns = seen.timestamp_ns + round(rest_s * _NS_PER_S)
                first = self._earlier[index]
                del self._earlier[index]
                self._spent_ns.append(first.timestamp_ns)
                return [self._pair(first, seen, verdict)]
            probe.reject(index, verdict)
        return []

    def _judge(self, first: Seen, second: Seen) -> TwoView | Rejection:
        verdict = judge(first.features, second.features, first.view, second.view, self._config)
        if isinstance(verdict, Rejection):
            self._funnel.rejected[verdict.reason.value] += 1
            if self._on_rejected is not None:
                self._on_rejected(first.view, second.view, verdict)
        else:
            self._funnel.accepted += 1
        return verdict

    def _pair(self, first: Seen, second: Seen, two_view: TwoView) -> Pair:
        return Pair(
            pair_id=self._pair_id(first.timestamp_ns, second.timestamp_ns),
            source_id=self._source.source_id,
            producer=self._producer,
            config_fingerprint=self._fingerprint,
            mined_at_ns=self._clock(),
            view_1=self._view(first),
            view_2=self._view(second),
            two_view=two_view,
            view_size=self._config.view_size,
            patch_size=self._config.patch_size,
        )

    def _pair_id(self, first_ns: int, second_ns: int) -> str:
        identity = "\n".join(
            [self._source.source_id, str(first_ns), str(second_ns), self._fingerprint]
        )
        return hashlib.sha256(identity.encode()).hexdigest()[:32]

    def _view(self, seen: Seen) -> View:
        return View(
            jpeg=encode_jpeg(seen.view, self._config.jpeg_quality),
            timestamp_ns=seen.timestamp_ns,
            frame_height=seen.frame_size[0],
            frame_width=seen.frame_size[1],
            crop=seen.crop,
            sharpness=seen.sharpness,
            luminance=seen.luminance,
        )
