"""Fixtures that every test may use."""

import os
from pathlib import Path

import cv2
import pytest
import torch

cv2.setNumThreads(1)
torch.set_num_threads(1)

SHARED_DATA = Path(
    os.environ.get("PAIRSTREAM_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if SHARED_DATA.is_dir():
        return
    reason = f"no real footage at {SHARED_DATA}: set PAIRSTREAM_SHARED_DATA, see CONTRIBUTING.md"
    for item in items:
        if item.get_closest_marker("shared_data"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real videos, image sets and posed RGB-D frames."""
    return SHARED_DATA
