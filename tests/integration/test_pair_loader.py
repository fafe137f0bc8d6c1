"""The loader over the embedded log: idle, growing, forgetting, closed, resumed."""

import itertools
import json
import logging
import threading
import time
from collections import Counter
from concurrent.futures import CancelledError

import numpy as np
import pytest

from streaming.errors import LogError, OffsetOutOfRangeError
from streaming.log.embedded import EmbeddedLog
from streaming.log.protocol import Message, TopicSpec
from streaming.log.topics import PAIRS
from streaming.pipeline.decode import decode_record
from streaming.pipeline.loader import PairLoader
from streaming.pipeline.redeal import redeal
from tests.reading import small_config
from tests.small_pairs import small_pair, small_value

HANGING_S = 30


@pytest.fixture
def log(tmp_path):
    with EmbeddedLog(tmp_path / "pairs.db") as opened:
        opened.create_topic(TopicSpec(PAIRS, 4))
        yield opened


def write(log, numbers, values=small_value):
    producer = log.producer("test")
    with producer.transaction() as transaction:
        for number in numbers:
            transaction.append(PAIRS, Message(values(number)))
    producer.close()


def take(loader, count=None):
    return list(itertools.islice(loader, count))


def ids(batches):
    return [pair_id for batch in batches for pair_id in batch.pair_ids]


def saved(loader):
    return json.loads(json.dumps(loader.state_dict()))


def names(numbers):
    return {f"pair-{number}" for number in numbers}


def becomes_true(condition):
    deadline = time.monotonic() + HANGING_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_bounded_reading_gives_every_pair_once_with_its_own_pictures(log):
    write(log, range(20))
    with PairLoader(log, small_config(until_end=True)) as loader:
        batches = take(loader)
    assert [len(batch) for batch in batches] == [3] * 6 + [2]
    assert Counter(ids(batches)) == Counter(names(range(20)))
    for batch in batches:
        for row, pair_id in enumerate(batch.pair_ids):
            pair = small_pair(int(pair_id.removeprefix("pair-")))
            np.testing.assert_array_equal(
                batch.correspondence[row].numpy(), pair.two_view.correspondence
            )


def test_iterating_again_goes_on(log):
    write(log, range(12))
    with PairLoader(log, small_config(until_end=True)) as loader:
        assert len(set(ids(take(loader, 2)) + ids(take(loader)))) == 12
        assert loader.metrics.batches == 4


def test_replay_begins_when_the_tail_is_exhausted(log):
    write(log, range(12))
    with PairLoader(log, small_config(window_records=12)) as loader:
        batches = take(loader, 12)
        metrics = loader.metrics
    assert [batch.fresh_share for batch in batches] == [1.0] * 4 + [0.0] * 8
    assert metrics.records_fresh == 12
    assert metrics.records_replayed >= 24
    seeds = {int(seed) for batch in batches for seed in batch.augmentation_seed}
    assert len(seeds) == 36


def test_idle_then_data(log):
    config = small_config(window_records=9)
    with PairLoader(log, config) as loader:
        assert not loader.ready(timeout_s=0.1)
        state = saved(loader)

        def write_when_waited_for():
            assert becomes_true(lambda: loader.metrics.data_wait_s > 0.05)
            write(log, range(9))

        writer = threading.Thread(target=write_when_waited_for)
        writer.start()
        batches = take(loader, 3)
        writer.join()
    assert set(ids(batches)) == names(range(9))
    with PairLoader(log, config) as loader:
        loader.load_state_dict(state)
        assert set(ids(take(loader, 3))) == names(range(9))


def test_waiting_is_visible_while_it_lasts(log):
    with PairLoader(log, small_config()) as loader:
        consumer = threading.Thread(target=take, args=(loader, 1), daemon=True)
        consumer.start()
        assert becomes_true(lambda: loader.metrics.data_wait_s > 0.15)
        assert consumer.is_alive()
        loader.close()
        consumer.join(HANGING_S)
        assert not consumer.is_alive()


@pytest.mark.parametrize("records", [0, 2, 40])
def test_close_ends_all_threads(log, records):
    """Whether it waits for the first record, for the rest of a batch, or is full of batches."""
    write(log, range(records))
    before = threading.active_count()
    loader = PairLoader(log, small_config(replay="none", prefetch_batches=1))
    loader.ready(timeout_s=0.2)
    closing = threading.Thread(target=loader.close, daemon=True)
    closing.start()
    closing.join(HANGING_S)
    assert not closing.is_alive()
    assert threading.active_count() == before
    assert take(loader, 1) == []
    with pytest.raises(LogError, match="closed"):
        loader.state_dict()


