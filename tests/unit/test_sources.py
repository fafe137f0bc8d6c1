from pathlib import Path

import cv2
import numpy as np
import pytest

from streaming.errors import SourceError
from streaming.records import SourceKind
from streaming.sources.container import redacted
from streaming.sources.files import natural_order
from streaming.sources.images import list_images, read_image
from streaming.sources.spec import expand, parse_source
from tests.media import moving_pictures, write_audio, write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "walk 1.mp4", moving_pictures(3))


def write_images(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((8, 12, 3), 20 * index, np.uint8))


def names(uri: str) -> list[str]:
    return [Path(source.uri).name for source in expand(uri)]


def test_a_file_is_one_video_with_an_absolute_path(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clip.parent)
    source = parse_source("walk 1.mp4")
    assert (source.kind, source.uri) == (SourceKind.VIDEO, str(clip))
    assert source == parse_source(f"file://{clip}".replace(" ", "%20"))


def test_ids_are_readable_stable_and_differ_by_place(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / clip.name
    other.parent.mkdir()
    other.write_bytes(clip.read_bytes())
    first, second = parse_source(str(clip)), parse_source(str(other))
    assert first.source_id.startswith("walk-1-")
    assert first.source_id == parse_source(str(clip)).source_id != second.source_id
    assert parse_source(str(clip), source_id="mine").source_id == "mine"


def test_a_video_is_known_by_its_content(clip: Path, tmp_path: Path) -> None:
    disguised = clip.rename(tmp_path / "download.dat")
    assert parse_source(str(disguised)).kind is SourceKind.VIDEO


def test_a_folder_gives_its_videos_below_it_in_natural_order(tmp_path: Path) -> None:
    for name in ("b/clip10.MP4", "b/clip2.mp4", "a.mkv", ".trash/x.mp4", "._a.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    write_images(tmp_path, "thumbnail.jpg")
    assert names(str(tmp_path)) == ["a.mkv", "clip2.mp4", "clip10.MP4"]
    assert names(f"{tmp_path}/b/*.mp4") == ["clip2.mp4"]
    assert names(f"{tmp_path}/*") == ["a.mkv", "clip2.mp4", "clip10.MP4"]
    with pytest.raises(SourceError, match="holds 3 sources; name one"):
        parse_source(str(tmp_path))


def test_a_folder_whose_links_form_a_circle_is_walked_once(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "again").symlink_to(tmp_path)
    assert names(str(tmp_path)) == ["a.mp4"]


def test_folders_with_images_alone_are_image_sets(tmp_path: Path) -> None:
    write_images(tmp_path / "petra", "1.jpg", "2.png")
    write_images(tmp_path / "beach.2024", "1.webp")
    sources = expand(str(tmp_path))
    assert [Path(source.uri).name for source in sources] == ["beach.2024", "petra"]
    assert {source.kind for source in sources} == {SourceKind.IMAGE_SET}
    assert sources[0].source_id.startswith("beach.2024-")
    assert parse_source(str(tmp_path / "petra")).kind is SourceKind.IMAGE_SET


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    source = parse_source("https://ann:s3cret@media.example/a/My%20Clip.mp4?token=abc")
    assert source.kind is SourceKind.VIDEO
    assert source.source_id.startswith("My-Clip-")
    assert "s3cret" not in source.source_id
    same = parse_source("https://bob:other@media.example/a/My%20Clip.mp4?token=abc")
    assert same.source_id == source.source_id
    rooms = parse_source("synthetic://rooms?seed=3")
    assert rooms.kind is SourceKind.SYNTHETIC
    assert rooms.source_id != parse_source("synthetic://rooms?seed=4").source_id


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://u:p@h:8/x.mp4?k=v#t", "http://h:8/x.mp4?***"),
        ("rtsp://u:p@h/live", "rtsp://h/live"),
        ("https://h/a@b.mp4", "https://h/a@b.mp4"),
        ("/data/a@b?.mp4", "/data/a@b?.mp4"),
        ("synthetic://rooms?seed=1", "synthetic://rooms?seed=1"),
    ],
)
def test_secrets_are_not_shown(uri: str, shown: str) -> None:
    assert redacted(uri) == shown


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("nowhere.mp4", "nowhere.mp4: no such file or folder; check"),
        ("nothing-*.mp4", "matches no video"),
        ("empty", "empty: holds no videos or images"),
        ("words", "words: holds no videos or images"),
        ("words/notes.txt", "notes.txt: is not a video"),
        ("words/zero.dat", "zero.dat: is empty or cut off"),
        ("hum.m4a", "hum.m4a: has no video stream"),
        ("photo.jpg", "photo.jpg: is a single image"),
        ("", "is not a path"),
        ("ftp://u:secret@host/x.mp4", r"ftp://host/x.mp4: ftp:// is not supported; name a file"),
        ("http:///x.mp4", "names no host"),
        ("http://[bad/x.mp4", "is not a valid address"),
        ("file://elsewhere/x.mp4", "is on another host"),
        ("synthetic://rooms?sead=3", "sead"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    uri: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("words").mkdir()
    Path("words/notes.txt").write_text("hello\n" * 50)
    Path("words/zero.dat").touch()
    write_audio(Path("hum.m4a"))
    write_images(tmp_path, "photo.jpg")
    with pytest.raises(SourceError, match=complaint) as caught:
        expand(uri)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_natural_order() -> None:
    paths = [Path(name) for name in ("f10", "F2", "f1", "f2b", "f02")]
    ordered = [path.name for path in natural_order(iter(paths))]
    assert ordered == ["f1", "F2", "f02", "f2b", "f10"]


def test_images_are_listed_naturally_and_turned_upright(tmp_path: Path) -> None:
    write_images(tmp_path, "i10.png", "i9.JPG", "note.gif")
    assert [path.name for path in list_images(tmp_path)] == ["i9.JPG", "i10.png"]
    left_dark = np.zeros((40, 60, 3), np.uint8)
    left_dark[:, 30:] = 255
    jpeg = cv2.imencode(".jpg", left_dark)[1].tobytes()
    turn_right = bytes.fromhex(
        "ffe10022 45786966 0000 4d4d002a 00000008 0001 0112 0003 00000001 00060000 00000000"
    )
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg[:2] + turn_right + jpeg[2:])
    image = read_image(path)
    assert image.shape == (60, 40, 3)
    assert image[:20].mean() < 10
    assert image[40:].mean() > 245


def test_images_of_any_depth_become_rgb(tmp_path: Path) -> None:
    red_16_bit = np.zeros((4, 4, 4), np.uint16)
    red_16_bit[..., 2:] = 65535
    cv2.imwrite(str(tmp_path / "deep.png"), red_16_bit)
    image = read_image(tmp_path / "deep.png")
    assert image.dtype == np.uint8
    assert image[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.98])
def test_a_truncated_image_is_refused(share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", noise)[1].tobytes()
    (tmp_path / "cut.jpg").write_bytes(jpeg[: int(len(jpeg) * share)])
    with pytest.raises(SourceError, match=r"cut\.jpg"):
        read_image(tmp_path / "cut.jpg")
