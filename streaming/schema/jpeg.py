"""What can be told of a JPEG without decoding it (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_START: Final = b"\xff\xd8"
_MAX_SCANS: Final = 16
"""libjpeg's progressive files have 10; each scan costs a pass over the whole picture."""

_END_OF_IMAGE: Final = 0xD9
_START_OF_SCAN: Final = 0xDA
_FRAMES: Final = range(0xC0, 0xD0)
_DECODABLE_FRAMES: Final = (0xC0, 0xC1, 0xC2)
"""Baseline, extended sequential and progressive, all with Huffman codes."""
_NO_FRAMES: Final = (0xC4, 0xC8, 0xCC)
"""Markers in the range of frame headers that are none: tables and a reserved code."""

_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]", re.DOTALL)
"""A marker that begins a segment: not stuffing (00), fill (FF), a restart (D0-D7) or TEM (01)."""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """The frame header: size in pixels and number of colour components."""

    height: int
    width: int
    components: int


class JpegError(ValueError):
    """The bytes are not a JPEG that any decoder here takes; the message tells why."""


def read_jpeg_header(jpeg: bytes) -> JpegHeader:
    """Walks over the segments of a JPEG to its end.

    Raises:
        JpegError: when it is none, is cut short, has no or several frames, has more scans than an
            honest file, or is coded in a way that common decoders do not know.
    """
    if not jpeg.startswith(_START):
        raise JpegError("does not begin with FF D8")
    header: JpegHeader | None = None
    scans = 0
    position = len(_START)
    while True:
        found = _MARKER.search(jpeg, position)
        if found is None:
            raise JpegError(f"has no marker at byte {position}")
        position = found.end()
        marker = jpeg[position - 1]
        if marker == _END_OF_IMAGE:
            if header is None or scans == 0:
                raise JpegError("ends without a picture")
            return header
        start = position + 2
        position = end = _segment_end(jpeg, position)
        if marker in _FRAMES and marker not in _NO_FRAMES:
            if header is not None:
                raise JpegError("has two frame headers")
            header = _frame_header(marker, jpeg[start:end])
        elif marker == _START_OF_SCAN:
            scans += 1
            if scans > _MAX_SCANS:
                raise JpegError(f"has more than {_MAX_SCANS} scans")


def _segment_end(jpeg: bytes, position: int) -> int:
    start = position + 2
    end = position + int.from_bytes(jpeg[position:start], "big")
    if not start <= end <= len(jpeg):
        raise JpegError(f"is cut short in the segment at byte {position}")
    return end


def _frame_header(marker: int, segment: bytes) -> JpegHeader:
    if marker not in _DECODABLE_FRAMES:
        raise JpegError(f"is coded by process {marker:02X}, which common decoders do not know")
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5]:
        raise JpegError("has a malformed frame header")
    if segment[0] != 8:
        raise JpegError(f"has {segment[0]} bits a sample instead of 8")
    return JpegHeader(
        height=int.from_bytes(segment[1:3], "big"),
        width=int.from_bytes(segment[3:5], "big"),
        components=segment[5],
    )