def test_a_next_that_waits_ends_whatever_close_breaks_off(log, monkeypatch):
    write(log, range(40))
    begun, release, ends = threading.Event(), threading.Event(), []

    def decode_slowly(*arguments):
        begun.set()
        release.wait()
        return decode_record(*arguments)

    def consume():
        try:
            next(loader)
        except (StopIteration, RuntimeError, CancelledError) as end:
            ends.append(type(end))

    monkeypatch.setattr("streaming.pipeline.decode.decode_record", decode_slowly)
    loader = PairLoader(log, small_config(batch_size=40, window_records=40, decode_threads=1))
    close_decoder = loader._decoder.close

    def break_off_then_close():
        loader._decoder._pool.shutdown(wait=False, cancel_futures=True)
        release.set()
        consumer.join(HANGING_S)
        close_decoder()

    monkeypatch.setattr(loader._decoder, "close", break_off_then_close)
    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    assert begun.wait(HANGING_S)
    loader.close()
    assert ends == [StopIteration]


def test_what_was_only_prefetched_is_read_again(log):
    write(log, range(30))
    config = small_config(until_end=True, prefetch_batches=4)
    with PairLoader(log, config) as loader:
        first = take(loader, 2)
        assert becomes_true(lambda: loader.metrics.records_fresh >= 12)
        state = saved(loader)
    with PairLoader(log, config) as loader:
        loader.load_state_dict(state)
        rest = take(loader)
    assert Counter(ids(first + rest)) == Counter(names(range(30)))


def test_every_pair_is_fresh_once_over_interruptions_while_a_producer_writes(log):
    def produce():
        for start in range(0, 120, 8):
            write(log, range(start, start + 8))
            time.sleep(0.01)

    producer = threading.Thread(target=produce)
    producer.start()
    fresh, state = [], None
    while len(fresh) < 120:
        with PairLoader(log, small_config(batch_size=5)) as loader:
            if state is not None:
                loader.load_state_dict(state)
            for batch in take(loader, 7):
                addresses = zip(batch.addresses, batch.pair_ids, strict=True)
                fresh += [pair_id for address, pair_id in addresses if address.replay_pass == 0]
            state = saved(loader)
    producer.join()
    assert Counter(fresh) == Counter(names(range(120)))


def test_another_world_size_reads_the_rest_once(log):
    write(log, range(60))
    config = small_config(until_end=True)
    read, states = [], []
    for rank in range(2):
        with PairLoader(log, config, rank=rank, world_size=2) as loader:
            read += take(loader, 4)
            states.append(saved(loader))
    for rank, state in enumerate(redeal(states, 3)):
        with PairLoader(log, config, rank=rank, world_size=3) as loader:
            loader.load_state_dict(state)
            read += take(loader)
    assert Counter(ids(read)) == Counter(names(range(60)))


def test_broken_records_are_named_counted_and_handed_on(log, caplog):
    write(log, range(10), lambda number: small_value(number) if number % 4 else b"poison")
    rejected = []
    with (
        caplog.at_level(logging.WARNING),
        PairLoader(
            log,
            small_config(until_end=True),
            on_rejected=lambda record, error: rejected.append((record.value, error.reason)),
        ) as loader,
    ):
        batches = take(loader)
        counted = loader.metrics.rejected
    assert set(ids(batches)) == names(n for n in range(10) if n % 4)
    assert [value for value, _ in rejected] == [b"poison"] * 3
    assert counted == Counter(reason for _, reason in rejected)
    assert len([line for line in caplog.messages if "is passed over" in line]) == len(counted)


def test_retention_that_overtakes_the_reader_is_survived_or_told(tmp_path):
    now = [1000.0]
    with EmbeddedLog(tmp_path / "pairs.db", clock=lambda: now[0]) as log:
        log.create_topic(TopicSpec(PAIRS, 1, retention_s=10))
        write(log, range(30))
        with PairLoader(log, small_config()) as loader:
            seen = take(loader, 1)
            state = saved(loader)
        now[0] += 60
        write(log, range(30, 40))
        log.clean()
        assert log.offsets(PAIRS)[0].first == 30
        with PairLoader(log, small_config(on_lost="fail")) as loader:
            loader.load_state_dict(state)
            with pytest.raises(OffsetOutOfRangeError, match="retention removed"):
                next(loader)
        with PairLoader(log, small_config(until_end=True)) as loader:
            loader.load_state_dict(state)
            rest = take(loader)
            lost = loader.metrics.lost
    assert Counter(ids(rest)) == Counter(names(range(30, 40)))
    assert lost.total() == 30 - len(ids(seen))
    assert set(lost) == {"planned", "unread"}


def test_a_damaged_state_is_refused_and_nothing_is_read(log):
    write(log, range(6))
    with PairLoader(log, small_config()) as loader:
        state = saved(loader)
        del state["plan"]["next_window"]
        with pytest.raises(LogError, match=r"plan\.next_window: Field required"):
            loader.load_state_dict(state)
        with pytest.raises(RuntimeError, match="refused"):
            next(loader)


def test_a_missing_topic_is_an_error(tmp_path):
    with EmbeddedLog(tmp_path / "empty.db") as log, pytest.raises(LogError):
        PairLoader(log, small_config())
