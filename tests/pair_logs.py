"""Embedded logs filled with real records that a small network can learn from, and its settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streaming.log.address import open_log
from streaming.log.messages import pair_message
from streaming.log.topics import topic_specs
from streaming.settings import load_settings
from tests.small_pairs import small_pair
from trainer.config import TrainConfig, recipe

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VIEW_SIZE = 32
TINY = (
    "data.view_size=32",
    "data.patch_size=8",
    "data.batch_size=8",
    "data.window_records=16",
    "data.decode_threads=1",
    "optim.schedule.warmup_steps=4",
    "log_every=1",
    "device=cpu",
)


def tiny_config(*overrides: str) -> TrainConfig:
    """The recipe `cpu_tiny` for the pairs of `fill_log`, with every step in the journal."""
    return load_settings(TrainConfig, recipe=recipe("cpu_tiny"), overrides=[*TINY, *overrides])


def fill_log(folder: Path, pairs: int = 40, first: int = 0, partitions: int = 2) -> str:
    """Appends smooth pictures and gives the log's address; the second view shows the first."""
    address = f"sqlite:///{folder / 'pairs.db'}"
    with open_log(address) as log:
        for spec in topic_specs(pair_partitions=partitions):
            log.create_topic(spec)
        producer = log.producer("test")
        with producer.transaction() as transaction:
            for number in range(first, first + pairs):
                transaction.append("pairstream.pairs", pair_message(_pair(number)))
        producer.close()
    return address


def _pair(number: int):
    pair = small_pair(number, VIEW_SIZE, 8)
    _, jpeg = cv2.imencode(".jpg", _picture(number))
    view_1 = replace(pair.view_1, jpeg=jpeg.tobytes())
    return replace(pair, view_1=view_1, view_2=replace(view_1, timestamp_ns=number + 1))


def _picture(number: int) -> NDArray[np.uint8]:
    generator = np.random.default_rng(number)
    rows, cols = np.mgrid[0:VIEW_SIZE, 0:VIEW_SIZE] / VIEW_SIZE
    waves = [
        np.sin(2 * np.pi * (f[0] * rows + f[1] * cols) + f[2])
        for f in generator.uniform(0.3, 1.5, (3, 3))
    ]
    return ((np.stack(waves, axis=2) + 1) * 127.5).astype(np.uint8)
