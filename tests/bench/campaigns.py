"""What campaigns cost: one decision over 200 of them, and events through actors with and without them."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from datetime import UTC, timedelta
from statistics import median
from typing import Any

import msgspec

from actors.messages import Item, Loaded
from actors.residents import Residents
from domain.arbitration import Arbiter, Bid, Market
from domain.campaigns import Campaign, Definition
from domain.campaigns_in_force import InForce
from domain.conditions import Facts
from domain.contents import NodeExperience
from domain.ports.tree_store import StoredTree
from domain.purse import Amounts, Balance, CampaignKey, Purse
from domain.timestamps import from_unix_ms
from domain.tree import encode as encode_tree
from domain.tree_faults import read_tree
from tests.bench.actors import BATCH, forty_nodes_json, some_events
from tests.story import NOON_MS, RETAILER, Story, record

Document = dict[str, Any]
LIVE = 200
_DAY = timedelta(days=1)
_MANY = Amounts(10**12, 10**9)
_HOLDS: Document = {"kind": "product", "action": "added", "category_ids": ["category-0"]}
_NEVER: Document = {"kind": "product", "action": "added", "category_ids": ["no such category"]}
_BOTH: Document = {"kind": "all", "of": [_HOLDS, {"kind": "basket_total", "at_least_minor": 100}]}


def campaigns(rounds: int) -> dict[str, Any]:
    """Gives microseconds of one decision by situation, and events a second with and without campaigns."""
    without, with_them = [], []
    for _ in range(rounds):
        # In turns, so that whatever else the machine does falls on both.
        without.append(_events_per_s(asks=False))
        with_them.append(_events_per_s(asks=True))
    return {
        "live": LIVE,
        "decision_us": {
            "the first wins": _decision_us([_BOTH] * LIVE),
            "the tenth wins": _decision_us([_NEVER] * 9 + [_BOTH] * (LIVE - 9)),
            "the last wins": _decision_us([_NEVER] * (LIVE - 1) + [_BOTH]),
            "none: nobody's audience": _decision_us([_NEVER] * LIVE),
            "none: nobody's budget": _decision_us([None] * LIVE, leased=False),
        },
        "without_per_s": median(without),
        "with_per_s": median(with_them),
    }


def _decision_us(audiences: Sequence[Document | None], *, leased: bool = True) -> dict[str, float]:
    """Gives the median and the 95th percentile of one decision, microseconds of wall clock."""
    market = _market(audiences, leased=leased)
    story = Story()
    story.add("p-1", category_id="category-0", price_minor=200, currency="EUR")
    told = record("AddedToBasket", 1, 7, product={"product_id": "p-1", "category_id": "category-0"}, quantity=1)
    facts = Facts(story.state, told)
    content = {"products": ["p-1", "p-2"], "generosity": {"type": "percent", "value": 12}}
    proposed = NodeExperience(slot="main", kind="personalised_promotion", ttl_s=900, campaign_id="*", content=content)
    bids = {"main": [Bid(1, "offer", proposed)]}
    taken = []
    for _ in range(3_000):
        started_ns = time.perf_counter_ns()
        Arbiter(market, facts).fill(bids)
        taken.append((time.perf_counter_ns() - started_ns) / 1_000)
    taken.sort()
    return {"p50": taken[len(taken) // 2], "p95": taken[int(len(taken) * 0.95)]}


def _events_per_s(*, asks: bool, events: int = 40_000, shoppers: int = 2_000) -> float:
    """Gives events a second of CPU time through actors; their trees ask campaigns, or none."""
    document = forty_nodes_json()
    if asks:
        for name, node in document["nodes"].items():
            if name.startswith("sauce"):
                node["experiences"][0]["campaign_id"] = "*"
    tree = StoredTree(1, encode_tree(read_tree(document)[1]))
    market = _market([None] * LIVE, kind="recommendation") if asks else None
    members = Residents(1)
    items = some_events(events, shoppers)
    members.process(0, (), {item.record.key: Loaded(None, tree) for item in items}, 1, 0.0)
    gc.collect()
    gc.freeze()
    half = len(items) // 2
    _process(members, items[:half], market)
    started_s = time.process_time()
    _process(members, items[half:], market)
    rate = (len(items) - half) / (time.process_time() - started_s)
    gc.unfreeze()
    return rate


def _process(members: Residents, items: list[Item], market: Market | None) -> None:
    for start in range(0, len(items), BATCH):
        members.process(0, items[start : start + BATCH], {}, 1, 0.0, market)


def _market(
    audiences: Sequence[Document | None], *, kind: str = "personalised_promotion", leased: bool = True
) -> Market:
    """Gives a campaign for each audience, the first one asked first."""
    made = [_campaign(number, kind, audience) for number, audience in enumerate(audiences)]
    balances = {CampaignKey(RETAILER, one.campaign_id): Balance(leased=_MANY) for one in made if leased}
    return Market({RETAILER: InForce(made, {}, lambda _: UTC, "UTC")}, Purse(balances=balances))


def _campaign(number: int, kind: str, audience: Document | None) -> Campaign:
    noon = from_unix_ms(NOON_MS)
    document: dict[str, Any] = {
        "name": f"Campaign {number}",
        "kind": kind,
        "starts_at": (noon - _DAY).isoformat(),
        "ends_at": (noon + 30 * _DAY).isoformat(),
        "priority": 1_000 - number,
        "exclusivity_group": f"group-{number % 20}",
        "holdout_ppm": 100_000,
        "cap": {"times": 3, "days": 7},
    }
    if kind == "personalised_promotion":
        document |= {
            "products": [f"p-{product}" for product in range(30)],
            "percent": {"usual": 10, "at_least": 5, "at_most": 20},
            "max_discount_minor": 500,
            "budget": {"money_minor": 10**9, "count": 10**6},
        }
    if audience is not None:
        document["audience"] = audience
    return Campaign(
        retailer_id=RETAILER,
        campaign_id=f"c-{number:03}",
        version=2,
        state="scheduled",
        definition=msgspec.convert(document, Definition),
        changed_at_ms=0,
    )
