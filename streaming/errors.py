"""The errors that a user can cause, each of them one line, and what commands exit with."""

from __future__ import annotations

from typing import Final

USER_ERROR_STATUS: Final = 2
"""Exit status of a command that could not do what it was asked."""
INTERRUPTED_STATUS: Final = 130
"""Exit status of a command that SIGINT or SIGTERM stopped; what was done is kept."""


class PairstreamError(Exception):
    """A user's mistake or an unusable input.

    The message is one line that names what is wrong, where, and what to do. Commands print it
    without a traceback and exit with `USER_ERROR_STATUS`.
    """


class SourceError(PairstreamError):
    """A source cannot be opened or gives no frames at all."""


class ConfigError(PairstreamError):
    """A configuration key is unknown or its value is wrong."""


class LogError(PairstreamError):
    """A log cannot be opened, or it refuses an operation."""


class ProducerFencedError(LogError):
    """A newer producer of the same transactional id exists; this one must not write any more."""


class OffsetOutOfRangeError(LogError):
    """The offset asked for is not, or no longer, in the partition."""


class RecordError(PairstreamError):
    """A record breaks the data contract.

    Attributes:
        reason: a short stable word for the kind of breach, used as a counter's label.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
