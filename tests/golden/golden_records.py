"""Golden files: one encoded record for every schema version ever written.

`python -m tests.golden.golden_records` writes the file of the newest version of each schema. A
golden file that is there is never written again: schemas evolve by adding a version, and what was
written once must be read for ever.
"""

from pathlib import Path

import cv2
import numpy as np

from streaming.records import CropBox, Pair, TwoView, View
from streaming.schema.avro import schema_family
from streaming.schema.codec import encode_pair
from streaming.schema.dead_letter import DeadLetter, encode_dead_letter

FOLDER = Path(__file__).parent


def golden_path(schema: str, version: int) -> Path:
    return FOLDER / f"{schema}-{version}.bin"


def _view(level: int) -> View:
    ramp = np.arange(32, dtype=np.uint8) * 2 + level
    image = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (32, 32, 3)))
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 50])
    return View(
        jpeg=jpeg.tobytes(),
        timestamp_ns=1_000_000_000 * level,
        frame_height=480,
        frame_width=640,
        crop=CropBox(left=80, top=0, right=560, bottom=480),
        sharpness=12.5,
        luminance=float(level),
    )


def golden_pair() -> Pair:
    two_view = TwoView(
        homography=np.array([[1.0, 0.125, -3.5], [0.0, 1.0, 2.0], [1e-4, -1e-5, 1.0]]),
        match_count=120,
        inlier_count=90,
        overlap=0.75,
        correspondence=np.array([0, 3, -1, 1], dtype=np.int16),
    )
    return Pair(
        pair_id="0123456789abcdef",
        source_id="cameras/étage 1.mp4",
        producer="host-1 pairstream 0.1.0",
        config_fingerprint="fedcba9876543210",
        mined_at_ns=1_800_000_000_000_000_000,
        view_1=_view(40),
        view_2=_view(90),
        two_view=two_view,
        view_size=32,
        patch_size=16,
        warnings=("low_texture", "letterbox"),
    )


def golden_dead_letter() -> DeadLetter:
    return DeadLetter(
        topic="pairstream.pairs",
        reason="bad_jpeg",
        error="view_1: the JPEG does not begin with FF D8",
        producer="host-1 pairstream 0.1.0",
        failed_at_ns=1_800_000_000_000_000_000,
        original=b"\xc3\x01\x00",
        original_bytes_total=40_000,
        partition=2,
        offset=12_345_678_901,
        source_id=None,
    )


def main() -> None:
    newest = {
        "pair": encode_pair(golden_pair()),
        "dead-letter": encode_dead_letter(golden_dead_letter()),
    }
    for schema, value in newest.items():
        path = golden_path(schema, schema_family(schema).newest)
        if not path.exists():
            path.write_bytes(value)


if __name__ == "__main__":
    main()
