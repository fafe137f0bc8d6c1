import dataclasses
import io
import tracemalloc

import fastavro
import numpy as np
import pytest

from streaming.errors import RecordError
from streaming.log.messages import dead_letter_message, pair_message
from streaming.records import CropBox
from streaming.schema.avro import MARKER, SchemaFamily, schema_family, schema_fingerprint
from streaming.schema.codec import decode_pair, encode_pair
from streaming.schema.dead_letter import DeadLetter
from streaming.schema.limits import Breach, Limits
from tests.small_pairs import PATCHES, VIEW_SIZE, small_pair, small_value
from tests.unit.test_jpeg import jpeg_of

PAIR = small_pair(0)


def with_view(**changes):
    return dataclasses.replace(PAIR, view_1=dataclasses.replace(PAIR.view_1, **changes))


def with_geometry(**changes):
    return dataclasses.replace(PAIR, two_view=dataclasses.replace(PAIR.two_view, **changes))


def with_homography(value):
    homography = np.eye(3)
    homography[1, 2] = value
    return with_geometry(homography=homography)


def with_patch(value):
    return with_geometry(correspondence=np.array([0, 1, value, -1], dtype=np.int16))


def resized(jpeg, height, width):
    """A JPEG whose frame header claims another size."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + jpeg[at + 4 :]


def write_raw(fields):
    """A record that skips the checks of `encode_pair`, as a hostile producer would write it."""
    return schema_family("pair").encode(fields)


def raw_fields():
    body = io.BytesIO(small_value(0)[10:])
    return fastavro.schemaless_reader(body, schema_family("pair")._reader, None)


BREACHES = {
    "no source": (dataclasses.replace(PAIR, source_id=""), Breach.BAD_TEXT),
    "long source": (dataclasses.replace(PAIR, source_id="x" * 5000), Breach.BAD_TEXT),
    "no Unicode": (dataclasses.replace(PAIR, source_id="\ud800"), Breach.BAD_TEXT),
    "many warnings": (dataclasses.replace(PAIR, warnings=("w",) * 33), Breach.BAD_TEXT),
    "mined before 1970": (dataclasses.replace(PAIR, mined_at_ns=-1), Breach.BAD_TIME),
    "frame before the start": (with_view(timestamp_ns=-1), Breach.BAD_TIME),
    "time beyond 64 bits": (with_view(timestamp_ns=2**63), Breach.BAD_TIME),
    "huge view": (dataclasses.replace(PAIR, view_size=4096), Breach.BAD_DIMENSIONS),
    "view of nothing": (dataclasses.replace(PAIR, view_size=0), Breach.BAD_DIMENSIONS),
    "no whole patches": (dataclasses.replace(PAIR, patch_size=7), Breach.BAD_DIMENSIONS),
    "patch of nothing": (dataclasses.replace(PAIR, patch_size=0), Breach.BAD_DIMENSIONS),
    "no frame": (with_view(frame_width=0), Breach.BAD_DIMENSIONS),
    "huge frame": (with_view(frame_height=70_000), Breach.BAD_DIMENSIONS),
    "crop out of frame": (with_view(crop=CropBox(0, 0, 641, 480)), Breach.BAD_DIMENSIONS),
    "crop upside down": (with_view(crop=CropBox(0, 9, 640, 9)), Breach.BAD_DIMENSIONS),
    "no sharpness": (with_view(sharpness=float("nan")), Breach.BAD_QUALITY),
    "negative sharpness": (with_view(sharpness=-1.0), Breach.BAD_QUALITY),
    "too bright": (with_view(luminance=256.0), Breach.BAD_QUALITY),
    "dark as not": (with_view(luminance=float("nan")), Breach.BAD_QUALITY),
    "no picture": (with_view(jpeg=b""), Breach.BAD_JPEG),
    "another picture": (with_view(jpeg=b"\x89PNG\r\n\x1a\n"), Breach.BAD_JPEG),
    "half a picture": (with_view(jpeg=PAIR.view_1.jpeg[:-2]), Breach.BAD_JPEG),
    "other size": (with_view(jpeg=jpeg_of(16, 24)), Breach.BAD_DIMENSIONS),
    "picture bomb": (
        with_view(jpeg=resized(PAIR.view_1.jpeg, 60_000, 60_000)),
        Breach.BAD_DIMENSIONS,
    ),
    "infinite homography": (with_homography(np.inf), Breach.BAD_GEOMETRY),
    "homography of NaN": (with_homography(np.nan), Breach.BAD_GEOMETRY),
    "small homography": (with_geometry(homography=np.eye(2)), Breach.BAD_GEOMETRY),
    "more inliers than matches": (with_geometry(inlier_count=41), Breach.BAD_GEOMETRY),
    "negative inliers": (with_geometry(inlier_count=-1), Breach.BAD_GEOMETRY),
    "countless matches": (with_geometry(match_count=2**31), Breach.BAD_GEOMETRY),
    "overlap over 1": (with_geometry(overlap=1.01), Breach.BAD_GEOMETRY),
    "overlap of NaN": (with_geometry(overlap=float("nan")), Breach.BAD_GEOMETRY),
    "patch beyond the grid": (with_patch(PATCHES), Breach.BAD_CORRESPONDENCE),
    "patch below -1": (with_patch(-2), Breach.BAD_CORRESPONDENCE),
    "patches missing": (
        with_geometry(correspondence=np.zeros(3, np.int16)),
        Breach.BAD_CORRESPONDENCE,
    ),
}


@pytest.mark.parametrize(("pair", "reason"), BREACHES.values(), ids=BREACHES)
def test_a_pair_that_breaks_the_contract_is_not_written(pair, reason):
    with pytest.raises(RecordError) as caught:
        encode_pair(pair)
    assert caught.value.reason == reason
    assert len(str(caught.value).splitlines()) == 1


BAD_FIELDS = {
    "times": ({"mined_at_ns": -(2**63)}, Breach.BAD_TIME),
    "sizes": ({"view_size": 2**31 - 1, "patch_size": 1}, Breach.BAD_DIMENSIONS),
    "negative sizes": ({"view_size": -16, "patch_size": -8}, Breach.BAD_DIMENSIONS),
    "text": ({"pair_id": "x" * 100_000}, Breach.BAD_TEXT),
    "warnings": ({"warnings": [""] * 100_000}, Breach.BAD_TEXT),
    "other grid": ({"patch_size": 4}, Breach.BAD_CORRESPONDENCE),
}


@pytest.mark.parametrize(("changes", "reason"), BAD_FIELDS.values(), ids=BAD_FIELDS)
def test_a_record_that_breaks_the_contract_is_not_read(changes, reason):
    with pytest.raises(RecordError) as caught:
        decode_pair(write_raw(raw_fields() | changes))
    assert caught.value.reason == reason


def test_wide_integers_are_refused_before_they_become_int16():
    fields = raw_fields()
    fields["two_view"]["correspondence"] = [65_536, 0, 1, 2]
    with pytest.raises(RecordError) as caught:
        decode_pair(write_raw(fields))
    assert caught.value.reason == Breach.BAD_CORRESPONDENCE


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Breach.NOT_AVRO),
        (b"", Breach.NOT_AVRO),
        (b"\xc3\x01", Breach.NOT_AVRO),
        (b"Obj\x01" + bytes(100), Breach.NOT_AVRO),
        (b"\xc3\x01" + bytes(100), Breach.UNKNOWN_SCHEMA),
        (small_value(0)[:200], Breach.TRUNCATED),
        (small_value(0) + b"\x00", Breach.TRAILING_BYTES),
        (small_value(0)[:10] + bytes(9 << 20), Breach.TOO_LARGE),
    ],
)
def test_what_is_no_record_is_refused_by_name(value, reason):
    with pytest.raises(RecordError) as caught:
        decode_pair(value)
    assert caught.value.reason == reason


def test_the_bound_on_a_record_holds_for_writing_and_reading():
    limits = Limits(max_record_bytes=1024)
    pair = dataclasses.replace(PAIR, source_id="x" * 1000)
    for breach in (
        lambda: encode_pair(pair, limits),
        lambda: decode_pair(encode_pair(pair), limits),
    ):
        with pytest.raises(RecordError) as caught:
            breach()
        assert caught.value.reason == Breach.TOO_LARGE


@pytest.mark.parametrize("length", [2**31, 2**62, 2**63 - 1, -1, -(2**31), -(2**63)])
def test_a_declared_length_allocates_nothing(length):
    declared = io.BytesIO()
    fastavro.schemaless_writer(declared, "long", length)
    head = small_value(0)[:10]
    as_string = head + declared.getvalue() + bytes(1000)
    fields = raw_fields()
    fields["warnings"] = []  # the last byte: an empty array, whose length is replaced
    as_array = write_raw(fields)[:-1] + declared.getvalue() + b"\x00" * 500
    for value in (as_string, as_array):
        tracemalloc.start()
        with pytest.raises(RecordError):
            decode_pair(value)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1 << 20


class TestSchemas:
    def test_fingerprint_is_that_of_the_specification(self):
        """CRC-64-AVRO of "null", as the Avro project's own tests give it."""
        assert schema_fingerprint("null") == (7195948357588979594).to_bytes(8, "little")

    def test_older_versions_are_resolved_to_the_newest(self):
        old = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}
        added = {"name": "b", "type": ["null", "string"], "default": None}
        new = old | {"fields": [*old["fields"], added]}
        value = SchemaFamily({1: old}).encode({"a": 7})
        family = SchemaFamily({1: old, 2: new})
        assert family.decode(value, 1000) == {"a": 7, "b": None}
        assert family.newest == 2
        assert family.encode({"a": 7, "b": "x"}).startswith(MARKER + schema_fingerprint(new))
        with pytest.raises(RecordError) as caught:
            SchemaFamily({1: old}).decode(family.encode({"a": 7, "b": "x"}), 1000)
        assert caught.value.reason == Breach.UNKNOWN_SCHEMA


class TestMessages:
    def test_a_pair_that_breaks_the_contract_makes_none(self):
        with pytest.raises(RecordError):
            pair_message(dataclasses.replace(PAIR, source_id="\ud800"))

    def test_a_pair_has_labels_and_no_place(self):
        message = pair_message(PAIR)
        assert (message.key, message.partition) == (None, None)
        assert decode_pair(message.value).pair_id == PAIR.pair_id
        assert dict(message.headers) == {
            "source_id": b"source-0",
            "schema": message.value[2:10].hex().encode(),
        }

    def test_a_dead_letter_is_labelled_by_its_reason(self):
        letter = DeadLetter("t", "bad_jpeg", "e", "p", 0, b"", 0)
        assert dead_letter_message(letter).headers == (("reason", b"bad_jpeg"),)


def test_numbers_of_numpy_are_as_good_as_others():
    pair = with_view(
        luminance=np.float64(3.5), sharpness=np.float32(2.5), frame_width=np.int64(640)
    )
    assert decode_pair(encode_pair(pair)).view_1.luminance == 3.5
    assert decode_pair(encode_pair(pair)).view_size == VIEW_SIZE
