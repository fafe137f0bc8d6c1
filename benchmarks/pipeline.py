"""What the way from the log to a batch costs beside decoding the pictures alone.

Both sides are measured by the CPU time of all threads of the process, in turn: a loader reads the
log once from end to end, then the same pictures are decoded in a plain loop. Both copy them into
batches that are allocated anew, and as many batches are held as a loader with its consumer holds.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Final

import cv2
import numpy as np
import torch
import typer
from rich.table import Table

from benchmarks.material import CACHE, mined_records
from benchmarks.report import publish
from streaming.log.address import open_log
from streaming.log.protocol import Message
from streaming.log.topics import PAIRS, topic_specs
from streaming.pipeline.config import PipelineConfig
from streaming.pipeline.loader import PairLoader
from streaming.schema.codec import decode_pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streaming.log.protocol import Log, Record

_FLAGS: Final = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


def main(
    batches: Annotated[int, typer.Option(help="Batches in a turn.", min=1)] = 16,
    batch_size: Annotated[int, typer.Option(help="Pairs in a batch.", min=1)] = 64,
    threads: Annotated[int, typer.Option(help="Decoding threads of the loader.", min=1)] = 2,
    rounds: Annotated[int, typer.Option(help="Turns; their median counts.", min=1)] = 12,
) -> None:
    """Reads batches from a log of mined pairs, in turn with bare `cv2.imdecode`."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    records = list(islice(cycle(mined_records()), batches * batch_size))
    config = PipelineConfig(batch_size=batch_size, decode_threads=threads, until_end=True)
    jpegs = [jpeg for record in records for jpeg in _jpegs(record)]
    loader_s, decoder_s = [], []
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as folder,
        open_log(str(Path(folder) / "pairs.db")) as log,
    ):
        _fill(log, records, batch_size)
        _load_all(log, config)
        for _ in range(rounds):
            decoder_s.append(_decode_all(jpegs, config) / len(records))
            loader_s.append(_load_all(log, config) / len(records))
    # Of each turn by itself: the machine may be slower in the next.
    ratio = median(bare / whole for bare, whole in zip(decoder_s, loader_s, strict=True))
    table = Table("", "CPU us a pair", "pairs/s a core")
    for name, seconds in (("PairLoader", loader_s), ("bare cv2.imdecode", decoder_s)):
        table.add_row(name, f"{1e6 * median(seconds):.0f}", f"{1 / median(seconds):,.0f}")
    table.add_row("ratio", "", f"{ratio:.2f}")
    publish(
        "pipeline",
        [table],
        {"ratio_to_decoder": ratio},
        {
            "config": config.model_dump(mode="json"),
            "record_bytes": sum(len(record.value or b"") for record in records) / len(records),
            "loader_cpu_s_per_pair": loader_s,
            "decoder_cpu_s_per_pair": decoder_s,
        },
    )


def _jpegs(record: Record) -> tuple[bytes, bytes]:
    pair = decode_pair(record.value)
    return pair.view_1.jpeg, pair.view_2.jpeg


def _fill(log: Log, records: Sequence[Record], transaction: int) -> None:
    for spec in topic_specs():
        log.create_topic(spec)
    producer = log.producer("bench")
    for start in range(0, len(records), transaction):
        with producer.transaction() as opened:
            for record in records[start : start + transaction]:
                opened.append(PAIRS, Message(record.value, headers=record.headers))


def _load_all(log: Log, config: PipelineConfig) -> float:
    """CPU seconds of a loader from its making to the end of the log and of its threads."""
    began_s = time.process_time()
    with PairLoader(log, config) as loader:
        for _ in loader:
            pass
    return time.process_time() - began_s


def _decode_all(jpegs: Sequence[bytes], config: PipelineConfig) -> float:
    """CPU seconds of decoding the same pictures into such batches."""
    began_s = time.process_time()
    held: deque[np.ndarray] = deque(maxlen=config.prefetch_batches + 1)
    size = 2 * config.batch_size
    for start in range(0, len(jpegs), size):
        part = jpegs[start : start + size]
        batch = np.empty((len(part), config.view_size, config.view_size, 3), np.uint8)
        for place, jpeg in zip(batch, part, strict=True):
            np.copyto(place, np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), _FLAGS)))
        held.append(batch)
    return time.process_time() - began_s


if __name__ == "__main__":
    typer.run(main)
