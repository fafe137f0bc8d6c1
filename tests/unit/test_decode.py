import hashlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streaming.errors import SourceError
from streaming.frames import decode
from streaming.frames.decode import VideoFrames
from streaming.frames.picture import fit_size, upright
from streaming.frames.report import FrameReport, LossReason
from streaming.frames.sampling import SamplingConfig
from streaming.frames.stream import open_frames
from streaming.records import Frame, Source, SourceKind
from streaming.sources.spec import expand, parse_source
from tests.media import moving_pictures, write_clip

EVERY = SamplingConfig(frames_per_s=240)
VP9 = {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}
PICTURES = moving_pictures(30)


def read(
    path: Path, sampling: SamplingConfig = EVERY, targets_ns: Sequence[int] | None = None
) -> tuple[list[Frame], FrameReport]:
    with open_frames(
        Source("clip", str(path), SourceKind.VIDEO), sampling, targets_ns=targets_ns
    ) as stream:
        return list(stream), stream.report


def times_s(frames: list[Frame]) -> list[float]:
    return [round(frame.timestamp_ns / 1e9, 3) for frame in frames]


def digests(frames: list[Frame]) -> list[tuple[int, str]]:
    return [(f.timestamp_ns, hashlib.sha256(f.image.tobytes()).hexdigest()) for f in frames]


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("h264.mp4", {}),
        ("h264_10_bit.mp4", {"pixel_format": "yuv420p10le"}),
        ("hevc.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none:pools=1"}}),
        ("vp9.mkv", VP9),
        ("vp9.webm", VP9),
        ("mjpeg.avi", {"codec": "mjpeg"}),
        ("mpeg4.avi", {"codec": "mpeg4", "options": {"b": "4M"}}),
        ("h264.ts", {}),
        ("ffv1.mkv", {"codec": "ffv1"}),
        ("with_alpha.mov", {"codec": "qtrle", "pixel_format": "argb"}),
        ("prores.mov", {"codec": "prores_ks"}),
    ],
)
def test_every_frame_of_any_format_is_read(name: str, clip: dict[str, str], tmp_path: Path) -> None:
    frames, report = read(write_clip(tmp_path / name, PICTURES, **clip))
    np.testing.assert_allclose(times_s(frames), np.arange(30) / 30, atol=0.002)
    for picture, frame in zip(PICTURES, frames, strict=True):
        assert frame.image.dtype == np.uint8
        assert np.abs(picture.astype(int) - frame.image).mean() < 8
    assert (report.decoded, report.sampled, report.skipped.total()) == (30, 30, 0)


def test_frames_carry_their_source_and_cannot_be_written_to(tmp_path: Path) -> None:
    frames, _ = read(write_clip(tmp_path / "a.mp4", PICTURES[:1]))
    assert frames[0].source_id == "clip"
    assert not frames[0].image.flags.writeable


def test_only_what_is_sampled_is_decoded_where_all_are_key_frames(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.avi", moving_pictures(90), codec="mjpeg")
    frames, report = read(clip, SamplingConfig(frames_per_s=2))
    assert times_s(frames) == [0, 0.5, 1, 1.5, 2, 2.5]
    assert report.decoded == 6


@pytest.mark.parametrize("frames_per_s", [0.7, 3.0, 10.0])
@pytest.mark.parametrize("group", ["12", "250"])
def test_leaving_frames_undecoded_changes_no_sample(
    frames_per_s: float, group: str, tmp_path: Path
) -> None:
    options = {"g": group, "bf": "3", "b-pyramid": "normal", "open-gop": "1"}
    clip = write_clip(tmp_path / "a.mp4", moving_pictures(90), options=options)
    everything, full = read(clip)
    frames, report = read(clip, SamplingConfig(frames_per_s=frames_per_s))
    assert set(digests(frames)) < set(digests(everything))
    assert times_s(frames)[1] == pytest.approx(1 / frames_per_s, abs=1 / 30)
    assert report.decoded < full.decoded


def test_stretches_give_the_frames_of_the_whole_also_by_seeking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "_SEEK_WORTH_NS", 0)
    monkeypatch.setattr(decode, "_SEEK_MARGIN_NS", 200_000_000)
    for name in ("a.mp4", "a.mkv", "a.ts", "a.avi"):
        options = {"g": "15"} if name != "a.avi" else {}
        codec = "libx264" if name != "a.avi" else "mjpeg"
        clip = write_clip(tmp_path / name, moving_pictures(90), codec=codec, options=options)
        whole, _ = read(clip, SamplingConfig(frames_per_s=7))
        parts: list[Frame] = []
        for start_s, end_s in ((0, 0.9), (0.9, 2.05), (2.05, None)):
            sampling = SamplingConfig(frames_per_s=7, start_s=start_s, end_s=end_s)
            parts += read(clip, sampling)[0]
        assert digests(parts) == digests(whole)


