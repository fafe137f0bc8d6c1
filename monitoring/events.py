"""The journal of a run: one JSON object a line, appended and flushed, readable while it grows."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType


class Journal:
    """Appends events to a JSONL file; an incomplete last line of a killed writer is cut off."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            whole_lines = path.read_bytes().rpartition(b"\n")
            os.truncate(path, len(whole_lines[0]) + len(whole_lines[1]))
        self._file = path.open("a", encoding="utf-8")

    def write(self, event: str, **values: Any) -> None:  # noqa: ANN401  values are any JSON
        """Appends one event with its wall-clock time in seconds."""
        line = json.dumps({"event": event, "time_s": time.time(), **values})
        self._file.write(line + "\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def read_journal(path: Path, event: str | None = None) -> Iterator[dict[str, Any]]:
    """Events of a journal, all or of one name.

    A last line without its end (its writer was killed inside it) is passed over.
    """
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                return
            values: dict[str, Any] = json.loads(line)
            if event is None or values["event"] == event:
                yield values
