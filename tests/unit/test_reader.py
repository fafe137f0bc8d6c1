"""The reader: gaps, waiting, ends, and what retention takes away."""

import threading
import time
from dataclasses import replace

import pytest

from streaming.errors import LogError, OffsetOutOfRangeError
from streaming.pipeline.state import parse_state
from tests.memory_log import MemoryLog
from tests.reading import make_reader, places, small_config, take


def filled(partitions=1, records=20):
    log = MemoryLog(partitions)
    for number in range(records):
        log.append(number % partitions, b"%d" % number)
    return log


def test_reads_every_record_once_in_shuffled_order_and_the_right_record():
    log = filled(2, 30)
    reader = make_reader(log, small_config(until_end=True))
    items = list(reader)
    addresses = [(item.address.partition, item.address.offset) for item in items]
    assert sorted(addresses) == log.addresses()
    assert addresses != log.addresses()
    assert all((i.record.partition, i.record.offset) == places([i.address])[0] for i in items)


def test_owned_partitions_only():
    log = filled(4, 40)
    for rank, owned in ((0, {0, 3}), (1, {1}), (2, {2})):
        reader = make_reader(log, small_config(until_end=True), rank=rank, world_size=3)
        assert {address.partition for address in take(reader, 40)} == owned


def test_a_rank_without_partition_is_refused():
    with pytest.raises(LogError, match="2 partitions leave nothing to read for rank 2 of 3"):
        make_reader(filled(2), small_config(), rank=2, world_size=3)


def test_bounded_reading_ends_where_the_log_ended_at_the_start():
    log = filled(1, 10)
    reader = make_reader(log, small_config(until_end=True))
    before = log.addresses()
    read = take(reader, 1)
    log.append(0, b"late")
    read += take(reader, 100)
    assert sorted(places(read)) == before
    with pytest.raises(StopIteration):
        next(reader)


def test_waits_for_the_first_record():
    log = MemoryLog()
    reader = make_reader(log, small_config())
    threading.Timer(0.15, log.append, (0, b"first")).start()
    assert places(take(reader, 1)) == log.addresses()


def test_stop_ends_a_waiting_reader():
    reader = make_reader(MemoryLog(), small_config(poll_s=0.05))
    threading.Timer(0.1, reader._stop.set).start()
    began = time.perf_counter()
    assert take(reader, 1) == []
    assert time.perf_counter() - began < 1.0


def test_a_log_of_gaps_only_is_waited_for_without_spinning():
    log = MemoryLog()
    log.skip(0, 50)
    reader = make_reader(log, small_config(poll_s=0.05))
    threading.Timer(0.4, reader._stop.set).start()
    assert take(reader, 1) == []
    assert len(log.reads) < 150


def test_records_lost_in_a_planned_window_are_counted_and_passed_over():
    log = filled(1, 20)
    config = small_config(window_records=100, replay="none")
    whole = take(make_reader(log, config), 20)
    reader = make_reader(log, config)
    take(reader, 5)
    state = reader.state_dict()
    log.trim(0, 12)
    resumed = make_reader(log, small_config(window_records=100, until_end=True))
    resumed.reset(state)
    assert take(resumed, 20) == [address for address in whole[5:] if address.offset >= 12]
    unread = [address for _, address in parse_state(state).plan.windows[0].unread(seed=0)]
    assert resumed._metrics.lost == {"planned": sum(address.offset < 12 for address in unread)}


def test_records_lost_before_they_were_planned_are_counted():
    log = filled(1, 20)
    reader = make_reader(log, small_config(window_records=4, until_end=True))
    held = sum(offset < 4 for _, offset in log.addresses())
    take(reader, held)
    log.trim(0, 12)
    assert sorted(places(take(reader, 20))) == log.addresses()
    assert reader._metrics.lost["unread"] == 12 - 4


@pytest.mark.parametrize("read_before", [2, 8])
def test_lost_records_end_the_reading_when_asked_to(read_before):
    log = filled(1, 40)
    reader = make_reader(log, small_config(window_records=8, on_lost="fail"))
    take(reader, read_before)
    state = reader.state_dict()
    log.trim(0, 30)
    resumed = make_reader(log, small_config(on_lost="fail"))
    resumed.reset(state)
    with pytest.raises(OffsetOutOfRangeError, match=r"removed .* or set data\.on_lost=refill"):
        take(resumed, 40)


