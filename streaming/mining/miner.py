"""The miner: frames of one source in, pairs out. It computes and does no I/O."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final

from streaming.frames.quality import FrameFlaw, may_be_cut
from streaming.mining.features import match
from streaming.mining.intake import Intake, Seen
from streaming.mining.search import TOLERANCE_S, GapSearch
from streaming.mining.verdict import Reason, Rejection, judge
from streaming.mining.views import encode_jpeg
from streaming.records import CropBox, Pair, SourceKind, TwoView, View

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
    """What a miner of a video knows beside the frames themselves; plain numbers, easily stored.

    Attributes:
        gap_s: where the search for the next frame begins.
        rests_until_ns: frames before this time would make near duplicates.
        last_ns: time of the last frame that was of use; None before the first.
        kept_ns: times of the frames that later ones may be compared with.
        spent_ns: those of them that already are the first view of a pair.
        picture: left, top, right and bottom of what lies between bars; None before any frame.
    """

    gap_s: float
    rests_until_ns: int
    last_ns: int | None
    kept_ns: tuple[int, ...]
    spent_ns: tuple[int, ...]
    picture: tuple[int, int, int, int] | None

    @property
    def context_ns(self) -> int | None:
        """Time of the earliest frame that a miner needs to go on; None when it needs none."""
        return min(self.kept_ns, default=self.last_ns)


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
        fingerprint: str | None = None,
    ) -> None:
        """Makes a miner.

        Args:
            source: where the frames come from.
            config: what makes two frames a pair.
            producer: host and software version, noted in each pair.
            clock: wall-clock time in nanoseconds since 1970-01-01 UTC.
            funnel: counts what becomes of frames and candidate pairs.
            on_rejected: is shown both views of each rejected candidate pair.
            fingerprint: of all settings behind the pairs; by default that of `config`.
        """
        self._source = source
        self._config = config
        self._fingerprint = fingerprint or config.fingerprint()
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
        self._rests_until_ns = 0
        self._spent_ns: deque[int] = deque(maxlen=_KEPT_FRAMES)
        self._before: MinerState | None = None

    @property
    def state(self) -> MinerState:
        """To go on later, or elsewhere: see `restore`."""
        last, picture = self._intake.last, self._intake.picture
        return MinerState(
            gap_s=self._search.gap_s,
            rests_until_ns=self._rests_until_ns,
            last_ns=None if last is None else last.timestamp_ns,
            kept_ns=tuple(earlier.timestamp_ns for earlier in self._earlier),
            spent_ns=tuple(self._spent_ns),
            picture=None if picture is None else astuple(picture),
        )

    def restore(self, state: MinerState) -> None:
        """Makes a new miner go on like that of `state`; kept frames are cropped like its last.

        Then `remember` the frames since `state.context_ns`, and `process` the following ones.
        """
        self._before = state
        self._search.gap_s = state.gap_s
        self._rests_until_ns = state.rests_until_ns
        self._spent_ns.extend(state.spent_ns)

    def remember(self, frame: Frame) -> None:
        """Takes a frame from before the restored state, so that later ones can pair with it."""
        before = self._before
        if before is None or frame.timestamp_ns not in {before.last_ns, *before.kept_ns}:
            return
        picture = None if before.picture is None else CropBox(*before.picture)
        seen = self._intake.take_again(frame, picture)
        if seen.timestamp_ns in before.kept_ns:
            self._earlier.append(seen)

    def process(self, frame: Frame) -> list[Pair]:
        """Takes the next frame; gives the pairs of which it is the second view."""
        self._funnel.frames += 1
        before = self._intake.last
        seen = self._intake.take(frame)
        if isinstance(seen, FrameFlaw):
            self._funnel.skipped_frames[seen.value] += 1
            return []
        if self._is_set:
            pairs = self._pairs_in_set(seen)
            self._earlier.append(seen)
            return pairs
        if before is not None and self._is_cut(before, seen):
            self._open_shot()
        pairs = self._pairs_in_video(seen)
        self._keep(seen)
        return pairs

    def _is_cut(self, before: Seen, after: Seen) -> bool:
        # A fast turn changes colours and layout as a cut does, but keeps some of the features.
        config = self._config
        if not may_be_cut(before.signature, after.signature, config.quality):
            return False
        return len(match(before.features, after.features, config.ratio)) < config.min_matches

    def _open_shot(self) -> None:
        self._funnel.rejected[Reason.CUT.value] += 1
        self._earlier.clear()
        self._search.restart()
        self._rests_until_ns = 0

    def _keep(self, seen: Seen) -> None:
        # Denser sampling than the window can hold would shorten the longest gap.
        spacing_ns = self._config.max_gap_s * _NS_PER_S / _KEPT_FRAMES
        if not self._earlier or seen.timestamp_ns - self._earlier[-1].timestamp_ns >= spacing_ns:
            self._earlier.append(seen)
        furthest_ns = (self._config.max_gap_s + TOLERANCE_S) * _NS_PER_S
        while seen.timestamp_ns - self._earlier[0].timestamp_ns > furthest_ns:
            self._earlier.popleft()

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
        firsts = [e for e in self._earlier if e.timestamp_ns not in self._spent_ns]
        gaps_s = [(seen.timestamp_ns - first.timestamp_ns) / _NS_PER_S for first in firsts]
        probe = self._search.probe(gaps_s)
        while (index := probe.propose()) is not None:
            verdict = self._judge(firsts[index], seen)
            if isinstance(verdict, TwoView):
                probe.accept(index)
                rest_s = self._config.anchor_spacing * gaps_s[index]
                self._rests_until_ns = seen.timestamp_ns + round(rest_s * _NS_PER_S)
                self._spent_ns.append(firsts[index].timestamp_ns)
                return [self._pair(firsts[index], seen, verdict)]
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
        parts = [self._source.source_id, str(first_ns), str(second_ns), self._fingerprint]
        identity = "\n".join(parts)
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
