"""The time line of a video: from the timestamps in its packets to nanoseconds from its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fractions import Fraction

_RESTART_NS: Final = 500_000_000
_NS_PER_S: Final = 1_000_000_000


class StreamClock:
    """Gives frames times that start near 0 and only grow, whatever the container says.

    Cameras that were restarted and files that were glued together begin to count anew in the
    middle: the clock then goes on from where it was. A frame without a timestamp follows the one
    before by the usual gap.
    """

    def __init__(self, time_base: Fraction, start_pts: int | None, frame_gap_ns: int) -> None:
        """Starts a clock.

        Args:
            time_base: seconds of one timestamp unit.
            start_pts: timestamp of the stream's start; None takes that of the first packet.
            frame_gap_ns: usual time between two frames.
        """
        self._unit_ns = time_base * _NS_PER_S
        self._frame_gap_ns = frame_gap_ns
        self._zero_ns = None if start_pts is None else int(start_pts * self._unit_ns)
        self._last_dts_ns: int | None = None
        self.reached_ns: int | None = None
        """Time of the last frame."""

    def packet_ns(self, pts: int) -> int:
        """Time of the frame that a packet will give."""
        if self._zero_ns is None:
            self._zero_ns = self._stamp_ns(pts)
        return self._stamp_ns(pts) - self._zero_ns

    def restarts_at(self, dts: int | None) -> bool:
        """Tells whether the count goes back by more than half a second at this decoding timestamp.

        Called once a packet, in their order in the file, in which such stamps only ever grow.
        """
        if dts is None:
            return False
        dts_ns = self._stamp_ns(dts)
        before_ns = self._last_dts_ns if self._last_dts_ns is not None else self._zero_ns
        self._last_dts_ns = dts_ns
        return before_ns is not None and dts_ns < before_ns - _RESTART_NS

    def restart(self, pts: int) -> None:
        """Goes on counting: the frame of this timestamp follows the last one by the usual gap."""
        self._zero_ns = self._stamp_ns(pts) - self._next_ns()

    def frame_ns(self, pts: int | None) -> int | None:
        """Time of a decoded frame; None when it is no later than the one before."""
        timestamp_ns = self._next_ns() if pts is None else self.packet_ns(pts)
        if self.reached_ns is not None and timestamp_ns <= self.reached_ns:
            return None
        self.reached_ns = timestamp_ns
        return timestamp_ns

    def _next_ns(self) -> int:
        return 0 if self.reached_ns is None else self.reached_ns + self._frame_gap_ns

    def _stamp_ns(self, stamp: int) -> int:
        return round(stamp * self._unit_ns)
