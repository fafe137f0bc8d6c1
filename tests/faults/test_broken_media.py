"""Damaged files and faulty servers end in frames or in one line, never in a crash or a hang."""

import http.server
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from streaming.errors import SourceError
from streaming.frames.decode import VideoFrames
from streaming.frames.report import LossReason
from streaming.frames.sampling import SamplingConfig
from streaming.sources import container
from tests.media import moving_pictures, write_audio, write_clip

EVERY = SamplingConfig(frames_per_s=240)
VP9 = {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}
FORMATS = {
    "a.mp4": {},
    "a.mkv": VP9,
    "a.avi": {"codec": "mjpeg"},
    "b.avi": {"codec": "mpeg4"},
    "a.ts": {},
}


def read(uri: str, sampling: SamplingConfig = EVERY) -> tuple[list[int], VideoFrames]:
    video = VideoFrames(uri, sampling)
    try:
        return [frame.timestamp_ns for frame in video], video
    finally:
        video.close()


def with_index_in_front(clip: Path) -> bytes:
    front = clip.with_name("front.mp4")
    with (
        av.open(str(clip)) as source,
        av.open(str(front), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux():
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return front.read_bytes()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("clips")
    pictures = moving_pictures(45, 96, 128)
    return {
        name: write_clip(folder / name, pictures, **clip).read_bytes()
        for name, clip in FORMATS.items()
    }


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("name", FORMATS)
def test_flipped_bits_give_frames_in_order_or_one_line(
    name: str, seed: int, clips: dict[str, bytes], tmp_path: Path
) -> None:
    rng = random.Random(f"{name} {seed}")
    mutant = bytearray(clips[name])
    for _ in range(2 ** rng.randrange(9)):
        mutant[rng.randrange(len(mutant))] ^= 1 << rng.randrange(8)
    if seed % 4 == 3:
        del mutant[rng.randrange(1, len(mutant)) :]
    path = tmp_path / name
    path.write_bytes(mutant)
    complaint = ""
    times_ns: list[int] = []
    started_s = time.monotonic()
    try:
        times_ns, video = read(str(path), SamplingConfig(frames_per_s=rng.choice([240, 5])))
    except SourceError as error:
        complaint = str(error)
    else:
        assert video.report.sampled == len(times_ns) <= video.report.decoded
    assert time.monotonic() - started_s < 10
    assert complaint.startswith(f"video {path}: ") == (not times_ns)
    assert "\n" not in complaint
    assert times_ns == sorted(set(times_ns))


def test_damage_in_the_middle_costs_frames_not_the_file(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mov", moving_pictures(45, 96, 128), codec="mjpeg")
    data = bytearray(clip.read_bytes())
    middle = slice(len(data) // 2, len(data) // 2 + 3_000)
    data[middle] = bytes(3_000)
    clip.write_bytes(data)
    times_ns, video = read(str(clip))
    assert 30 <= len(times_ns) < 45
    assert (times_ns[0], times_ns[-1]) == (0, round(44 / 30 * 1e9))
    assert len(times_ns) + video.report.skipped.total() == 45


def test_a_file_cut_in_its_data_gives_the_frames_up_to_there(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", moving_pictures(90, 144, 192))
    data = with_index_in_front(clip)
    clip.write_bytes(data[: int(0.7 * len(data))])
    times_ns, video = read(str(clip))
    assert 30 < len(times_ns) < 80
    assert video.report.skipped[LossReason.CORRUPT_PACKET] == 1


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("no_index.mp4", "is not a video or its header is damaged"),
        ("empty.mp4", "is empty or cut off|is not a video"),
        ("text.mp4", "is not a video"),
        ("hum.mp4", "has no video stream"),
        ("unknown_codec.mp4", "no decoder for its codec"),
        ("missing.mp4", "not found"),
        ("folder.mp4", "cannot be read"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line(
    name: str, complaint: str, clips: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "no_index.mp4").write_bytes(clips["a.mp4"][: len(clips["a.mp4"]) // 2])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello\n" * 100)
    write_audio(tmp_path / "hum.mp4")
    (tmp_path / "unknown_codec.mp4").write_bytes(clips["a.mp4"].replace(b"avc1", b"zzzz"))
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(SourceError, match=complaint) as caught:
        read(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_file_may_not_open_an_address_or_another_file(
    server: str, requests: list[str], tmp_path: Path
) -> None:
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
    for target in (f"{server}/whole.ts", f"concat:{tmp_path}/a.ts"):
        (tmp_path / "list.m3u8").write_text(playlist.format(target))
        with pytest.raises(SourceError):
            read(str(tmp_path / "list.m3u8"))
    assert requests == []


class FaultyHandler(http.server.BaseHTTPRequestHandler):
    """Serves one clip in every wrong way, by the path that is asked for."""

    clip: bytes
    secret_file: Path
    requests: list[str]
    released: threading.Event

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.requests.append(path)
        match path:
            case "/whole.ts":
                self._send(self.clip)
            case "/half.ts":
                self._send(self.clip[: len(self.clip) // 2], promised=len(self.clip))
            case "/stall.ts":
                self._send(self.clip[: len(self.clip) // 2], promised=len(self.clip))
                self.released.wait(10)
            case "/silent.ts":
                self.released.wait(10)
            case "/page.mp4":
                self._send(b"<html>not a video</html>")
            case "/list.m3u8":
                self._send(b"#EXTM3U\n#EXTINF:9,\nfile://%b\n" % str(self.secret_file).encode())
            case "/to_file.mp4" | "/circle.mp4":
                self.send_response(302)
                file = f"file://{self.secret_file}"
                self.send_header("Location", path if path == "/circle.mp4" else file)
                self.end_headers()
            case "/login.mp4":
                self.send_error(401)
            case _:
                self.send_error(404)

    def _send(self, body: bytes, promised: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(promised or len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("web") / "a.ts", moving_pictures(200, 120, 160))


@pytest.fixture
def requests() -> list[str]:
    return []


@pytest.fixture
def server(long_clip: Path, requests: list[str]) -> Iterator[str]:
    released = threading.Event()
    values = {"clip": long_clip.read_bytes(), "secret_file": long_clip}
    values |= {"requests": requests, "released": released}
    handler = type("Handler", (FaultyHandler,), values)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        released.set()
        running.shutdown()
        thread.join()


def test_a_video_is_read_over_http(server: str) -> None:
    times_ns, video = read(f"{server}/whole.ts?token=abc")
    assert len(times_ns) == 200
    assert video.report.skipped.total() == 0


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/half.ts", r"broke off at \d\.\d s: "),
        ("/stall.ts", r"broke off at \d\.\d s: gave no data within"),
        ("/silent.ts", "gave no data within"),
        ("/page.mp4", "cannot be read|is not a video"),
        ("/list.m3u8", "cannot be read|is not a video"),
        ("/to_file.mp4", "cannot be read"),
        ("/circle.mp4", "cannot be read"),
        ("/login.mp4", "needs a login"),
        ("/nothing.mp4", "not found"),
    ],
)
def test_a_faulty_server_ends_in_one_line_without_secrets(
    path: str, complaint: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "_TIMEOUT_S", 1.0)
    address = server.replace("://", "://ann:s3cret@") + path + "?token=s3cret"
    started_s = time.monotonic()
    with pytest.raises(SourceError, match=complaint) as caught:
        read(address)
    assert time.monotonic() - started_s < 8
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_nobody_listens() -> None:
    with pytest.raises(SourceError, match="Connection refused"):
        read("http://127.0.0.1:9/x.mp4")
