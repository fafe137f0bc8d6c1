"""Opening a log by its address: what `--log` takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from streaming.errors import LogError
from streaming.log.embedded import EmbeddedLog

if TYPE_CHECKING:
    from streaming.log.protocol import Log

DEFAULT_LOG: Final = "sqlite:///runs/pairs.db"
"""The log of commands that are not told of another."""
_POSSIBLE: Final = "sqlite:///relative/path.db, sqlite:////absolute/path.db or a path ending in .db"


def open_log(address: str, *, create: bool = True) -> Log:
    """Opens the log at an address.

    Args:
        address: `sqlite:///` and a path (relative; a fourth slash makes it absolute), or a bare
            path that ends in `.db`.
        create: whether to make an embedded log that is missing, and its folder.

    Raises:
        LogError: when the address is not understood or the log cannot be opened.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        if not address.endswith(".db"):
            raise LogError(f"log address {address!r} is not understood; use {_POSSIBLE}")
        return _embedded(Path(address), create=create)
    if scheme == "sqlite":
        if not rest.startswith("/") or rest == "/":
            raise LogError(f"log address {address!r} names no file; use {_POSSIBLE}")
        return _embedded(Path(rest[1:]), create=create)
    if scheme == "kafka":
        line = "this version has no Kafka engine yet"
        raise LogError(f"log address {address!r}: {line}; use {_POSSIBLE}")
    raise LogError(f"log address {address!r}: unknown scheme {scheme!r}; use {_POSSIBLE}")


def _embedded(path: Path, *, create: bool) -> EmbeddedLog:
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(f"log {path}: its folder cannot be made ({error.strerror})") from error
    return EmbeddedLog(path, create=create)
