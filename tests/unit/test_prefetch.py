"""Prefetching: bounded, exact about state, and never in the way of an end."""

import threading
import time

import pytest
from torchdata.nodes import BaseNode

from streaming.pipeline.prefetch import Prefetcher


class Counting(BaseNode):
    """0, 1, 2, ...; may fail at a number, or wait at one until it is stopped."""

    def __init__(self, stop, fail_at=None, wait_at=None, refuse=False):
        super().__init__()
        self.stop, self.fail_at, self.wait_at, self.refuse = stop, fail_at, wait_at, refuse
        self.number = 0

    def reset(self, initial_state=None):
        super().reset(initial_state)
        if self.refuse and initial_state is not None:
            raise ValueError("refused")
        self.number = 0 if initial_state is None else initial_state["number"]

    def next(self):
        if self.number == self.wait_at:
            self.stop.wait()
        if self.stop.is_set():
            raise StopIteration
        if self.number == self.fail_at:
            raise OSError("broken")
        self.number += 1
        return self.number - 1

    def get_state(self):
        return {"number": self.number}


@pytest.fixture
def make():
    nodes = []

    def prefetcher(depth=2, on_wait=lambda _seconds: None, **settings):
        stop = threading.Event()
        source = Counting(stop, **settings)
        node = Prefetcher(source, depth, stop=stop, on_wait=on_wait, report_s=0.02)
        nodes.append(node)
        return node, source

    yield prefetcher
    for node in nodes:
        node.close()


def settled(read, expected):
    """Waits until a value that another thread moves is as expected, and stays so."""
    deadline = time.monotonic() + 5
    while read() != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    return read() == expected


def test_runs_ahead_by_its_depth_and_no_more(make):
    node, source = make(depth=3)
    node.reset()
    assert settled(lambda: source.number, 3)
    assert next(node) == 0
    assert settled(lambda: source.number, 4)


def test_state_is_that_of_the_last_item_handed_out(make):
    node, source = make(depth=3)
    assert [next(node), next(node)] == [0, 1]
    assert settled(lambda: source.number, 5)
    assert node.state_dict() == {"number": 2}
    other, _ = make()
    other.reset(node.state_dict())
    assert next(other) == 2


def test_an_error_comes_after_the_items_before_it_and_stays(make):
    node, _ = make(depth=4, fail_at=2)
    assert [next(node), next(node)] == [0, 1]
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            next(node)
    assert node.state_dict() == {"number": 2}


def test_close_frees_a_waiting_consumer(make):
    node, _ = make(wait_at=0)
    node.reset()
    threading.Timer(0.1, node.close).start()
    began = time.perf_counter()
    with pytest.raises(StopIteration):
        next(node)
    assert time.perf_counter() - began < 1.0


def test_close_ends_the_thread_while_the_source_waits(make):
    node, _ = make(wait_at=1)
    assert next(node) == 0
    thread = node._thread
    began = time.perf_counter()
    node.close()
    assert time.perf_counter() - began < 1.0
    assert not thread.is_alive()


def test_close_ends_the_thread_while_the_queue_is_full(make):
    node, source = make(depth=1)
    node.reset()
    assert settled(lambda: source.number, 1)
    thread = node._thread
    node.close()
    assert not thread.is_alive()


def test_waits_are_told_while_they_last(make):
    waits = []
    node, source = make(on_wait=waits.append, wait_at=0)
    threading.Timer(0.3, node.close).start()
    with pytest.raises(StopIteration):
        next(node)
    assert len(waits) > 3
    assert 0.2 < sum(waits) < 2.0
    assert source.number == 0


def test_ready_tells_whether_next_would_wait(make):
    node, _ = make(wait_at=1)
    node.reset()
    assert node.ready(timeout_s=5)
    assert next(node) == 0
    began = time.perf_counter()
    assert not node.ready(timeout_s=0.1)
    assert time.perf_counter() - began < 1.0


def test_nothing_is_read_after_a_refused_state(make):
    node, _ = make(refuse=True)
    assert next(node) == 0
    with pytest.raises(ValueError, match="refused"):
        node.reset({"number": 7})
    with pytest.raises(RuntimeError, match="last reset was refused"):
        next(node)
