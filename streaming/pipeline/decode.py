"""The decoding node: raw records in, groups of decoded pairs out, in the same order."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from torchdata.nodes import BaseNode

from streaming.errors import LogError, RecordError
from streaming.pipeline.broken_row import BrokenRow
from streaming.pipeline.window import SpanKind
from streaming.schema.codec import decode_pair

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from streaming.log.protocol import Record
    from streaming.pipeline.config import PipelineConfig
    from streaming.pipeline.metrics import PipelineMetrics
    from streaming.pipeline.reader import AddressedRecord
    from streaming.pipeline.window import Address
    from streaming.records import View

_LOGGER = logging.getLogger(__name__)

# Stored views are upright: a rotation tag in a record would only turn them wrongly.
_DECODE_FLAGS: Final = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
# Handing each record to a thread by itself would cost a tenth of its decoding; but what a thread
# has begun it finishes, so that closing waits for this many at most.
_RECORDS_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class DecodedPair:
    """One pair as arrays.

    Attributes:
        view_1: uint8 RGB, shape (3, view_size, view_size).
        view_2: like `view_1`.
        correspondence: int16, shape (patches,): patch of view 2 for each patch of view 1, or -1.
        overlap: share of corresponding patches, 0-1.
        pair_id: the pair's identity.
        source_id: the source it was mined from.
        mined_at_ns: wall-clock time of mining, nanoseconds since 1970-01-01 UTC.
        address: where and when in the run it was read.
    """

    view_1: NDArray[np.uint8]
    view_2: NDArray[np.uint8]
    correspondence: NDArray[np.int16]
    overlap: float
    pair_id: str
    source_id: str
    mined_at_ns: int
    address: Address


def decode_record(
    item: AddressedRecord, config: PipelineConfig, places: NDArray[np.uint8] | None = None
) -> DecodedPair:
    """Decodes a record and both of its pictures.

    Args:
        item: the raw record.
        config: sizes that it must have.
        places: where the pictures go, shape (2, 3, view_size, view_size); new ones if not given.

    Raises:
        RecordError: the record breaks the data contract.
        LogError: it is a valid pair, but of other sizes than configured.
    """
    pair = decode_pair(item.record.value)
    if (pair.view_size, pair.patch_size) != (config.view_size, config.patch_size):
        raise LogError(
            f"{_place(item)}: this pair has views of {pair.view_size} px with patches of "
            f"{pair.patch_size} px, but data.view_size is {config.view_size} and data.patch_size "
            f"is {config.patch_size}: set data.view_size={pair.view_size} and "
            f"data.patch_size={pair.patch_size}, or mine with your sizes into another log"
        )
    if places is None:
        places = np.empty((2, 3, pair.view_size, pair.view_size), np.uint8)
    view_1, view_2 = places
    _decode_view("view_1", pair.view_1, view_1)
    _decode_view("view_2", pair.view_2, view_2)
    return DecodedPair(
        view_1=view_1,
        view_2=view_2,
        correspondence=pair.two_view.correspondence,
        overlap=pair.two_view.overlap,
        pair_id=pair.pair_id,
        source_id=pair.source_id,
        mined_at_ns=pair.mined_at_ns,
        address=item.address,
    )


def _place(item: AddressedRecord) -> str:
    record = item.record
    return f"{record.topic}: partition {record.partition} offset {record.offset}"


def _decode_view(name: str, view: View, planes: NDArray[np.uint8]) -> None:
    try:
        image = cv2.imdecode(np.frombuffer(view.jpeg, np.uint8), _DECODE_FLAGS)
    except cv2.error as error:
        line = f"{name}: the JPEG cannot be decoded ({error.err})"
        raise RecordError("jpeg_decode", line) from error
    # The stub promises a picture, but what cannot be decoded gives None.
    if image is None or image.shape != (*planes.shape[1:], 3):
        raise RecordError("jpeg_decode", f"{name}: the JPEG cannot be decoded")
    cv2.split(image, list(planes))


class PairDecoder(BaseNode[tuple[DecodedPair, ...]]):
    """Decodes records in threads and hands out groups of `batch_size` pairs.

    Records that break the contract are counted by reason, handed to `on_rejected` when they are
    read for the first time, and made up for by the records that follow. It takes no more records
    than it hands on, so its state is its source's. Only the end of a bounded reading makes a
    smaller group. Where nothing but broken records is found it stops: replay would read them for
    ever.

    Args:
        source: the reader.
        config: group size, sizes of the views, number of threads.
        on_rejected: is given each broken record and what is wrong with it, in the thread that
            calls `next`.
        stop: ends the decoding when it is set.
        metrics: counters to fill.
    """

    def __init__(
        self,
        source: BaseNode[AddressedRecord],
        config: PipelineConfig,
        *,
        on_rejected: Callable[[Record, RecordError], None] | None,
        stop: threading.Event,
        metrics: PipelineMetrics,
    ) -> None:
        super().__init__()
        self._source = source
        self._config = config
        self._on_rejected = on_rejected
        self._stop = stop
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(config.decode_threads, thread_name_prefix="decode")
        self._broken_row = BrokenRow()
        self._state: dict[str, Any] = {}

    def reset(self, initial_state: dict[str, Any] | None = None) -> None:
        """Begins anew or goes on from a state of the source."""
        super().reset(initial_state)
        self._source.reset(initial_state)
        self._broken_row = BrokenRow()
        self._state = self._source.state_dict()

    def next(self) -> tuple[DecodedPair, ...]:
        """The next group of pairs.

        Raises:
            StopIteration: the source has ended, or `stop` was set.
            LogError: a pair is of other sizes than configured, or a whole pass of replay held
                nothing but broken records.
        """
        pairs: list[DecodedPair] = []
        while len(pairs) < self._config.batch_size:
            items = list(islice(self._source, self._config.batch_size - len(pairs)))
            if not items:
                break
            for item, outcome in zip(items, self._decode(items), strict=True):
                if isinstance(outcome, RecordError):
                    self._reject(item, outcome)
                else:
                    self._broken_row = BrokenRow()
                    pairs.append(outcome)
        if self._stop.is_set() or not pairs:
            raise StopIteration
        self._state = self._source.state_dict()
        return tuple(pairs)

    def get_state(self) -> dict[str, Any]:
        """The source's state after the last group that was handed out."""
        return self._state

    def close(self) -> None:
        """Ends the threads; what they have not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _decode(self, items: list[AddressedRecord]) -> Iterator[DecodedPair | RecordError]:
        """Decodes all into one array a view, which then need not be copied to make a batch."""
        side = self._config.view_size
        places = np.empty((2, len(items), 3, side, side), np.uint8)
        share = min(-(-len(items) // self._config.decode_threads), _RECORDS_AT_ONCE)

        def decode_share(first: int) -> list[DecodedPair | RecordError]:
            numbers = range(first, min(first + share, len(items)))
            return [self._try_decode(items[n], places[:, n]) for n in numbers]

        return chain.from_iterable(self._pool.map(decode_share, range(0, len(items), share)))

    def _try_decode(
        self, item: AddressedRecord, places: NDArray[np.uint8]
    ) -> DecodedPair | RecordError:
        try:
            return decode_record(item, self._config, places)
        except RecordError as error:
            return error

    def _reject(self, item: AddressedRecord, error: RecordError) -> None:
        if not self._metrics.rejected[error.reason]:
            _LOGGER.warning(
                "partition %d offset %d is passed over (%s): %s; more of this reason are counted",
                item.address.partition,
                item.address.offset,
                error.reason,
                error,
            )
        self._metrics.rejected[error.reason] += 1
        if self._on_rejected is not None and item.address.kind is SpanKind.FRESH:
            self._on_rejected(item.record, error)
        if self._broken_row.holds_whole_pass(item.address):
            raise LogError(
                f"{_place(item)}: every retained record is broken, this one because: {error}; "
                "check what writes to this topic, or use another log"
            ) from error
