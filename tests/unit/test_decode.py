"""Decoding: right pictures, named reasons for broken records, full groups."""

import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest

from streaming.errors import LogError, RecordError
from streaming.log.protocol import Record
from streaming.pipeline.decode import PairDecoder, decode_record
from streaming.pipeline.metrics import PipelineMetrics
from streaming.pipeline.reader import AddressedRecord
from streaming.pipeline.window import Address
from streaming.schema.codec import encode_pair
from tests.memory_log import MemoryLog
from tests.reading import make_reader, small_config
from tests.small_pairs import VIEW_SIZE, small_pair, small_value

CONFIG = small_config()


def item(value, replay_pass=0):
    return AddressedRecord(Record("pairs", 0, 3, 0, None, value), Address(0, 3, replay_pass))


def decoder_over(log, on_rejected=None, **settings):
    config = small_config(until_end=True, **settings)
    reader = make_reader(log, config)
    metrics = reader._metrics
    return PairDecoder(
        reader, config, on_rejected=on_rejected, stop=reader._stop, metrics=metrics
    ), metrics


def reason_of(value):
    with pytest.raises(RecordError) as caught:
        decode_record(item(value), CONFIG)
    return caught.value.reason


def test_decodes_both_views_to_rgb_planes():
    pair = small_pair(7)
    decoded = decode_record(item(small_value(7)), CONFIG)
    for view, planes in ((pair.view_1, decoded.view_1), (pair.view_2, decoded.view_2)):
        bgr = cv2.imdecode(np.frombuffer(view.jpeg, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(planes, bgr[:, :, ::-1].transpose(2, 0, 1))
        assert planes.flags.c_contiguous
    np.testing.assert_array_equal(decoded.correspondence, pair.two_view.correspondence)
    assert (decoded.pair_id, decoded.source_id) == (pair.pair_id, pair.source_id)
    assert decoded.overlap == pytest.approx(pair.two_view.overlap)
    assert decoded.mined_at_ns == pair.mined_at_ns
    assert decoded.address == Address(0, 3, 0)


def test_grey_pictures_become_three_equal_planes():
    grey = np.random.default_rng(0).integers(0, 256, (VIEW_SIZE, VIEW_SIZE), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", grey)[1].tobytes()
    pair = small_pair(1)
    pair = replace(pair, view_2=replace(pair.view_2, jpeg=jpeg))
    planes = decode_record(item(encode_pair(pair)), CONFIG).view_2
    assert (planes[0] == planes[1]).all()
    assert (planes[0] == planes[2]).all()


@pytest.mark.parametrize("value", [None, b"", b"poison", small_value(1)[:-20]])
def test_bytes_that_are_no_pair_are_rejected_by_the_codec(value):
    assert reason_of(value) in {"not_avro", "unknown_schema", "truncated"}


@pytest.mark.parametrize(("size", "patch_size"), [(32, 8), (16, 4)])
def test_pairs_of_another_size_are_a_mistake_of_the_configuration(size, patch_size):
    log = MemoryLog()
    log.append(0, small_value(0))
    log.append(0, encode_pair(small_pair(1, size, patch_size)))
    rejected = []
    decoder, metrics = decoder_over(log, on_rejected=lambda *call: rejected.append(call))
    with pytest.raises(LogError) as caught:
        next(decoder)
    decoder.close()
    line = str(caught.value)
    assert "\n" not in line
    assert f"views of {size} px with patches of {patch_size} px" in line
    assert "data.view_size is 16 and data.patch_size is 8" in line
    assert f"set data.view_size={size} and data.patch_size={patch_size}" in line
    assert rejected == []
    assert metrics.rejected.total() == 0


@pytest.mark.parametrize(("batch_size", "window_records"), [(3, 8), (11, 4)])
def test_nothing_but_broken_records_is_an_error_however_often_they_are_replayed(
    batch_size, window_records
):
    log = MemoryLog()
    for _ in range(5):
        log.append(0, b"poison")
    config = small_config(batch_size=batch_size, window_records=window_records)
    rejected = []
    reader = make_reader(log, config)
    decoder = PairDecoder(
        reader,
        config,
        on_rejected=lambda record, _error: rejected.append(record.offset),
        stop=reader._stop,
        metrics=reader._metrics,
    )
    # Without the error it would not end.
    stopper = threading.Timer(20, reader._stop.set)
    stopper.start()
    with pytest.raises(LogError, match=r"every retained record is broken.*marker"):
        next(decoder)
    stopper.cancel()
    decoder.close()
    assert sorted(rejected) == sorted(offset for _, offset in log.addresses())
    assert 5 < reader._metrics.rejected.total() < 5 * 25


def test_broken_records_between_good_ones_never_end_the_reading():
    log = MemoryLog(gaps=(0,))
    for number in range(8):
        log.append(0, small_value(number) if number < 5 else b"poison")
    config = small_config(batch_size=5)
    reader = make_reader(log, config)
    decoder = PairDecoder(
        reader, config, on_rejected=None, stop=reader._stop, metrics=reader._metrics
    )
    groups = [next(decoder) for _ in range(6)]
    decoder.close()
    assert {len(group) for group in groups} == {5}
    assert reader._metrics.rejected.total() > 8


def test_a_jpeg_with_a_right_header_and_nothing_to_decode_is_rejected():
    jpeg = small_pair(1).view_1.jpeg
    tables_start = jpeg.index(b"\xff\xdb")
    length = int.from_bytes(jpeg[tables_start + 2 : tables_start + 4], "big")
    # Without the quantisation table no decoder can go on, but the frame header stands.
    broken = jpeg[:tables_start] + jpeg[tables_start + 2 + length :].replace(
        b"\xff\xdb", b"\xff\xfe"
    )
    pair = small_pair(1)
    value = encode_pair(replace(pair, view_1=replace(pair.view_1, jpeg=broken)))
    assert reason_of(value) == "jpeg_decode"


def test_groups_are_full_whatever_is_rejected():
    log = MemoryLog()
    for number in range(30):
        log.append(0, small_value(number) if number % 3 else b"poison")
    decoder, metrics = decoder_over(log, batch_size=4)
    sizes = [len(group) for group in decoder]
    decoder.close()
    assert sizes == [4, 4, 4, 4, 4]
    assert metrics.rejected.total() == 10


def test_order_is_that_of_the_reader():
    log = MemoryLog()
    for number in range(40):
        log.append(0, small_value(number))
    config = small_config(until_end=True)
    expected = [item.address for item in make_reader(log, config)]
    decoder, _ = decoder_over(log, batch_size=7, decode_threads=4)
    assert [pair.address for group in decoder for pair in group] == expected
    decoder.close()


def test_a_broken_record_is_handed_on_at_its_first_reading_only():
    log = MemoryLog(gaps=(0,))
    for number in range(6):
        log.append(0, b"poison" if number == 2 else small_value(number))
    seen = []
    config = small_config(batch_size=5, window_records=6)
    metrics = PipelineMetrics()
    decoder = PairDecoder(
        make_reader(log, config),
        config,
        on_rejected=lambda record, error: seen.append((record, error.reason)),
        stop=threading.Event(),
        metrics=metrics,
    )
    groups = [next(decoder) for _ in range(3)]
    decoder.close()
    assert sum(pair.address.replay_pass for pair in groups[2]) == 10
    assert [(record.offset, record.value) for record, _ in seen] == [(2, b"poison")]
    assert metrics.rejected == {seen[0][1]: 3}


def test_an_error_of_the_callback_is_not_swallowed():
    log = MemoryLog()
    log.append(0, b"poison")

    def fail(_record, _error):
        raise OSError("dead letters are full")

    decoder, _ = decoder_over(log, on_rejected=fail)
    with pytest.raises(OSError, match="full"):
        next(decoder)
    decoder.close()
