"""Decoding a video: the frames nearest after the wanted times, and as little else as possible.

What is not needed is not decoded, and the frames are the same as if all had been decoded:
- whole groups of pictures before the next wanted time are dropped as packets;
- in a group that is needed, pictures before the wanted time that no other refers to are skipped;
- only sampled frames are converted to RGB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import av.error

from streaming.errors import SourceError
from streaming.frames.clock import StreamClock
from streaming.frames.picture import RgbConverter
from streaming.frames.report import FrameReport, LossReason
from streaming.frames.sampling import NS_PER_S, Sampler, SamplingConfig
from streaming.records import Frame
from streaming.sources.container import explain, is_url, open_video, redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av import Packet, VideoFrame
    from av.video.stream import VideoStream

_HELD_BYTES_MAX: Final = 32 << 20
"""Packets that wait for the next key frame are bounded; beyond it they are decoded."""
_ERRORS_IN_A_ROW_MAX: Final = 500
"""So many damaged packets without one picture between them: the rest is given up."""
_SEEK_WORTH_NS: Final = 10 * NS_PER_S
"""A start later than this is sought; up to it, reading on is as cheap."""
_SEEK_MARGIN_NS: Final = 2 * NS_PER_S
"""Containers index decoding times, which run ahead of presentation: aim early."""
_USUAL_RATE: Final = 25
_RANGE_HINT: Final = "; a server must answer range requests, else download the video first"


class VideoFrames:
    """Sampled frames of one video; iterate over it once, in the thread that made it.

    Attributes:
        report: counts that grow while iterating.
        duration_s: length of the video in seconds, None when the container does not tell.
    """

    def __init__(self, uri: str, sampling: SamplingConfig, *, source_id: str = "") -> None:
        """Opens a video.

        Args:
            uri: a path or an `http(s)://` address.
            sampling: which frames are wanted.
            source_id: the name that the frames carry.

        Raises:
            SourceError: it cannot be opened or holds no video.
        """
        self.report = FrameReport()
        self._uri = uri
        self._sampling = sampling
        self._source_id = source_id
        self._sampler = Sampler(sampling)
        self._converter = RgbConverter(sampling.max_side_px)
        self._errors_in_a_row = 0
        self._open()

    def close(self) -> None:
        """Releases the video."""
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Frames in the order of time.

        Raises:
            SourceError: the video breaks off (a lost connection, too much damage), or not one
                picture of it can be decoded.
        """
        for packet in self._needed_packets():
            for timestamp_ns, picture in self._pictures(packet):
                if self._sampler.take(timestamp_ns):
                    yield from self._sampled(timestamp_ns, picture)
                if self._sampler.done:
                    return
        if not self.report.decoded and not self._sampling.start_s:
            raise SourceError(
                f"video {redacted(self._uri)}: no picture of it can be decoded "
                f"({self._damaged_packets()} damaged packets); check that it plays"
            )

    def _open(self) -> None:
        self._container, self._stream = open_video(self._uri)
        stream = self._stream
        rate = stream.average_rate or stream.guessed_rate or _USUAL_RATE
        time_base = stream.time_base
        if time_base is None or rate <= 0:
            self._container.close()
            raise SourceError(f"video {redacted(self._uri)}: has no clock; convert it to MP4")
        self._time_base = time_base
        self._clock = StreamClock(time_base, stream.start_time, round(NS_PER_S / rate))
        if stream.duration is not None:
            self.duration_s: float | None = float(stream.duration * time_base)
        else:
            length_us = self._container.duration
            self.duration_s = None if length_us is None else length_us / 1e6

    def _sampled(self, timestamp_ns: int, picture: VideoFrame) -> Iterator[Frame]:
        try:
            image = self._converter.convert(picture, self._stream.sample_aspect_ratio)
        except (av.error.FFmpegError, ValueError):
            self.report.skipped[LossReason.CORRUPT_FRAME] += 1
            return
        self.report.sampled += 1
        yield Frame(self._source_id, timestamp_ns, image)

    def _pictures(self, packet: Packet[VideoStream] | None) -> Iterator[tuple[int, VideoFrame]]:
        """Decodes a packet, or with None what the decoder still holds."""
        context = self._stream.codec_context
        unneeded = packet is not None and self._is_before_target(packet)
        context.skip_frame = "NONREF" if unneeded else "DEFAULT"
        try:
            pictures = context.decode(packet)
        except av.error.FFmpegError:
            self._count_damage()
            pictures = []
        if packet is None:
            context.flush_buffers()
        for picture in pictures:
            self._errors_in_a_row = 0
            self.report.decoded += 1
            timestamp_ns = self._clock.frame_ns(picture.pts)
            if picture.is_corrupt:
                self.report.skipped[LossReason.CORRUPT_FRAME] += 1
            elif timestamp_ns is None:
                self.report.skipped[LossReason.OUT_OF_ORDER] += 1
            else:
                yield timestamp_ns, picture

    def _needed_packets(self) -> Iterator[Packet[VideoStream] | None]:
        """Packets that must be decoded; None where the decoder must hand out what it holds."""
        context = self._stream.codec_context
        intra_only = context.codec.intra_only
        held: list[Packet[VideoStream]] = []
        held_bytes = 0
        for packet in self._packets():
            if self._clock.restarts_at(packet.dts) and packet.pts is not None:
                yield from [*held, None]
                held, held_bytes = [], 0
                self._clock.restart(packet.pts)
            before_target = self._is_before_target(packet)
            # A later key frame may be led by pictures that refer to the group before it.
            if held and packet.is_keyframe and (before_target or intra_only):
                context.flush_buffers()
                held, held_bytes = [], 0
            held.append(packet)
            held_bytes += packet.size
            if not before_target or held_bytes > _HELD_BYTES_MAX:
                yield from held
                held, held_bytes = [], 0
        yield None

    def _is_before_target(self, packet: Packet[VideoStream]) -> bool:
        if packet.pts is None:
            return False
        return self._clock.packet_ns(packet.pts) < self._sampler.wanted_from_ns

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        if self._sampler.wanted_from_ns > _SEEK_WORTH_NS and self._stream.start_time is not None:
            self._seek(self._sampler.wanted_from_ns)
        while True:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:  # an empty one means "repeat" in AVI, "the end" to a decoder
                        yield packet
            except (av.error.ExitError, av.error.HTTPError, OSError) as error:
                reached_s = (self._clock.reached_ns or 0) / NS_PER_S
                hint = _RANGE_HINT if is_url(self._uri) else ""
                raise SourceError(
                    f"video {redacted(self._uri)}: broke off at {reached_s:.1f} s: "
                    f"{explain(error)}{hint}"
                ) from None
            except av.error.FFmpegError:
                self._count_damage()
            except IndexError:
                return  # PyAV at the end of a file in which damage looked like further streams
            else:
                return

    def _seek(self, wanted_ns: int) -> None:
        """Goes to a key frame before a time, or stays at the start where that is not possible."""
        aim = (wanted_ns - _SEEK_MARGIN_NS) / NS_PER_S / self._time_base
        offset = (self._stream.start_time or 0) + int(aim)
        try:
            self._container.seek(offset, stream=self._stream)
            first = next(self._container.demux(self._stream), None)
            if first is not None and first.is_keyframe and self._is_before_target(first):
                self._container.seek(offset, stream=self._stream)
                return
        except av.error.FFmpegError:
            pass  # a live or unindexed stream: what is before the wanted time is read and dropped
        self._container.close()
        self._open()

    def _count_damage(self) -> None:
        self.report.skipped[LossReason.CORRUPT_PACKET] += 1
        self._errors_in_a_row += 1
        if self._errors_in_a_row > _ERRORS_IN_A_ROW_MAX:
            raise SourceError(
                f"video {redacted(self._uri)}: given up after {self._damaged_packets()} damaged "
                f"packets, the last {_ERRORS_IN_A_ROW_MAX} in a row; check that it plays"
            ) from None

    def _damaged_packets(self) -> int:
        return self.report.skipped[LossReason.CORRUPT_PACKET]
