"""From the log to the layouts that other tools read: MIMIC folders and WebDataset shards."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from typing import TYPE_CHECKING

import numpy as np

from streaming.errors import OffsetOutOfRangeError, PairstreamError, RecordError
from streaming.log.protocol import Fetch
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
    return _decoded(_records(log), on_rejected)


def pair_addresses(log: Log, source_id: str | None = None) -> list[tuple[int, int]]:
    """Partition and offset of every retained pair, or of those of one source; none is decoded."""
    header = None if source_id is None else ("source_id", source_id.encode())
    return [
        (record.partition, record.offset)
        for record in _records(log)
        if header is None or header in record.headers
    ]


def pairs_at(
    log: Log,
    addresses: Iterable[tuple[int, int]],
    on_rejected: Callable[[Record, RecordError], None],
) -> Iterator[Pair]:
    """The pairs at addresses, but for those that the log has forgotten since."""
    records = (
        record
        for partition, offset in addresses
        for record in _fetch(log, partition, offset, max_records=1).records
        if record.offset == offset
    )
    return _decoded(records, on_rejected)


def _records(log: Log) -> Iterator[Record]:
    for partition, span in sorted(log.offsets(PAIRS).items()):
        offset = span.first
        while offset < span.end:
            fetch = _fetch(log, partition, offset, _READ_RECORDS)
            yield from (record for record in fetch.records if record.offset < span.end)
            offset = fetch.next_offset


def _fetch(log: Log, partition: int, offset: int, max_records: int) -> Fetch:
    """Reads from an offset on; where retention has taken that, tells what is held now."""
    try:
        return log.read(PAIRS, partition, offset, max_records, _READ_BYTES)
    except OffsetOutOfRangeError:
        first = log.offsets(PAIRS)[partition].first
        if first <= offset:
            raise
        return Fetch(next_offset=first)


def _decoded(
    records: Iterable[Record], on_rejected: Callable[[Record, RecordError], None]
) -> Iterator[Pair]:
    for record in records:
        try:
            yield decode_pair(record.value)
        except RecordError as error:
            on_rejected(record, error)


def export_mimic(pairs: Iterable[Pair], folder: Path) -> int:
    """Writes `<folder>/<source>/<pair>/{0000.jpg,0001.jpg,corresponding.npy}`.

    `corresponding.npy` holds a dictionary from a patch of view 1 to its patch of view 2, both
    counted in row-major order, as the MIMIC layout (arXiv 2306.15128) has it; read it with
    `numpy.load(path, allow_pickle=True).item()`.

    The folder appears when all is written. A pair that is in the log twice is written once.

    Returns:
        The number of pairs written.

    Raises:
        PairstreamError: when the folder holds something already or cannot be written.
    """
    count = 0
    with _new_folder(folder) as unfinished:
        for pair in _once(pairs):
            place = unfinished / _safe_name(pair.source_id) / _safe_name(pair.pair_id)
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

    The folder appears when all is written. A pair that is in the log twice is written once.

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
    count = 0
    with _new_folder(folder) as unfinished:
        # The writer takes it as a pattern, in which a percent sign of the folder is special.
        pattern = str(unfinished).replace("%", "%%") + "/pairs-%06d.tar"
        with ShardWriter(pattern, maxcount=_PAIRS_PER_SHARD, verbose=0) as shards:
            for pair in _once(pairs):
                shards.write(_sample(pair))
                count += 1
    return count


def _sample(pair: Pair) -> dict[str, str | bytes]:
    correspondence = io.BytesIO()
    np.save(correspondence, pair.two_view.correspondence)
    return {
        "__key__": pair.pair_id,
        "view_1.jpg": pair.view_1.jpeg,
        "view_2.jpg": pair.view_2.jpeg,
        "correspondence.npy": correspondence.getvalue(),
        "json": json.dumps(describe(pair)).encode(),
    }


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


def _once(pairs: Iterable[Pair]) -> Iterator[Pair]:
    seen: set[str] = set()
    for pair in pairs:
        if pair.pair_id not in seen:
            seen.add(pair.pair_id)
            yield pair


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one, which takes its place when all went well."""
    try:
        place = folder.resolve()
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise PairstreamError(f"{folder}: is not an empty folder; name a new one")
        unfinished = place.with_name(f".{place.name}.unfinished-export")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(parents=True)
        try:
            yield unfinished
            unfinished.replace(place)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise PairstreamError(f"{folder}: cannot be written ({reason})") from error


def _safe_name(source_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", source_id).strip(".") or "source"
