"""What must hold of a pair record: checked on its fields before writing and after reading."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from streaming.errors import RecordError
from streaming.schema.jpeg import JpegError, read_jpeg_header
from streaming.schema.limits import Breach

if TYPE_CHECKING:
    from streaming.schema.limits import Limits

_MAX_PATCHES: Final = 1 << 15
"""Patch indices are int16 in memory."""
_MAX_COUNT: Final = 1 << 31
_MAX_TIME_NS: Final = 1 << 63


def check_pair_fields(fields: dict[str, Any], limits: Limits) -> None:
    """Checks the fields of a pair record, given in the types of its Avro schema.

    Raises:
        RecordError: for the first breach found.
    """
    _check_texts(fields, limits)
    _check_time("mined_at_ns", fields["mined_at_ns"])
    view_size, patch_size = fields["view_size"], fields["patch_size"]
    if not 1 <= view_size <= limits.max_view_size:
        line = f"view_size is {view_size}, allowed are 1 to {limits.max_view_size}"
        raise RecordError(Breach.BAD_DIMENSIONS, line)
    if patch_size < 1 or view_size % patch_size:
        line = f"patch_size {patch_size} does not divide view_size {view_size}"
        raise RecordError(Breach.BAD_DIMENSIONS, line)
    for name in ("view_1", "view_2"):
        _check_view(name, fields[name], view_size, limits)
    _check_geometry(fields["two_view"])
    patches = (view_size // patch_size) ** 2
    _check_correspondence(fields["two_view"]["correspondence"], patches)


def _check_texts(fields: dict[str, Any], limits: Limits) -> None:
    warnings = fields["warnings"]
    if len(warnings) > limits.max_warnings:
        line = f"{len(warnings)} warnings, at most {limits.max_warnings} are allowed"
        raise RecordError(Breach.BAD_TEXT, line)
    names = ("pair_id", "source_id", "producer", "config_fingerprint")
    texts = [(name, fields[name]) for name in names] + [("warning", w) for w in warnings]
    for name, text in texts:
        if not 1 <= len(text) <= limits.max_text_length:
            line = f"{name} has {len(text)} characters, allowed are 1 to {limits.max_text_length}"
            raise RecordError(Breach.BAD_TEXT, line)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise RecordError(Breach.BAD_TEXT, f"{name} is not valid Unicode") from error


def _check_time(name: str, time_ns: int) -> None:
    if not 0 <= time_ns < _MAX_TIME_NS:
        raise RecordError(Breach.BAD_TIME, f"{name} is {time_ns}, which is no time since the start")


def _check_view(name: str, view: dict[str, Any], view_size: int, limits: Limits) -> None:
    _check_time(f"{name}.timestamp_ns", view["timestamp_ns"])
    try:
        header = read_jpeg_header(view["jpeg"])
    except JpegError as error:
        raise RecordError(Breach.BAD_JPEG, f"{name}: the JPEG {error}") from error
    if (header.height, header.width) != (view_size, view_size):
        line = (
            f"{name}: the JPEG is {header.width}x{header.height}, expected {view_size}x{view_size}"
        )
        raise RecordError(Breach.BAD_DIMENSIONS, line)
    if header.components not in (1, 3):
        line = f"{name}: the JPEG has {header.components} components, expected 3 (colour) or 1"
        raise RecordError(Breach.BAD_JPEG, line)
    _check_frame(name, view, limits)
    sharpness, luminance = view["sharpness"], view["luminance"]
    if not (math.isfinite(sharpness) and sharpness >= 0 and 0 <= luminance <= 255):
        line = f"{name}: sharpness {sharpness} or luminance {luminance} is out of range"
        raise RecordError(Breach.BAD_QUALITY, line)


def _check_frame(name: str, view: dict[str, Any], limits: Limits) -> None:
    height, width, crop = view["frame_height"], view["frame_width"], view["crop"]
    if not (1 <= height <= limits.max_frame_size and 1 <= width <= limits.max_frame_size):
        line = f"{name}: a frame of {width}x{height}, allowed are 1 to {limits.max_frame_size}"
        raise RecordError(Breach.BAD_DIMENSIONS, line)
    inside_x = 0 <= crop["left"] < crop["right"] <= width
    inside_y = 0 <= crop["top"] < crop["bottom"] <= height
    if not (inside_x and inside_y):
        line = f"{name}: the crop {tuple(crop.values())} is not inside the frame {width}x{height}"
        raise RecordError(Breach.BAD_DIMENSIONS, line)


def _check_geometry(two_view: dict[str, Any]) -> None:
    homography = two_view["homography"]
    if len(homography) != 9 or not all(map(math.isfinite, homography)):
        line = f"homography has {len(homography)} values, expected are 9 finite ones"
        raise RecordError(Breach.BAD_GEOMETRY, line)
    matches, inliers = two_view["match_count"], two_view["inlier_count"]
    if not 0 <= inliers <= matches < _MAX_COUNT:
        line = f"{inliers} inliers of {matches} matches cannot be"
        raise RecordError(Breach.BAD_GEOMETRY, line)
    if not 0 <= two_view["overlap"] <= 1:
        line = f"overlap is {two_view['overlap']}, allowed are 0 to 1"
        raise RecordError(Breach.BAD_GEOMETRY, line)


def _check_correspondence(correspondence: list[int], patches: int) -> None:
    if len(correspondence) != patches or patches > _MAX_PATCHES:
        line = f"correspondence has {len(correspondence)} patches, expected {patches}"
        raise RecordError(Breach.BAD_CORRESPONDENCE, line)
    if min(correspondence) < -1 or max(correspondence) >= patches:
        line = f"correspondence names a patch outside of -1 to {patches - 1}"
        raise RecordError(Breach.BAD_CORRESPONDENCE, line)
