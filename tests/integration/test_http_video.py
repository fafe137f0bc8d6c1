"""Videos over HTTP, from a server that answers range requests and from one that does not."""

import http.server
import re
import socket
import threading
from pathlib import Path

import pytest

from streaming.errors import SourceError
from streaming.frames.sampling import SamplingConfig
from streaming.frames.stream import open_frames
from streaming.sources.spec import parse_source
from tests.scenery import write_pan

CHUNK_BYTES = 16_384


class RangeHandler(http.server.BaseHTTPRequestHandler):
    """Serves one clip; under /plain it does not know of ranges."""

    clip: bytes
    ranges: list[str]
    served_bytes: list[int]

    def setup(self) -> None:
        super().setup()
        # Little is taken off our hands before the reader has asked for it.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK_BYTES)

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
        if span is None or self.path.startswith("/plain"):
            self._send(200, self.clip)
            return
        self.ranges.append(asked)
        first, last = int(span[1]), int(span[2] or len(self.clip) - 1)
        body = self.clip[first : last + 1]
        self._send(206, body, f"bytes {first}-{first + len(body) - 1}/{len(self.clip)}")

    def _send(self, status: int, body: bytes, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if content_range:
            self.send_header("Content-Range", content_range)
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        try:
            for start in range(0, len(body), CHUNK_BYTES):
                self.served_bytes.append(self.wfile.write(body[start : start + CHUNK_BYTES]))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    # An mp4 as PyAV writes it has its index at the end: reading needs a seek there and back.
    return write_pan(tmp_path_factory.mktemp("web") / "pan.mp4", seconds=150)


@pytest.fixture
def ranges():
    return []


@pytest.fixture
def served_bytes():
    return []


@pytest.fixture
def server(clip, ranges, served_bytes):
    shared = {"clip": clip.read_bytes(), "ranges": ranges, "served_bytes": served_bytes}
    handler = type("Handler", (RangeHandler,), shared)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def frames_of(uri, **sampling):
    with open_frames(parse_source(str(uri)), SamplingConfig(**sampling)) as frames:
        return [(frame.timestamp_ns, frame.image.tobytes()) for frame in frames]


def test_a_video_with_its_index_at_the_end_is_the_same_over_http(server, clip, ranges):
    assert frames_of(f"{server}/pan.mp4", end_s=20.0) == frames_of(clip, end_s=20.0)
    assert len(ranges) > 1


def test_a_late_stretch_is_sought_not_read_through(server, clip, served_bytes):
    late = {"start_s": 145.0, "frames_per_s": 2.0}
    of_server = frames_of(f"{server}/pan.mp4", **late)
    assert sum(served_bytes) < clip.stat().st_size / 2
    assert of_server == frames_of(clip, **late)


def test_a_server_without_ranges_is_told_of(server):
    with pytest.raises(SourceError, match=r"pan\.mp4.*range requests"):
        frames_of(f"{server}/plain/pan.mp4")
