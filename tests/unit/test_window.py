"""Windows: order and division of what is read together; seeds of augmentation."""

import numpy as np
import pytest

from streaming.pipeline.window import Address, Span, SpanKind, Window

SPANS = (Span(0, 10, 14, 0), Span(1, 3, 5, 0), Span(0, 0, 3, 2))
WINDOW = Window(rank=0, number=7, spans=SPANS, partitions=(0, 1), cursor=0)


def test_unread_is_a_permutation_of_all_offsets_of_the_spans():
    addresses = [address for _, address in WINDOW.unread(seed=1)]
    expected = {Address(0, o, 0) for o in range(10, 14)} | {Address(1, 3, 0), Address(1, 4, 0)}
    expected |= {Address(0, o, 2) for o in range(3)}
    assert len(addresses) == len(WINDOW) == 9
    assert set(addresses) == expected


def test_order_depends_on_seed_rank_and_number_only():
    def order(seed=1, rank=0, number=7):
        window = Window(rank, number, (Span(0, 0, 200, 0),), (0,), 0)
        return [address.offset for _, address in window.unread(seed)]

    assert order() == order()
    others = [order(seed=2), order(rank=1), order(number=8), list(range(200))]
    assert all(order() != other for other in others)


def test_window_at_a_cursor_goes_on_where_it_was():
    whole = list(WINDOW.unread(seed=1))
    cursor = whole[3][0]
    rest = Window(0, 7, SPANS, (0, 1), cursor)
    assert list(rest.unread(seed=1)) == whole[4:]


def test_restricted_windows_share_what_is_unread():
    parts = [WINDOW.restricted([p]) for p in (0, 1)]
    orders = [[address for _, address in part.unread(seed=1)] for part in parts]
    assert {a.partition for a in orders[0]} == {0}
    assert {a.partition for a in orders[1]} == {1}
    whole = [address for _, address in WINDOW.unread(seed=1)]
    assert [a for a in whole if a.partition == 0] == orders[0]
    assert len(orders[0]) + len(orders[1]) == len(whole)


def test_kind_tells_first_readings_from_later_ones():
    assert [span.kind for span in SPANS] == [SpanKind.FRESH, SpanKind.FRESH, SpanKind.REPLAY]
    assert Address(0, 1, 1).kind is SpanKind.REPLAY


@pytest.mark.parametrize("bounds", [(-1, 4, 0), (4, 4, 0), (5, 4, 0), (0, 4, -1)])
def test_span_refuses_what_is_no_range(bounds):
    with pytest.raises(ValueError, match="not a span"):
        Span(0, *bounds)


@pytest.mark.parametrize("cursor", [-1, 10])
def test_window_refuses_a_cursor_outside_of_it(cursor):
    with pytest.raises(ValueError, match="cursor"):
        Window(0, 0, SPANS, (0, 1), cursor)


def test_augmentation_seed_differs_with_each_part_of_the_address():
    base = Address(1, 2, 3)
    others = [Address(0, 2, 3), Address(1, 3, 3), Address(1, 2, 0)]
    seeds = {address.augmentation_seed(5) for address in [base, *others]}
    assert len(seeds | {base.augmentation_seed(6)}) == 5
    assert all(0 <= seed <= np.iinfo(np.int64).max for seed in seeds)


def test_augmentation_seed_is_the_same_for_ever():
    assert Address(1, 2, 3).augmentation_seed(5) == 7549072842010454473
