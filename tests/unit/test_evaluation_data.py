"""Evaluation data: kept, made anew when damaged, never what was trained on."""

import numpy as np
import pytest

from streaming.errors import LogError
from streaming.log.address import open_log
from streaming.log.messages import pair_message
from streaming.log.protocol import Message
from streaming.log.topics import PAIRS, topic_specs
from tests.small_pairs import VIEW_SIZE, small_pair
from trainer.evaluation.datasets.cache import cached
from trainer.evaluation.datasets.pairs import mined_pairs
from trainer.evaluation.datasets.synthetic import Part, labelled_views, matched_pairs

SIZE, PATCH = 32, 8


class Maker:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"a": np.arange(5), "b": np.ones((2, 3), np.float32)}


def test_cache_makes_once(tmp_path):
    make = Maker()
    for _ in range(2):
        arrays = cached(tmp_path, "what", make)
        np.testing.assert_array_equal(arrays["a"], np.arange(5))
        assert arrays["b"].dtype == np.float32
    assert make.calls == 1
    cached(tmp_path, "something else", make)
    assert make.calls == 2
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_damaged_cache_is_made_anew(tmp_path, damage):
    make = Maker()
    cached(tmp_path, "what", make)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    at = whole.index(np.arange(5).tobytes()) + 9
    damaged = {
        "cut": whole[: len(whole) // 2],
        "flipped": whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
        "empty": b"",
        "text": b"no arrays here",
    }
    path.write_bytes(damaged[damage])
    np.testing.assert_array_equal(cached(tmp_path, "what", make)["a"], np.arange(5))
    assert make.calls == 2
    assert path.read_bytes() == whole


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation-cache")


def test_labelled_views(cache_dir):
    views = labelled_views(Part.VALIDATION, 6, SIZE, cache_dir)
    assert views.images.shape == (6, SIZE, SIZE, 3)
    assert views.images.dtype == np.uint8
    assert views.depths_m.shape == (6, SIZE, SIZE)
    known = views.depths_m > 0
    assert known.mean() > 0.9
    assert 0.2 < views.depths_m[known].min() < views.depths_m.max() < 15
    assert len(np.unique(views.images.reshape(6, -1), axis=0)) == 6


def test_parts_show_different_rooms(cache_dir):
    validation = labelled_views(Part.VALIDATION, 6, SIZE, cache_dir).images
    labelled = labelled_views(Part.LABELLED, 6, SIZE, cache_dir).images
    assert not np.array_equal(validation, labelled)


def test_views_are_the_same_without_the_cache(cache_dir, tmp_path):
    kept = labelled_views(Part.VALIDATION, 6, SIZE, cache_dir)
    anew = labelled_views(Part.VALIDATION, 6, SIZE, tmp_path)
    np.testing.assert_array_equal(kept.images, anew.images)
    np.testing.assert_array_equal(kept.depths_m, anew.depths_m)


def test_matched_pairs_show_the_same_places(cache_dir):
    data = matched_pairs(8, 64, 16, cache_dir)
    assert data.correspondence.shape == (8, 16)
    assert data.depths_m.shape == (8, 64, 64)
    assert data.correspondence.max() < 16
    assert (data.correspondence >= 0).mean() > 0.2
    patches_1, patches_2 = (
        view.reshape(8, 4, 16, 4, 16, 3).mean(axis=(2, 4)).reshape(8, 16, 3)
        for view in (data.pairs.view_1, data.pairs.view_2)
    )
    right, wrong = [], []
    for n, true in enumerate(data.correspondence):
        seen = np.flatnonzero(true >= 0)
        right.append(np.abs(patches_1[n, seen] - patches_2[n, true[seen]]).mean())
        wrong.append(np.abs(patches_1[n, seen, None] - patches_2[n, None]).mean())
    assert np.mean(right) < 0.6 * np.mean(wrong)


@pytest.fixture
def log(tmp_path):
    with open_log(f"sqlite:///{tmp_path}/held-out.db") as log:
        for spec in topic_specs(pair_partitions=2):
            log.create_topic(spec)
        yield log


def append(log, messages):
    producer = log.producer("test")
    with producer.transaction() as transaction:
        for message in messages:
            transaction.append(PAIRS, message)
    producer.close()


def test_mined_pairs_are_spread_and_repeatable(log):
    append(log, [pair_message(small_pair(number)) for number in range(30)])
    first, again = (mined_pairs(log, 10, VIEW_SIZE, None) for _ in range(2))
    assert first.pairs.view_1.shape == (10, VIEW_SIZE, VIEW_SIZE, 3)
    np.testing.assert_array_equal(first.pairs.view_2, again.pairs.view_2)
    assert len(np.unique(first.pairs.view_1.reshape(10, -1), axis=0)) == 10
    assert len(mined_pairs(log, 100, VIEW_SIZE, None).pairs) == 30


def test_mined_pairs_are_brought_to_the_size_of_the_model(log):
    append(log, [pair_message(small_pair(number)) for number in range(3)])
    assert mined_pairs(log, 3, 8, None).pairs.view_2.shape == (3, 8, 8, 3)


def test_broken_records_are_counted(log):
    good = [pair_message(small_pair(number)) for number in range(4)]
    append(log, [*good, Message(b"no pair"), Message(b"nor this")])
    mined = mined_pairs(log, 6, VIEW_SIZE, None)
    assert len(mined.pairs) == 4
    assert mined.rejected.total() == 2


def test_the_log_that_was_trained_on_is_refused(log):
    append(log, [pair_message(small_pair(number)) for number in range(4)])
    with pytest.raises(LogError, match="was trained on"):
        mined_pairs(log, 4, VIEW_SIZE, log.topic_id(PAIRS))


def test_too_few_pairs_are_refused(log):
    with pytest.raises(LogError, match="holds 0 usable ones"):
        mined_pairs(log, 4, VIEW_SIZE, None)
