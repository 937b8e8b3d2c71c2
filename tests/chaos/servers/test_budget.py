"""A budget of exactly so many rewards, far more takers, and workers that die in the middle."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from adapters.wiring import Ports
from domain.campaigns import Campaign, Change, Definition, created, moved
from domain.ports.tree_store import DEFAULT
from domain.purse import CampaignKey
from domain.records import Decided
from domain.tree_faults import read_trees
from tests.chaos.load import Shop
from tests.chaos.servers.conftest import TAKERS
from tests.chaos.servers.experiment import add_retailer, known_everywhere, opened
from tests.chaos.servers.place import Place
from tests.chaos.stored import Stored

REWARDS = TAKERS // 50
REWARD_MINOR = 250
PRICE_MINOR = 1_000
AT_ONCE = 50
SENDERS = 4
ORDERED_LATER = 6
"""Requests between putting the product in the basket and paying it, of one sender."""
KILLED_AT = (0.05, 0.35)
"""Shares of the takers: while the budget is being spent, and after."""
REST_WITHIN_S = 180.0
_LOOK_S = 1.0
CAMPAIGN = "rewards"
TREE = {
    "schema_version": 1,
    "shopper": "default",
    "root": "start",
    "nodes": {
        "start": {
            "edges": [{"to": "offer", "when": {"kind": "product", "action": "added", "category_ids": ["pasta"]}}],
        },
        "offer": {
            "experiences": [
                {
                    "slot": "offer",
                    "kind": "personalised_promotion",
                    "ttl_s": 3_600,
                    "campaign_id": CAMPAIGN,
                    "content": {"products": ["p-1"], "generosity": {"type": "amount", "value_minor": REWARD_MINOR}},
                }
            ]
        },
    },
}


@pytest.mark.timeout(900)
async def test_a_budget_is_given_out_to_the_last_reward(place: Place, rewarded: dict[str, int]) -> None:
    """Whoever dies: as many verified orders are rewarded as the budget has rewards, no more and no fewer."""
    await asyncio.to_thread(place.mend)
    await place.logs.forget()
    async with opened(place) as ports:
        retailer_id, secret_key = await add_retailer(ports)
        campaign = await _campaign(ports, retailer_id)
        shop = Shop(secret_key, retry_s=0.1)
        shop.urls = place.system.urls
        sent: Counter[str] = Counter()
        try:
            await known_everywhere(shop)
            async with asyncio.TaskGroup() as senders:
                for requests in _requests():
                    senders.create_task(_send(shop, requests, sent))
                for share in KILLED_AT:
                    while sent["requests"] < share * TAKERS / AT_ONCE:
                        await asyncio.sleep(_LOOK_S / 20)
                    await asyncio.to_thread(place.system.of("worker")[0].kill)
                    await asyncio.to_thread(place.system.start)
            committed = await _settled(ports, retailer_id, shop)
        finally:
            shop.close()
        logs = await place.logs.read({CampaignKey(retailer_id, CAMPAIGN): campaign})
    assert (REWARDS, REWARDS * REWARD_MINOR) == committed
    assert [] == _recount(logs)
    rewarded |= {"takers": TAKERS, "budget": REWARDS, "rewarded": committed[0]}


async def _campaign(ports: Ports, retailer_id: str) -> Campaign:
    """Makes the tree and gives the campaign, which is live at once."""
    ((_, blob),) = read_trees(json.dumps(TREE).encode())
    await ports.trees.push(retailer_id, [(DEFAULT, blob)])
    now = datetime.now(UTC)
    definition = {
        "name": "So many rewards, and no more",
        "kind": "personalised_promotion",
        "starts_at": (now - timedelta(minutes=1)).isoformat(),
        "ends_at": (now + timedelta(hours=2)).isoformat(),
        "products": ["p-1"],
        "amount_minor": {"usual": REWARD_MINOR},
        "budget": {"money_minor": REWARDS * REWARD_MINOR, "count": REWARDS},
    }
    now_ms = int(now.timestamp() * 1_000)
    draft = created(retailer_id, CAMPAIGN, msgspec.convert(definition, Definition), now_ms)
    await ports.campaigns.put(Change(campaign=draft, action="create", by="test"))
    scheduled = moved(draft, "schedule", now_ms)
    await ports.campaigns.put(Change(campaign=scheduled, action="schedule", by="test"))
    return scheduled


def _requests() -> list[Iterator[list[dict[str, Any]]]]:
    """Gives each sender's requests: products into baskets, and later the orders of the same shoppers."""
    each = TAKERS // SENDERS // AT_ONCE

    def of_sender(sender: int) -> Iterator[list[dict[str, Any]]]:
        for number in range(each + ORDERED_LATER):
            events: list[dict[str, Any]] = []
            if number < each:
                events += [_added(f"t-{sender}-{number}-{one}") for one in range(AT_ONCE)]
            if number >= ORDERED_LATER:
                events += [_paid(f"t-{sender}-{number - ORDERED_LATER}-{one}") for one in range(AT_ONCE)]
            yield events

    return [of_sender(sender) for sender in range(SENDERS)]


