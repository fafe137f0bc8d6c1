"""A user's mistake is one clear line, the rest goes on, and the exit status tells."""

import sqlite3

import pytest

from pairstream.cli import main
from streaming.log.address import open_log
from streaming.log.protocol import Message
from streaming.log.topics import PAIRS, topic_specs
from tests.media import write_audio
from tests.scenery import write_pan


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_pan(tmp_path_factory.mktemp("clip") / "pan.mp4")


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs a command in an empty folder; gives exit status, stdout and stderr lines."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["pairstream", *map(str, arguments)])
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return status, captured.out, captured.err.splitlines()

    return run


def text_as_video(folder, _clip):
    path = folder / "text.mp4"
    path.write_text("this is no video\n" * 100)
    return path


def audio_only(folder, _clip):
    return write_audio(folder / "audio.mp4")


def truncated(folder, clip):
    path = folder / "truncated.mp4"
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    return path


def zero_length(folder, _clip):
    path = folder / "empty.mp4"
    path.touch()
    return path


def folder_without_videos(folder, _clip):
    path = folder / "documents"
    path.mkdir()
    (path / "notes.txt").write_text("nothing here")
    return path


def missing(folder, _clip):
    return folder / "missing.mp4"


BROKEN = [missing, text_as_video, audio_only, truncated, zero_length, folder_without_videos]


@pytest.mark.parametrize("make", BROKEN)
def test_a_broken_source_alone_is_an_error(run, tmp_path, clip, make):
    path = make(tmp_path, clip)
    status, out, err = run("mine", path, "--log", "sqlite:///pairs.db")
    assert status == 2
    assert out == ""
    assert len(err) == 2
    assert path.name in err[0]
    assert err[1].startswith("error: nothing to mine")


def test_broken_sources_do_not_stop_the_others(run, tmp_path, clip):
    paths = [make(tmp_path, clip) for make in BROKEN]
    status, out, err = run("mine", *paths, clip, "--log", "sqlite:///pairs.db")
    assert status == 0
    assert "done" in out
    complaints = [line for line in err if line.startswith("error: ")]
    assert len(complaints) == len(BROKEN)
    assert all(path.name in line for path, line in zip(paths, complaints, strict=True))


def test_a_broken_video_in_a_folder_does_not_stop_the_others(run, tmp_path, clip):
    folder = tmp_path / "videos"
    folder.mkdir()
    text_as_video(folder, clip)
    (folder / "pan.mp4").write_bytes(clip.read_bytes())
    status, out, err = run("mine", folder, "--log", "sqlite:///pairs.db")
    assert status == 0
    assert "failed" in out
    assert [line for line in err if line.startswith("error: ") and "text.mp4" in line]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("mining.ratioo=0.7", "mining.ratioo: unknown key; did you mean mining.ratio?"),
        ("mining.ratio=7", "mining.ratio: "),
        ("sampling.frames_per_s=often", "sampling.frames_per_s: "),
    ],
)
def test_a_config_typo_names_the_key(run, clip, setting, expected):
    status, _, err = run("mine", clip, "--set", setting)
    assert status == 2
    assert len(err) == 1
    assert expected in err[0]


def test_a_recipe_typo_names_key_and_file(run, tmp_path, clip):
    (tmp_path / "mine.yaml").write_text("sampling:\n  frame_per_s: 2\n")
    status, _, err = run("mine", clip, "--recipe", "mine.yaml")
    assert status == 2
    expected = "sampling.frame_per_s: unknown key; did you mean sampling.frames_per_s?"
    assert err == [f"error: configuration mine.yaml: {expected}"]


@pytest.mark.parametrize("command", [("pairs", "stats"), ("pairs", "show"), ("train",)])
def test_a_log_that_is_none_is_refused(run, tmp_path, command):
    (tmp_path / "notes.db").write_text("this is no database, whatever its name says" * 100)
    for name in ("notes.db", "missing.db"):
        status, _, err = run(*command, "--log", f"sqlite:///{name}")
        assert status == 2
        assert len(err) == 1
        assert name in err[0]


def test_a_database_of_something_else_is_refused_and_left_alone(run, tmp_path, clip):
    path = tmp_path / "accounts.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table accounts (owner text)")
    connection.close()
    before = path.read_bytes()
    status, _, err = run("mine", clip, "--log", "sqlite:///accounts.db")
    assert status == 2
    assert "accounts.db" in err[0]
    assert path.read_bytes() == before


def test_broken_records_are_reported_and_the_others_shown(run, clip):
    run("mine", clip, "--log", "sqlite:///pairs.db")
    with open_log("sqlite:///pairs.db") as log:
        value = next(
            record.value
            for partition in range(log.partitions(PAIRS))
            for record in log.read(PAIRS, partition, 0, 1, 1 << 20).records
        )
        wrong_fingerprint = value[:2] + bytes(8) + value[10:]
        producer = log.producer("test")
        with producer.transaction() as transaction:
            for broken in (wrong_fingerprint, value[:200], b"", b"not Avro at all"):
                transaction.append(PAIRS, Message(broken))
        producer.close()
    status, out, err = run("pairs", "stats", "--log", "sqlite:///pairs.db")
    assert status == 0
    assert "pairs in the log" in out
    assert len(err) == 4
    assert all("passed over" in line for line in err)


def test_topics_exist_after_opening_an_empty_log(run):
    with open_log("sqlite:///empty.db") as log:
        for spec in topic_specs():
            log.create_topic(spec)
    status, _, err = run("pairs", "show", "--log", "sqlite:///empty.db")
    assert status == 2
    assert err == ["error: sqlite:///empty.db: holds no pairs; mine some first"]
