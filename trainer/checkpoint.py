"""Checkpoints on disk: whole or not there, checked when read, the newest few kept.

A checkpoint is a folder `step-00001200` with three files, written in this order:

1. `tensors.pt`: model and optimiser, by name;
2. `manifest.json`: everything else, and the digest of `tensors.pt`;
3. `complete`: the digest of `manifest.json`.

The folder is filled under another name, flushed to the disk and renamed last, so that a writer
killed at any moment leaves no half of a checkpoint under that name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from streaming.errors import PairstreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

FORMAT: Final = 1

_PREFIX: Final = "step-"
_PARTIAL_PREFIX: Final = ".partial-"
_TENSORS: Final = "tensors.pt"
_MANIFEST: Final = "manifest.json"
_COMPLETE: Final = "complete"


class CheckpointError(PairstreamError):
    """A checkpoint cannot be used for what is asked."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint is not what was written."""


class Manifest(BaseModel):
    """Everything in a checkpoint that is not a tensor."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    format: int = FORMAT
    """Version of this layout."""
    software_version: str
    """The pairstream that wrote it."""
    step: int
    """Steps done, also the skipped ones."""
    pairs_seen: int
    """Pairs handed to those steps, by all processes."""
    skipped_steps: int
    """Steps whose loss or gradient was not finite."""
    skipped_in_row: int
    """How many of them were the last ones."""
    topic_id: str
    """Identity of the topic that the positions belong to."""
    config: dict[str, Any]
    """The run's whole configuration."""
    data_positions: list[dict[str, Any]]
    """State of the data pipeline (window plan and cursor) of each rank."""
    tensors_sha256: str = ""
    """Hex digest of the tensors' file; filled in when written."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose files are what was written."""

    path: Path
    manifest: Manifest

    def tensors(self) -> dict[str, Tensor]:
        """Model and optimiser by name, on the CPU."""
        tensors: dict[str, Tensor] = torch.load(
            self.path / _TENSORS, map_location="cpu", weights_only=True
        )
        return tensors


def save(folder: Path, manifest: Manifest, tensors: Mapping[str, Tensor], keep: int) -> Path:
    """Writes a checkpoint and then removes older ones beyond the newest `keep`.

    Checkpoints of later steps (damaged ones that a resumed run passed over) are left until the
    run reaches their step and overwrites them.

    Args:
        folder: where the checkpoints of the run are; made when missing.
        manifest: what is not a tensor; its step names the checkpoint.
        tensors: model and optimiser by name.
        keep: how many to keep, at least 1.

    Returns:
        The checkpoint's folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f"{_PARTIAL_PREFIX}*"):
        shutil.rmtree(leftover)
    name = f"{_PREFIX}{manifest.step:08d}"
    partial, final = folder / f"{_PARTIAL_PREFIX}{name}", folder / name
    partial.mkdir()
    with (partial / _TENSORS).open("wb") as file:
        torch.save(dict(tensors), file)
        file.flush()
        os.fsync(file.fileno())
    manifest = manifest.model_copy(update={"tensors_sha256": _sha256(partial / _TENSORS)})
    _write(partial / _MANIFEST, manifest.model_dump_json(indent=1))
    _write(partial / _COMPLETE, _sha256(partial / _MANIFEST))
    _sync_folder(partial)
    if final.exists():
        shutil.rmtree(final)
    partial.rename(final)
    _sync_folder(folder)
    older = [path for path in _newest_first(folder) if _step(path) <= manifest.step]
    for path in older[keep:]:
        shutil.rmtree(path)
    return final


def read(path: Path) -> Checkpoint:
    """Opens one checkpoint and checks that its files are what was written.

    Raises:
        DamagedCheckpointError: a file is missing or differs from what was written.
        CheckpointError: another version of the software wrote it in a form unknown to this one.
    """
    try:
        if (path / _COMPLETE).read_text(encoding="ascii") != _sha256(path / _MANIFEST):
            raise DamagedCheckpointError(f"checkpoint {path}: {_MANIFEST} is damaged")
        manifest = Manifest.model_validate_json((path / _MANIFEST).read_bytes())
        if manifest.format == FORMAT and manifest.tensors_sha256 != _sha256(path / _TENSORS):
            raise DamagedCheckpointError(f"checkpoint {path}: {_TENSORS} is damaged")
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedCheckpointError(f"checkpoint {path}: cannot be read ({error})") from error
    except ValidationError as error:
        raise CheckpointError(
            f"checkpoint {path}: its manifest is of another version of pairstream; use that one"
        ) from error
    if manifest.format != FORMAT:
        raise CheckpointError(
            f"checkpoint {path}: has format {manifest.format} of pairstream "
            f"{manifest.software_version}, this one reads format {FORMAT}; use that version"
        )
    return Checkpoint(path, manifest)


def latest(folder: Path, on_passed_over: Callable[[str], None]) -> Checkpoint | None:
    """The newest usable checkpoint of a run; None when the run has written none.

    Args:
        folder: where the checkpoints of the run are.
        on_passed_over: told of each newer checkpoint that is damaged or half-written, in a line.

    Raises:
        CheckpointError: when there are checkpoints but none is usable.
    """
    for leftover in folder.glob(f"{_PARTIAL_PREFIX}*"):
        on_passed_over(f"checkpoint {leftover}: half-written, passed over")
    damaged = 0
    for path in _newest_first(folder):
        try:
            return read(path)
        except DamagedCheckpointError as error:
            damaged += 1
            on_passed_over(f"{error}; passed over")
    if damaged:
        raise CheckpointError(
            f"{folder}: all {damaged} checkpoints are damaged; restore one or use a new --run"
        )
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_PREFIX}*"), key=_step, reverse=True)


def _step(path: Path) -> int:
    digits = path.name.removeprefix(_PREFIX)
    return int(digits) if digits.isdecimal() else -1


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