def test_forgetting_what_was_to_be_replayed_is_no_loss():
    log = filled(1, 40)
    reader = make_reader(log, small_config(window_records=100, on_lost="fail"))
    fresh = take(reader, len(log.addresses()))
    again = take(reader, 1)
    state = reader.state_dict()
    log.trim(0, 30)
    resumed = make_reader(log, small_config(window_records=100, on_lost="fail"))
    resumed.reset(state)
    again += take(resumed, 5)
    assert {address.replay_pass for address in fresh} == {0}
    assert all(address.replay_pass > 0 for address in again)
    assert all(address.offset >= 30 for address in again[1:])
    assert resumed._metrics.lost == {}


def test_a_log_that_lost_its_end_is_refused():
    log = filled(1, 20)
    reader = make_reader(log, small_config(window_records=100))
    take(reader, 1)
    shorter = make_reader(filled(1, 3), small_config(window_records=100))
    with pytest.raises(LogError, match="the log lost records"):
        shorter.reset(reader.state_dict())


def test_counts_fresh_and_replayed_records():
    reader = make_reader(filled(1, 20), small_config())
    read = take(reader, 50)
    assert reader._metrics.records_fresh == 20 == sum(a.replay_pass == 0 for a in read)
    assert reader._metrics.records_replayed == 30


@pytest.mark.parametrize(
    ("name", "log", "config", "ranks"),
    [
        ("topic_id", {"topic_id": "other"}, {}, {}),
        ("seed", {}, {"seed": 1}, {}),
        ("rank", {}, {}, {"rank": 1, "world_size": 2}),
        ("world_size", {}, {}, {"world_size": 3}),
        ("partitions", {"partitions": 6}, {}, {"world_size": 2}),
    ],
)
def test_a_state_of_another_run_is_refused(name, log, config, ranks):
    state = make_reader(MemoryLog(4), small_config(), world_size=2).state_dict()
    other = make_reader(
        MemoryLog(**({"partitions": 4} | log)),
        small_config(**config),
        **({"rank": 0, "world_size": 2} | ranks),
    )
    with pytest.raises(LogError, match=f"reader state: {name} is "):
        other.reset(state)


def test_a_state_of_another_topic_is_refused():
    state = make_reader(MemoryLog(), small_config()).state_dict()
    state["identity"]["topic"] = "elsewhere"
    with pytest.raises(LogError, match="topic is 'elsewhere' but this reader has 'pairs'"):
        make_reader(MemoryLog(), small_config()).reset(state)


def all_keys(values, path=()):
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from all_keys(value, (*path, key))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from all_keys(value[0], (*path, key, 0))


def test_a_state_without_any_one_of_its_keys_is_refused():
    log = filled(1, 20)
    reader = make_reader(log, small_config())
    take(reader, 30)
    paths = list(all_keys(reader.state_dict()))
    assert len(paths) > 20
    for path in paths:
        state = reader.state_dict()
        node = state
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]
        with pytest.raises(LogError, match=r"the checkpoint is damaged"):
            make_reader(log, small_config()).reset(state)


def test_a_state_of_another_version_is_refused():
    reader = make_reader(filled(), small_config())
    with pytest.raises(LogError, match="version is 99 but this software reads 1"):
        reader.reset(reader.state_dict() | {"version": 99})


def test_a_planned_window_is_not_planned_again():
    log = filled(1, 5)
    config = small_config(window_records=20, replay="none")
    whole = make_reader(log, config)
    resumed = make_reader(log, config)
    take(whole, 2)
    resumed.reset(whole.state_dict())
    for number in range(5):
        log.append(0, b"late%d" % number)
    assert take(resumed, 8) == take(whole, 8)


def test_state_does_not_grow_with_the_log():
    sizes = []
    for records in (500, 5000):
        reader = make_reader(filled(1, records), small_config(window_records=64))
        take(reader, 2 * records + 40)
        sizes.append(len(str(reader.state_dict())))
    assert sizes[1] < 1.5 * sizes[0]


def test_limit_holds_after_resume():
    log = filled(1, 20)
    config = small_config(until_end=True)
    reader = make_reader(log, config)
    take(reader, 4)
    state = reader.state_dict()
    log.append(0, b"late")
    resumed = make_reader(log, config)
    resumed.reset(state)
    assert len(take(resumed, 100)) == 16
    assert replace(resumed._plan, windows=()).finished
