"""Batches: shapes, types, and what belongs to which pair."""

import numpy as np
import pytest
import torch

from streaming.log.protocol import Record
from streaming.pipeline.batch import collate
from streaming.pipeline.decode import decode_record
from streaming.pipeline.reader import AddressedRecord
from streaming.pipeline.window import Address
from tests.reading import small_config
from tests.small_pairs import PATCHES, VIEW_SIZE, small_pair, small_value


@pytest.fixture
def pairs():
    config = small_config()
    addresses = [Address(0, 5, 0), Address(1, 2, 1), Address(0, 9, 0)]
    return [
        decode_record(AddressedRecord(_record(number), address), config)
        for number, address in enumerate(addresses)
    ]


def _record(number):
    return Record("pairs", 0, 0, 0, None, small_value(number))


def test_shapes_and_types(pairs):
    batch = collate(pairs, seed=1)
    assert len(batch) == 3
    for view in (batch.view_1, batch.view_2):
        assert (view.shape, view.dtype) == ((3, 3, VIEW_SIZE, VIEW_SIZE), torch.uint8)
    assert (batch.correspondence.shape, batch.correspondence.dtype) == ((3, PATCHES), torch.int16)
    assert (batch.overlap.shape, batch.overlap.dtype) == ((3,), torch.float32)
    assert (batch.mined_at_ns.shape, batch.mined_at_ns.dtype) == ((3,), torch.int64)
    assert (batch.augmentation_seed.shape, batch.augmentation_seed.dtype) == ((3,), torch.int64)


def test_rows_belong_to_their_pairs(pairs):
    batch = collate(pairs, seed=1)
    for row, pair in enumerate(pairs):
        np.testing.assert_array_equal(batch.view_1[row].numpy(), pair.view_1)
        np.testing.assert_array_equal(batch.view_2[row].numpy(), pair.view_2)
        assert batch.augmentation_seed[row] == pair.address.augmentation_seed(1)
        assert batch.mined_at_ns[row] == small_pair(row).mined_at_ns
    assert batch.pair_ids == ("pair-0", "pair-1", "pair-2")
    assert batch.source_ids == ("source-0", "source-1", "source-2")
    assert batch.addresses == tuple(pair.address for pair in pairs)


def test_fresh_share_counts_first_readings(pairs):
    assert collate(pairs, seed=1).fresh_share == pytest.approx(2 / 3)


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 2], [2, 1, 0], [1]])
def test_pairs_decoded_into_one_array_make_the_same_batch_in_any_order(pairs, order):
    places = np.zeros((2, 3, 3, VIEW_SIZE, VIEW_SIZE), np.uint8)
    together = [
        decode_record(AddressedRecord(_record(n), pair.address), small_config(), places[:, n])
        for n, pair in enumerate(pairs)
    ]
    batch = collate([together[n] for n in order], seed=1)
    apart = collate([pairs[n] for n in order], seed=1)
    assert torch.equal(batch.view_1, apart.view_1)
    assert torch.equal(batch.view_2, apart.view_2)
    assert batch.view_1.is_contiguous()
