"""How large a pair record may be, and the names of the ways in which it can break the contract."""

from __future__ import annotations

import enum

from pydantic import Field

from streaming.settings import Settings


class Breach(enum.StrEnum):
    """The `reason` of a `RecordError`: a counter's label, never renamed."""

    NOT_AVRO = "not_avro"
    UNKNOWN_SCHEMA = "unknown_schema"
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing_bytes"
    TOO_LARGE = "too_large"
    BAD_TEXT = "bad_text"
    BAD_TIME = "bad_time"
    BAD_QUALITY = "bad_quality"
    BAD_JPEG = "bad_jpeg"
    BAD_DIMENSIONS = "bad_dimensions"
    BAD_GEOMETRY = "bad_geometry"
    BAD_CORRESPONDENCE = "bad_correspondence"


class Limits(Settings):
    """Bounds that are checked before anything of that size is allocated."""

    max_record_bytes: int = Field(default=8 << 20, ge=1 << 10, le=1 << 28)
    """Bytes of an encoded record. What decoding allocates is in proportion to it."""

    max_view_size: int = Field(default=1024, ge=16, le=8192)
    """Height and width of a stored view in pixels."""

    max_frame_size: int = Field(default=65_535, ge=16, le=1 << 20)
    """Height and width of a source's frame in pixels."""

    max_text_length: int = Field(default=4096, ge=64, le=1 << 16)
    """Characters of an identity such as a source id."""

    max_warnings: int = Field(default=32, ge=0, le=1024)
    """Soft warnings of a pair."""
