"""Held-out mined pairs, out of a log that is not trained on.

What is held out is held out by whole sources: they are mined into a log of their own. A share of
the pairs of a training log would not do, for the frames just before and after them are trained on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from streaming.errors import LogError, RecordError
from streaming.log.topics import PAIRS
from streaming.mining.views import decode_view
from streaming.schema.codec import decode_pair
from trainer.evaluation.datasets.arrays import ViewPairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streaming.log.protocol import Log, Record
    from streaming.records import View

_MAX_RECORD_BYTES: Final = 1 << 24
_FEWEST: Final = 2


@dataclass(frozen=True, slots=True)
class MinedPairs:
    """Pairs of a log, and what of it could not be used.

    Attributes:
        pairs: the views.
        rejected: records that could not be decoded, by reason.
    """

    pairs: ViewPairs
    rejected: Counter[str]


def mined_pairs(log: Log, count: int, image_size: int, trained_topic_id: str | None) -> MinedPairs:
    """Reads pairs spread evenly over a log, the same ones as long as the log does not change.

    Args:
        log: a log of held-out pairs.
        count: number of records to read, at most.
        image_size: height and width in pixels that the views are brought to.
        trained_topic_id: the topic that the model was trained on, refused here; None if unknown.

    Raises:
        LogError: the log is the one that was trained on, or holds too few usable pairs.
    """
    if log.topic_id(PAIRS) == trained_topic_id:
        raise LogError(
            "held-out pairs: this log was trained on; mine other sources into another log"
        )
    views: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    source_ids: list[str] = []
    rejected: Counter[str] = Counter()
    for record in _spread_records(log, count):
        try:
            pair = decode_pair(record.value)
            views.append((_picture(pair.view_1, image_size), _picture(pair.view_2, image_size)))
            source_ids.append(pair.source_id)
        except RecordError as error:
            rejected[error.reason] += 1
    if len(views) < _FEWEST:
        raise LogError(
            f"held-out pairs: the log holds {len(views)} usable ones, at least {_FEWEST} are "
            "needed; mine more"
        )
    return MinedPairs(
        ViewPairs(
            np.stack([one for one, _ in views]),
            np.stack([two for _, two in views]),
            np.unique(source_ids, return_inverse=True)[1].astype(np.int64),
        ),
        rejected,
    )


def _picture(view: View, image_size: int) -> NDArray[np.uint8]:
    picture = decode_view(view.jpeg)
    if picture.shape[:2] != (image_size, image_size):
        size = (image_size, image_size)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return picture


def _spread_records(log: Log, count: int) -> list[Record]:
    """About `count` records at even distances over all partitions, each once."""
    spans = sorted(log.offsets(PAIRS).items())
    addresses = [
        (partition, offset) for partition, span in spans for offset in range(span.first, span.end)
    ]
    if not addresses:
        return []
    chosen = np.unique(np.linspace(0, len(addresses) - 1, count).round().astype(int))
    found: dict[tuple[int, int], Record] = {}
    for partition, offset in (addresses[index] for index in chosen):
        # An offset may be a gap: the next record stands for it.
        fetch = log.read(PAIRS, partition, offset, max_records=1, max_bytes=_MAX_RECORD_BYTES)
        found.update({(record.partition, record.offset): record for record in fetch.records})
    return list(found.values())
