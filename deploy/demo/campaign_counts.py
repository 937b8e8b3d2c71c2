"""What campaigns did to shoppers, counted from the experience log as it grows; from workers to the campaigns' page."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct, structs

from domain.contents import product_of
from domain.listening import Listener
from domain.ports.experience_log import ExperienceLog
from domain.promises import is_entered
from domain.records import Decided, Decision


class Entrant(Struct, frozen=True, kw_only=True):
    """How a campaign first won a slot for a shopper.

    Attributes:
        at_ms: when the event behind it was received, Unix milliseconds.
        held_out: the shopper was not to be shown it, and never is.
        products: of that first experience.
    """

    at_ms: int
    held_out: bool
    products: frozenset[str]


class Count(Struct, kw_only=True):
    """What one campaign did.

    Attributes:
        shown, held_out: exposures; a basket tension that is told again is none.
        entrants: by shopper hash.
    """

    shown: int = 0
    held_out: int = 0
    entrants: dict[str, Entrant]


class CampaignCounts:
    """Counts of one retailer's campaigns, as far as the log reaches back.

    Args:
        log: the experience log.
        retailer_id: whose campaigns.
    """

    def __init__(self, log: ExperienceLog, retailer_id: str) -> None:
        self._log = log
        self._retailer_id = retailer_id
        self._counts: defaultdict[str, Count] = defaultdict(lambda: Count(entrants={}))

    def of(self, campaign_id: str) -> Count:
        """Gives what a campaign did so far: a copy."""
        count = self._counts.get(campaign_id)
        return Count(entrants={}) if count is None else structs.replace(count, entrants=dict(count.entrants))

    async def run(self) -> None:
        """Counts until cancelled."""
        listeners: defaultdict[int, Listener] = defaultdict(Listener)
        async for entries in self._log.follow({}):
            for entry in entries:
                heard = listeners[entry.partition].hear(entry)
                for said in heard.records if heard is not None else ():
                    if isinstance(said, Decided) and said.retailer_id == self._retailer_id:
                        self._take(said)
            # After a restart there is much to read, and the shop is open meanwhile.
            await asyncio.sleep(0)

    def _take(self, decided: Decided) -> None:
        for decision in decided.decisions:
            if is_entered(decision):
                self._add(decision, decided, held_out=False)
        for decision in decided.held_out:
            self._add(decision, decided, held_out=True)

    def _add(self, decision: Decision, decided: Decided, *, held_out: bool) -> None:
        shown = decision.experience
        if shown.campaign_id is None:
            return
        count = self._counts[shown.campaign_id]
        count.shown += not held_out
        count.held_out += held_out
        if decided.shopper not in count.entrants:
            products = frozenset(product_of(item) for item in shown.content.get("products", ()))
            count.entrants[decided.shopper] = Entrant(
                at_ms=decided.received_at_ms, held_out=held_out, products=products
            )


def groups(entrants: Mapping[str, Entrant]) -> tuple[int, int]:
    """Gives how many shoppers were treated, and how many held out."""
    held_out = sum(entrant.held_out for entrant in entrants.values())
    return len(entrants) - held_out, held_out
