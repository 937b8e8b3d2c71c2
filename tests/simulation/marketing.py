"""Marketing people of a run: campaigns drawn from the seed, and what is done with them while shoppers shop."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from msgspec import structs

from adapters.zones import is_zone
from domain.campaign_faults import read_definition
from domain.campaigns import Action, Budget, Campaign, Change, Definition, changed, created, moved
from domain.errors import Refused
from domain.experiences import Kind
from domain.terms import cost_at_most
from domain.timestamps import rfc3339
from tests.simulation.shop import CAMPAIGNS, RETAILERS, draw_condition
from tests.simulation.system import System

_PEOPLE_S = 1.5
_DAY_MS = 86_400_000
_GROUP = "one at a time"


class Marketing:
    """Runs campaigns for the shops of a run."""

    def __init__(self, system: System, draw: random.Random) -> None:
        self._system = system
        self._draw = draw
        self.is_over = False
        for retailer_id in RETAILERS:
            for campaign_id in draw.sample(tuple(CAMPAIGNS), draw.choice((0, 3, 4, 5, 5))):
                definition = draw_definition(draw, CAMPAIGNS[campaign_id], self._now_ms())
                campaign = created(retailer_id, campaign_id, definition, self._now_ms())
                self._put(campaign, "create")
                if draw.random() < 0.9:
                    self._put(moved(campaign, "schedule", self._now_ms()), "schedule")

    async def govern(self) -> None:
        """Pauses, resumes and ends campaigns, and changes their budgets, until it is over."""
        while not self.is_over:
            await asyncio.sleep(self._draw.expovariate(1 / _PEOPLE_S))
            if self.is_over:
                return
            if self._system.books.newest:
                self._act()

    def _act(self) -> None:
        campaign = self._draw.choice(list(self._system.books.newest.values()))
        action = self._draw.choice(_TO_DO[campaign.stage(self._now_ms())])
        try:
            if action == "change":
                definition = campaign.definition
                is_counted = definition.budget is not None and definition.budget.count is not None
                budget = draw_budget(self._draw, cost_at_most(definition), is_counted=is_counted)
                definition = structs.replace(definition, budget=budget)
                self._put(changed(campaign, definition, self._now_ms()), action)
            else:
                self._put(moved(campaign, action, self._now_ms()), action)
        except Refused as refused:
            self._system.sky.trace(f"{action} {campaign.retailer_id}/{campaign.campaign_id}: {refused}")

    def _put(self, campaign: Campaign, action: Action) -> None:
        self._system.books.put(Change(campaign=campaign, action=action, by="command"))
        self._system.sky.trace(
            f"{action} {campaign.retailer_id}/{campaign.campaign_id}, a {campaign.definition.kind},"
            f" {campaign.definition.budget or 'not limited'}"
        )

    def _now_ms(self) -> int:
        return self._system.world.now_ms()


_TO_DO: dict[str, tuple[Action, ...]] = {
    "draft": ("schedule",),
    "scheduled": ("pause", "change"),
    "live": ("pause", "change", "change", "change"),
    "paused": ("resume", "resume", "resume", "change", "end"),
    "ended": ("end",),
}
"""What people do with a campaign, by where it is; the last is refused."""


def draw_definition(draw: random.Random, kind: Kind, now_ms: int) -> Definition:
    """Gives a campaign of a kind: mostly one that is open at once, with a budget that runs out."""
    starts_ms = now_ms + draw.choice((-_DAY_MS, -_DAY_MS, -_DAY_MS, 2_000))
    document: dict[str, Any] = {
        "name": f"a {kind}",
        "kind": kind,
        "starts_at": rfc3339(starts_ms),
        "ends_at": rfc3339(now_ms + draw.choice((5_000, 20 * _DAY_MS, 20 * _DAY_MS, 20 * _DAY_MS))),
        "priority": draw.randint(0, 2),
        "value_minor": draw.choice((0, 500)),
        **_worth(draw, kind),
        "budget": {"count": 1} if kind == "recommendation" else {"money_minor": 10**12},
    }
    if kind != "basket_tension" and draw.random() < 0.3:
        document |= draw.choice(({"products": ["p-3", "p-4"]}, {"category_ids": ["wine", "pasta"]}))
    for chance, name, value in (
        (0.3, "holdout_ppm", 500_000),
        (0.3, "exclusivity_group", _GROUP),
        (0.3, "cap", {"times": draw.randint(1, 2), "days": 1}),
        (0.2, "audience", draw_condition(draw)),
        (0.1, "hours", [{"from_time": "00:00", "until_time": "24:00"}]),
        (0.3, "time_zone", "Europe/Paris"),
    ):
        if draw.random() < chance:
            document[name] = value
    definition = read_definition(document, is_zone)
    budget = draw_budget(draw, cost_at_most(definition), is_counted=draw.random() < 0.4)
    return structs.replace(definition, budget=budget)


def draw_budget(draw: random.Random, cost_minor: int, *, is_counted: bool) -> Budget | None:
    """Gives a budget of a few promises, in money, in count, or both."""
    money_minor = cost_minor * draw.randint(1, 8) + draw.randrange(cost_minor) if cost_minor else None
    count = draw.randint(1, 8) if is_counted else None
    return None if money_minor is None and count is None else Budget(money_minor=money_minor, count=count)


def _worth(draw: random.Random, kind: Kind) -> dict[str, Any]:
    """Gives what a campaign of a kind gives."""
    if kind == "recommendation":
        return {}
    if kind == "gamified_promotion":
        reward = {"type": "amount", "value_minor": 250}
        prizes = [{"prize_id": "a", "reward": reward, "chance_ppm": 500_000, "cost_minor": 300}]
        return {"game": "wheel", "prizes": prizes}
    if kind == "basket_tension":
        threshold = {"usual": 1_500, "at_least": 400, "at_most": 3_000}
        return {"amount_minor": {"usual": 100, "at_least": 50, "at_most": 200}, "threshold_minor": threshold}
    return draw.choice(
        (
            {"percent": {"usual": 10, "at_most": 20}, "max_discount_minor": 300},
            {"amount_minor": {"usual": 100, "at_least": 50, "at_most": 400}, "max_discount_minor": 400},
            {"max_discount_minor": 250},
        )
    )
