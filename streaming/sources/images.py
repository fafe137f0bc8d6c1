"""Sets of photographs: listing a folder's images and reading one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from streaming.errors import SourceError
from streaming.sources.files import list_folders, natural_order, visible_files

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

IMAGE_SUFFIXES: Final = frozenset({".jpeg", ".jpg", ".png", ".webp"})


def list_images(folder: Path) -> tuple[Path, ...]:
    """Images directly in a folder, in natural order."""
    return natural_order(
        path for path in visible_files(folder) if path.suffix.lower() in IMAGE_SUFFIXES
    )


def list_image_sets(folder: Path) -> tuple[Path, ...]:
    """The folder and those below it that hold images themselves."""
    return tuple(parent for parent in list_folders(folder) if list_images(parent))


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads an image, turned upright as its EXIF orientation says.

    Returns:
        uint8 RGB, shape (height, width, 3); grey and 16-bit images are converted, alpha is
        dropped.

    Raises:
        SourceError: the file cannot be read or is no whole image.
    """
    try:
        data = path.read_bytes()
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except (OSError, cv2.error) as error:
        raise SourceError(f"image {path}: cannot be read ({type(error).__name__})") from error
    if image is None:
        raise SourceError(f"image {path}: is not a whole JPEG, PNG or WebP; replace or remove it")
    return np.asarray(image, np.uint8)
