"""Decisions as rows of the warehouse: one for each experience emitted or withdrawn."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from batch.flat_decisions import COLUMNS, flat_decisions, products_of
from domain.records import Decided, Reserved, Settlement
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
        "again": False,
        "reserved_minor": None,
        "reserved_count": None,
        "committed_minor": None,
        "committed_count": None,
        "cause": None,
        "order_id": None,
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


def test_a_tension_told_again_is_no_new_promise() -> None:
    """What only says anew how much is missing is marked, so that nobody counts it as another exposure."""
    story = TreeStory(TREE)
    story.add("pasta", 0, price_minor=100)
    assert {"main": False, "banner": False} == {row["slot"]: row["again"] for row in rows(story.decided)}
    story.add("salt", 5, price_minor=50)
    assert {"banner": True} == {row["slot"]: row["again"] for row in rows(story.decided)}


def test_what_is_held_out_is_a_row_that_nobody_was_shown() -> None:
    """A decision kept from a shopper says what would have been shown, for whose campaign, and promises nothing."""
    story = TreeStory(TREE)
    story.add("pasta", 0)
    assert story.decided is not None
    kept = msgspec.structs.replace(
        story.decided.decisions[0],
        experience=msgspec.structs.replace(story.decided.decisions[0].experience, campaign_id="spring"),
    )
    decided = msgspec.structs.replace(story.decided, decisions=(), held_out=(kept,))
    (row,) = rows(decided)
    assert ("held_out", "spring", "main", ["sauce"], None, None) == tuple(
        row[name] for name in ("action", "campaign_id", "slot", "products", "reserved_minor", "reserved_count")
    )


def test_a_promise_says_what_it_reserves_and_a_settlement_what_became_of_it() -> None:
    """What may be spent stands beside the experience that promised it; what was spent, with the order that did."""
    story = TreeStory(TREE)
    story.add("pasta", 0)
    assert story.decided is not None
    promise = story.shown()["main"].experience_id
    settled = Settlement(
        experience_id=promise,
        campaign_id="spring",
        cause="order",
        order_id="o-1",
        reserved_minor=-500,
        reserved_count=-1,
        committed_minor=300,
        committed_count=1,
    )
    decided = msgspec.structs.replace(
        story.decided,
        reservations=(Reserved(experience_id=promise, campaign_id="spring", cost_minor=500),),
        settlements=(settled,),
    )
    amounts = ("experience_id", "reserved_minor", "reserved_count", "committed_minor", "committed_count", "order_id")
    found = {(row["action"], row["slot"]): tuple(row[name] for name in amounts) for row in rows(decided)}
    assert (promise, 500, 1, None, None, None) == found["emitted", "main"]
    assert (None, None) == found["emitted", "banner"][1:3]
    assert (promise, -500, -1, 300, 1, "o-1") == found["settled", None]
    (row,) = [row for row in rows(decided) if row["action"] == "settled"]
    assert ("spring", "order", DAY, None) == (row["campaign_id"], row["cause"], row["day"], row["decided_at"])


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
