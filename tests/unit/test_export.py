"""Reading pairs back from a log, and writing them as folders that other tools read."""

import tarfile

import numpy as np
import pytest

from streaming.errors import OffsetOutOfRangeError, PairstreamError
from streaming.export import (
    export_mimic,
    export_webdataset,
    pair_addresses,
    pairs_at,
    stored_pairs,
)
from streaming.log.address import open_log
from streaming.log.messages import pair_message
from streaming.log.protocol import Fetch, Message, OffsetRange, Record
from streaming.log.topics import PAIRS, topic_specs
from tests.small_pairs import small_pair, small_value

EXPORTS = [export_mimic, export_webdataset]


def refuse(record, error):
    raise AssertionError(f"{record}: {error}")


@pytest.fixture
def log(tmp_path):
    with open_log(f"sqlite:///{tmp_path / 'pairs.db'}") as log:
        for spec in topic_specs():
            log.create_topic(spec)
        producer = log.producer("test")
        with producer.transaction() as transaction:
            for number in range(9):
                transaction.append(PAIRS, pair_message(small_pair(number)))
            transaction.append(PAIRS, Message(b"no pair"))
        producer.close()
        yield log


def test_addresses_are_of_all_pairs_or_of_a_source(log):
    assert len(pair_addresses(log)) == 10
    rejected = []
    of_source = pair_addresses(log, "source-1")
    pairs = list(pairs_at(log, of_source, refuse))
    assert sorted(pair.pair_id for pair in pairs) == ["pair-1", "pair-4", "pair-7"]
    everything = pairs_at(log, pair_addresses(log), lambda *seen: rejected.append(seen))
    assert len(list(everything)) == 9
    assert len(rejected) == 1
    assert pair_addresses(log, "nobody") == []


class ForgettingLog:
    """One partition whose first records go when the first read has been made."""

    def __init__(self, count, forgotten):
        self.span = OffsetRange(0, count)
        self.forgotten = forgotten
        self.reads = 0

    def offsets(self, _topic):
        return {0: self.span}

    def read(self, topic, partition, offset, _max_records, _max_bytes):
        self.reads += 1
        if not self.span.first <= offset <= self.span.end:
            raise OffsetOutOfRangeError(f"offset {offset} is gone")
        record = Record(topic, partition, offset, 0, None, small_value(offset))
        # New pairs arrive all the time.
        first = self.forgotten if self.reads == 2 else self.span.first
        self.span = OffsetRange(first, self.span.end + 1)
        return Fetch((record,), offset + 1)


def test_reading_goes_on_where_retention_has_moved_to_and_stops_at_the_end_it_saw():
    pairs = stored_pairs(ForgettingLog(8, forgotten=5), refuse)
    assert [pair.pair_id for pair in pairs] == ["pair-0", "pair-1", "pair-5", "pair-6", "pair-7"]
    assert len(list(stored_pairs(ForgettingLog(3, forgotten=9), refuse))) == 2


def test_an_address_that_is_gone_is_passed_over():
    log = ForgettingLog(8, forgotten=5)
    log.span = OffsetRange(5, 8)
    pairs = pairs_at(log, [(0, 1), (0, 6)], refuse)
    assert [pair.pair_id for pair in pairs] == ["pair-6"]


def files_of(folder):
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    for shard in folder.glob("*.tar"):
        with tarfile.open(shard) as archive:
            names += archive.getnames()
    return sorted(names)


@pytest.mark.parametrize("export", EXPORTS)
@pytest.mark.parametrize("name", ["plain", "100% %06d done"])
def test_a_pair_is_written_once_into_any_folder(tmp_path, export, name):
    pairs = [small_pair(0), small_pair(1), small_pair(0)]
    assert export(pairs, tmp_path / name) == 2
    files = files_of(tmp_path / name)
    assert len([file for file in files if file.endswith(".npy")]) == 2
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_mimic_folder_holds_both_views_and_the_correspondence(tmp_path):
    pair = small_pair(3)
    export_mimic([pair], tmp_path / "out")
    place = tmp_path / "out" / "source-0" / "pair-3"
    assert (place / "0000.jpg").read_bytes() == pair.view_1.jpeg
    assert (place / "0001.jpg").read_bytes() == pair.view_2.jpeg
    table = np.load(place / "corresponding.npy", allow_pickle=True).item()
    expected = pair.two_view.correspondence
    assert table == {i: j for i, j in enumerate(expected.tolist()) if j >= 0}


@pytest.mark.parametrize("export", EXPORTS)
def test_an_interrupted_export_leaves_nothing_and_runs_again(tmp_path, export):
    def interrupted():
        yield small_pair(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(interrupted(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    # What a killed process has left.
    (tmp_path / ".out.unfinished-export" / "half").mkdir(parents=True)
    assert export([small_pair(0)], tmp_path / "out") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("export", EXPORTS)
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, export):
    (tmp_path / "file").touch()
    with pytest.raises(PairstreamError, match="file/out: cannot be written") as caught:
        export([small_pair(0)], tmp_path / "file" / "out")
    assert "\n" not in str(caught.value)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").touch()
    with pytest.raises(PairstreamError, match="is not an empty folder"):
        export([small_pair(0)], tmp_path / "full")
    assert export([small_pair(0)], tmp_path / "a" / "b") == 1
