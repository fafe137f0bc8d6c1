"""From what a user writes to sources: files, folders, globs, `http(s)://`, `synthetic://`."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import os
import re
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit

from streaming.errors import SourceError
from streaming.records import Source, SourceKind
from streaming.sources.container import is_url, open_video, redacted
from streaming.sources.files import VIDEO_SUFFIXES, list_videos, natural_order
from streaming.sources.images import IMAGE_SUFFIXES, list_image_sets
from streaming.sources.synthetic.spec import parse_synthetic

Sources: TypeAlias = tuple[Source, ...]

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_KINDS: Final = "name a file, a folder, a glob, or an http(s):// or synthetic:// address"


def parse_source(uri: str, *, source_id: str | None = None) -> Source:
    """The one source that an address names.

    Args:
        uri: what `expand` takes.
        source_id: a name of the user's own; by default made of the address.

    Raises:
        SourceError: it names no source or several.
    """
    sources = expand(uri)
    if len(sources) > 1:
        raise SourceError(f"{redacted(uri)}: holds {len(sources)} sources; name one of them")
    source = sources[0]
    return source if source_id is None else dataclasses.replace(source, source_id=source_id)


def expand(uri: str) -> Sources:
    """All sources that an address names, in natural order; at least one.

    A folder stands for the videos in it and below it, by their endings; without any, each folder
    with images is one image set. Whether such a video can be opened shows when it is: one broken
    file does not hide the others. A single file is looked into at once.

    Raises:
        SourceError: nothing is there, or nothing that gives frames.
    """
    scheme = _SCHEME.match(uri)
    match scheme and scheme[1].lower():
        case None:
            return _expand_path(uri)
        case "file":
            return _expand_path(_path_of_file_url(uri))
        case "http" | "https":
            return (_address_source(uri, SourceKind.VIDEO),)
        case "synthetic":
            parse_synthetic(uri)
            return (_address_source(uri, SourceKind.SYNTHETIC),)
        case other:
            raise SourceError(f"source {redacted(uri)}: {other}:// is not supported; {_KINDS}")


def _expand_path(text: str) -> Sources:
    path = Path(text).expanduser()
    try:
        if not text or "\0" in text:
            raise SourceError(f"source {text!r}: is not a path; {_KINDS}")
        if path.is_dir():
            return _expand_folder(path)
        if path.exists():
            return (_file_source(path),)
        if glob.has_magic(text):
            return _expand_glob(path)
    except OSError as error:
        raise SourceError(f"source {text}: cannot be read ({error.strerror})") from error
    raise SourceError(f"source {text}: no such file or folder; check the path")


def _expand_folder(folder: Path) -> Sources:
    sources = _folder_sources(folder)
    if not sources:
        endings = " ".join(sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))
        raise SourceError(f"folder {folder}: holds no videos or images ({endings})")
    return sources


def _folder_sources(folder: Path) -> Sources:
    videos = list_videos(folder)
    if videos:
        return tuple(_path_source(path, SourceKind.VIDEO) for path in videos)
    return tuple(_path_source(path, SourceKind.IMAGE_SET) for path in list_image_sets(folder))


def _expand_glob(pattern: Path) -> Sources:
    sources: list[Source] = []
    matches = glob.iglob(str(pattern), recursive=True)  # noqa: PTH207  Path.glob is never absolute
    for path in natural_order(Path(match) for match in matches):
        if path.is_dir():
            sources.extend(_folder_sources(path))
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            sources.append(_path_source(path, SourceKind.VIDEO))
    if not sources:
        raise SourceError(f"glob {pattern}: matches no video and no folder with videos or images")
    return tuple({source.uri: source for source in sources}.values())


def _file_source(path: Path) -> Source:
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise SourceError(f"source {path}: is a single image; name the folder of an image set")
    if not path.is_file():
        raise SourceError(f"source {path}: is not a regular file; {_KINDS}")
    container, _ = open_video(str(path))
    container.close()
    return _path_source(path, SourceKind.VIDEO)


def _path_source(path: Path, kind: SourceKind) -> Source:
    absolute = os.path.abspath(path)  # noqa: PTH100  resolve() would follow links, absolute() keeps ".."
    name = path.stem if kind is SourceKind.VIDEO else Path(absolute).name
    return Source(_readable_id(name, absolute), absolute, kind)


def _path_of_file_url(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.netloc not in {"", "localhost"}:
        raise SourceError(f"source {redacted(uri)}: is on another host; write file:///path")
    return unquote(parts.path)


def _address_source(uri: str, kind: SourceKind) -> Source:
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError as error:
        raise SourceError(f"source {redacted(uri)}: is not a valid address") from error
    if is_url(uri) and not host:
        raise SourceError(f"source {redacted(uri)}: names no host; write https://host/path")
    login, _, host_and_port = parts.netloc.rpartition("@")
    identity = uri.replace(f"{login}@", "", 1) if login else uri
    return Source(
        _readable_id(Path(unquote(parts.path)).stem or host_and_port, identity), uri, kind
    )


def _readable_id(stem: str, identity: str) -> str:
    digest = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:40] or "source"
    return f"{readable}-{digest}"
