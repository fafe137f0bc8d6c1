"""The folder of a run: what lies where, and that one trainer at a time works in it."""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from monitoring.events import read_journal
from streaming.errors import PairstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trainer.config import TrainConfig


class RunFolderError(PairstreamError):
    """The folder of a run cannot be used for what is asked."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's configuration, journal and checkpoints.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The run's whole configuration."""
        return self.path / "config.yaml"

    @property
    def journal(self) -> Path:
        """Events of the run, one JSON object a line."""
        return self.path / "journal.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    def holds_run(self) -> bool:
        """Whether a run was begun here."""
        return self.journal.exists() and self.config.exists()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and holds it; the lock goes with the process, however that ends.

        Raises:
            RunFolderError: when another trainer works in it, or it cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise RunFolderError(f"run {self.path}: cannot be written to ({error})") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunFolderError(
                    f"run {self.path}: another trainer works in it; stop it or use another --run"
                ) from None
            yield

    def write_config(self, config: TrainConfig) -> None:
        """Keeps the configuration, readable as a recipe."""
        text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
        _replace(self.config, text)

    def rewind_journal(self, step: int) -> int:
        """Takes out the events of steps after `step`, which a killed run did in vain.

        A resumed run does these steps again, so that a journal read back has each step once.
        Events without a step stay.

        Returns:
            How many events were taken out.
        """
        if not self.journal.exists():
            return 0
        events = list(read_journal(self.journal))
        kept = [event for event in events if event.get("step", 0) <= step]
        if len(kept) < len(events):
            _replace(self.journal, "".join(f"{json.dumps(event)}\n" for event in kept))
        return len(events) - len(kept)


def _replace(path: Path, text: str) -> None:
    """Writes a file aside and renames it, so that a kill leaves the old one or the new one."""
    aside = path.with_name(f"{path.name}.partial")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
