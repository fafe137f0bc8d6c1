"""The log on one machine: a SQLite file in WAL mode, shared by any number of processes."""

from streaming.log.embedded.log import EmbeddedLog

__all__ = ["EmbeddedLog"]
