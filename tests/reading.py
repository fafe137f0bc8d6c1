"""Readers over small logs, for tests."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

from streaming.pipeline.config import PipelineConfig
from streaming.pipeline.metrics import PipelineMetrics
from streaming.pipeline.reader import PairReader
from tests.small_pairs import PATCH_SIZE, VIEW_SIZE

if TYPE_CHECKING:
    from streaming.pipeline.window import Address


def small_config(**settings: Any) -> PipelineConfig:
    """Settings for tiny pictures and short waits."""
    defaults = {
        "batch_size": 3,
        "window_records": 8,
        "view_size": VIEW_SIZE,
        "patch_size": PATCH_SIZE,
        "poll_s": 0.02,
    }
    return PipelineConfig.model_validate(defaults | settings)


def make_reader(
    log: Any, config: PipelineConfig, *, rank: int = 0, world_size: int = 1
) -> PairReader:
    return PairReader(
        log,
        config,
        topic="pairs",
        rank=rank,
        world_size=world_size,
        stop=threading.Event(),
        metrics=PipelineMetrics(),
    )


def take(reader: PairReader, count: int) -> list[Address]:
    """The addresses of the next records; fewer when the reader ends."""
    return [item.address for item in itertools.islice(reader, count)]


def places(addresses: list[Address]) -> list[tuple[int, int]]:
    """Partition and offset of each address."""
    return [(address.partition, address.offset) for address in addresses]
