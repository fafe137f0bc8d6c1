"""Everything that was ever written can still be read."""

import hashlib

import cv2
import numpy as np
import pytest

from streaming.schema.avro import MARKER, schema_family
from streaming.schema.codec import decode_pair
from streaming.schema.dead_letter import decode_dead_letter
from tests.golden.golden_records import golden_dead_letter, golden_pair, golden_path

# A changed digest means that a record in somebody's log can no longer be read: add a version
# instead, and its golden file, as `golden_records` tells.
DIGESTS = {
    ("pair", 1): "83cdba0ebd544f00b2b15109d69e89a3a81acdf615aa662a83f367526cb5cdf9",
    ("dead-letter", 1): "7565cd66ff3d91d3d0be78e37de8b8e19c070d0aa8b2e857cda0abf998460439",
}


@pytest.mark.parametrize("schema", ["pair", "dead-letter"])
def test_each_version_has_a_golden_file_written_by_that_very_schema(schema):
    for version, fingerprint in schema_family(schema).fingerprints.items():
        content = golden_path(schema, version).read_bytes()
        assert hashlib.sha256(content).hexdigest() == DIGESTS[schema, version]
        assert content[: len(MARKER) + 8] == MARKER + fingerprint, (
            f"{schema}-{version}.avsc was edited: undo that and add {schema}-{version + 1}.avsc"
        )


@pytest.mark.parametrize(("schema", "version"), DIGESTS)
def test_no_version_is_gone(schema, version):
    assert version in schema_family(schema).fingerprints


def test_golden_pairs_are_read():
    expected = golden_pair()
    for version in schema_family("pair").fingerprints:
        pair = decode_pair(golden_path("pair", version).read_bytes())
        for field in (
            "pair_id",
            "source_id",
            "producer",
            "config_fingerprint",
            "mined_at_ns",
            "view_size",
            "patch_size",
            "warnings",
        ):
            assert getattr(pair, field) == getattr(expected, field)
        for view, expected_view in ((pair.view_1, expected.view_1), (pair.view_2, expected.view_2)):
            for field in (
                "timestamp_ns",
                "frame_height",
                "frame_width",
                "crop",
                "sharpness",
                "luminance",
            ):
                assert getattr(view, field) == getattr(expected_view, field)
            image = cv2.imdecode(np.frombuffer(view.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
            ramp = 2 * np.arange(32) + view.luminance
            assert np.abs(image - ramp[None, :]).max() < 12
        np.testing.assert_array_equal(pair.two_view.homography, expected.two_view.homography)
        np.testing.assert_array_equal(
            pair.two_view.correspondence, expected.two_view.correspondence
        )
        assert pair.two_view.correspondence.dtype == np.int16
        assert (pair.two_view.match_count, pair.two_view.inlier_count) == (120, 90)
        assert pair.two_view.overlap == 0.75


def test_golden_dead_letters_are_read():
    for version in schema_family("dead-letter").fingerprints:
        letter = decode_dead_letter(golden_path("dead-letter", version).read_bytes())
        assert letter == golden_dead_letter()
