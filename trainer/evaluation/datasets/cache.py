"""Arrays that take long to make, kept in a folder; what is damaged there is made anew."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streaming.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]


def default_cache_dir() -> Path:
    """Where evaluation data is kept: `$XDG_CACHE_HOME/pairstream/evaluation`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pairstream" / "evaluation"


def make_cache_dir(path: Path) -> Path:
    """Makes the folder and tries it, before time is spent on what shall be kept there.

    Raises:
        ConfigError: when nothing can be written there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise ConfigError(
            f"cache {path}: cannot be written to ({error.strerror}); give another --cache"
        ) from error


def cached(cache_dir: Path, description: str, make: Callable[[], Arrays]) -> Arrays:
    """Reads arrays that were made before, or makes and keeps them.

    Args:
        cache_dir: folder of the cache; made when missing.
        description: everything that the arrays depend on, the code's version among it.
        make: makes the arrays.
    """
    path = cache_dir / f"{hashlib.sha256(description.encode()).hexdigest()[:24]}.npz"
    found = _read(path)
    if found is not None:
        return found
    arrays = make()
    cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache_dir, suffix=".partial", delete=False) as file:
        np.savez(file, allow_pickle=False, **arrays)
    Path(file.name).replace(path)
    return arrays


def _read(path: Path) -> Arrays | None:
    """The arrays of a whole file; None when there is none or its checksums do not hold."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (FileNotFoundError, zipfile.BadZipFile, ValueError, EOFError):
        return None
