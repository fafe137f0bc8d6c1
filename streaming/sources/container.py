"""Opening a video container safely: bounded time, bounded picture size, no stray protocols."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
import av.error
import av.logging
from av.stream import Disposition

from streaming.errors import SourceError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# The Python log callback takes a lock for each line and has dead-locked across threads.
av.logging.set_level(None)

_TIMEOUT_S: Final = 20.0
_MAX_PICTURE_PIXELS: Final = 1 << 26
"""Twice 8K: the size that a damaged header claims is bounded before anything is allocated."""
_FILE_OPTIONS: Final = {"protocol_whitelist": "file"}
_HTTP_OPTIONS: Final = {
    # A playlist or a redirect that a server sends must not reach files of this machine.
    "protocol_whitelist": "http,https,tcp,tls,crypto",
    "reconnect": "1",
    "reconnect_delay_max": "4",
    "rw_timeout": str(int(_TIMEOUT_S * 1e6)),
}
_MEANINGS: Final = (
    (
        (av.error.FileNotFoundError, av.error.HTTPNotFoundError),
        "not found; check the address",
    ),
    (
        (av.error.PermissionError, av.error.HTTPForbiddenError),
        "access is denied; check its permissions",
    ),
    (
        av.error.HTTPUnauthorizedError,
        "needs a login; write it as https://user:password@host/",
    ),
    (
        (av.error.ExitError, av.error.TimeoutError),
        f"gave no data within {_TIMEOUT_S:.0f} s; check that it is reachable",
    ),
    (
        av.error.EOFError,
        "is empty or cut off; check that it is complete",
    ),
    (
        av.error.InvalidDataError,
        "is not a video or its header is damaged; check that it plays",
    ),
)


def is_url(uri: str) -> bool:
    """Tells whether a video is read over HTTP."""
    return uri.lower().startswith(("http://", "https://"))


def redacted(uri: str) -> str:
    """The address without user, password and query, for messages and logs."""
    if "://" not in uri:
        return uri
    without_login = re.sub(r"(?<=://)[^/?#]*@", "", uri)
    address, mark, _ = re.sub(r"#.*", "", without_login).partition("?")
    return f"{address}?***" if mark and is_url(uri) else without_login


def open_video(uri: str) -> tuple[InputContainer, VideoStream]:
    """Opens a file or an `http(s)://` address and picks its main video stream.

    The caller closes the container, in the thread that uses it: closing it under a running
    demuxer kills the process.

    Raises:
        SourceError: it cannot be opened, is no video, or has no video stream that can be decoded.
    """
    name = redacted(uri)
    try:
        container = av.open(
            uri if is_url(uri) else str(Path(uri).absolute()),
            mode="r",
            options=_HTTP_OPTIONS if is_url(uri) else _FILE_OPTIONS,
            timeout=(_TIMEOUT_S, _TIMEOUT_S),
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, ValueError) as error:
        raise SourceError(f"video {name}: {explain(error)}") from None
    try:
        return container, _video_stream(container, name)
    except SourceError:
        container.close()
        raise


def explain(error: Exception) -> str:
    """What an error of FFmpeg means to the user, without the address that it quotes."""
    for kinds, meaning in _MEANINGS:
        if isinstance(error, kinds):
            return meaning
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    if container.format.name == "image2" or container.format.name.endswith("_pipe"):
        raise SourceError(f"video {name}: is a single image; name the folder of an image set")
    stream = container.streams.best("video")
    # A cover picture of a piece of music is a video stream of one frame.
    if stream is None or stream.disposition & Disposition.attached_pic:
        raise SourceError(f"video {name}: has no video stream; name a file with pictures in it")
    video: VideoStream = container.streams.video[container.streams.video.index(stream)]
    context = getattr(video, "codec_context", None)
    if context is None:
        raise SourceError(f"video {name}: no decoder for its codec; convert it to H.264")
    context.options = {"max_pixels": str(_MAX_PICTURE_PIXELS)}
    context.thread_count = 1
    return video
