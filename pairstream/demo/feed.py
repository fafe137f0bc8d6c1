"""The demo's stream: a process of its own that renders or takes videos and mines them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2

from streaming.log.address import open_log
from streaming.producer import ProduceConfig, mine_source
from streaming.settings import load_settings
from streaming.sources.spec import expand, parse_source
from streaming.sources.synthetic.spec import parse_synthetic
from streaming.sources.synthetic.write import write_video

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streaming.records import Source

ROOM_URI: Final = "synthetic://rooms?seed={seed}&frames=400&fps=10&size=640x480"
ROOM_SEEDS: Final = range(1, 25)
"""Seeds of rooms to train on; evaluation renders rooms of seeds that it reserves."""
_STOP_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Feed:
    """What the stream is made of.

    Attributes:
        log_address: where pairs go.
        videos: the user's own sources, each of which can be opened; when empty, rooms
            are rendered one after the other.
        rooms: folder of rendered videos; those that are there already are used again.
    """

    log_address: str
    videos: tuple[str, ...]
    rooms: Path


class FeedProcess:
    """Runs a feed beside the training."""

    def __init__(self, feed: Feed) -> None:
        # Spawned, not forked: the renderer and OpenCV hold threads that do not survive a fork.
        self._process = multiprocessing.get_context("spawn").Process(
            target=_run, args=(feed,), name="pairstream feed"
        )

    def start(self) -> None:
        """Starts mining."""
        self._process.start()

    @property
    def is_running(self) -> bool:
        """Whether more pairs may come."""
        return self._process.is_alive()

    def stop(self) -> None:
        """Ends the process; what it has mined so far is committed."""
        if self._process.is_alive():
            self._process.terminate()
        self._process.join(_STOP_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _run(feed: Feed) -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    config = load_settings(ProduceConfig, environ=os.environ)
    with open_log(feed.log_address) as log:
        for source in _sources(feed):
            if stopped.is_set():
                return
            mine_source(source, log, config, stop=stopped.is_set)


def _sources(feed: Feed) -> Iterator[Source]:
    if feed.videos:
        for video in feed.videos:
            yield from expand(video)
        return
    for seed in ROOM_SEEDS:
        spec = parse_synthetic(ROOM_URI.format(seed=seed))
        path = feed.rooms / f"room-{seed:02d}-{spec.fingerprint()}.mp4"
        if not path.exists():
            partial = path.with_suffix(".part.mp4")
            write_video(spec, partial)
            partial.rename(path)
        yield parse_source(str(path), source_id=f"room-{seed:02d}")
