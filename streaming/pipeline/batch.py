"""Batches: decoded pairs stacked to tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torchdata.nodes import BaseNode

from streaming.pipeline.window import SpanKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streaming.pipeline.decode import DecodedPair
    from streaming.pipeline.window import Address


@dataclass(frozen=True, slots=True, eq=False)
class PairBatch:
    """B pairs of views of S x S pixels with P patches each.

    Attributes:
        view_1: uint8 RGB, shape (B, 3, S, S).
        view_2: like `view_1`.
        correspondence: int16, shape (B, P): patch of view 2 for each patch of view 1, or -1.
        overlap: float32, shape (B,), share of corresponding patches, 0-1.
        mined_at_ns: int64, shape (B,), wall-clock time of mining since 1970-01-01 UTC.
        augmentation_seed: int64, shape (B,), not negative: seed of each sample's random
            augmentation; another one each time the record is read.
        addresses: where and when in the run each sample was read.
        pair_ids: identities of the pairs.
        source_ids: the sources that they were mined from.
    """

    view_1: torch.Tensor
    view_2: torch.Tensor
    correspondence: torch.Tensor
    overlap: torch.Tensor
    mined_at_ns: torch.Tensor
    augmentation_seed: torch.Tensor
    addresses: tuple[Address, ...]
    pair_ids: tuple[str, ...]
    source_ids: tuple[str, ...]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.addresses)

    @property
    def fresh_share(self) -> float:
        """Share of the pairs that are read for the first time, 0-1."""
        fresh = sum(address.kind is SpanKind.FRESH for address in self.addresses)
        return fresh / len(self)


def collate(pairs: Sequence[DecodedPair], seed: int) -> PairBatch:
    """Stacks at least one pair; all are of one size."""
    seeds = [pair.address.augmentation_seed(seed) for pair in pairs]
    return PairBatch(
        view_1=torch.from_numpy(_stack([pair.view_1 for pair in pairs])),
        view_2=torch.from_numpy(_stack([pair.view_2 for pair in pairs])),
        correspondence=torch.from_numpy(np.stack([pair.correspondence for pair in pairs])),
        overlap=torch.tensor([pair.overlap for pair in pairs], dtype=torch.float32),
        mined_at_ns=torch.tensor([pair.mined_at_ns for pair in pairs], dtype=torch.int64),
        augmentation_seed=torch.tensor(seeds, dtype=torch.int64),
        addresses=tuple(pair.address for pair in pairs),
        pair_ids=tuple(pair.pair_id for pair in pairs),
        source_ids=tuple(pair.source_id for pair in pairs),
    )


def _stack(views: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Stacks views; those that already lie in one array one after the other are not copied."""
    first = views[0]
    size = first.nbytes
    start = first.ctypes.data
    if isinstance(first.base, np.ndarray) and all(
        view.base is first.base and view.ctypes.data == start + number * size
        for number, view in enumerate(views)
    ):
        shape = (len(views), *first.shape)
        return np.lib.stride_tricks.as_strided(first, shape, (size, *first.strides))
    return np.stack(views)


class PairBatcher(BaseNode[PairBatch]):
    """Makes a batch of each group of decoded pairs; it has no state but its source's.

    Args:
        source: gives groups of pairs.
        seed: the run's seed, for the seeds of augmentation.
    """

    def __init__(self, source: BaseNode[tuple[DecodedPair, ...]], seed: int) -> None:
        super().__init__()
        self._source = source
        self._seed = seed

    def reset(self, initial_state: dict[str, Any] | None = None) -> None:
        """Begins anew or goes on from a state of the source."""
        super().reset(initial_state)
        self._source.reset(initial_state)

    def next(self) -> PairBatch:
        """The next batch; raises `StopIteration` with its source."""
        return collate(next(self._source), self._seed)

    def get_state(self) -> dict[str, Any]:
        """The state of the source, which is that after the last batch."""
        state: dict[str, Any] = self._source.state_dict()
        return state
