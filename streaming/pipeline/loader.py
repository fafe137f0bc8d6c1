"""The loader: composes the nodes and is what a trainer iterates."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

from streaming.errors import LogError
from streaming.log.topics import PAIRS
from streaming.pipeline.batch import PairBatcher
from streaming.pipeline.decode import PairDecoder
from streaming.pipeline.metrics import PipelineMetrics
from streaming.pipeline.prefetch import Prefetcher
from streaming.pipeline.reader import PairReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from streaming.errors import RecordError
    from streaming.log.protocol import Log, Record
    from streaming.pipeline.batch import PairBatch
    from streaming.pipeline.config import PipelineConfig


# Not on top of torchdata's `Loader`: that begins anew with every `iter()`, while a stream must go
# on where it was; and it has no way to stop a source that waits.
class PairLoader:
    """An endless, resumable iterator over batches of one rank; a context manager.

    Iterating goes on where the last iteration was. `state_dict` is the state after the last batch
    that was handed out: loaded anew, it gives the very batches that follow, bit for bit as long
    as the log holds the same records.

    Args:
        log: the log to read, from another thread than the caller's.
        config: the pipeline's settings.
        rank: this process's rank; it reads the partitions with `partition % world_size == rank`.
        world_size: number of ranks; another number needs `redeal` of all ranks' states.
        on_rejected: is given each record that breaks the data contract, and why, when it is first
            read; called from the prefetching thread.
        topic: name of the pairs topic.

    Attributes:
        metrics: counters, filled while the loader runs.

    Raises:
        LogError: there is no such topic, or no partition of it for this rank.
    """

    def __init__(
        self,
        log: Log,
        config: PipelineConfig,
        *,
        rank: int = 0,
        world_size: int = 1,
        on_rejected: Callable[[Record, RecordError], None] | None = None,
        topic: str = PAIRS,
    ) -> None:
        self.metrics = PipelineMetrics()
        self._closed = False
        self._stop = threading.Event()
        reader = PairReader(
            log,
            config,
            topic=topic,
            rank=rank,
            world_size=world_size,
            stop=self._stop,
            metrics=self.metrics,
        )
        self._decoder = PairDecoder(
            reader, config, on_rejected=on_rejected, stop=self._stop, metrics=self.metrics
        )
        self._batches: Prefetcher[PairBatch] = Prefetcher(
            PairBatcher(self._decoder, config.seed),
            config.prefetch_batches,
            stop=self._stop,
            on_wait=self._count_wait,
        )

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> PairBatch:
        """The next batch; waits for it.

        Raises:
            StopIteration: the loader was closed, or a bounded reading is at its end.
            OffsetOutOfRangeError: records were lost to retention and `on_lost` is `fail`.
            LogError: the pairs are of another size than configured, or nothing but broken records
                is found.
        """
        if self._closed:
            raise StopIteration
        batch: PairBatch = next(self._batches)
        self.metrics.batches += 1
        return batch

    def ready(self, timeout_s: float = 0.0) -> bool:
        """Waits until the next batch, or the end, is at hand; tells whether it is.

        With it all ranks can agree to take a step together, so that none waits inside of one.
        """
        self._check_open()
        self._batches.state_dict()  # Makes sure that the nodes run.
        return self._batches.ready(timeout_s)

    def state_dict(self) -> dict[str, Any]:
        """JSON-able state after the last batch that was handed out."""
        self._check_open()
        state: dict[str, Any] = self._batches.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state; what is held ready is dropped.

        Raises:
            LogError: the state is damaged or belongs to another topic, seed, rank or world size.
        """
        self._check_open()
        self._batches.reset(dict(state))

    def close(self) -> None:
        """Ends all threads; a waiting `next` of another thread raises `StopIteration`."""
        self._closed = True
        # Before any thread ends: what that breaks off must look like the end, not like an error.
        self._stop.set()
        # First the decoding threads, so that the prefetching one does not wait for a whole batch.
        self._decoder.close()
        self._batches.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _count_wait(self, seconds: float) -> None:
        self.metrics.data_wait_s += seconds

    def _check_open(self) -> None:
        if self._closed:
            raise LogError("the pair loader is closed: make a new one and load its state")
