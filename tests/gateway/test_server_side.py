"""What a retailer's server asks: subscriptions and lookups."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.gateway.standing import Standing, added, until
from tests.gateway.till import Till


async def test_a_subscription_says_when_it_ends(standing: Standing) -> None:
    """The token lasts an hour, and says so."""
    answer = await standing.ask("/v1/subscriptions", "loyalty-no-1")
    assert {"subscription", "expires_at"} == set(answer.json())
    ends_ms = datetime.fromisoformat(answer.json()["expires_at"]).timestamp() * 1_000
    assert 3_598_000 <= ends_ms - standing.clock.now_ms() <= 3_600_000
    assert "loyalty-no-1" not in answer.json()["subscription"]


async def test_a_lookup_shows_state_position_and_reasons(standing: Standing) -> None:
    """After a checkpoint a server sees the basket, where the shopper stands, and why each decision was made."""
    await standing.work()
    event = added("pasta", "loyalty-no-9")
    await standing.post({"events": [event, added("bread", "loyalty-no-9")]})
    seen: list[dict[str, Any]] = []

    async def is_saved() -> bool:
        answer = await standing.ask("/v1/shoppers/lookup", "loyalty-no-9")
        seen.append(answer.json())
        return answer.status_code == 200 and len(answer.json()["basket"]["lines"]) == 2

    await until(is_saved, "a checkpoint has both events")
    told = seen[-1]
    assert standing.key("loyalty-no-9").shopper == told["shopper"]
    assert 200 == told["basket"]["total_minor"]
    assert {"generation": 1, "node_id": "sauce"} == told["tree"]
    (decision,) = told["decisions"]
    assert (event["event_id"], ["start", "sauce"]) == (decision["trigger_event_id"], decision["path"])
    assert [True] == [why["held"] for why in decision["why"]]
    assert ["sauce"] == [one["node_id"] for one in told["considered"]]
    assert "loyalty-no-9" not in str(told)


async def test_a_shopper_never_seen_is_unknown(standing: Standing) -> None:
    """Nobody by that id: 404 with a reason; nor is another retailer's shopper of the same id found."""
    await standing.work()
    await standing.post({"events": [added("pasta", "loyalty-no-9")]})

    async def is_saved() -> bool:
        return (await standing.ask("/v1/shoppers/lookup", "loyalty-no-9")).status_code == 200

    await until(is_saved, "a checkpoint")
    for shopper, headers in (("loyalty-no-10", standing.shop.secret), ("loyalty-no-9", standing.other.secret)):
        answer = await standing.ask("/v1/shoppers/lookup", shopper, headers)
        assert (404, "unknown_shopper") == (answer.status_code, answer.json()["error"])


async def test_a_lookup_says_who_lost_and_what_would_have_been_enough(standing: Standing) -> None:
    """A tension from 50.00 on, met by a basket of 60.00, lost by its threshold: 10.01 less, and it had been shown."""
    await Till(standing).open()
    event = added("wine", "loyalty-no-9", quantity=60)
    await standing.post(event)
    seen: list[dict[str, Any]] = []

    async def is_saved() -> bool:
        answer = await standing.ask("/v1/shoppers/lookup", "loyalty-no-9")
        seen.append(answer.json())
        return answer.status_code == 200

    await until(is_saved, "a checkpoint has the event")
    assert [
        {
            "event_id": event["event_id"],
            "slot": "bar",
            "node_id": "free",
            "campaign_id": "free",
            "reason": "threshold_passed",
            "flip": {"change": "basket_total", "by_minor": -1_001},
        }
    ] == seen[-1]["lost"]
    assert ([], []) == (seen[-1]["promises"], seen[-1]["decisions"])
    assert [None] == [one["flip"] for one in seen[-1]["considered"]]
