"""Mining a source into a log: pairs and progress together, resumable, failures kept."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest

from streaming.log.address import open_log
from streaming.log.protocol import read_all
from streaming.log.topics import DEAD_LETTERS, PAIRS, topic_specs
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
    assert read_progress(log) == {source.source_id: progress}
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
