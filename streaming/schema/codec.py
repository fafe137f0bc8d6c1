"""Pairs as bytes: Avro single objects, checked when written and when read."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from streaming.errors import RecordError
from streaming.records import CropBox, Pair, TwoView, View
from streaming.schema.avro import schema_family
from streaming.schema.contract import check_pair_fields
from streaming.schema.limits import Breach, Limits

DEFAULT_LIMITS: Final = Limits()


def encode_pair(pair: Pair, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Encodes a pair by the newest schema.

    Raises:
        RecordError: when the pair breaks the contract, so that no reader would take it.
    """
    fields = _to_fields(pair)
    check_pair_fields(fields, limits)
    value = schema_family("pair").encode(fields)
    if len(value) > limits.max_record_bytes:
        line = f"pair {pair.pair_id}: {len(value)} bytes, at most {limits.max_record_bytes}"
        raise RecordError(Breach.TOO_LARGE, line)
    return value


def decode_pair(value: bytes | None, limits: Limits = DEFAULT_LIMITS) -> Pair:
    """Decodes a pair of any schema version, whatever the bytes are.

    Args:
        value: a record's value; None (a tombstone) is no pair.
        limits: bounds on the record.

    Raises:
        RecordError: when the bytes are not a pair that keeps the contract; nothing else is raised.
    """
    if value is None:
        raise RecordError(Breach.NOT_AVRO, "record has no value")
    fields = schema_family("pair").decode(value, limits.max_record_bytes)
    check_pair_fields(fields, limits)
    return _from_fields(fields)


def pair_schema_fingerprint() -> str:
    """Fingerprint of the schema that is written, in hex, byte by byte as it stands in a value."""
    family = schema_family("pair")
    return family.fingerprints[family.newest].hex()


def _to_fields(pair: Pair) -> dict[str, Any]:
    return {
        "pair_id": pair.pair_id,
        "source_id": pair.source_id,
        "producer": pair.producer,
        "config_fingerprint": pair.config_fingerprint,
        "mined_at_ns": pair.mined_at_ns,
        "view_size": pair.view_size,
        "patch_size": pair.patch_size,
        "view_1": _view_to_fields(pair.view_1),
        "view_2": _view_to_fields(pair.view_2),
        "two_view": {
            "homography": pair.two_view.homography.reshape(-1).tolist(),
            "match_count": pair.two_view.match_count,
            "inlier_count": pair.two_view.inlier_count,
            "overlap": pair.two_view.overlap,
            "correspondence": pair.two_view.correspondence.tolist(),
        },
        "warnings": list(pair.warnings),
    }


def _view_to_fields(view: View) -> dict[str, Any]:
    crop = view.crop
    return {
        "jpeg": view.jpeg,
        "timestamp_ns": view.timestamp_ns,
        "frame_height": view.frame_height,
        "frame_width": view.frame_width,
        "crop": {
            "left": crop.left,
            "top": crop.top,
            "right": crop.right,
            "bottom": crop.bottom,
        },
        "sharpness": view.sharpness,
        "luminance": view.luminance,
    }


def _from_fields(fields: dict[str, Any]) -> Pair:
    two_view = fields["two_view"]
    homography = np.array(two_view["homography"], dtype=np.float64).reshape(3, 3)
    correspondence = np.array(two_view["correspondence"], dtype=np.int16)
    values = fields | {
        "view_1": _view_from_fields(fields["view_1"]),
        "view_2": _view_from_fields(fields["view_2"]),
        "two_view": TwoView(
            **(two_view | {"homography": homography, "correspondence": correspondence})
        ),
        "warnings": tuple(fields["warnings"]),
    }
    return Pair(**values)


def _view_from_fields(fields: dict[str, Any]) -> View:
    return View(**(fields | {"crop": CropBox(**fields["crop"])}))
