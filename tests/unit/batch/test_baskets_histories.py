"""Histories as flat arrays, what is folded from them, and sums that are made part by part."""

from dataclasses import fields

import numpy as np
import pytest

from batch.baskets.histories import from_lists
from batch.baskets.item_tables import ITEM_NAMES, ItemTables, partial
from batch.baskets.purchases import OWN_NAMES, SHOPPER_NAMES, purchases
from batch.baskets.transitions import pair_counts

HISTORIES = from_lists(
    [[[0, 1], [1], [2], [1, 2]], [[3, 3], [], [0]]], 4, days=[[1, 3, 4, 8], [2, 5, 9]], as_of=[10, 10], ids=[7, 8]
)


def own(name: str, shopper: int, item: int) -> float:
    """One feature of a shopper's item."""
    found = purchases(HISTORIES)
    row = found.find(np.array([shopper]), np.array([item]))[0]
    assert row >= 0
    return float(found.own[row, OWN_NAMES.index(name)])


def test_repeated_items_and_empty_baskets_are_left_out() -> None:
    """A basket is a set, and an empty one is none."""
    assert [4, 2] == HISTORIES.baskets.tolist()
    assert [0, 1, 1, 2, 1, 2, 3, 0] == HISTORIES.items.tolist()
    assert HISTORIES.days is not None
    assert [1, 3, 4, 8, 2, 9] == HISTORIES.days.tolist()


def test_the_last_basket_can_be_taken_off() -> None:
    """Without the last basket, histories are as of its day, and it becomes the target."""
    earlier, targets, rows = HISTORIES.without_last()
    assert [0, 1] == rows.tolist()
    assert [0, 1, 1, 2, 3] == earlier.items.tolist()
    assert [[0, 1, 1, 0], [1, 0, 0, 0]] == targets.toarray().tolist()
    assert earlier.as_of is not None
    assert [8, 9] == earlier.as_of.tolist()


def test_shoppers_can_be_taken_in_any_order() -> None:
    """Taking rows keeps each shopper's baskets, days and id together."""
    found = HISTORIES.take(np.array([1, 0]))
    assert [8, 7] == found.ids.tolist()
    assert [3, 0, 0, 1, 1, 2, 1, 2] == found.items.tolist()
    assert found.days is not None
    assert [2, 9, 1, 3, 4, 8] == found.days.tolist()


@pytest.mark.parametrize(
    ("name", "item", "expected"),
    [
        ("count", 1, 3),
        ("frequency", 1, 0.75),
        ("frequency_since_first", 2, 1.0),
        ("baskets_since", 0, 3),
        ("baskets_since_first", 1, 3),
        ("gap_mean", 1, 1.5),
        ("gap_deviation", 1, 0.5),
        ("since_over_gap", 1, 1 / 1.5),
        ("in_last_2", 2, 1.0),
        ("decayed_0.8", 1, 1 + 0.8**2 + 0.8**3),
        ("place_by_count", 1, 0),
        ("days_since", 0, 9),
        ("days_gap", 1, 3.5),
        ("days_over_gap", 1, 2 / 3.5),
    ],
)
def test_what_a_shopper_bought_is_described(name: str, item: int, expected: float) -> None:
    """Counts, ranks from the last basket, gaps and days of an item, as worked out by hand."""
    assert pytest.approx(expected) == own(name, 0, item)


def test_a_single_purchase_has_no_gap() -> None:
    """What can't be known is NaN, not 0."""
    assert np.isnan(own("gap_mean", 0, 0))


def test_a_shopper_is_described() -> None:
    """Baskets, sizes, repeats and days of the shopper, as worked out by hand."""
    found = dict(zip(SHOPPER_NAMES, purchases(HISTORIES).shoppers[0].tolist(), strict=True))
    expected = {"baskets": 4, "basket_size": 1.5, "last_size": 2, "items": 3, "repeat_share": 0.5}
    assert expected == {name: found[name] for name in expected}
    assert (1.0, 2.0) == (found["last_repeat_share"], found["days_since_last"])
    assert pytest.approx(7 / 3) == found["days_between"]


def test_item_sums_add_up() -> None:
    """The sums of two halves are the sums of the whole, and rates come of them."""
    one, other = (partial(HISTORIES.take(np.array([row]))) for row in (0, 1))
    whole = partial(HISTORIES)
    for field in fields(ItemTables):
        halves = getattr(one, field.name) + getattr(other, field.name)
        assert getattr(whole, field.name).tolist() == halves.tolist()
    rates = dict(zip(ITEM_NAMES, whole.finish()[0].tolist(), strict=True))
    assert (1.0, 0.5) == (rates["item_shoppers"], rates["item_last"])


def test_pair_counts_add_up() -> None:
    """How many have i and then buy j is the sum over shoppers, and no item follows itself."""
    earlier, targets, _ = HISTORIES.without_last()
    has = earlier.bought()
    has.data[:] = 1
    i, j, count = pair_counts(has, targets)
    found = dict(zip(zip(i.tolist(), j.tolist(), strict=True), count.tolist(), strict=True))
    assert {(0, 1): 1, (0, 2): 1, (1, 2): 1, (2, 1): 1, (3, 0): 1} == found
