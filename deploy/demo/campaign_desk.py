"""Where the campaigns' page asks: how each campaign goes, and to pause it or go on, which only the shop's pages may."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import Response

from deploy.demo.answers import OwnPages, answer_headers, answer_json
from deploy.demo.campaign_counts import CampaignCounts, Count, groups
from deploy.demo.campaigns import schedule_drafts
from deploy.demo.goods import Goods
from deploy.demo.past import Past
from deploy.demo.receipts import Receipt, Receipts
from deploy.demo.uplift_now import look
from domain.campaign_view import in_list
from domain.campaigns import Campaign
from domain.errors import PortError
from domain.ports.budget_ledger import BudgetLedger, Total
from domain.ports.campaigns import Campaigns
from domain.ports.clock import Clock

VERBS: Final = ("pause", "resume")
SAMPLE_S: Final = 5.0
"""As often as a partition tells the ledger what it has promised."""
SAMPLES_KEPT: Final = 180
"""A quarter of an hour."""
log = structlog.get_logger("hotbasket.demo")


class Watched(NamedTuple):
    """What the page is told from.

    Attributes:
        campaigns, ledger: the ports.
        counts: of exposures.
        receipts: of orders.
        past: campaigns wait until it is told.
    """

    campaigns: Campaigns
    ledger: BudgetLedger
    counts: CampaignCounts
    receipts: Receipts
    past: Past


class CampaignDesk:
    """Shows the retailer's campaigns, and passes on what is to become of them.

    Args:
        retailer_id: whose.
        watched: what is shown.
        goods: resolves a campaign's categories.
        hotbasket: asks with the secret key.
        own: tells the shop's own pages.
        clock: says what now is.
    """

    def __init__(
        self,
        retailer_id: str,
        watched: Watched,
        goods: Goods,
        hotbasket: httpx.AsyncClient,
        own: OwnPages,
        clock: Clock,
    ) -> None:
        self._retailer_id = retailer_id
        self._campaigns, self._ledger, self._counts, self._receipts, self._past = watched
        self._shelves: defaultdict[str, set[str]] = defaultdict(set)
        for good in goods.products:
            self._shelves[good.category_id].add(good.product_id)
        self._hotbasket = hotbasket
        self._own = own
        self._clock = clock
        self._samples: defaultdict[str, deque[tuple[int, int, int]]] = defaultdict(lambda: deque(maxlen=SAMPLES_KEPT))

    async def run(self) -> None:
        """Counts and takes samples, and puts the demo's own campaigns in force once the past is told; until cancelled.

        Raises:
            PortError: the campaigns can't be written.
        """
        async with asyncio.TaskGroup() as all_of_it:
            all_of_it.create_task(self._counts.run())
            all_of_it.create_task(self._sample())
            await self._past.told.wait()
            await schedule_drafts(self._campaigns, self._retailer_id, self._clock.now_ms())
            log.info("campaigns in force")

    async def show(self, _: Request) -> Response:
        """Gives every campaign with its budget, its counts and its uplift so far."""
        try:
            listed = await self._campaigns.listed(self._retailer_id)
            totals = await self._totals()
        except PortError:
            return answer_json({"error": "unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE)
        found = [(one, totals.get(one.campaign_id), self._counts.of(one.campaign_id)) for one in listed]
        receipts = list(self._receipts)
        # The first look loads libraries, and the shop is open meanwhile.
        seen = await asyncio.to_thread(lambda: [self._seen(*one, receipts) for one in found])
        body = {"past": self._past.progress(), "is_told": self._past.told.is_set(), "campaigns": seen}
        return answer_json(body | {"since_ms": self._receipts.since_ms, "now_ms": self._clock.now_ms()})

    async def move(self, request: Request) -> Response:
        """Pauses a campaign or goes on with it, as the retailer's server may; hotbasket's answer is passed on."""
        refused = self._own.refuse_others(request)
        if refused is not None:
            return refused
        campaign_id, verb = request.path_params["campaign_id"], request.path_params["verb"]
        if verb not in VERBS:
            return answer_json({"error": "not_found"}, HTTPStatus.NOT_FOUND)
        try:
            answer = await self._hotbasket.post(f"/v1/campaigns/{quote(campaign_id, safe='')}/{verb}")
        except httpx.HTTPError:
            return answer_json({"error": "unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return Response(answer.content, answer.status_code, answer_headers("no-store"), "application/json")

    def _seen(
        self, campaign: Campaign, total: Total | None, count: Count, receipts: Sequence[Receipt]
    ) -> dict[str, Any]:
        definition, now_ms = campaign.definition, self._clock.now_ms()
        treated, held_out = groups(count.entrants)
        since_ms = self._receipts.since_ms
        lately = {shopper: one for shopper, one in count.entrants.items() if one.at_ms >= since_ms}
        return {
            **in_list(campaign, now_ms, total),
            "holdout_ppm": definition.holdout_ppm,
            "shown": count.shown,
            "held_out": count.held_out,
            "shoppers": treated,
            "shoppers_held_out": held_out,
            "line": [
                {"ago_s": round((now_ms - at_ms) / 1_000), "reserved": reserved, "committed": committed}
                for at_ms, reserved, committed in list(self._samples[campaign.campaign_id])
            ],
            "uplift": look(definition, lately, receipts, self._promoted(campaign)),
        }

    def _promoted(self, campaign: Campaign) -> frozenset[str] | None:
        """Gives the products that a campaign names, categories resolved; None where it names none."""
        definition = campaign.definition
        if not (definition.products or definition.category_ids):
            return None
        of_shelves = (product for shelf in definition.category_ids for product in self._shelves.get(shelf, ()))
        return frozenset((*definition.products, *of_shelves))

    async def _totals(self) -> Mapping[str, Total]:
        return {total.campaign_id: total for total in await self._ledger.totals(self._retailer_id)}

    async def _sample(self) -> None:
        """Notes what is reserved and redeemed, in the unit of each budget: money, else promises."""
        while True:
            try:
                totals = await self._totals()
            except PortError as error:
                log.warning("budgets can't be read", detail=str(error))
                totals = {}
            now_ms = self._clock.now_ms()
            for campaign_id, total in totals.items():
                by_count = total.budget_minor is None
                reserved, committed = (
                    amounts.promises if by_count else amounts.minor for amounts in (total.reserved, total.committed)
                )
                self._samples[campaign_id].append((now_ms, reserved, committed))
            await asyncio.sleep(SAMPLE_S)
