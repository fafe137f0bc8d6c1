"""A resumed reading gives what an uninterrupted one gives; a dealt one reads all, once."""

import itertools
import json
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.pipeline.loader import PairLoader
from streaming.pipeline.redeal import redeal
from tests.memory_log import MemoryLog
from tests.reading import make_reader, places, small_config, take
from tests.small_pairs import small_value

GAPS = st.lists(st.integers(0, 4), min_size=1, max_size=5)
CONFIGS = st.builds(
    small_config,
    window_records=st.integers(1, 30),
    replay=st.sampled_from(["uniform", "recency"]),
    max_replays=st.none(),
    recent_offsets=st.integers(1, 30),
    seed=st.integers(0, 3),
)
CUTS = st.lists(st.integers(0, 40), min_size=1, max_size=4)


def filled(partitions, records, gaps, poison=frozenset()):
    log = MemoryLog(partitions, gaps=gaps)
    for number in range(records):
        value = b"poison" if number in poison else small_value(number)
        log.append(number % partitions, value)
    return log


def saved(stateful):
    return json.loads(json.dumps(stateful.state_dict()))


@settings(deadline=None)
@given(
    partitions=st.integers(1, 4), records=st.integers(1, 50), gaps=GAPS, config=CONFIGS, cuts=CUTS
)
def test_resumed_equals_uninterrupted(partitions, records, gaps, config, cuts):
    log = filled(partitions, records, gaps)
    whole = take(make_reader(log, config), sum(cuts) + 20)
    items, state = [], None
    for count in [*cuts, 20]:
        reader = make_reader(log, config)
        reader.reset(state)
        items += take(reader, count)
        state = saved(reader)
    assert items == whole


@settings(deadline=None)
@given(
    growth=st.lists(
        st.tuples(st.lists(st.integers(0, 12), min_size=2, max_size=2), st.integers(0, 30)),
        min_size=1,
        max_size=6,
    ),
    gaps=GAPS,
    config=CONFIGS,
)
def test_every_record_is_fresh_once_while_the_log_grows(growth, gaps, config):
    log = MemoryLog(2, gaps=gaps)
    log.append(0, small_value(0))
    fresh, state = [], None
    for counts, reads in growth:
        for partition, count in enumerate(counts):
            for _ in range(count):
                log.append(partition, small_value(0))
        reader = make_reader(log, config)
        reader.reset(state)
        fresh += [address for address in take(reader, reads) if address.replay_pass == 0]
        state = saved(reader)
    rest = make_reader(log, config.model_copy(update={"until_end": True}))
    rest.reset(state)
    fresh += [address for address in take(rest, 1_000) if address.replay_pass == 0]
    assert sorted(places(fresh)) == log.addresses()


@settings(deadline=None)
@given(
    records=st.integers(4, 60),
    gaps=GAPS,
    config=CONFIGS,
    worlds=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    data=st.data(),
)
def test_redealt_ranks_read_every_record_once(records, gaps, config, worlds, data):
    log = filled(4, records, gaps)
    config = config.model_copy(update={"replay": "none", "until_end": True})
    states = [
        saved(make_reader(log, config, rank=r, world_size=worlds[0])) for r in range(worlds[0])
    ]
    read = []
    for index, world in enumerate(worlds):
        states = redeal(states, world)
        for rank in range(world):
            reader = make_reader(log, config, rank=rank, world_size=world)
            reader.reset(states[rank])
            last = index == len(worlds) - 1
            addresses = take(reader, 1_000 if last else data.draw(st.integers(0, 20)))
            assert all(address.partition % world == rank for address in addresses)
            read += addresses
            states[rank] = saved(reader)
    assert sorted(places(read)) == log.addresses()


@settings(deadline=None)
@given(
    records=st.integers(4, 40),
    gaps=GAPS,
    config=CONFIGS,
    worlds=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    max_replays=st.integers(1, 3),
    data=st.data(),
)
def test_redeal_neither_skips_nor_doubles_replays(records, gaps, config, worlds, max_replays, data):
    """All replays that are allowed happen, each once, whoever does them."""
    log = filled(4, records, gaps)
    config = config.model_copy(update={"replay": "uniform", "max_replays": max_replays})
    expected = Counter(dict.fromkeys(log.addresses(), 1 + max_replays))
    states = [
        saved(make_reader(log, config, rank=r, world_size=worlds[0])) for r in range(worlds[0])
    ]
    read: Counter[tuple[int, int]] = Counter()
    for index, world in enumerate(worlds):
        states = redeal(states, world)
        for rank in range(world):
            reader = make_reader(log, config, rank=rank, world_size=world)
            reader.reset(states[rank])
            left = sum(n for (p, _), n in (expected - read).items() if p % world == rank)
            last = index == len(worlds) - 1
            addresses = take(reader, left if last else data.draw(st.integers(0, left)))
            read.update(places(addresses))
            states[rank] = saved(reader)
    assert read == expected


def rows(batches):
    """What a trainer sees of each pair of some batches."""
    return [
        (batch.addresses[i], batch.pair_ids[i], batch.view_1[i].numpy().tobytes())
        for batch in batches
        for i in range(len(batch))
    ]


@settings(max_examples=25, deadline=None)
@given(
    records=st.integers(5, 30),
    gaps=GAPS,
    config=CONFIGS,
    batch_size=st.integers(1, 5),
    poison=st.frozensets(st.integers(0, 29), max_size=4),
    cuts=st.lists(st.integers(0, 5), min_size=1, max_size=3),
)
def test_resumed_batches_equal_uninterrupted_ones(records, gaps, config, batch_size, poison, cuts):
    log = filled(2, records, gaps, poison)
    config = config.model_copy(update={"batch_size": batch_size, "replay": "uniform"})
    with PairLoader(log, config) as loader:
        whole = rows(itertools.islice(loader, sum(cuts) + 3))
    items, state = [], None
    for count in [*cuts, 3]:
        with PairLoader(log, config) as loader:
            if state is not None:
                loader.load_state_dict(state)
            items += rows(itertools.islice(loader, count))
            state = saved(loader)
    assert items == whole


@settings(max_examples=25, deadline=None)
@given(
    records=st.integers(2, 30), gaps=GAPS, config=CONFIGS, poison=st.frozensets(st.integers(0, 29))
)
def test_poison_does_not_alter_the_rest(records, gaps, config, poison):
    config = config.model_copy(update={"until_end": True})
    healthy, sick = filled(2, records, gaps), filled(2, records, gaps, poison)
    bad = {
        (record.partition, record.offset)
        for partition in sick._records
        for record in partition
        if record.value == b"poison"
    }
    rejected = []
    with PairLoader(healthy, config) as loader:
        whole = rows(loader)
    with PairLoader(sick, config, on_rejected=lambda record, _: rejected.append(record)) as loader:
        rest = rows(loader)
        counted = loader.metrics.rejected
    assert rest == [row for row in whole if (row[0].partition, row[0].offset) not in bad]
    assert {(record.partition, record.offset) for record in rejected} == bad
    assert counted.total() == len(bad)