async def _send(shop: Shop, requests: Iterator[list[dict[str, Any]]], sent: Counter[str]) -> None:
    for events in requests:
        said, _ = await shop.post("/v1/events", {"events": events})
        assert {"stored"} == {one["status"] for one in said["results"]}, said
        sent["requests"] += 1


async def _settled(ports: Ports, retailer_id: str, shop: Shop) -> tuple[int, int]:
    """Gives how many promises the ledger knows to be redeemed, and for how much, once none is open and all is told.

    Who comes before the ledger has answered goes without. So takers keep coming until the budget is spent, and for some
    time after.
    """
    late = 0
    deadline_s = time.monotonic() + REST_WITHIN_S
    before: object = None
    while True:
        (total,) = await ports.ledger.totals(retailer_id)
        said = (total.reserved, total.committed)
        if total.reserved == (0, 0) and said == before and total.committed.promises >= REWARDS:
            return total.committed.promises, total.committed.minor
        assert time.monotonic() < deadline_s, f"not at rest: {total}"
        before = said
        takers = [f"late-{late}-{one}" for one in range(AT_ONCE)]
        late += 1
        for of in (_added, _paid):
            await shop.post("/v1/events", {"events": [of(taker) for taker in takers]})
            await asyncio.sleep(_LOOK_S / 2)


def _recount(logs: Sequence[Stored]) -> list[str]:
    """Gives every fault of the logs: counted anew, without the system's own purse."""
    faults: list[str] = []
    committed = 0
    ended: Counter[str] = Counter()
    for number, stored in enumerate(logs):
        open_promises: set[str] = set()
        for _, said in sorted(stored.heard.records.items()):
            if not isinstance(said, Decided):
                faults.append(f"[{number}] {said}")
                continue
            open_promises |= {made.experience_id for made in said.reservations}
            for settlement in said.settlements:
                ended[settlement.experience_id] += 1
                open_promises.discard(settlement.experience_id)
                committed += settlement.committed_count
        faults += [f"[{number}] {one} was promised, and not settled" for one in open_promises]
        for shopper in stored.expected.values():
            faults += [f"[{number}] {fault}" for fault in shopper.promised.faults]
    faults += [f"{one} was settled {times} times" for one, times in ended.items() if times > 1]
    if committed != REWARDS:
        faults.append(f"{committed} promises were redeemed, not {REWARDS}")
    return faults


def _added(shopper: str) -> dict[str, Any]:
    product = {"product_id": "p-1", "category_id": "pasta", "price_minor": PRICE_MINOR, "currency": "EUR"}
    return _event(shopper, "AddedToBasket", product=product)


def _paid(shopper: str) -> dict[str, Any]:
    lines = [{"product_id": "p-1", "quantity": 1, "price_minor": PRICE_MINOR}]
    return _event(shopper, "OrderPaid", order_id=f"o-{shopper}", lines=lines, total_minor=PRICE_MINOR, currency="EUR")


def _event(shopper: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid4()),
        "type": kind,
        "occurred_at": datetime.now(UTC).isoformat(),
        "shopper_id": shopper,
        **fields,
    }
