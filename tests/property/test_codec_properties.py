"""Round trips of any valid pair, and any damage to one."""

import string

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streaming.errors import RecordError
from streaming.records import CropBox, Pair, TwoView, View
from streaming.schema.codec import decode_pair, encode_pair
from streaming.schema.dead_letter import (
    MAX_ORIGINAL_BYTES,
    MAX_TEXT_LENGTH,
    DeadLetter,
    decode_dead_letter,
    encode_dead_letter,
)
from streaming.schema.limits import Breach
from tests.small_pairs import small_value, small_view

times = st.integers(0, 2**63 - 1)
names = st.text(min_size=1, max_size=40)
digests = st.text(string.hexdigits, min_size=1, max_size=64)


@st.composite
def views(draw, size):
    height, width = draw(st.integers(1, 65_535)), draw(st.integers(1, 65_535))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    crop = CropBox(
        left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    )
    return View(
        jpeg=small_view(draw(st.integers(0, 3)), size).jpeg,
        timestamp_ns=draw(times),
        frame_height=height,
        frame_width=width,
        crop=crop,
        sharpness=draw(st.floats(0, 1e300)),
        luminance=draw(st.floats(0, 255)),
    )


@st.composite
def pairs(draw):
    patch_size = draw(st.sampled_from([4, 8, 16]))
    grid = draw(st.integers(1, 4))
    size, patches = grid * patch_size, grid**2
    matches = draw(st.integers(0, 2**31 - 1))
    finite = st.floats(allow_nan=False, allow_infinity=False)
    return Pair(
        pair_id=draw(digests),
        source_id=draw(names),
        producer=draw(names),
        config_fingerprint=draw(digests),
        mined_at_ns=draw(times),
        view_1=draw(views(size)),
        view_2=draw(views(size)),
        two_view=TwoView(
            homography=draw(arrays.arrays(np.float64, (3, 3), elements=finite)),
            match_count=matches,
            inlier_count=draw(st.integers(0, matches)),
            overlap=draw(st.floats(0, 1)),
            correspondence=draw(
                arrays.arrays(np.int16, patches, elements=st.integers(-1, patches - 1))
            ),
        ),
        view_size=size,
        patch_size=patch_size,
        warnings=tuple(draw(st.lists(names, max_size=4))),
    )


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_a_valid_pair_comes_back_as_it_was(pair):
    back = decode_pair(encode_pair(pair))
    plain = [field for field in Pair.__slots__ if field != "two_view"]
    assert [getattr(back, f) for f in plain] == [getattr(pair, f) for f in plain]
    for field in TwoView.__slots__:
        before, after = getattr(pair.two_view, field), getattr(back.two_view, field)
        np.testing.assert_array_equal(after, before)
        assert np.asarray(after).dtype == np.asarray(before).dtype
    assert not back.two_view.correspondence.flags.writeable


def refusal(value: bytes) -> tuple[str | None, str]:
    """Reason and line of the error; any error but `RecordError` passes through."""
    try:
        decode_pair(value)
    except RecordError as error:
        return error.reason, str(error)
    return None, ""


def decode_or_refuse(value: bytes) -> None:
    """Passes when the value decodes to what can be encoded again, or is refused by a known name."""
    reason, line = refusal(value)
    if reason is None:
        pair = decode_pair(value)
        assert decode_pair(encode_pair(pair)).pair_id == pair.pair_id
    else:
        assert reason in list(Breach)
        assert len(line.splitlines()) == 1


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_damaged_records_decode_or_are_refused(data):
    value = bytearray(small_value(data.draw(st.integers(0, 3))))
    positions = st.integers(0, len(value) - 1)
    # The fields between and after the pictures are few among many bytes: hit them more often.
    ends = st.one_of(st.integers(0, 80), st.integers(len(value) - 180, len(value) - 1))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.one_of(positions, ends))] = data.draw(st.integers(0, 255))
    decode_or_refuse(bytes(value))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_pieces_cut_out_or_put_in_decode_or_are_refused(data):
    value = small_value(data.draw(st.integers(0, 3)))
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, min(len(value), start + 40)))
    decode_or_refuse(value[:start] + data.draw(st.binary(max_size=20)) + value[end:])


@given(st.binary(max_size=300))
def test_any_bytes_after_a_valid_header_decode_or_are_refused(body):
    decode_or_refuse(small_value(0)[:10] + body)


@given(st.integers(0, 2**31))
@settings(max_examples=100, deadline=None)
def test_each_cut_short_record_is_refused(position):
    value = small_value(0)
    reason, _ = refusal(value[: position % len(value)])
    assert reason in (Breach.TRUNCATED, Breach.NOT_AVRO)


wild_text = st.text(st.characters(exclude_categories=()), max_size=1200)


@given(
    st.builds(
        DeadLetter,
        topic=wild_text,
        reason=wild_text,
        error=wild_text,
        producer=wild_text,
        failed_at_ns=times,
        original=st.binary(max_size=50),
        original_bytes_total=times,
        partition=st.none() | st.integers(0, 1000),
        offset=st.none() | times,
        source_id=st.none() | wild_text,
    )
)
@settings(max_examples=80, deadline=None)
def test_a_dead_letter_is_never_refused_and_is_always_of_single_lines(letter):
    back = decode_dead_letter(encode_dead_letter(letter))
    for field in ("topic", "reason", "error", "producer"):
        line = getattr(back, field)
        assert len(line.splitlines()) <= 1
        assert len(line) <= MAX_TEXT_LENGTH
        written = getattr(letter, field)
        if written.isascii() and written == " ".join(written.split()):
            assert line == written[:MAX_TEXT_LENGTH]
    for field in ("failed_at_ns", "original", "original_bytes_total", "partition", "offset"):
        assert getattr(back, field) == getattr(letter, field)


def test_the_original_of_a_dead_letter_is_bounded():
    original = bytes(MAX_ORIGINAL_BYTES + 1)
    letter = DeadLetter("t", "r", "e", "p", 0, original, len(original))
    back = decode_dead_letter(encode_dead_letter(letter))
    assert back.original == original[:-1]
    assert back.original_bytes_total == len(original)
