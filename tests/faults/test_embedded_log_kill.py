"""kill -9 of a process that writes to the embedded log, at any moment."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from streaming.log.address import open_log
from streaming.log.protocol import Cleanup, TopicSpec, read_all
from tests.faults.log_writer import NUMBERS, PROGRESS, RECORDS_PER_TRANSACTION, next_number

ROOT = Path(__file__).parents[2]


@pytest.fixture
def address(tmp_path):
    address = f"sqlite:///{tmp_path / 'log.db'}"
    with open_log(address) as log:
        log.create_topic(TopicSpec(NUMBERS, 3))
        log.create_topic(TopicSpec(PROGRESS, 1, Cleanup.COMPACT))
    return address


def start_writer(address: str, way: str, *stop: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.faults.log_writer", address, way, *stop]
    writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    return writer


def write_through_kills(address: str, way: str, kills: int) -> Counter[int]:
    """Kills a writer that often, lets a last one finish, and counts each number in the log."""
    delays = random.Random(0)
    for _ in range(kills):
        with start_writer(address, way) as writer:
            time.sleep(delays.uniform(0, 0.15))
            writer.kill()
        assert writer.returncode == -9
    with open_log(address, create=False) as log:
        stop = next_number(log) + 3 * RECORDS_PER_TRANSACTION
        with start_writer(address, way, str(stop)) as writer:
            pass
        assert writer.returncode == 0
        assert next_number(log) == stop
        numbers = Counter(int(record.value.split()[0]) for record in read_all(log, NUMBERS))
    assert stop > kills * RECORDS_PER_TRANSACTION, "the writers hardly came to write"
    assert sorted(numbers) == list(range(stop))
    return numbers


def test_killed_writers_leave_each_record_exactly_once(address):
    numbers = write_through_kills(address, "together", kills=20)
    assert set(numbers.values()) == {1}


def test_progress_apart_from_the_records_would_double_them(address):
    """Shows that the kills fall where they hurt: without one transaction for both it goes wrong."""
    numbers = write_through_kills(address, "apart", kills=8)
    assert max(numbers.values()) > 1
