"""Listing what is in a folder: videos by their endings, in natural order."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

VIDEO_SUFFIXES: Final = frozenset(
    {
        ".3gp",
        ".asf",
        ".avi",
        ".flv",
        ".h264",
        ".hevc",
        ".insv",
        ".m2ts",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".ogv",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
    }
)


def natural_key(path: Path) -> tuple[tuple[int, int | str], ...]:
    """Sorts `frame2` before `frame10`; equal for names that differ by case or zeros alone."""
    parts = re.split(r"([0-9]+)", str(path).casefold())
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)


def natural_order(paths: Iterator[Path]) -> tuple[Path, ...]:
    """Paths in natural order, and in one and the same order every time."""
    return tuple(sorted(paths, key=lambda path: (natural_key(path), str(path))))


def list_videos(folder: Path) -> tuple[Path, ...]:
    """Files with the ending of a video in a folder and the folders below it."""
    return natural_order(
        path
        for parent in list_folders(folder)
        for path in visible_files(parent)
        if path.suffix.lower() in VIDEO_SUFFIXES
    )


def list_folders(folder: Path) -> tuple[Path, ...]:
    """The folder itself and all below it, each once, though links may form a circle.

    Hidden folders, and those below that may not be read, are passed over.

    Raises:
        OSError: the folder itself cannot be read.
    """
    seen: set[Path] = set()
    found: list[Path] = []
    with os.scandir(folder):
        pass  # os.walk is silent about what it may not read: the folder asked for must not be it
    for parent, children, _ in os.walk(folder, followlinks=True):
        real = Path(parent).resolve()
        children[:] = [] if real in seen else [c for c in children if not c.startswith(".")]
        if real not in seen:
            found.append(Path(parent))
        seen.add(real)
    return natural_order(iter(found))


def visible_files(folder: Path) -> Iterator[Path]:
    """Regular files directly in a folder, without hidden ones."""
    return (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