def test_listed_times_and_max_frames(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", PICTURES)
    assert times_s(read(clip, targets_ns=[300_000_000, 710_000_000])[0]) == [0.3, 0.733]
    assert len(read(clip, SamplingConfig(frames_per_s=30, max_frames=2))[0]) == 2
    assert read(clip, SamplingConfig(start_s=100))[0] == []


def test_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    stamps = {"pts": [0, 10, 500, 520, 2000, 9000], "time_base": Fraction(1, 1000)}
    frames, _ = read(write_clip(tmp_path / "a.mkv", PICTURES[:6], **stamps))
    assert times_s(frames) == [0, 0.01, 0.5, 0.52, 2, 9]


@pytest.mark.parametrize("first", [-1000, 900_000])
def test_times_start_at_the_start_of_the_stream(first: int, tmp_path: Path) -> None:
    stamps = {"pts": [first + 40 * i for i in range(6)], "time_base": Fraction(1, 1000)}
    frames, _ = read(write_clip(tmp_path / "a.ts", PICTURES[:6], **stamps))
    assert times_s(frames) == [0, 0.04, 0.08, 0.12, 0.16, 0.2]


def test_frames_without_timestamps_follow_at_the_usual_gap(tmp_path: Path) -> None:
    frames, _ = read(write_clip(tmp_path / "raw.h264", PICTURES))
    assert times_s(frames) == [round(0.04 * index, 3) for index in range(30)]


def test_a_count_that_begins_anew_goes_on_and_the_size_may_change(tmp_path: Path) -> None:
    small = write_clip(tmp_path / "small.ts", PICTURES).read_bytes()
    large = write_clip(tmp_path / "large.ts", moving_pictures(30, 96, 128)).read_bytes()
    glued = tmp_path / "glued.ts"
    glued.write_bytes(small + large + small)
    frames, report = read(glued)
    assert times_s(frames) == [round(index / 30, 3) for index in range(90)]
    assert {frame.image.shape for frame in frames[:30]} == {(48, 64, 3)}
    assert {frame.image.shape for frame in frames[30:60]} == {(96, 128, 3)}
    assert report.skipped.total() == 0


@pytest.mark.parametrize(
    ("rotation", "turn"),
    [
        ((90.0, False, False), lambda image: np.rot90(image, 1)),
        ((-90.0, False, False), lambda image: np.rot90(image, -1)),
        ((180.0, False, False), lambda image: np.rot90(image, 2)),
        ((0.0, True, False), lambda image: image[:, ::-1]),
        ((0.0, False, True), lambda image: image[::-1]),
    ],
)
def test_frames_are_upright(rotation, turn, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", PICTURES[:1], rotation=rotation)
    frames, _ = read(clip)
    expected = turn(PICTURES[0])
    assert frames[0].image.shape == expected.shape
    assert np.abs(frames[0].image.astype(int) - expected).mean() < 8


def test_a_mirrored_quarter_turn_is_a_transposition() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    matrix = np.array([0, 65536, 0, 65536, 0, 0, 0, 0, 1 << 30], np.int32)
    np.testing.assert_array_equal(upright(image, matrix), image.swapaxes(0, 1))


def test_odd_sizes_and_long_pixels(tmp_path: Path) -> None:
    odd = write_clip(tmp_path / "odd.mkv", moving_pictures(3, 179, 321), **VP9)
    assert read(odd)[0][0].image.shape == (179, 321, 3)
    wide = write_clip(tmp_path / "wide.mp4", PICTURES[:3], pixel_aspect=Fraction(3, 2))
    assert read(wide)[0][0].image.shape == (48, 96, 3)


def test_large_frames_are_reduced(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", moving_pictures(2, 120, 200))
    frames, _ = read(clip, SamplingConfig(frames_per_s=240, max_side_px=100))
    assert frames[0].image.shape == (60, 100, 3)
    assert fit_size(4000, 10, 100) == (100, 1)
    assert fit_size(640, 480, 960, Fraction(9999)) == (640, 480)
    assert fit_size(640, 480, 960, Fraction(80, 81)) == (640, 480)


def test_the_whole_range_of_levels_is_kept(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 48, axis=0)
    clip = write_clip(tmp_path / "a.avi", [np.repeat(ramp, 3, axis=2)], codec="mjpeg")
    image = read(clip)[0][0].image
    assert image.min() <= 3
    assert image.max() >= 252


def test_a_stream_closes_early_and_knows_its_length(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", PICTURES)
    with open_frames(parse_source(str(clip)), EVERY) as stream:
        assert stream.duration_s == pytest.approx(1.0)
        next(stream)
    assert list(stream) == []
    assert stream.report.sampled == 1


def test_image_sets_give_every_image_with_its_index(tmp_path: Path) -> None:
    for index in (1, 2, 10):
        write_clip(tmp_path / f"{index}.png", PICTURES[:1], codec="png", pixel_format="rgb24")
    (tmp_path / "3.jpg").write_bytes(b"no image")
    with open_frames(parse_source(str(tmp_path)), SamplingConfig(max_side_px=32)) as stream:
        frames = list(stream)
    assert [frame.timestamp_ns for frame in frames] == [0, 1, 3]
    assert frames[0].image.shape == (24, 32, 3)
    assert stream.report.skipped == {LossReason.UNREADABLE_IMAGE: 1}
    assert stream.duration_s is None


def test_an_image_set_without_one_good_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"no image")
    with pytest.raises(SourceError, match="none of 1 images can be read"):
        list(open_frames(parse_source(str(tmp_path)), EVERY))


def test_synthetic_sources_are_sampled_by_the_same_grid() -> None:
    pytest.importorskip("pyvista", reason="needs the extra 'synthetic'")
    source = parse_source("synthetic://rooms?seed=1&frames=10&fps=10&size=64x48")
    sampling = SamplingConfig(frames_per_s=5, max_side_px=32)
    with open_frames(source, sampling) as stream:
        frames = list(stream)
    assert times_s(frames) == [0, 0.2, 0.4, 0.6, 0.8]
    assert frames[0].image.shape == (24, 32, 3)
    assert stream.duration_s == pytest.approx(1.0)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["gopro_karma_drone.mp4", "street_cuts.mp4", "tree.avi"])
def test_real_videos_are_sampled_exactly(
    name: str, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling = SamplingConfig(frames_per_s=1.0, max_side_px=320)
    frames, report = read(shared_data / "videos" / name, sampling)
    monkeypatch.setattr(VideoFrames, "_is_before_target", lambda *_: False)
    reference, full = read(shared_data / "videos" / name, sampling)
    assert digests(frames) == digests(reference)
    assert report.decoded < full.decoded


@pytest.mark.shared_data
def test_every_real_source_opens(shared_data: Path) -> None:
    sources = expand(str(shared_data / "videos")) + expand(str(shared_data / "image_sets"))
    assert len(sources) == 14
    for source in sources:
        with open_frames(source, SamplingConfig(max_frames=2, max_side_px=320)) as stream:
            assert [frame.image.ndim for frame in stream] == [3, 3]
        # This phone stamped one of its first frames earlier than two that it shows before.
        odd = Path(source.uri).name == "street_hevc.mp4"
        assert stream.report.skipped == ({LossReason.OUT_OF_ORDER: 1} if odd else {})
