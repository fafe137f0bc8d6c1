"""From the log to the layouts that other tools read: MIMIC folders and WebDataset shards."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import numpy as np

from streaming.errors import PairstreamError, RecordError
from streaming.log.topics import PAIRS
from streaming.schema.codec import decode_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from streaming.log.protocol import Log, Record
    from streaming.records import Pair

_READ_RECORDS = 64
_READ_BYTES = 16 << 20
_PAIRS_PER_SHARD = 1_000


def stored_pairs(log: Log, on_rejected: Callable[[Record, RecordError], None]) -> Iterator[Pair]:
    """Every retained pair by partition and offset; broken records go to `on_rejected`."""
    for partition, span in sorted(log.offsets(PAIRS).items()):
        offset = span.first
        while offset < span.end:
            fetch = log.read(PAIRS, partition, offset, _READ_RECORDS, _READ_BYTES)
            for record in fetch.records:
                try:
                    yield decode_pair(record.value or b"")
                except RecordError as error:
                    on_rejected(record, error)
            offset = fetch.next_offset


def export_mimic(pairs: Iterable[Pair], folder: Path) -> int:
    """Writes `<folder>/<source>/<pair>/{0000.jpg,0001.jpg,corresponding.npy}`.

    `corresponding.npy` holds a dictionary from a patch of view 1 to its patch of view 2, both
    counted in row-major order, as the MIMIC layout (arXiv 2306.15128) has it; read it with
    `numpy.load(path, allow_pickle=True).item()`.

    Returns:
        The number of pairs written.

    Raises:
        PairstreamError: when the folder holds something already.
    """
    _require_empty(folder)
    count = 0
    for pair in pairs:
        place = folder / _safe_name(pair.source_id) / pair.pair_id
        place.mkdir(parents=True)
        (place / "0000.jpg").write_bytes(pair.view_1.jpeg)
        (place / "0001.jpg").write_bytes(pair.view_2.jpeg)
        correspondence = pair.two_view.correspondence
        matched = np.flatnonzero(correspondence >= 0)
        table = dict(zip(matched.tolist(), correspondence[matched].tolist(), strict=True))
        np.save(place / "corresponding.npy", np.array(table, dtype=object), allow_pickle=True)
        count += 1
    return count


def export_webdataset(pairs: Iterable[Pair], folder: Path) -> int:
    """Writes shards `pairs-000000.tar`, … with a sample a pair.

    A sample has `view_1.jpg`, `view_2.jpg`, `correspondence.npy` (int16, -1 = no partner) and
    `json` (identity, times, crop boxes, homography, overlap).

    Returns:
        The number of pairs written.

    Raises:
        PairstreamError: when webdataset is not installed or the folder holds something already.
    """
    try:
        from webdataset import ShardWriter  # noqa: PLC0415  an optional extra
    except ImportError as error:
        raise PairstreamError(
            "export to WebDataset needs the package: pip install 'pairstream[export]'"
        ) from error
    _require_empty(folder)
    count = 0
    pattern = str(folder / "pairs-%06d.tar")
    with ShardWriter(pattern, maxcount=_PAIRS_PER_SHARD, verbose=0) as shards:
        for pair in pairs:
            correspondence = io.BytesIO()
            np.save(correspondence, pair.two_view.correspondence)
            shards.write(
                {
                    "__key__": pair.pair_id,
                    "view_1.jpg": pair.view_1.jpeg,
                    "view_2.jpg": pair.view_2.jpeg,
                    "correspondence.npy": correspondence.getvalue(),
                    "json": json.dumps(describe(pair)).encode(),
                }
            )
            count += 1
    return count


def describe(pair: Pair) -> dict[str, object]:
    """Everything of a pair but its pictures and correspondences, as JSON values."""
    views = {
        name: {
            "timestamp_ns": view.timestamp_ns,
            "frame_height": view.frame_height,
            "frame_width": view.frame_width,
            "crop": [view.crop.left, view.crop.top, view.crop.right, view.crop.bottom],
            "sharpness": view.sharpness,
            "luminance": view.luminance,
        }
        for name, view in (("view_1", pair.view_1), ("view_2", pair.view_2))
    }
    return {
        "pair_id": pair.pair_id,
        "source_id": pair.source_id,
        "producer": pair.producer,
        "config_fingerprint": pair.config_fingerprint,
        "mined_at_ns": pair.mined_at_ns,
        "view_size": pair.view_size,
        "patch_size": pair.patch_size,
        "overlap": pair.two_view.overlap,
        "match_count": pair.two_view.match_count,
        "inlier_count": pair.two_view.inlier_count,
        "homography": pair.two_view.homography.tolist(),
        "warnings": list(pair.warnings),
        **views,
    }


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PairstreamError(f"{folder}: is not an empty folder; name a new one")
    folder.mkdir(parents=True, exist_ok=True)


def _safe_name(source_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", source_id).strip(".") or "source"
