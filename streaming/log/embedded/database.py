"""The file of an embedded log: its layout, making and opening it, connections, errors."""

from __future__ import annotations

import os
import sqlite3
import threading
import uuid
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from streaming.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_APPLICATION_ID: Final = 0x50535452
"""`PSTR`, in the file's header."""
_LAYOUT_VERSION: Final = 1

# Measured with values of 50 KB: 4 KiB pages write half as fast, 32 KiB pages waste a quarter.
_PAGE_BYTES: Final = 16 << 10
_CHECKPOINT_PAGES: Final = (64 << 20) // _PAGE_BYTES
_WAL_KEPT_BYTES: Final = 128 << 20
_WAL_MAX_BYTES: Final = 256 << 20
_WAL_PATIENCE_S: Final = 0.5

_BUSY_TIMEOUT_S: Final = 60.0
"""How long a writer waits for the other writers, whose transactions last milliseconds."""

# `end_offset` is stored, because offsets are never used again, also when all records are gone.
_LAYOUT: Final = """
CREATE TABLE topics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    uuid TEXT NOT NULL,
    cleanup TEXT NOT NULL,
    retention_ms INTEGER,
    retention_bytes INTEGER
);
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic_id INTEGER NOT NULL REFERENCES topics (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    first_offset INTEGER NOT NULL DEFAULT 0,
    end_offset INTEGER NOT NULL DEFAULT 0,
    value_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic_id, number)
);
CREATE TABLE records (
    partition_id INTEGER NOT NULL REFERENCES partitions (id) ON DELETE CASCADE,
    record_offset INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    key BLOB,
    headers TEXT,
    value BLOB,
    PRIMARY KEY (partition_id, record_offset)
);
CREATE INDEX records_by_key ON records (partition_id, key, record_offset) WHERE key IS NOT NULL;
CREATE TABLE group_offsets (
    group_name TEXT NOT NULL,
    partition_id INTEGER NOT NULL REFERENCES partitions (id) ON DELETE CASCADE,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (group_name, partition_id)
);
CREATE TABLE producers (transactional_id TEXT PRIMARY KEY, epoch INTEGER NOT NULL);
"""


class Database:
    """Connections to the file of one log, for any number of threads of this process."""

    def __init__(self, path: Path, *, create: bool) -> None:
        """Opens the file.

        Raises:
            LogError: when it is missing and not to be made, cannot be opened, or is no log that
                this version can read.
        """
        self.path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._process = os.getpid()
        self._closed = False
        if not path.exists():
            if not create:
                line = "there is no such file; check the path, or start a producer to make the log"
                raise LogError(f"log {path}: {line}")
            _make(path)
        with self.connection() as connection:
            _check_layout(path, connection)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lends a connection in autocommit mode; errors of SQLite become `LogError`."""
        with self._lock:
            self._check_usable()
            connection = self._idle.pop() if self._idle else None
        try:
            connection = connection or _connect(self.path)
            yield connection
        except sqlite3.Error as error:
            raise LogError(f"log {self.path}: {_explain(error)}") from error
        finally:
            if connection is not None:
                self._take_back(connection)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lends a connection inside a transaction that sees one state of the log."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lends a connection inside a transaction that is the only writer; an exception aborts."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def bound_wal(self) -> None:
        """Starts the write-ahead log anew when it is long.

        SQLite does so by itself only at a moment without readers, and busy ones leave it none.
        This waits for such a moment, but not for long: the next commit tries again.
        """
        wal = self.path.with_name(self.path.name + "-wal")
        if wal.stat().st_size > _WAL_MAX_BYTES:
            with self.connection() as connection:
                _set_patience(connection, _WAL_PATIENCE_S)
                try:
                    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
                finally:
                    _set_patience(connection, _BUSY_TIMEOUT_S)

    def close(self) -> None:
        """Closes all connections; those that are lent now close when they come back."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self.connection() as connection:
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _take_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    def _check_usable(self) -> None:
        if self._closed:
            raise LogError(f"log {self.path}: it is closed")
        # SQLite's locks belong to the process: a forked child would break them for its parent.
        if os.getpid() != self._process:
            raise LogError(f"log {self.path}: opened before a fork; open it again in the child")


def _connect(path: Path) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        address,
        uri=True,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,  # a connection is lent to one thread at a time
    )
    try:
        # NORMAL: whatever was committed outlives the death of any process, since it is with the
        # operating system by then. A loss of power may take the last commits before the file was
        # synced, whole transactions from the newest back; the file stays sound. FULL would save
        # them for one disk flush a commit.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        # Some builds overwrite what is deleted with zeros: retention would write it all once more.
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _set_patience(connection: sqlite3.Connection, timeout_s: float) -> None:
    connection.execute(f"PRAGMA busy_timeout = {int(timeout_s * 1000)}")


def _make(path: Path) -> None:
    """Makes the file aside and links it into place, so that no process sees it half-made."""
    line = "it cannot be made; is its folder there and writable?"
    if not os.access(path.parent, os.W_OK | os.X_OK) or not path.parent.is_dir():
        raise LogError(f"log {path}: {line}")
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_LAYOUT_VERSION}")
            connection.executescript(_LAYOUT)
        path.hardlink_to(draft)
    except FileExistsError:
        return  # another process was faster: its log is as good
    except (OSError, sqlite3.Error) as error:
        raise LogError(f"log {path}: {line} ({_explain(error)})") from error
    finally:
        draft.unlink(missing_ok=True)


def _check_layout(path: Path, connection: sqlite3.Connection) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID:
        raise LogError(f"log {path}: this SQLite database is not a log; name another file")
    if version != _LAYOUT_VERSION:
        line = f"its layout is version {version}, this software knows {_LAYOUT_VERSION}"
        raise LogError(f"log {path}: {line}; use the software that wrote it, or a newer one")


def _explain(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
