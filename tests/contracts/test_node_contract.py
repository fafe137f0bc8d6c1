"""What every node of the pipeline promises; a new node joins by one line in NODES."""

import itertools
import json
import threading

import pytest

from streaming.pipeline.batch import PairBatch, PairBatcher
from streaming.pipeline.decode import DecodedPair, PairDecoder
from streaming.pipeline.metrics import PipelineMetrics
from streaming.pipeline.prefetch import Prefetcher
from streaming.pipeline.reader import AddressedRecord
from tests.memory_log import MemoryLog
from tests.reading import make_reader, small_config
from tests.small_pairs import small_value

CONFIG = small_config(until_end=True, window_records=7, batch_size=2)


def make_log():
    log = MemoryLog(partitions=2)
    for number in range(19):
        log.append(number % 2, b"poison" if number in (4, 11) else small_value(number))
    return log


def reader(log):
    return make_reader(log, CONFIG)


def decoder(log):
    return PairDecoder(
        reader(log), CONFIG, on_rejected=None, stop=threading.Event(), metrics=PipelineMetrics()
    )


def batcher(log):
    return PairBatcher(decoder(log), CONFIG.seed)


def prefetcher(log):
    source = make_reader(log, CONFIG)
    return Prefetcher(source, 3, stop=source._stop, on_wait=lambda _seconds: None)


NODES = [reader, decoder, batcher, prefetcher]


def comparable(item):
    """All that an item says, in a form that `==` compares."""
    if isinstance(item, AddressedRecord):
        return item
    if isinstance(item, tuple):
        return tuple(comparable(part) for part in item)
    if isinstance(item, DecodedPair):
        return (item.address, item.pair_id, item.view_1.tobytes(), item.view_2.tobytes())
    assert isinstance(item, PairBatch)
    tensors = (item.view_1, item.view_2, item.correspondence, item.overlap, item.augmentation_seed)
    return (item.addresses, item.pair_ids, item.source_ids, *(t.tolist() for t in tensors))


def take(node, count=None):
    return [comparable(item) for item in itertools.islice(node, count)]


def saved(node):
    """The node's state, after it went through a file."""
    return json.loads(json.dumps(node.state_dict()))


def chain(node):
    """The node and all that it stands on, down to the reader."""
    nodes = [node]
    while hasattr(nodes[-1], "_source"):
        nodes.append(nodes[-1]._source)
    return nodes


@pytest.fixture(params=NODES, ids=lambda make: make.__name__)
def make_node(request):
    """Makes any number of equal nodes over one log, and ends their threads."""
    log = make_log()
    nodes = []

    def make(state=None):
        node = request.param(log)
        nodes.append(node)
        if state is not None:
            node.reset(state)
        return node

    yield make
    for node in nodes:
        for part in chain(node):
            if hasattr(part, "close"):
                part.close()


@pytest.fixture
def whole(make_node):
    items = take(make_node())
    assert len(items) > 6
    return items


def test_equal_nodes_give_equal_items(make_node, whole):
    assert take(make_node()) == whole


def test_state_before_the_first_item(make_node, whole):
    node = make_node()
    state = saved(node)
    assert take(node) == whole
    assert take(make_node(state)) == whole


def test_state_after_each_item_gives_the_rest(make_node, whole):
    node = make_node()
    for count in range(1, len(whole) + 1):
        take(node, 1)
        assert take(make_node(saved(node))) == whole[count:]


def test_asking_for_the_state_changes_nothing(make_node, whole):
    node = make_node()
    items = []
    for _ in whole:
        assert saved(node) == saved(node)
        items += take(node, 1)
    assert items == whole


def test_end_is_final(make_node, whole):
    node = make_node()
    assert take(node) == whole
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(node)
    assert take(make_node(saved(node))) == []


def test_resume_of_a_resume(make_node, whole):
    first = make_node()
    items = take(first, 2)
    second = make_node(saved(first))
    state_unused = saved(second)
    items += take(second, 3)
    third = make_node(saved(second))
    items += take(third)
    assert items == whole
    assert take(make_node(state_unused)) == whole[2:]


def test_reset_begins_anew_and_goes_back(make_node, whole):
    node = make_node()
    take(node, 2)
    state = saved(node)
    take(node, 2)
    node.reset(state)
    assert take(node) == whole[2:]
    node.reset()
    assert take(node) == whole


def test_stop_ends_the_items(make_node):
    node = make_node()
    take(node, 1)
    chain(node)[-1]._stop.set()
    assert take(node) == []
