"""Decisions as rows of the warehouse: one for each experience emitted or withdrawn."""

from __future__ import annotations

from typing import Any

import pytest

from batch.flat_decisions import COLUMNS, flat_decisions, products_of
from domain.records import Decided
from tests.story import NOON_MS, RETAILER, SHOPPER, TreeStory

DAY = NOON_MS // 86_400_000
TREE = {
    "start": {"edges": [{"to": "sauce", "when": {"kind": "product", "action": "added", "product_ids": ["pasta"]}}]},
    "sauce": {
        "experiences": [
            {"slot": "main", "kind": "recommendation", "content": {"products": [{"product_id": "sauce"}]}},
            {
                "slot": "banner",
                "kind": "basket_tension",
                "content": {"threshold_minor": 5_000, "reward": {"type": "amount", "value_minor": 500}},
            },
        ]
    },
}


def rows(decided: Decided | None) -> list[dict[str, Any]]:
    """The rows by column."""
    assert decided is not None
    return [dict(zip(COLUMNS, row, strict=True)) for row in flat_decisions(decided, 3)]


def test_each_emitted_experience_is_a_row_of_the_day_it_was_decided() -> None:
    """An experience's row says what was shown to whom, why there, and about which products."""
    story = TreeStory(TREE, generation=5)
    story.add("pasta", 2, price_minor=100)
    shown = story.shown()
    found = {row["slot"]: row for row in rows(story.decided)}
    assert {"main", "banner"} == set(found)
    main = found["main"]
    expected = {
        "retailer_id": RETAILER,
        "day": DAY,
        "action": "emitted",
        "experience_id": shown["main"].experience_id,
        "shopper_id": SHOPPER,
        "kind": "recommendation",
        "slot": "main",
        "decided_at": (NOON_MS + 2_000) * 1_000,
        "expires_at": (NOON_MS + 2_000 + 1_800_000) * 1_000,
        "received_at": (NOON_MS + 2_000) * 1_000,
        "generation": 5,
        "node_id": "sauce",
        "campaign_id": None,
        "products": ["sauce"],
        "content": '{"products":[{"product_id":"sauce"}]}',
        "log_epoch": 1,
        "log_partition": 3,
        "log_offset": 0,
    }
    assert expected == {name: value for name, value in main.items() if name != "trigger_event_id"}
    assert [] == found["banner"]["products"]


def test_a_withdrawal_is_a_row_of_its_own() -> None:
    """A basket tension that a paid order ends leaves a row that names it."""
    story = TreeStory(TREE)
    story.add("pasta", 0, price_minor=100)
    tension = story.shown()["banner"].experience_id
    story.pay("o-1", 60)
    (row,) = [row for row in rows(story.decided) if row["action"] == "withdrawn"]
    assert (tension, "banner", DAY, (NOON_MS + 60_000) * 1_000, None, None) == (
        row["experience_id"],
        row["slot"],
        row["day"],
        row["received_at"],
        row["decided_at"],
        row["products"],
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"products": ["a", {"product_id": "b", "reason": "c"}]}, ["a", "b"]),
        ({"threshold_minor": 5_000}, []),
        ({"products": None}, []),
    ],
)
def test_products_are_named_plainly_or_with_a_reason(content: dict[str, Any], expected: list[str]) -> None:
    """Both forms in which a tree names a product are read."""
    assert expected == products_of(content)
