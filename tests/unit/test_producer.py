"""Mining a source into a log: pairs and progress together, resumable, failures kept."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np
import pytest

import streaming.producer
import streaming.stretch
from streaming.errors import RecordError
from streaming.frames.stream import FrameStream, open_frames
from streaming.log.address import open_log
from streaming.log.protocol import Message, read_all
from streaming.log.topics import DEAD_LETTERS, PAIRS, PROGRESS, topic_specs
from streaming.producer import CommitConfig, ProduceConfig, mine_source, read_progress
from streaming.schema.codec import decode_pair
from streaming.schema.dead_letter import decode_dead_letter
from streaming.schema.progress import SourceState, decode_progress, encode_progress
from streaming.sources.spec import parse_source
from tests.scenery import write_pan

CONFIG = ProduceConfig(commit=CommitConfig(pairs=2))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_pan(tmp_path_factory.mktemp("clip") / "pan.mp4")


@contextmanager
def new_log(path):
    with open_log(f"sqlite:///{path}") as log:
        for spec in topic_specs():
            log.create_topic(spec)
        yield log


@pytest.fixture
def log(tmp_path):
    with new_log(tmp_path / "pairs.db") as log:
        yield log


def stored_ids(log):
    return [decode_pair(record.value).pair_id for record in read_all(log, PAIRS)]


def test_a_pan_gives_pairs_in_the_band(clip, log):
    progress = mine_source(parse_source(str(clip)), log, CONFIG)
    pairs = [decode_pair(record.value) for record in read_all(log, PAIRS)]
    assert progress.state is SourceState.DONE
    assert len(pairs) == progress.funnel.accepted >= 5
    assert all(0.5 <= pair.two_view.overlap <= 0.7 for pair in pairs)


def test_progress_in_the_log_is_what_was_returned(clip, log):
    source = parse_source(str(clip))
    progress = mine_source(source, log, CONFIG)
    assert read_progress(log) == {progress.key: progress}
    assert progress.funnel.frames > 0
    assert progress.position_ns > 4e9


def test_progress_from_before_there_was_a_miner_state_is_read(clip, log):
    progress = mine_source(parse_source(str(clip)), log, CONFIG)
    assert progress.miner is not None
    assert decode_progress(encode_progress(progress)) == progress
    fields = json.loads(encode_progress(progress))
    del fields["miner"]
    assert decode_progress(json.dumps(fields).encode()) == replace(progress, miner=None)


def test_a_source_that_is_done_is_left_alone(clip, log):
    source = parse_source(str(clip))
    first = mine_source(source, log, CONFIG)
    stored = stored_ids(log)
    assert mine_source(source, log, CONFIG) == first
    assert stored_ids(log) == stored


def test_other_settings_mine_anew(clip, log):
    source = parse_source(str(clip))
    mine_source(source, log, CONFIG)
    before = set(stored_ids(log))
    other = ProduceConfig.model_validate({"mining": {"jpeg_quality": 80}})
    mine_source(source, log, other)
    assert set(stored_ids(log)) > before


@pytest.mark.parametrize("frames_mined", [1, 4, 9, 13])
def test_a_stopped_source_goes_on_to_the_same_pairs(clip, log, tmp_path, frames_mined):
    source = parse_source(str(clip))
    # So short a gap that going on begins amid the clip, not with its first frame.
    config = ProduceConfig.model_validate({"mining": {"max_gap_s": 1.5}, "commit": {"pairs": 2}})
    with new_log(tmp_path / "whole.db") as whole:
        uninterrupted = mine_source(source, whole, config)
        wanted = stored_ids(whole)
    asked = iter(range(1, 1_000))
    stopped = mine_source(source, log, config, stop=lambda: next(asked) == frames_mined)
    at_stop = stored_ids(log)
    done = mine_source(source, log, config)
    assert stopped.state is SourceState.RUNNING
    assert len(at_stop) < len(wanted)
    assert sorted(stored_ids(log)) == sorted(wanted)
    # Each frame is counted once, though some before the stop are decoded again for context.
    assert done == uninterrupted
    assert done.funnel.frames == 20


def test_a_broken_source_fails_with_its_reason_and_a_dead_letter(tmp_path, clip, log):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:400])
    source = parse_source(str(clip), source_id="broken")
    progress = mine_source(type(source)(source.source_id, str(broken), source.kind), log, CONFIG)
    assert progress.state is SourceState.FAILED
    assert "broken.mp4" in progress.reason
    letters = [decode_dead_letter(record.value) for record in read_all(log, DEAD_LETTERS)]
    assert [(letter.source_id, letter.error) for letter in letters] == [("broken", progress.reason)]


def config_of(**sections):
    return ProduceConfig.model_validate({"commit": {"pairs": 2}, **sections})


def test_what_an_older_producer_commits_until_it_is_fenced_is_not_doubled(clip, log, monkeypatch):
    source = parse_source(str(clip))
    make_producer = log.producer

    def producer_after_a_rival(transactional_id):
        monkeypatch.setattr(log, "producer", make_producer)
        asked = iter(range(1, 100))
        mine_source(source, log, CONFIG, stop=lambda: next(asked) == 12)
        return make_producer(transactional_id)

    monkeypatch.setattr(log, "producer", producer_after_a_rival)
    progress = mine_source(source, log, CONFIG)
    stored = stored_ids(log)
    assert len(stored) == len(set(stored)) == progress.funnel.accepted
    assert progress.funnel.frames == 20


def test_going_back_to_earlier_settings_doubles_nothing(clip, log):
    source = parse_source(str(clip))
    other = config_of(mining={"jpeg_quality": 80})
    first = mine_source(source, log, CONFIG)
    second = mine_source(source, log, other)
    stored = stored_ids(log)
    assert mine_source(source, log, CONFIG) == first
    assert mine_source(source, log, other) == second
    assert stored_ids(log) == stored
    assert len(set(stored)) == len(stored) == first.funnel.accepted + second.funnel.accepted


@pytest.mark.parametrize("bound", [{"max_frames": 10}, {"end_s": 2.5}])
def test_a_raised_bound_goes_on_from_where_it_was(clip, log, tmp_path, bound):
    source = parse_source(str(clip))
    with new_log(tmp_path / "whole.db") as whole:
        uninterrupted = mine_source(source, whole, CONFIG)
        wanted = stored_ids(whole)
    bounded = config_of(sampling=bound)
    part = mine_source(source, log, bounded)
    assert part.funnel.frames == 10
    assert mine_source(source, log, bounded) == part
    assert mine_source(source, log, CONFIG) == uninterrupted
    assert sorted(stored_ids(log)) == sorted(wanted)
    assert mine_source(source, log, bounded) == uninterrupted, "a lower bound takes nothing back"


def test_other_grids_give_other_ids(clip, log):
    source = parse_source(str(clip))
    mine_source(source, log, CONFIG)
    mine_source(source, log, config_of(sampling={"frames_per_s": 8}))
    stored = [decode_pair(record.value) for record in read_all(log, PAIRS)]
    assert len({pair.pair_id for pair in stored}) == len(stored)
    assert len({pair.config_fingerprint for pair in stored}) == 2, "which is hashed into the id"


def test_a_pair_that_breaks_the_contract_is_a_dead_letter_and_the_rest_goes_on(
    clip, log, monkeypatch
):
    encode = streaming.stretch.pair_message
    refused = []

    def refuse_the_second(pair):
        refused.append(pair.pair_id)
        if len(refused) == 2:
            raise RecordError("too_large", "a pair of 9 MB")
        return encode(pair)

    monkeypatch.setattr(streaming.stretch, "pair_message", refuse_the_second)
    progress = mine_source(parse_source(str(clip)), log, CONFIG)
    assert progress.state is SourceState.DONE
    assert progress.funnel.rejected["too_large"] == 1
    assert progress.funnel.accepted == len(stored_ids(log)) == len(refused) - 1
    letters = [decode_dead_letter(record.value) for record in read_all(log, DEAD_LETTERS)]
    assert [(letter.reason, letter.original) for letter in letters] == [
        ("too_large", refused[1].encode())
    ]


def test_large_noisy_views_fit_into_a_record(tmp_path, log):
    folder = tmp_path / "noise"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1400, 3), dtype=np.uint8)
    for number in range(2):
        left = 300 * number
        cv2.imwrite(str(folder / f"{number}.png"), noise[:, left : left + 1024])
    large = {"view_size": 1024, "patch_size": 32}
    config = config_of(mining=large, sampling={"max_side_px": 1024})
    progress = mine_source(parse_source(str(folder)), log, config)
    assert progress.funnel.accepted == 1, progress.funnel
    assert len(read_all(log, PAIRS)[0].value) > 1 << 20


@pytest.fixture
def image_set(tmp_path, clip):
    folder = tmp_path / "images"
    folder.mkdir()
    capture = cv2.VideoCapture(str(clip))
    for number in range(12):
        _, image = capture.read()
        cv2.imwrite(str(folder / f"{number:02}.png"), image)
    (folder / "03.png").write_bytes(b"no image")
    return parse_source(str(folder))


def test_lost_pictures_are_counted_from_the_first_commit_and_once(image_set, log, tmp_path):
    with new_log(tmp_path / "whole.db") as whole:
        uninterrupted = mine_source(image_set, whole, CONFIG)
    asked = iter(range(1, 100))
    stopped = mine_source(image_set, log, CONFIG, stop=lambda: next(asked) == 6)
    assert stopped.state is SourceState.RUNNING
    assert stopped.funnel.skipped_frames["unreadable_image"] == 1
    assert mine_source(image_set, log, CONFIG) == uninterrupted
    assert uninterrupted.funnel.skipped_frames["unreadable_image"] == 1


def test_an_image_set_goes_on_at_the_image_it_needs(image_set, log, monkeypatch):
    config = config_of(mining={"image_set_window": 2})
    asked = iter(range(1, 100))
    mine_source(image_set, log, config, stop=lambda: next(asked) == 8)
    read = []

    def counting(*arguments, **options):
        frames = open_frames(*arguments, **options)
        noted = (read.append(frame.timestamp_ns) or frame for frame in frames)
        return FrameStream(noted, frames.report, frames.duration_s, frames.close)

    monkeypatch.setattr(streaming.producer, "open_frames", counting)
    assert mine_source(image_set, log, config).state is SourceState.DONE
    assert read == [7, 8, 9, 10, 11]


def test_stop_is_heard_while_context_is_read(clip, log):
    source = parse_source(str(clip))
    asked = iter(range(1, 100))
    first = mine_source(source, log, CONFIG, stop=lambda: next(asked) == 9)
    again = mine_source(source, log, CONFIG, stop=lambda: True)
    assert again == first, "not one frame further"


def test_a_stretch_without_frames_fails(clip, log):
    config = config_of(sampling={"start_s": 100})
    progress = mine_source(parse_source(str(clip)), log, config)
    assert progress.state is SourceState.FAILED
    assert "no frame between start_s 100 and the end" in progress.reason


def rewrite_progress(log, key, value):
    producer = log.producer("test")
    with producer.transaction() as transaction:
        transaction.append(PROGRESS, Message(value, key=key))
    producer.close()


def test_fields_of_a_newer_version_are_passed_over(clip, log):
    progress = mine_source(parse_source(str(clip)), log, CONFIG)
    fields = json.loads(encode_progress(progress))
    fields["weather"] = fields["miner"]["mood"] = fields["funnel"]["colour"] = "new"
    assert decode_progress(json.dumps(fields).encode()) == progress


def test_unreadable_progress_blocks_its_own_source_only(tmp_path, clip, log):
    one = parse_source(str(clip))
    other = parse_source(str(shutil.copy(clip, tmp_path / "other.mp4")))
    progress = mine_source(one, log, CONFIG)
    stored = stored_ids(log)
    rewrite_progress(log, "\n".join(progress.key).encode(), b"{}")
    rejected = []
    assert read_progress(log, lambda _, error: rejected.append(str(error))).keys() == set()
    assert one.source_id in rejected[0]
    blocked = mine_source(one, log, CONFIG)
    assert blocked.state is SourceState.FAILED
    assert one.source_id in blocked.reason
    assert stored_ids(log) == stored
    assert mine_source(other, log, CONFIG).state is SourceState.DONE
